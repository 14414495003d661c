"""A gradient checked by trying it out: the loss a little above and a little below, and their difference.

    (E(w + ε) − E(w − ε)) / 2ε

is nearly ∂E/∂w, and whoever has computed ∂E/∂w by hand can compare.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from cnnviz.engine.address import node_of
from cnnviz.engine.layer import Array
from cnnviz.engine.network import Network
from cnnviz.engine.objective import TOTAL
from cnnviz.errors import CnnvizError
from cnnviz.lesson.lesson import Lesson
from cnnviz.text import tr
from cnnviz.trace.operation import Operation

Index = tuple[int, ...]

EPSILON = 1e-5
"""How far above and below it is tried; times the number itself, where that is more than one."""

ENOUGH = 1e-4
"""The largest relative error at which a gradient is taken to be right."""

_ROUNDED = 16 * float(np.finfo(np.float64).eps)
"""What rounding makes of a loss: this part of it."""

_JUMP = 1e-2
"""By how much of the largest a slope jumps where there is a kink; without one it changes by about ε."""

_SMALLEST = 1e-6
"""Slopes below this are what rounding leaves of 0, as of a softmax."""


class Slot(NamedTuple):
    """A number that a gradient is the gradient of.

    Attributes
    ----------
    address : str
        Its array on the tape.
    cell : tuple[int, ...]
        Where it lies there.
    """

    address: str
    cell: Index

    def __str__(self) -> str:
        return f"{self.address}[{', '.join(map(str, self.cell))}]" if self.cell else self.address


class Check(Struct, frozen=True):
    """One number of a gradient, and what trying it out says.

    Attributes
    ----------
    slot : Slot
        What it is the gradient of.
    value : float
        The number there.
    epsilon : float
        How far above and below it was tried.
    above, below : float
        The loss at the number plus ε, and at the number minus ε.
    gradient : float
        What going back has computed.
    kinks : tuple[str, ...]
        Layers that have a kink between the two: there the slope on one side is not that on the other.
    """

    slot: Slot
    value: float
    epsilon: float
    above: float
    below: float
    gradient: float
    kinks: tuple[str, ...] = ()

    @property
    def quotient(self) -> float:
        """The difference quotient."""
        return (self.above - self.below) / (2 * self.epsilon)

    @property
    def error(self) -> float:
        """How far the two are from each other, as a part of the larger one; 0 if both are 0."""
        larger = max(abs(self.gradient), abs(self.quotient))
        return abs(self.gradient - self.quotient) / larger if larger else 0.0

    @property
    def noise(self) -> float:
        """What rounding the losses may make of the quotient."""
        return _ROUNDED * max(abs(self.above), abs(self.below), 1.0) / self.epsilon

    @property
    def holds(self) -> bool:
        """Whether they are the same, as far as a quotient can tell."""
        return self.error <= ENOUGH or abs(self.gradient - self.quotient) <= self.noise

    @property
    def verdict(self) -> str:
        """What is to be thought of it, in a sentence."""
        if self.kinks and not self.holds:
            return tr(
                "They differ, and there is a kink in {layers} between the two: on one side of it the slope "
                "is another than on the other, and the quotient is between them. Try a smaller ε.",
                layers=", ".join(self.kinks),
            )
        if self.kinks:
            return tr(
                "They agree, though there is a kink in {layers} between the two.",
                layers=", ".join(self.kinks),
            )
        if self.error <= ENOUGH:
            return tr("They agree: the gradient is right.")
        if self.holds:
            return tr("They agree as far as can be seen: the losses differ by no more than rounding does.")
        return tr("They differ: with this ε the gradient is not confirmed. Try another ε.")


def slot_of(lesson: Lesson, operation: Operation, array: str, index: Index) -> Slot:
    """Return the number to be tried out: a cell of an operation's array, or what that is the gradient of.

    Raises
    ------
    CnnvizError
        If it has no gradient, or none that can be tried out; the sentence says why.
    """
    port, place = operation.call.port(array), operation.call.own_place(array, index)
    network, tape = lesson.network, lesson.tape
    if network is None:
        raise CnnvizError(tr("There is no network here whose loss could be tried out; open one."))
    address = port.gradient_of or port.before or port.address
    if place is None or address not in tape or _gradient(lesson, address) is None:
        raise CnnvizError(tr("{address} has no gradient that can be tried out.", address=address))
    shape = tape[address].shape
    if len(place) != len(shape):  # an update sees parameters as one row
        place = tuple(int(k) for k in np.unravel_index(place[-1], shape))
    return Slot(address, place)


def _gradient(lesson: Lesson, address: str) -> Array | None:
    """Return the whole gradient of an array: where several come back, their sum."""
    found = lesson.program.gradient(address)
    if found is None:
        return None
    key = found[0].call.port(found[1]).address
    return lesson.tape.get(key)


def all_of(lesson: Lesson, slot: Slot) -> list[Slot]:
    """Return all numbers of the layer: of all its parameters, or of the array, if that is no parameter."""
    network = lesson.network
    assert network is not None
    addresses = [slot.address]
    if slot.address in network.parameter_shapes:
        own = [key for key in network.parameter_shapes if node_of(key) == node_of(slot.address)]
        addresses = [key for key in own if _gradient(lesson, key) is not None]
    return [Slot(address, index) for address in addresses for index in np.ndindex(lesson.tape[address].shape)]


def check(lesson: Lesson, slot: Slot, epsilon: float = EPSILON) -> Check:
    """Try out one number of a gradient."""
    network, gradient = lesson.network, _gradient(lesson, slot.address)
    assert network is not None and gradient is not None
    value = float(lesson.tape[slot.address][slot.cell])
    step = epsilon * max(1.0, abs(value))
    above, below = (_tried(network, lesson, slot, value + sign * step) for sign in (1, -1))
    return Check(
        slot,
        value,
        step,
        float(above[TOTAL].mean()),
        float(below[TOTAL].mean()),
        float(gradient[slot.cell]),
        tuple(_kinks(network, above, below)),
    )


def _tried(network: Network, lesson: Lesson, slot: Slot, value: float) -> dict[str, Array]:
    values = np.array(lesson.tape[slot.address], np.float64)
    values[slot.cell] = value
    with np.errstate(all="ignore"):
        return network.onward(lesson.tape, slot.address, values)


def _kinks(network: Network, above: dict[str, Array], below: dict[str, Array]) -> Iterator[str]:
    """Yield the layers that pass back another slope above than below."""
    with np.errstate(all="ignore"):
        there = network.slopes(below)
        for name, slopes in network.slopes(above).items():
            largest = max(float(np.abs(slopes).max()), float(np.abs(there[name]).max()), _SMALLEST)
            if float(np.abs(slopes - there[name]).max()) > _JUMP * largest:
                yield name
