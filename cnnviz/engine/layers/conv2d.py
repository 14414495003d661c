"""Convolution of maps with kernels, as deep-learning libraries mean it: cross-correlation.

Source of the formulas: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import prod, sqrt
from typing import Any

import numpy as np

from cnnviz.engine.layer import (
    STATEMENT,
    Array,
    Call,
    Cost,
    Layer,
    Shape,
    Value,
    extremes_of_sums,
    pair,
    positive,
    require_maps,
)
from cnnviz.engine.placement import Placement
from cnnviz.engine.product import added, product, tame
from cnnviz.errors import CnnvizError, ShapeError
from cnnviz.text import tr

# Small enough for the second-level cache, and for the short cut of BLAS for small matrices.
_BLOCK_BYTES = 1 << 18


class Conv2d(Layer):
    """Slides C_out kernels of shape (C_in, K_h, K_w) over maps of shape (C_in, H, W).

    y[o, i, j] = b[o] + Σ w[o, c, u, v] · x[c, i·S + u, j·S + v], with x padded by P zeros on each side,
    and H_out = ⌊(H − K_h + 2P) / S⌋ + 1.

    Parameters
    ----------
    in_channels, out_channels : int
        C_in and C_out.
    kernel : int or (int, int)
        K_h and K_w.
    stride, padding : int
        S and P, the same in both directions.
    """

    kind = "conv2d"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        padding: int = 0,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel, self.stride, self.padding = pair(kernel), stride, padding
        positive(self.name, "in_channels", in_channels)
        positive(self.name, "out_channels", out_channels)
        positive(self.name, "kernel", *self.kernel)
        positive(self.name, "stride", stride)
        if padding < 0:
            raise CnnvizError(
                tr("{layer}: padding is {value}; it must be 0 or more.", layer=self.name, value=padding)
            )

    @property
    def parameter_shapes(self) -> Mapping[str, Shape]:
        """The kernels and b."""
        return {"w": (self.out_channels, self.in_channels, *self.kernel), "b": (self.out_channels,)}

    def cost(self, shape: Shape) -> Cost:
        """Return the multiply-adds of the output and of both gradients, and the windows that are laid out.

        The input's gradient may be the dearest: it is gathered for every place of the input, at any stride.
        After an overflow a product is a statement for each row of windows.
        """
        channels, height, width = shape
        (kernel_h, kernel_w), kernel, out = self.kernel, prod(self.kernel), self.output_shape(shape)
        padded = channels * (height + 2 * self.padding) * (width + 2 * self.padding)
        spread = out[0] * (height + kernel_h - 1) * (width + kernel_w - 1)
        depth, gathered = channels * kernel, out[0] * kernel
        places = out[1] * out[2]
        statements = (
            depth * _blocks_of(depth, *out[1:]) + places + gathered * _blocks_of(gathered, height, width)
        )
        return Cost(
            3 * (prod(shape) + prod(out) + padded)
            + (2 * spread + depth * places)
            + max(depth * out[2], gathered * width),  # a row of windows, the least that is laid out at once
            2 * depth * places * (out[0] + 1)
            + gathered * height * width * (channels + 1)
            + (statements + 5 * kernel) * STATEMENT,
        )

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Array]:
        """Draw the kernels as He et al. (2015) propose for ReLU; the biases are 0."""
        shapes = self.parameter_shapes
        return {"w": rng.normal(0, sqrt(2 / prod(shapes["w"][1:])), shapes["w"]), "b": np.zeros(shapes["b"])}

    def output_shape(self, shape: Shape) -> Shape:
        """Return (C_out, H_out, W_out)."""
        channels, height, width = require_maps(self.name, shape)
        (kernel_h, kernel_w), padding = self.kernel, self.padding
        if channels != self.in_channels:
            raise ShapeError(
                tr(
                    "{layer}: its kernels are {depth} deep, but its input has {channels} channels; "
                    "kernels must be as deep as their input.",
                    layer=self.name,
                    depth=self.in_channels,
                    channels=channels,
                )
            )
        if kernel_h > height + 2 * padding or kernel_w > width + 2 * padding:
            raise ShapeError(
                tr(
                    "{layer}: a kernel of {kernel_h} × {kernel_w} does not fit an input of "
                    "{height} × {width} with padding {padding}; "
                    "use a kernel of at most {most_h} × {most_w}, or more padding.",
                    layer=self.name,
                    kernel_h=kernel_h,
                    kernel_w=kernel_w,
                    height=height,
                    width=width,
                    padding=padding,
                    most_h=height + 2 * padding,
                    most_w=width + 2 * padding,
                )
            )
        return (
            self.out_channels,
            (height - kernel_h + 2 * padding) // self.stride + 1,
            (width - kernel_w + 2 * padding) // self.stride + 1,
        )

    def forward(self, x: Array, w: Array, b: Array) -> Array:
        """Convolve a batch (N, C_in, H, W) to (N, C_out, H_out, W_out)."""
        maps = self._padding_of(x).place(x)
        (height, width), (kernel_h, kernel_w) = maps.shape[2:], self.kernel
        out = (height - kernel_h) // self.stride + 1, (width - kernel_w) // self.stride + 1
        return self._slide(w, maps, self.stride, out, b[:, None])

    def backward(self, dy: Array, x: Array, *, w: Array, needs_dx: bool = True, **_: Any) -> dict[str, Array]:
        """Return ∂E/∂b, ∂E/∂w (the output gradient slid over the input) and ∂E/∂x."""
        dw = np.zeros((w[0].size, self.out_channels), w.dtype)
        db = np.zeros(self.out_channels, w.dtype)
        maps = self._padding_of(x).place(x)
        for samples, rows, columns in self._blocks(maps, self.stride, dy.shape[2:]):
            part = dy[samples, :, rows].swapaxes(0, 1).reshape(self.out_channels, -1)
            dw = product(columns, part.T, dw)
            db = added(part, db)
        gradients = {"db": db, "dw": np.ascontiguousarray(dw.T).reshape(w.shape)}
        if needs_dx:
            # The kernels, turned by 180°, slide over the gradients with zeros put in.
            turned = w[:, :, ::-1, ::-1].swapaxes(0, 1)
            spread = self._spreading_of(dy, x.shape[1:]).place(dy)
            gradients["dx"] = self._slide(turned, spread, 1, x.shape[2:])
        return gradients

    def _slide(self, w: Array, maps: Array, stride: int, out: Shape, b: Array | None = None) -> Array:
        """Return b + Σ w[o, c, u, v] · maps[n, c, i·stride + u, j·stride + v], of shape (N, C_out, *out)."""
        y = np.empty((len(maps), len(w), *out), np.result_type(maps, w))
        kernels = w.reshape(len(w), -1).astype(y.dtype, copy=False)  # once, and not in each product
        for samples, rows, columns in self._blocks(maps, stride, out):
            part = y[samples, :, rows].swapaxes(0, 1)  # (C_out, n, rows, W_out)
            part[...] = product(kernels, columns, b).reshape(part.shape)
        return y

    def _blocks(self, maps: Array, stride: int, out: Shape) -> Iterator[tuple[slice, slice, Array]]:
        """Yield samples and output rows, block by block, with the windows that they look through.

        Each window is one column of a matrix (C · K_h · K_w, windows), so that one matrix product does the
        sums of all. A block's matrix stays in the cache while it is used, and the next one overwrites it.
        """
        maps = np.ascontiguousarray(maps)
        (height, width), count = out, len(maps)
        n, c, h, w = maps.strides
        shape = (maps.shape[1], *self.kernel, count, height, width)
        # As as_strided, which takes as long as the product of a small layer.
        windows = np.ndarray(shape, maps.dtype, maps, 0, (c, h, w, n, h * stride, w * stride))
        depth = maps.shape[1] * self.kernel[0] * self.kernel[1]
        most = _rows_of(depth, width, maps.itemsize)
        samples = max(1, min(most // height, count))
        rows = _even(height, most)
        room = np.empty(depth * samples * rows * width, maps.dtype)
        for k in range(0, count, samples):
            for i in range(0, height, rows):
                block = windows[:, :, :, k : k + samples, i : i + rows]
                columns = room[: block.size].reshape(block.shape)
                np.copyto(columns, block)
                yield slice(k, k + samples), slice(i, i + rows), columns.reshape(depth, -1)

    def _scatter(self, columns: Array, dx: Array, height: int, width: int) -> None:
        """Add each column's gradients to the places of the padded input that it was read from."""
        (kernel_h, kernel_w), stride = self.kernel, self.stride
        windows = columns.reshape(self.in_channels, kernel_h, kernel_w, height, width)
        for u in reversed(range(kernel_h)):  # so the windows that a place lies in come in their order
            for v in reversed(range(kernel_w)):
                cells = dx[:, u : u + stride * height : stride, v : v + stride * width : stride]
                cells += windows[:, u, v]

    def _sizes(self, y: Array) -> dict[str, int]:
        return {
            "C_out": self.out_channels,
            "H_out": y.shape[1],
            "W_out": y.shape[2],
            "C_in": self.in_channels,
            "K_h": self.kernel[0],
            "K_w": self.kernel[1],
        }

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing; its ``x`` is the padded input."""
        padding = self._padding_of(arrays["x"])
        given: dict[str, Value] = {"x": padding.place(arrays["x"]), "w": arrays["w"], "b": arrays["b"]}
        given |= {**self._sizes(arrays["y"]), "S": self.stride}
        return self.call("y", conv2d, given, {"y": arrays["y"]}, placements={"x": padding})

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the gradients of bias, kernels and input; the last gathers from the spread-out ``dy``."""
        dy, w = arrays["dy"], arrays["w"]
        sizes = self._sizes(dy)
        padding, spread = self._padding_of(arrays["x"]), self._spreading_of(dy, arrays["x"].shape)
        x = padding.place(arrays["x"])
        outputs = {name: sizes[name] for name in ("C_out", "H_out", "W_out")}
        gathered = {name: sizes[name] for name in ("C_in", "C_out", "K_h", "K_w")}
        gathered |= {"H": arrays["x"].shape[1], "W": arrays["x"].shape[2]}
        for_dw: dict[str, Value] = {"x": x, "dy": dy, **sizes, "S": self.stride}
        for_dx: dict[str, Value] = {"w": w, "dy": spread.place(dy), **gathered}
        return [
            self.call("db", conv2d_db, {"dy": dy, **outputs}, {"db": arrays["db"]}),
            self.call("dw", conv2d_dw, for_dw, {"dw": arrays["dw"]}, placements={"x": padding}),
            self.call(
                "dx", conv2d_dx, for_dx, {"dx": arrays["dx"]}, placements={"dy": spread}, form="gathered"
            ),
        ]

    def scattered_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the gradients of bias and kernels as they are, and that of the input scattered."""
        return [*self.backward_calls(arrays)[:-1], self.scatter_call(arrays)]

    def _padding_of(self, x: Array) -> Placement:
        """Return how the input lies in the padded one."""
        return _padding(*x.shape[-2:], self.padding)

    def _spreading_of(self, dy: Array, shape: Shape) -> Placement:
        """Return how ∂E/∂y is spread, so that ∂E/∂x of an input of a shape can be gathered from it.

        S − 1 zeros stand between its values and enough around them: a kernel slid over the result, turned
        by 180°, meets each value exactly where the kernel going forward met the input.
        """
        return _spreading(dy.shape[-2:], shape[1:], self.kernel, self.stride, self.padding)

    def scatter_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the other form of ∂E/∂x: each output gradient times the kernel, added where it was read.

        Its ``dx`` is that of the padded input: what comes back to the padding is no part of ∂E/∂x.
        """
        dy, w = arrays["dy"], arrays["w"]
        padding = self._padding_of(arrays["x"])

        def scatter(given: Mapping[str, Any]) -> dict[str, Array]:
            kernels, gradients = (part.reshape(self.out_channels, -1) for part in (w, given["dy"]))
            dx = np.zeros((self.in_channels, *padding.shape))
            one_by_one = not tame(kernels, gradients)
            parts = [slice(o, o + 1) for o in range(self.out_channels)] if one_by_one else [slice(None)]
            with np.errstate(all="ignore"):
                for o in parts:
                    columns = product(kernels[o].T, gradients[o])
                    self._scatter(columns, dx, dy.shape[1], dy.shape[2])
            return {"dx": dx}

        def on_the_way() -> dict[str, tuple[float, float]]:
            # Along the rows and columns of windows, a cell is met by the kernel's last weights first.
            dx = np.zeros((self.in_channels, *padding.shape))
            (kernel_h, kernel_w), (height, width), stride = self.kernel, dy.shape[1:], self.stride
            additions = (
                (
                    dx[:, u : u + stride * height : stride, v : v + stride * width : stride],
                    dy[o] * w[o, :, u, v][:, None, None],
                )
                for o in range(self.out_channels)
                for u in reversed(range(kernel_h))
                for v in reversed(range(kernel_w))
            )
            return {"dx": extremes_of_sums(additions)}

        given: dict[str, Value] = {"w": w, "dy": dy, **self._sizes(dy), "S": self.stride}
        placed = {"dx": padding}
        return self.call(
            "dx", conv2d_dx_scatter, given, scatter(given), scatter, on_the_way, placed, "scattered"
        )


