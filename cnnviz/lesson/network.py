"""Makes the network that a lesson file describes; its parameters are not given yet."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from cnnviz.catalogue import LAYERS, LOSSES, OPTIMISERS, SCHEDULES
from cnnviz.engine.layer import Cost, Layer, Shape
from cnnviz.engine.losses import Loss
from cnnviz.engine.network import Network
from cnnviz.engine.objective import OutputLoss
from cnnviz.engine.schedules import Schedule, Schedules
from cnnviz.engine.wiring import in_order, inputs_of
from cnnviz.errors import CnnvizError
from cnnviz.lesson.bounds import (
    FORWARD_SHARE,
    MOST_FOUND_NUMBERS,
    MOST_FOUND_WORK,
    MOST_NUMBERS,
    MOST_WORK,
    PER_OUTPUT,
    PER_PARAMETER,
    PER_STATE,
)
from cnnviz.lesson.tables import DescentPart, LayerPart, LessonFile, NetworkFile
from cnnviz.text import tr


def build_network(described: LessonFile) -> Network:
    """Make the network that a lesson file describes; its parameters are zeros.

    Raises
    ------
    CnnvizError
        If a layer does not fit what the one before it puts out, or all of it would be too large.
    """
    given = described.optimiser
    optimiser = OPTIMISERS[given.kind].make(**given.arguments) if given else None
    states = len(optimiser.start(np.zeros(0))) if optimiser else 0
    if optimiser:
        optimiser.schedule = build_schedule(described)
    layers, forward_only = _layers(described, states)
    network = Network(
        layers,
        described.input_shapes,
        _losses(described),
        optimiser,
        given.fixed if given else (),
        described.outputs,
    )
    network.forward_only = forward_only
    return network


def _layers(described: LessonFile, states: int) -> tuple[list[tuple[str, Layer, tuple[str, ...]]], str]:
    """Make the layers; of a network of another program, also say why they are too large for gradients."""

    def made(with_gradients: bool, is_found: bool) -> list[tuple[str, Layer, tuple[str, ...]]]:
        samples = described.input.batch_size
        return build_layers(
            described.layers, described.input_shapes, states, with_gradients, is_found, samples
        )

    if not isinstance(described, NetworkFile):
        return made(True, False), ""
    if described.loss is None and not described.losses:
        return made(False, True), ""
    try:
        return made(True, True), ""
    except TooLargeError as error:
        return made(False, True), str(error)


def build_schedule(described: LessonFile | DescentPart) -> Schedule | None:
    """Make the schedule of a learning rate, or what several are together; None if there is none."""
    parts = [(SCHEDULES[part.kind].make(**part.arguments), part.begins) for part in described.schedules]
    one = described.schedule
    if parts:
        return Schedules(parts)
    return SCHEDULES[one.kind].make(**one.arguments) if one else None


def _losses(described: LessonFile) -> Loss | list[OutputLoss] | None:
    if described.losses:
        return [
            OutputLoss(part.of, LOSSES[part.kind].make(**part.arguments), part.weight)
            for part in described.losses
        ]
    loss = described.loss
    return LOSSES[loss.kind].make(**loss.arguments) if loss else None


def build_layers(
    parts: Sequence[LayerPart],
    input_shapes: Mapping[str, Shape],
    states: int = 0,
    with_gradients: bool = True,
    is_found: bool = False,
    samples: int = 1,
) -> list[tuple[str, Layer, tuple[str, ...]]]:
    """Make layers for a network's inputs of some shapes, by name; their parameters are not made yet.

    Parameters
    ----------
    states : int
        How many numbers the state of the optimiser has for each of a parameter.
    with_gradients : bool
        Whether gradients are computed, too.
    is_found : bool
        Whether it is a network of another program, which may be larger than one that is written for a lesson.
    samples : int
        How many go through together.

    Raises
    ------
    CnnvizError
        If one does not fit or reads what is not there, or an iteration with it would take too much memory or
        time.
    """
    budget = _Budget(states, with_gradients, is_found, samples)
    taken = Cost(sum(map(prod, input_shapes.values())), 0)
    by_name = {part.name: part for part in parts}
    inputs = inputs_of(((part.name, part.inputs) for part in parts), tuple(input_shapes))
    shapes: dict[str, Shape] = dict(input_shapes)
    layers: dict[str, Layer] = {}
    for name in in_order(inputs):
        part, given = by_name[name], [shapes[source] for source in inputs[name]]
        layer = _make_layer(part, given)
        with_it = budget.taken(taken, layer, given)
        if not budget.fits(with_it):
            raise budget.too_large(part, given, taken, with_it)
        taken, shapes[name] = with_it, layer.output_shape(*given)
        layers[name] = layer
    return [(name, layers[name], inputs[name]) for name in inputs]


def _make_layer(part: LayerPart, shapes: Sequence[Shape], **changed: int) -> Layer:
    entry = LAYERS[part.kind]
    inferred: dict[str, Any] = {}
    if entry.inferred and shapes[0]:
        inferred[entry.inferred] = shapes[0] if entry.infers_whole else shapes[0][0]
    layer = entry.make(**(inferred | dict(part.arguments) | changed))
    layer.name = part.name
    layer.take(len(shapes))
    return layer


class TooLargeError(CnnvizError):
    """A layer with which an iteration would take too much memory or time."""


class _Budget:
    """What an iteration may take, in numbers that are held at once and in multiply-adds.

    Parameters
    ----------
    states : int
        How many numbers the state of the optimiser has for each of a parameter.
    with_gradients, is_found : bool
        As `build_layers` has them.
    samples : int
        Likewise. What several have is laid side by side, too, for the listings of all.
    """

    def __init__(self, states: int, with_gradients: bool, is_found: bool, samples: int = 1) -> None:
        self._samples, self._copies = samples, samples if samples == 1 else 2 * samples
        self._per_parameter = PER_PARAMETER + PER_STATE * states
        self._with_gradients, self._is_found = with_gradients, is_found
        self._most = Cost(MOST_FOUND_NUMBERS, MOST_FOUND_WORK) if is_found else Cost(MOST_NUMBERS, MOST_WORK)

    def taken(self, before: Cost, layer: Layer, shapes: Sequence[Shape]) -> Cost:
        """Return what an iteration takes with one more layer."""
        out = layer.output_shape(*shapes)  # which says what does not fit
        own = layer.cost(*shapes)
        own = Cost(own.numbers * self._copies, own.work * self._samples)
        parameters = sum(map(prod, layer.parameter_shapes.values()))
        if self._with_gradients:
            numbers = own.numbers + parameters * self._per_parameter
            return Cost(before.numbers + numbers, before.work + own.work + 4 * parameters)
        # What comes out is kept, and parameters are as the file has them, in float32 for the most part.
        numbers = PER_OUTPUT * prod(out) + parameters // 2
        return Cost(before.numbers + numbers, before.work + own.work // FORWARD_SHARE)

    def fits(self, taken: Cost) -> bool:
        """Return whether so much may be taken."""
        return taken.numbers <= self._most.numbers and taken.work <= self._most.work

    def too_large(
        self, part: LayerPart, shapes: Sequence[Shape], before: Cost, with_it: Cost
    ) -> TooLargeError:
        """Return the error that a layer takes too much, with what would fit."""
        if with_it.numbers > self._most.numbers:
            said = tr("{layer}: with it, an iteration takes {found:,} MB; {most:,} MB are the most; {fits}")
            found, most = with_it.numbers * 8 // 10**6, self._most.numbers * 8 // 10**6
        else:
            said = tr(
                "{layer}: with it, an iteration takes {found:,} million multiply-adds; {most:,} are the "
                "most; {fits}"
            )
            found, most = with_it.work // 10**6, self._most.work // 10**6
        fits = self._what_fits(part, shapes, before)
        return TooLargeError(said.format(layer=part.name, found=found, most=most, fits=fits))

    def _what_fits(self, part: LayerPart, shapes: Sequence[Shape], before: Cost) -> str:
        """Say how many channels or neurons fit; where not even one does, what else to do."""

        def is_too_much(name: str, count: int) -> bool:
            return not self.fits(self.taken(before, _make_layer(part, shapes, **{name: count}), shapes))

        if self._is_found:  # what it is like is its file's to say
            return tr("take a smaller input, or open it up to an earlier layer (--up-to)")
        for name in ("out_channels", "neurons"):
            if name in part.arguments:
                counts = range(1, part.arguments[name])
                fits = bisect_left(counts, True, key=partial(is_too_much, name))
                if fits:
                    return tr("with {name} = {count} it fits", name=name, count=fits)
        return tr("take a smaller input, or fewer layers")
