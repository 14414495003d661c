"""What max-pooling and average-pooling share: windows of one channel, slid by a stride."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.engine.layer import (
    STATEMENT,
    Array,
    Call,
    Cost,
    Layer,
    Listing,
    Shape,
    Value,
    pair,
    positive,
    require_maps,
    shape_text,
)
from cnnviz.engine.layers.windows import Sides, sides, sides_text, spanned
from cnnviz.engine.placement import Placement
from cnnviz.errors import ShapeError
from cnnviz.text import tr


class Pool2d(Layer):
    """Makes one number of each K_h × K_w window of each channel; windows may overlap.

    Parameters
    ----------
    kernel : int or (int, int)
        K_h and K_w, the window's size.
    stride : int or (int, int), optional
        S_h and S_w; the window's own size where it is not given, so that windows lie side by side.
    padding : int or (int, int) or (int, int, int, int)
        How far windows may reach beyond the maps: everywhere; above and below, left and right; or above,
        below, left, right.
    ceil_mode : bool
        Whether a last window that is cut off by the end of the maps counts, too.
    dilation : int or (int, int)
        R_h and R_w: how far the cells of a window lie apart.

    Attributes
    ----------
    window : (int, int)
        How many rows and columns a window spans, those between its dilated cells, too.
    """

    fill = 0.0
    axes = 2

    def __init__(
        self,
        kernel: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] | tuple[int, int, int, int] = 0,
        ceil_mode: bool = False,
        dilation: int | tuple[int, int] = 1,
    ) -> None:
        super().__init__()
        self.kernel = pair(kernel)
        self.stride = self.kernel if stride is None else pair(stride)
        positive(self.name, "kernel", *self.kernel)
        positive(self.name, "stride", *self.stride)
        self.padding, self.ceil_mode = sides(self.name, padding), ceil_mode
        self.dilation = pair(dilation)
        positive(self.name, "dilation", *self.dilation)
        self.window = spanned(self.kernel, self.dilation)

    def output_shape(self, shape: Shape) -> Shape:
        """Return (C, ⌊(H − K_h + P) / S_h⌋ + 1, ⌊(W − K_w + P) / S_w⌋ + 1), with ceil_mode ⌈ ⌉."""
        channels, height, width = require_maps(self.name, shape)
        window, (above, below, left, right) = self.window, self.padding
        high, wide = height + above + below, width + left + right
        if window[0] > high or window[1] > wide:
            raise ShapeError(
                tr(
                    "{layer}: a window of {kernel} does not fit an input of {size}; "
                    "use a window of at most {size}.",
                    layer=self.name,
                    kernel=shape_text(window[: self.axes]),
                    size=shape_text((high, wide)[: self.axes]),
                )
            )
        out = (
            channels,
            *(
                _count(size, extent, step, *ends, self.ceil_mode)
                for size, extent, step, ends in zip(
                    (height, width), window, self.stride, ((above, below), (left, right)), strict=True
                )
            ),
        )
        if not self._holds_some((height, width), out):
            raise ShapeError(
                tr(
                    "{layer}: with padding {padding} a window of {kernel} could hold nothing but padding; "
                    "use less padding than the window is large.",
                    layer=self.name,
                    padding=sides_text(self.padding[: 2 * self.axes]),
                    kernel=shape_text(window[: self.axes]),
                )
            )
        return out

    def _holds_some(self, size: tuple[int, int], out: Shape) -> bool:
        """Return whether each window holds more than padding."""
        if max(self.padding[:2]) >= self.window[0] or max(self.padding[2:]) >= self.window[1]:
            return False
        return all(
            ((first < kernel) & (step * np.arange(len(first)) + first * rate - before < own)).all()
            for first, kernel, step, rate, before, own in zip(
                self._first_inside(out), self.kernel, self.stride, self.dilation, self.padding[::2], size,
                strict=True,
            )
        )  # fmt: skip

    def _first_inside(self, out: Shape) -> Iterator[NDArray[np.integer]]:
        """Yield for each window along an axis which of its cells is the first behind the padding before."""
        for before, step, rate, count in zip(
            self.padding[::2], self.stride, self.dilation, out[-2:], strict=True
        ):
            yield -(-np.maximum(before - step * np.arange(count), 0) // rate)

    def cost(self, shape: Shape) -> Cost:
        """Return a few passes over all outputs for each cell of a window, forward and back."""
        out = self.output_shape(shape)
        padded = shape[0] * prod(self._placement(shape).shape)
        return Cost(3 * (padded + prod(out)), prod(self.kernel) * (4 * prod(out) + 5 * STATEMENT))

    def _placement(self, shape: Shape) -> Placement:
        """Return how the maps lie in those that all windows lie within."""
        return _placed(shape[-2:], self.window, self.stride, self.padding, self.ceil_mode, self.fill)

    def _all_cells(self, maps: Array) -> list[Array]:
        """Return one view (N, C, H_out, W_out) for each cell of a window, of that cell in every window."""
        (kernel_h, kernel_w), (rate_h, rate_w), (stride_h, stride_w) = self.kernel, self.dilation, self.stride
        window = self.window
        height, width = maps.shape[2] - window[0] + 1, maps.shape[3] - window[1] + 1
        return [
            maps[:, :, u : u + height : stride_h, v : v + width : stride_w]
            for u in range(0, kernel_h * rate_h, rate_h)
            for v in range(0, kernel_w * rate_w, rate_w)
        ]

    def _scattered(
        self,
        listing: Listing,
        arrays: Mapping[str, Array],
        given: Mapping[str, Value],
        scatter: Callable[[Mapping[str, Any], list[Array]], None],
        on_the_way: Callable[[list[Array]], dict[str, tuple[float, float]]],
    ) -> Call:
        """Return the call that adds each gradient to cells of its window.

        Its ``dx`` is that of the padded maps: what comes back to the padding is no part of ∂E/∂x.

        Parameters
        ----------
        scatter, on_the_way : Callable
            Given views of an array that begins at 0, one for each cell of a window, the vectorised maths and
            the extremes.
        """
        dy, placement = arrays["dy"], self._placement(arrays["x"].shape)

        @np.errstate(all="ignore")
        def linear(given: Mapping[str, Any]) -> dict[str, Array]:
            dx = np.zeros((1, len(given["dy"]), *placement.shape))
            scatter(given, self._all_cells(dx))
            return {"dx": dx[0]}

        def extremes() -> dict[str, tuple[float, float]]:
            return on_the_way(self._all_cells(np.zeros((1, len(dy), *placement.shape))))

        if not placement.surrounds:
            return self.call("dx", listing, given, {"dx": arrays["dx"]}, linear, extremes)
        return self.call("dx", listing, given, linear(given), linear, extremes, {"dx": placement})

    def _sizes(self, y: Array) -> dict[str, int]:
        channels, height, width = y.shape
        sizes = {"C": channels, "H_out": height, "W_out": width}
        (kernel_h, kernel_w), (stride_h, stride_w) = self.kernel, self.stride
        return {**sizes, "K_h": kernel_h, "K_w": kernel_w, "S_h": stride_h, "S_w": stride_w}


def named(listing: Listing, sizes: Mapping[str, int]) -> dict[str, Value]:
    """Return those of some sizes that a listing names."""
    return {name: size for name, size in sizes.items() if name in listing.__code__.co_varnames}


def _count(size: int, kernel: int, stride: int, before: int, behind: int, ceil: bool) -> int:
    """Return how many windows there are along an axis; none begins behind the maps."""
    free = size + before + behind - kernel
    count = (-(-free // stride) if ceil else free // stride) + 1
    return count - (ceil and (count - 1) * stride >= size + before)


# Placements are the same for all passes of a shape; what is worked out about one is kept with it.
@lru_cache(maxsize=256)
def _placed(
    own: tuple[int, int],
    window: tuple[int, int],
    stride: tuple[int, int],
    padding: Sides,
    ceil: bool,
    fill: float,
) -> Placement:
    high, wide = (
        max((_count(size, extent, step, *around, ceil) - 1) * step + extent, size + sum(around))
        for size, extent, step, around in zip(own, window, stride, (padding[:2], padding[2:]), strict=True)
    )
    return Placement(own, (high, wide), (padding[0], padding[2]), fill=fill)
