"""What a network is trained to make small: the loss of one output, or a sum of the losses of several."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from cnnviz.engine.address import (
    address_of,
    differentiated,
    gradient_of,
    mean_of,
    output_gradient_of,
    output_of,
    split,
    value_of,
)
from cnnviz.engine.layer import Array, Call, Layer, Shape, Value, require_column
from cnnviz.engine.layers.joining import numbered, scaled_call, total_listing
from cnnviz.engine.layers.softmax import OverAxis
from cnnviz.engine.losses import Loss
from cnnviz.engine.port import Port
from cnnviz.engine.sequences import AsMaps, of_sequences
from cnnviz.engine.tape import Tape
from cnnviz.engine.wiring import unknown
from cnnviz.errors import CnnvizError
from cnnviz.text import tr

LOSS = "loss"
"""What the loss is called, and the sum of several."""

TOTAL = value_of(LOSS)
"""The address of its value."""


class OutputLoss(Struct, frozen=True, dict=True):
    """The loss of one output.

    Attributes
    ----------
    of : str
        The layer whose output it is of.
    loss : Loss
        What is computed.
    weight : float
        What it is multiplied by in the sum of all.
    name : str
        What the network calls it: ``loss`` where it is the only one, else ``loss_`` and the layer's name.
    """

    of: str
    loss: Loss
    weight: float = 1.0
    name: str = LOSS

    @cached_property
    def output(self) -> str:
        """The address of the output that it is of."""
        return output_of(self.of)

    @cached_property
    def target(self) -> str:
        """The address of the target."""
        return address_of(self.name, "t")

    @cached_property
    def value(self) -> str:
        """The address of the number that it comes to."""
        return value_of(self.name)

    @cached_property
    def is_joined(self) -> bool:
        """Whether it gives the gradient of what goes into its layer, not of what comes out."""
        return self.loss.follows is not None

    def shared_at(self, name: str) -> str:
        """Return the address of what its listings read of the targets of all samples."""
        return address_of(self.name, name)

    def starts_with(self, layer: Layer) -> str:
        """Return the address of the gradient that it starts the way back with."""
        return (
            gradient_of(address_of(self.of, layer.input_names[0]))
            if self.is_joined
            else output_gradient_of(self.name)
        )

    def own_gradient(self, layer: Layer) -> str:
        """Return the address of its own gradient, before it is multiplied by the weight."""
        return self.starts_with(layer) if self.weight == 1 else address_of(self.name, "gradient")


def output_losses(given: Loss | Sequence[OutputLoss] | None, layers: Sequence[str]) -> tuple[OutputLoss, ...]:
    """Return the losses with their names; a loss by itself is of the last layer's output.

    Raises
    ------
    CnnvizError
        If one is of no layer.
    """
    if given is None or isinstance(given, Loss):
        return () if given is None else (OutputLoss(layers[-1], given),)
    for k, one in enumerate(given):
        if one.of not in layers:
            raise CnnvizError(unknown(f"losses[{k}].of", one.of, list(layers)))
    if len(given) == 1 and given[0].weight == 1:
        return (replace(given[0], name=LOSS),)
    return tuple(replace(one, name=f"{LOSS}_{one.of}") for one in given)


def check_losses(
    losses: Sequence[OutputLoss],
    layers: Mapping[str, Layer],
    shapes: Mapping[str, Shape],
    inputs: Mapping[str, Sequence[str]],
) -> None:
    """Raise CnnvizError unless each loss has an output that it is of, and that it can be computed from."""
    for k, one in enumerate(losses):
        if one.of in [other.of for other in losses[:k]]:
            raise CnnvizError(
                tr("{name}: {layer} has a loss already; an output has one at most.", name=LOSS, layer=one.of)
            )
        if one.name in layers:
            raise CnnvizError(tr("{layer}: this name is taken; every layer needs its own.", layer=one.name))
        _check_follows(one, layers[one.of])
        _check_axis(one, layers[one.of])
        reader = next((name for name, sources in inputs.items() if one.of in sources), None)
        if one.is_joined and reader is not None:
            raise CnnvizError(
                tr(
                    "{name}: {loss} needs an output that no layer reads, but {reader} reads {layer}.",
                    name=one.name,
                    loss=one.loss.kind,
                    reader=reader,
                    layer=one.of,
                )
            )
        if len(shapes[one.of]) not in (2, 3):
            require_column(one.name, shapes[one.of])
        if misfit := one.loss.misfit(shapes[one.of]):
            raise CnnvizError(tr("{name}: {misfit}.", name=one.name, misfit=misfit))


def _check_follows(one: OutputLoss, layer: Layer) -> None:
    needed = one.loss.follows
    if needed and not isinstance(layer, needed):
        raise CnnvizError(
            tr(
                "{name}: {loss} needs {needed} as the last layer, but {layer} is {found}; "
                "add a {needed} layer at the end.",
                name=one.name,
                loss=one.loss.kind,
                needed=needed.kind,
                layer=layer.name,
                found=layer.kind,
            )
        )


def _check_axis(one: OutputLoss, layer: Layer) -> None:
    """Raise CnnvizError if a softmax goes over another axis than the loss does."""
    if isinstance(layer, OverAxis) and one.is_joined and layer.dim != 1:
        raise CnnvizError(
            tr(
                "{name}: {loss} is taken over the channels, but {layer} over axis {axis}; set its dim to 1.",
                name=one.name,
                loss=one.loss.kind,
                layer=layer.name,
                axis=layer.dim,
            )
        )


def total(losses: Sequence[OutputLoss], values: Mapping[str, Array]) -> Array:
    """Return the sum of all losses, each multiplied by its weight."""
    first, *others = (
        values[one.value] if one.weight == 1 else one.weight * values[one.value] for one in losses
    )
    for other in others:
        first = first + other
    return np.asarray(first)


MEAN_LOSS = mean_of(LOSS)
"""What the mean of the samples' losses is called, and its address."""


