"""Where the windows of a convolution or a pool lie, read off the sizes that its listing is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from cnnviz.engine.layer import Call
from cnnviz.engine.sequences import is_of_sequences

Window = tuple[int, int, int, int]
"""Row, column, rows and columns."""


class Windows(Struct, frozen=True):
    """How windows are slid over maps.

    Attributes
    ----------
    kernel, stride, rate : (int, int)
        The cells of a window, how far windows lie apart and how far their cells do; along rows and columns.
    kernels, depth : int
        Of a convolution in groups, the kernels of a group and the channels that each sees; else 0.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    rate: tuple[int, int]
    kernels: int = 0
    depth: int = 0

    @property
    def extent(self) -> tuple[int, int]:
        """The rows and columns from a window's first cell to its last."""
        (high, wide), (down, right) = self.kernel, self.rate
        return (high - 1) * down + 1, (wide - 1) * right + 1

    @property
    def along(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """Kernel, stride and rate along rows, and along columns."""
        rows, columns = zip(self.kernel, self.stride, self.rate, strict=True)
        return rows, columns

    def at(self, i: int, j: int) -> Window:
        """Return the window that a cell of the output is made of."""
        return (i * self.stride[0], j * self.stride[1], *self.extent)

    def cells(self, i: int, j: int) -> tuple[slice, slice]:
        """Return the rows and columns of its cells."""
        top, left, high, wide = self.at(i, j)
        return slice(top, top + high, self.rate[0]), slice(left, left + wide, self.rate[1])

    def each_cell(self, i: int, j: int) -> Iterator[tuple[int, int]]:
        """Yield its cells in order."""
        rows, columns = self.cells(i, j)
        for row in range(rows.start, rows.stop, rows.step):
            for column in range(columns.start, columns.stop, columns.step):
                yield row, column

    def channel(self, o: int, c: int) -> int:
        """Return which channel of the input is the c-th that kernel o sees."""
        return o // self.kernels * self.depth + c if self.kernels else c

    def kernel_and_place(self, channel: int, m: int = 0) -> tuple[int, int]:
        """Return the m-th kernel that sees a channel of the input, and which of its channels that is."""
        if not self.kernels:
            return m, channel
        group, c = divmod(channel, self.depth)
        return group * self.kernels + m, c


def windows_of(call: Call) -> Windows:
    """Return how the windows of a call lie; those of sequences as if they were columns of maps."""
    given = call.given
    if is_of_sequences(call):
        kernel, stride, rate = ((int(given.get(name, 1)), 1) for name in "KSR")
        return Windows(kernel, stride, rate, *_groups(given))

    def both(name: str) -> tuple[int, int]:
        usual = given.get(name, 1)
        return int(given.get(f"{name}_h", usual)), int(given.get(f"{name}_w", usual))

    return Windows(both("K"), both("S"), both("R"), *_groups(given))


def _groups(given: Mapping[str, Any]) -> tuple[int, int]:
    return int(given.get("M", 0)), int(given.get("D", 0))
