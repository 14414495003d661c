"""Every array of one iteration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from math import prod
from threading import RLock
from typing import NamedTuple

import numpy as np

from cnnviz.engine.address import address_of, split
from cnnviz.engine.layer import Array, Shape


class Later(NamedTuple):
    """Arrays that are all made when one of them is first asked for: those of the way back, and of the update.

    Attributes
    ----------
    shapes : Mapping[str, Shape]
        Which arrays, each with the shape that it will have.
    make : Callable
        Makes them.
    """

    shapes: Mapping[str, Shape]
    make: Callable[[], Mapping[str, Array]]


class Tape(Mapping[str, Array]):
    """The arrays of one iteration by name, read-only: ``conv1.x``, ``conv1.w``, ``conv1.y``, ``conv1.dw``, ….

    A parameter after the update is ``conv1.w_new``; the loss is ``loss.value``, its target ``loss.t``.
    Arrays of one sample have no batch axis.

    Parameters
    ----------
    later : Later, optional
        More arrays, which are there as the others are, but are computed when they are asked for.

    Attributes
    ----------
    iteration : int
        The number of the iteration, from 1; Adam's update needs it.
    of_samples : frozenset[str]
        Where several samples went through together, the arrays that each has for itself: their first axis
        counts the samples.
    samples : int
        How many; 0 where it was one by itself.
    """

    def __init__(
        self,
        arrays: Mapping[str, Array],
        iteration: int = 1,
        of_samples: frozenset[str] = frozenset(),
        samples: int = 0,
        later: Later | None = None,
    ) -> None:
        self.iteration, self.of_samples, self.samples = iteration, of_samples, samples
        self._arrays = {name: _frozen(values) for name, values in arrays.items()}
        self._later = later
        self._making = RLock()

    @property
    def unmade(self) -> int:
        """How many numbers have not been asked for yet; the first that is has all of them made."""
        return sum(map(prod, self._later.shapes.values())) if self._later is not None else 0

    def _make_all(self) -> None:
        with self._making:
            if self._later is not None:
                made = {name: _frozen(values) for name, values in self._later.make().items()}
                self._arrays = self._arrays | made  # another, for somebody may be going through this one
                self._later = None

    def __getitem__(self, name: str) -> Array:
        if name not in self._arrays and name in self:
            self._make_all()
        return self._arrays[name]

    def __contains__(self, name: object) -> bool:
        later = self._later
        return name in self._arrays or (later is not None and name in later.shapes)

    def __iter__(self) -> Iterator[str]:
        later, arrays = self._later, self._arrays
        return iter((*arrays, *(name for name in (later.shapes if later else ()) if name not in arrays)))

    def __len__(self) -> int:
        return len(list(iter(self)))

    @property
    def loss(self) -> float:
        """The loss; of several samples, the mean of theirs."""
        return float(self["loss.mean" if self.samples else "loss.value"])

    def of(self, layer: str) -> Mapping[str, Array]:
        """Return one layer's arrays by their short names, ``x``, ``w``, ``y`` and so on."""
        return _Own(self, layer)

    def sample(self, number: int) -> Tape:
        """Return the arrays of one of the samples that went through together."""
        return Tape(
            {
                name: values[number, ...] if name in self.of_samples else values
                for name, values in self.items()
            },
            self.iteration,
        )

    @cached_property
    def outlined(self) -> Tape:
        """It with zeros, which take no memory, in the place of what is not made yet."""
        later = self._later
        shapes = {} if later is None else later.shapes
        zeros = {name: np.broadcast_to(0.0, shape) for name, shape in shapes.items()}
        return Tape(zeros | self._arrays, self.iteration)


class _Own(Mapping[str, Array]):
    """The arrays of one layer, by their short names."""

    def __init__(self, tape: Tape, layer: str) -> None:
        self._tape, self._layer = tape, layer

    def __getitem__(self, name: str) -> Array:
        return self._tape[address_of(self._layer, name)]

    def __contains__(self, name: object) -> bool:
        return address_of(self._layer, str(name)) in self._tape

    def __iter__(self) -> Iterator[str]:
        places = map(split, self._tape)
        return (own for layer, own in places if layer == self._layer)

    def __len__(self) -> int:
        return len(list(iter(self)))


def _frozen(values: Array) -> Array:
    frozen = values.view()
    frozen.flags.writeable = False
    return frozen