def from_scores(losses: Sequence[OutputLoss], layers: Mapping[str, Layer], tape: Tape) -> frozenset[str]:
    """Return which losses are computed from the scores; of several samples, those of all or of none."""
    found = set()
    for one in losses:
        last = layers[one.of]
        x = last.address(last.input_names[0])
        arrays = (tape[address] for address in (one.output, one.target, x))
        y, t, x_ = arrays if tape.samples else (array[None] for array in arrays)
        if one.loss.from_scores(y, t, x_):
            found.add(one.name)
    return frozenset(found)


def loss_calls(
    losses: Sequence[OutputLoss], layers: Mapping[str, Layer], tape: Tape, scores: Collection[str]
) -> list[Call]:
    """Return the losses and their sum, then the gradients that they start the way back with.

    Parameters
    ----------
    scores : Collection[str]
        Those that are computed from the scores.
    """
    called = numbered("E", len(losses)) if [one.name for one in losses] != [LOSS] else [""]
    made = [
        _calls_of(one, layers[one.of], tape, own, one.name in scores)
        for one, own in zip(losses, called, strict=True)
    ]
    calls = [call for each, _ in made for call in each]
    if called != [""]:
        calls.append(_total_call(losses, tape))
    for one, own, (_, gradient) in zip(losses, called, made, strict=True):
        if gradient is None:
            continue
        calls.append(gradient)
        if one.weight != 1:
            calls.append(_weighted_call(one, layers[one.of], tape, own))
    return calls


def _calls_of(
    one: OutputLoss, last: Layer, tape: Tape, called: str, scores: bool
) -> tuple[list[Call], Call | None]:
    """Return the calls of a loss, and of its own gradient if the tape has it.

    First comes what it reads of all samples. Of several losses, they have what their sum calls it.
    """
    x, own = last.address(last.input_names[0]), one.own_gradient(last)
    places = {"y": one.output, "t": one.target, "x": x} | ({"gradient": own} if own in tape else {})
    held: Mapping[str, Array] = {name: tape[address] for name, address in places.items()}
    of_sequence = held["y"].ndim == 2
    if of_sequence:
        held = AsMaps(held)
    y, t = held["y"], held["t"]
    shared = {name: tape[one.shared_at(name)] for name in one.loss.shared(t[None])}
    before = [
        replace(call, name=one.shared_at(name), layer=one.name)
        for call, name in zip(one.loss.shared_calls(t, shared), shared, strict=True)
    ]
    value = one.loss.value_call(y, t, held["x"], tape[one.value], scores)
    calls = [*before, replace(value, name=one.name, layer=one.name, given={**value.given, **shared})]
    alone = "" if own == one.starts_with(last) else called  # else it is the gradient of the sum, too
    if "gradient" in held:
        gradient = one.loss.gradient_call(y, t, held["gradient"], one.of)
        layer = one.of if one.is_joined and not alone else one.name
        calls.append(replace(gradient, name=own, layer=layer, given={**gradient.given, **shared}))
    if of_sequence:
        calls = of_sequences(calls)
    found = {"dy": ("y", one.output), "dx": ("x", x)}
    ports = {
        "y": Port(one.output, "source", "y"),
        "x": Port(x, "source", "x"),
        "t": Port(one.target, "target", "t"),
        "E": Port(one.value, "result", "E", loss=called),
        **{name: Port(own, "result", symbol, of, loss=alone) for name, (symbol, of) in found.items()},
        **{name: Port(one.shared_at(name), "source", "ω̄") for name in shared},
    }
    calls = [_with_ports(call, ports) for call in calls]
    return (calls[:-1], calls[-1]) if "gradient" in held else (calls, None)


def _with_ports(call: Call, ports: Mapping[str, Port]) -> Call:
    own = {name: port for name, port in ports.items() if call.has(name)}
    return replace(
        call, ports={k: replace(v, role="result") if k in call.writes else v for k, v in own.items()}
    )


def _total_call(losses: Sequence[OutputLoss], tape: Tape) -> Call:
    names, weights = numbered("E", len(losses)), numbered("weight", len(losses))
    weighted = [weight if one.weight != 1 else "" for weight, one in zip(weights, losses, strict=True)]
    addresses = [one.value for one in losses]
    given: dict[str, Value] = {
        name: tape[address].reshape(1) for name, address in zip(names, addresses, strict=True)
    }
    given |= {weight: one.weight for weight, one in zip(weighted, losses, strict=True) if weight}
    ports = {name: Port(address, "source", name) for name, address in zip(names, addresses, strict=True)}
    return Call(
        name=LOSS,
        layer=LOSS,
        phase="loss",
        listing=total_listing(names, weighted),
        given=given,
        writes={"E": tape[TOTAL].reshape(1)},
        ports=ports | {"E": Port(TOTAL, "result", "E")},
        kind="total_loss",
    )


def _weighted_call(one: OutputLoss, last: Layer, tape: Tape, called: str) -> Call:
    own, whole = one.own_gradient(last), one.starts_with(last)
    layer, result = split(whole)
    of = last.address(last.input_names[0]) if one.is_joined else one.output
    made = scaled_call(layer, result, tape[own], one.weight, tape[whole])
    ports = {
        "g": Port(own, "source", differentiated(result), of, loss=called),
        result: Port(whole, "result", differentiated(result), of),
    }
    return replace(made, ports=ports)
