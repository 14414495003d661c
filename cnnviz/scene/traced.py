"""What a number is made of and what it reaches, through all layers: a record of what a picture shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.engine.address import node_of, output_of, split
from cnnviz.engine.attribution import Back, trace_back, trace_forward, trace_gradient
from cnnviz.engine.layer import Array
from cnnviz.engine.network import Network
from cnnviz.engine.port import Port
from cnnviz.engine.tape import Tape
from cnnviz.scene.arrays import symbol
from cnnviz.scene.numbers import count, decimals, full, number
from cnnviz.text import tr
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Made, Program

_ROUNDING = 1e-11
"""A sum that is smaller than this part of what was added up is rounding."""

_LEAST_REST = 1e-9
"""A rest that is smaller than this part of the number is rounding."""


class Tile(Struct, frozen=True, eq=False):
    """An array on the way.

    Attributes
    ----------
    name : str
        Of its layer, or of the input.
    values : Array
        Of each cell what it contributes; or by how much it changes.
    counts : NDArray[np.bool_]
        Which cells count: those outside have no part in it.
    said : str
        What stands under it.
    shown : Array or None
        Its own numbers, where they are to be seen beside.
    """

    name: str
    values: Array
    counts: NDArray[np.bool_]
    said: str
    shown: Array | None = None


class Traced(Struct, frozen=True, eq=False):
    """What a trace shows.

    Attributes
    ----------
    title : str
        What is traced.
    sentence : str
        What the colours mean.
    sum : str
        How the number comes about; or how the loss depends on it.
    ends : tuple[Tile, ...]
        Where it begins: the inputs, or going forward the array of the number itself.
    way : tuple[Tile, ...]
        All arrays between, in the order in which they are computed.
    """

    title: str
    sentence: str
    sum: str
    ends: tuple[Tile, ...]
    way: tuple[Tile, ...]

    @property
    def said(self) -> str:
        """All of it in words."""
        return " ".join((f"{self.title}.", self.sentence, self.sum))


@np.errstate(all="ignore")
def traced(program: Program, network: Network | None, tape: Tape, cell: Made, forward: bool) -> Traced | str:
    """Return a trace of a cell, back to the inputs or forward to the loss; a sentence where there is none."""
    port = cell.operation.call.port(cell.array)
    place = cell.operation.call.own_place(cell.array, cell.index)
    address = port.before or port.address
    if network is None:
        return tr("Numbers are traced through the layers of a network; here there is none.")
    if place is None:
        return tr("This is padding: nothing is behind it.")
    outputs = {output_of(node) for node in (*network.input_shapes, *(layer.name for layer in network.layers))}
    if cell.operation.phase == "loss" and cell.array == cell.operation.call.result and not port.gradient_of:
        return _of_loss(program, network, tape, cell, forward)
    if address not in outputs and not (forward and address in network.parameters):
        return _not_traced(network, port, address, symbol(cell.operation, cell.array), cell.operation)
    node, own = split(address)
    at = f"[{', '.join(map(str, place))}]"
    name = node + at
    if node not in network.input_shapes:
        name = tr("{cell} of {layer}", cell=own + at, layer=node)
    if forward:
        return _forward(program, network, tape, address, place, name)
    found, value = trace_back(network, tape, address, place), float(tape[address][place])
    return _back(network, tape, found, value, name, place[0] if tape.samples else None)


def _not_traced(network: Network, port: Port, address: str, called: str, operation: Operation) -> str:
    """Say why there is no trace of what is no output of a layer, and what can be done in its place."""
    if port.gradient_of or operation.phase == "update":
        return tr(
            "A gradient goes back by the chain rule, whose factors stand above the picture: it is no sum of "
            "what went in. Choose a number that goes forward."
        )
    if address in network.parameters:
        return tr("{name} is a parameter: nothing is behind it; trace it forward.", name=called)
    return tr(
        "{name} is made within {layer}, on the way to its output: trace that output in its place.",
        name=called,
        layer=operation.layer,
    )


def _of_loss(program: Program, network: Network, tape: Tape, cell: Made, forward: bool) -> Traced | str:
    """Trace the loss back by the gradient that it begins going back with."""
    if forward:
        return tr("Nothing comes after the loss: from here its gradient goes back.")
    call = cell.operation.call
    address = next((call.port(name).address for name in call.given if call.port(name).role == "source"), "")
    made = program.gradient(address)
    if made is None:  # the gradient of loss and softmax together is one operation
        address = next((node.inputs[0] for node in network.nodes if node.output == address), "")
        made = program.gradient(address)
    if tape.samples or len(network.losses) != 1 or made is None:
        return tr(
            "A loss of several samples or outputs is a mean or a sum: trace one of the outputs in its place."
        )
    gradient = np.asarray(tape[made[0].call.port(made[1]).address])
    found, value = trace_gradient(network, tape, address, gradient), float(call.writes[cell.array].flat[0])
    return _back(network, tape, found, value, tr("the loss"), None)


def _back(network: Network, tape: Tape, found: Back, value: float, name: str, sample: int | None) -> Traced:
    inputs = [output_of(one) for one in network.input_shapes]
    shares = {one: found.contributions(tape, one) for one in _in_order(network, found.gradients)}
    ends = [one for one in shares if one in inputs]
    of_inputs = sum(_total(shares[one]) for one in ends)
    biases = sum(found.added.values())
    rest = value - of_inputs - biases
    parts = [(tr("the input"), of_inputs)]
    if biases:
        parts.append((tr("biases"), biases))
    curved = abs(rest) > _LEAST_REST * max(abs(value), abs(of_inputs), abs(biases), 1e-300)
    if curved:
        parts.append((tr("the rest"), rest))
    numbers = _alike([*(part for _, part in parts), value])
    said = " + ".join(f"{text} ({what})" for text, (what, _) in zip(numbers, parts, strict=False))

    def tile(one: str, whole: bool) -> Tile:
        counts: NDArray[np.bool_] = found.gradients[one] != 0
        together = _total(shares[one])
        told = tr(
            "{count} of {all} cells: {sum}",
            count=count(int(counts.sum())),
            all=count(counts.size),
            sum=_alike([together])[0],
        )
        if sample is not None and counts.sum() > counts[sample].sum():
            told = tr("{cells}, in all samples", cells=told)
        at = ... if sample is None else sample
        shown = tape[one][at] if whole else None
        return Tile(node_of(one), shares[one][at], counts[at], told, shown)

    sentence = tr(
        "Each cell shows what it contributes: its value times the gradient of this number to it. "
        "Each array has its own scale."
    )
    if curved:
        sentence += " " + tr("Curves and norms leave a rest.")
    return Traced(
        tr("Trace back from {name}", name=f"{name} = {full(value)}"),
        sentence,
        tr("{parts} = {number}, the number.", parts=said, number=numbers[-1]),
        tuple(tile(one, True) for one in ends),
        tuple(tile(one, False) for one in shares if one not in inputs),
    )


def _forward(
    program: Program, network: Network, tape: Tape, address: str, place: tuple[int, ...], name: str
) -> Traced:
    found = trace_forward(network, tape, address, place)
    made = program.gradient(address)
    said = tr("Here it reaches no loss.")
    if made is not None:
        slope = float(np.asarray(tape[made[0].call.port(made[1]).address])[place])
        said = tr("The loss changes by {slope} for each 1 that it changes.", slope=full(slope))
    if not any(values.any() for one, values in found.items() if one != address):
        said = tr("No later number changes with it: a ReLU clips it, or another is larger, or none reads it.")
    sample = place[0] if tape.samples and address not in network.parameters else None
    order = _in_order(network, found)

    def tile(one: str, whole: bool) -> Tile:
        values, shown = found[one], tape[one]
        counts: NDArray[np.bool_] = values != 0
        told = tr("{count} of {all} cells", count=count(int(counts.sum())), all=count(counts.size))
        at = sample or 0 if tape.samples and one not in network.parameters else ...
        return Tile(node_of(one), values[at], counts[at], told, shown[at] if whole else None)

    return Traced(
        tr("Trace forward from {name}", name=f"{name} = {full(float(tape[address][place]))}"),
        tr("Each cell shows by how much it changes for each 1 that this number does; the others stay."),
        said,
        (tile(address, True),),
        tuple(tile(one, False) for one in order if one != address),
    )


def _in_order(network: Network, found: Mapping[str, object]) -> list[str]:
    """Return addresses in the order in which they are computed, inputs first."""
    names = (*network.input_shapes, *(layer.name for layer in network.layers))
    return [one for one in map(output_of, names) if one in found]


def _total(shares: Array) -> float:
    """Return a sum, and 0 where only rounding is left of it."""
    found, size = float(shares.sum()), float(np.abs(shares).sum())
    return 0.0 if abs(found) < _ROUNDING * size else found


def _alike(values: Sequence[float]) -> list[str]:
    """Write numbers with as many decimals each, so that they can be added up."""
    places, power = decimals(np.array(values))
    if power:
        return [full(value) for value in values]
    return [number(value, max(places, 2) + 1 if places else 0) for value in values]
