"""How an argument of a listing lies in the array that it stands for: padded, spread, or cut."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Index = tuple[int, ...]


class Placement(Struct, frozen=True, dict=True):
    """Where the rows and columns of an array are put among zeros, to make the argument of a listing.

    Row r of the array lies in row ``start[0] + r · step[0]`` of the argument, and columns likewise; what
    would lie outside the argument is cut off. All axes before these two are the same in both.

    Attributes
    ----------
    own : (int, int)
        The rows and columns of the array.
    shape : (int, int)
        Those of the argument.
    start : (int, int)
        Where the first of them lie: behind the padding; below 0 if they are cut off.
    step : (int, int)
        How far they lie apart: more than 1 where zeros stand between them.
    fill : float
        What stands in all other cells: 0, or −∞ where nothing but a cell of the array may be the largest.
    """

    own: tuple[int, int]
    shape: tuple[int, int]
    start: tuple[int, int] = (0, 0)
    step: tuple[int, int] = (1, 1)
    fill: float = 0.0

    def source(self, index: Index) -> Index | None:
        """Return the array's cell that lies in a cell of the argument; None if that is a zero put in."""
        *before, row, column = index
        found = []
        for k, start, step, size in zip((row, column), self.start, self.step, self.own, strict=True):
            place, between = divmod(k - start, step)
            if between or not 0 <= place < size:
                return None
            found.append(place)
        return (*before, *found)

    def target(self, index: Index) -> Index | None:
        """Return the argument's cell in which a cell of the array lies; None if it is cut off."""
        *before, row, column = index
        places = [
            start + k * step for k, start, step in zip((row, column), self.start, self.step, strict=True)
        ]
        inside = all(0 <= place < size for place, size in zip(places, self.shape, strict=True))
        return (*before, *places) if inside else None

    def is_between(self, index: Index) -> bool:
        """Return whether a cell of the argument lies among the array's, not in the padding around them."""
        return all(
            0 <= k - start <= (size - 1) * step
            for k, start, step, size in zip(index[-2:], self.start, self.step, self.own, strict=True)
        )

    @cached_property
    def inside(self) -> tuple[range, range]:
        """Which of the array's rows and columns are not cut off."""
        rows, columns = (
            range(max(0, -(start // step)), max(0, min(count, -((start - size) // step))))
            for size, start, step, count in zip(self.shape, self.start, self.step, self.own, strict=True)
        )
        return rows, columns

    @cached_property
    def _places(self) -> tuple[slice, slice]:
        """The argument's rows and columns in which these lie."""
        rows, columns = (
            slice(start + kept.start * step, start + max(kept.start, kept.stop - 1) * step + bool(kept), step)
            for start, step, kept in zip(self.start, self.step, self.inside, strict=True)
        )
        return rows, columns

    def place(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the argument that is made of an array (…, rows, columns); itself if that is all of it."""
        if self._is_whole:
            return array
        made = np.zeros((*array.shape[:-2], *self.shape), array.dtype)
        if self.fill:
            made.fill(self.fill)
        made[..., *self._places] = array[..., *self._kept]
        return made

    @cached_property
    def _is_whole(self) -> bool:
        """Whether the argument is the array itself."""
        return self.own == self.shape and self.start == (0, 0) and self.step == (1, 1)

    @cached_property
    def _kept(self) -> tuple[slice, slice]:
        """The array's rows and columns that are not cut off."""
        rows, columns = self.inside
        return slice(rows.start, rows.stop), slice(columns.start, columns.stop)

    @property
    def around(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """How many rows of zeros lie before and behind the array's, and how many columns."""
        rows, columns = (
            (start, shape - start - (size - 1) * step - 1)
            for start, step, size, shape in zip(self.start, self.step, self.own, self.shape, strict=True)
        )
        return rows, columns

    @cached_property
    def zeros(self) -> NDArray[np.bool_]:
        """Which places of the argument, (rows, columns), hold zero padding, or a zero of a stride."""
        put_in = np.ones(self.shape, bool)
        rows, columns = self._places
        put_in[rows, columns] = False
        return put_in

    @property
    def extent(self) -> tuple[slice, slice]:
        """The argument's rows and columns from the array's first to its last; empty if all are cut off."""
        rows, columns = self._places
        return slice(rows.start, rows.stop), slice(columns.start, columns.stop)

    @property
    def spreads(self) -> bool:
        """Whether zeros stand between the array's own rows or columns."""
        return bool(self.zeros[self.extent].any())

    @property
    def surrounds(self) -> bool:
        """Whether zeros stand around the array, on any side."""
        return self.zeros[self.extent].shape != self.shape