# Placements are the same for all passes of a shape; what is worked out about one is kept with it.
@lru_cache(maxsize=256)
def _padding(height: int, width: int, padding: int) -> Placement:
    return Placement((height, width), (height + 2 * padding, width + 2 * padding), (padding, padding))


@lru_cache(maxsize=256)
def _spreading(
    own: tuple[int, int], size: tuple[int, int], kernel: tuple[int, int], stride: int, padding: int
) -> Placement:
    (height, width), (kernel_h, kernel_w) = size, kernel
    return Placement(
        own,
        (height + kernel_h - 1, width + kernel_w - 1),
        (kernel_h - 1 - padding, kernel_w - 1 - padding),
        (stride, stride),
    )


def _rows_of(depth: int, width: int, itemsize: int = 8) -> int:
    """Return how many rows of windows are laid out at once."""
    return max(1, _BLOCK_BYTES // (depth * width * itemsize))


def _blocks_of(depth: int, height: int, width: int) -> int:
    """Return in how many parts windows are laid out."""
    return -(-height // _rows_of(depth, width))


def _even(total: int, most: int) -> int:
    """Return the size of parts, at most `most`, that a total is cut into as evenly as can be."""
    return -(-total // -(-total // most))


# The listings, set as they are shown.
# fmt: off

def conv2d(x, w, b, y, C_out, H_out, W_out, C_in, K_h, K_w, S):
    for o in range(C_out):
        for i in range(H_out):
            for j in range(W_out):
                acc = b[o]
                for c in range(C_in):
                    for u in range(K_h):
                        for v in range(K_w):
                            acc += w[o, c, u, v] * x[c, i*S+u, j*S+v]
                y[o, i, j] = acc


def conv2d_db(dy, db, C_out, H_out, W_out):
    for o in range(C_out):
        acc = 0.0
        for i in range(H_out):
            for j in range(W_out):
                acc += dy[o, i, j]
        db[o] = acc


def conv2d_dw(x, dy, dw, C_out, C_in, K_h, K_w, H_out, W_out, S):
    for o in range(C_out):
        for c in range(C_in):
            for u in range(K_h):
                for v in range(K_w):
                    acc = 0.0
                    for i in range(H_out):
                        for j in range(W_out):
                            acc += dy[o, i, j] * x[c, i*S+u, j*S+v]
                    dw[o, c, u, v] = acc


def conv2d_dx(w, dy, dx, C_in, H, W, C_out, K_h, K_w):
    for c in range(C_in):
        for p in range(H):
            for q in range(W):
                acc = 0.0
                for o in range(C_out):
                    for u in range(K_h):
                        for v in range(K_w):
                            acc += w[o, c, K_h-1-u, K_w-1-v] * dy[o, p+u, q+v]
                dx[c, p, q] = acc


def conv2d_dx_scatter(w, dy, dx, C_out, H_out, W_out, C_in, K_h, K_w, S):
    for o in range(C_out):
        for i in range(H_out):
            for j in range(W_out):
                for c in range(C_in):
                    for u in range(K_h):
                        for v in range(K_w):
                            dx[c, i*S+u, j*S+v] += dy[o, i, j] * w[o, c, u, v]
