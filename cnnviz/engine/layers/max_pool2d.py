"""Max-pooling: the largest number of each window goes on, and the gradient comes back to it alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import inf
from numpy.typing import NDArray

from cnnviz.engine.generated import with_changes
from cnnviz.engine.layer import Array, Call, Listing, Shape, Value, extremes_of_sums
from cnnviz.engine.layers.pooling import Pool2d, named
from cnnviz.engine.product import masked, tame


class MaxPool2d(Pool2d):
    """Keeps the largest number of each window, and remembers in ``switch`` which one it was.

    y[c, i, j] = max over u, v of x[c, i·S_h + u, j·S_w + v]; switch[c, i, j] = u·K_w + v of the first
    maximum in row order, as PyTorch has it. NaN is larger than nothing and never wins, as in Python's max
    (in PyTorch it always does). Padding is −∞ and never wins: of a window without a larger number, the first
    cell that is no padding does.

    Parameters
    ----------
    dilation : int or (int, int)
        R_h and R_w: how far the cells of a window lie apart.
    """

    kind = "max_pool2d"

    def __init__(
        self,
        kernel: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | tuple[int, int, int, int] = 0,
        ceil_mode: bool = False,
        dilation: int | tuple[int, int] = 1,
    ) -> None:
        super().__init__(kernel, stride, padding, ceil_mode, dilation)

    fill = -inf
    auxiliary_names = ("switch",)

    def forward(self, x: Array) -> Array:
        """Pool a batch (N, C, H, W) to (N, C, H_out, W_out)."""
        maps = self._placement(x.shape[1:]).place(x)
        cells = self._all_cells(maps)
        y = np.fmax(cells[0], -inf)
        for cell in cells[1:]:
            np.fmax(y, cell, out=y)
        return y

    def auxiliary(self, x: Array, *, y: Array, **_: Any) -> dict[str, NDArray[Any]]:
        """Return the number of each window's winner: how many cells come before the first that is largest."""
        maps = self._placement(x.shape[1:]).place(x)
        cells = self._all_cells(maps)
        switch = np.zeros(y.shape, np.int16 if len(cells) <= 2**15 else np.int64)
        before = y > -inf  # nothing is larger than that, and the first cell stays the winner
        for cell in cells[:-1]:
            before &= cell != y
            switch += before
        if any(self.padding):
            switch = np.where(y > -inf, switch, self._first(y.shape)).astype(switch.dtype)
        return {"switch": switch}

    def _first(self, out: Shape) -> NDArray[np.integer]:
        """Return which cell of each window is the first that is no padding."""
        rows, columns = self._first_inside(out)
        return rows[:, None] * self.kernel[1] + columns

    def backward(self, dy: Array, x: Array, *, switch: NDArray[Any], **_: Any) -> dict[str, Array]:
        """Return ∂E/∂x: each output's gradient at its window's winner, added where windows overlap."""
        placement = self._placement(x.shape[1:])
        dx = np.zeros((*x.shape[:2], *placement.shape), dy.dtype)
        _route(dy, switch, self._all_cells(dx))
        return {"dx": dx[..., *placement.extent]}

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing, which writes the maxima and the switches."""
        y, switch, placement = arrays["y"], arrays["switch"], self._placement(arrays["x"].shape)
        given: dict[str, Value] = {"x": placement.place(arrays["x"]), **self._sizes(y)}
        begins: dict[str, str] = {}
        if any(self.padding):
            rows, columns = (
                f"max(P_{end}-{k}*S_{end}, 0)"
                if self.dilation == (1, 1)
                else f"(max(P_{end}-{k}*S_{end}, 0)+R_{end}-1)//R_{end}"
                for k, end in (("i", "h"), ("j", "w"))
            )
            rows = rows if self.dilation == (1, 1) or self.axes == 1 else f"({rows})"
            begins = {"k = 0": f"k = {rows}" if self.axes == 1 else f"k = K_w*{rows} + {columns}"}
        above, _, left, _ = self.padding
        listing, sizes = self._dilated(max_pool2d, begins, {"P_h": above, "P_w": left})
        placed = {"x": placement} if placement.surrounds else {}
        return self.call("y", listing, given | sizes, {"y": y, "switch": switch}, placements=placed)

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the listing that routes each gradient to its winner."""
        dy, switch = arrays["dy"], arrays["switch"]

        def route(given: Mapping[str, Any], cells: list[Array]) -> None:
            _route(given["dy"][None], given["switch"][None], cells)

        def on_the_way(cells: list[Array]) -> dict[str, tuple[float, float]]:
            last = len(cells) - 1
            return {
                "dx": extremes_of_sums(
                    (cell, np.where(switch == last - k, dy, 0.0)) for k, cell in enumerate(reversed(cells))
                )
            }

        listing, sizes = self._dilated(max_pool2d_dx, {}, {})
        given: dict[str, Value] = {"dy": dy, "switch": switch, **self._sizes(dy), **sizes}
        return [self._scattered(listing, arrays, given, route, on_the_way)]

    def _dilated(
        self, listing: Listing, changes: Mapping[str, str], sizes: Mapping[str, int]
    ) -> tuple[Listing, dict[str, Value]]:
        """Return a listing with some of its text changed, and with dilation where it is asked for."""
        sizes = {**sizes, "R_h": self.dilation[0], "R_w": self.dilation[1]}
        if self.dilation != (1, 1):
            changes = {**changes, "+u, ": "+u*R_h, ", "+v]": "+v*R_w]"}
        made = with_changes(listing, changes, *sizes)
        return made, named(made, sizes)


def _route(dy: Array, switch: NDArray[Any], cells: list[Array]) -> None:
    """Add each gradient to the cell that its switch names; in the order of the listing, as in an average."""
    is_tame = tame(dy)
    for k, cell in reversed(list(enumerate(cells))):
        cell += masked(switch == k, dy, is_tame)


# The listings, set as they are shown.
# fmt: off

def max_pool2d(x, y, switch, C, H_out, W_out, K_h, K_w, S_h, S_w):
    for c in range(C):
        for i in range(H_out):
            for j in range(W_out):
                best = -inf
                k = 0
                for u in range(K_h):
                    for v in range(K_w):
                        k = u*K_w+v if x[c, i*S_h+u, j*S_w+v] > best else k
                        best = max(best, x[c, i*S_h+u, j*S_w+v])
                y[c, i, j] = best
                switch[c, i, j] = k


def max_pool2d_dx(dy, switch, dx, C, H_out, W_out, K_h, K_w, S_h, S_w):
    for c in range(C):
        for i in range(H_out):
            for j in range(W_out):
                for u in range(K_h):
                    for v in range(K_w):
                        dx[c, i*S_h+u, j*S_w+v] += dy[c, i, j] if switch[c, i, j] == u*K_w+v else 0.0
