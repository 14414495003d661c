"""Convolution of maps with kernels, as deep-learning libraries mean it: cross-correlation.

Source of the formulas: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import prod, sqrt
from typing import Any, Literal

import numpy as np
from msgspec.structs import replace

from cnnviz.engine.generated import parameters_of, variant
from cnnviz.engine.layer import (
    STATEMENT,
    Array,
    Call,
    Cost,
    Layer,
    Listing,
    Shape,
    extremes_of_sums,
    pair,
    positive,
    require_maps,
)
from cnnviz.engine.layers.windows import (
    Sides,
    Windows,
    blocks_in,
    grouped,
    laid,
    padded_by,
    sides,
    slid,
    spanned,
)
from cnnviz.engine.placement import Placement
from cnnviz.engine.product import added, product, tame
from cnnviz.errors import ShapeError
from cnnviz.text import tr


class Conv2d(Layer):
    """Slides C_out kernels of shape (C_in / groups, K_h, K_w) over maps of shape (C_in, H, W).

    y[o, i, j] = b[o] + Σ w[o, c, u, v] · x[c, i·S + u·R, j·S + v·R], with x padded by zeros, and
    H_out = ⌊(H + P_top + P_bottom − R·(K_h − 1) − 1) / S⌋ + 1.

    Parameters
    ----------
    in_channels, out_channels : int
        C_in and C_out.
    kernel : int or (int, int)
        K_h and K_w.
    stride, dilation : int or (int, int)
        S and R: how far windows lie apart, and the cells of a window; along rows and columns.
    padding : int or (int, int) or (int, int, int, int) or "same"
        How many zeros are put around: everywhere; above and below, left and right; or above, below, left,
        right. "same" are as many as keep height and width, the odd one below and at the right.
    groups : int
        Into how many groups the channels are cut; kernels of a group see its channels alone. With as many as
        there are channels, it is a depthwise convolution.
    bias : bool
        Whether each kernel has a bias.

    Attributes
    ----------
    window : (int, int)
        How many rows and columns a kernel spans, those between its dilated cells, too.
    """

    kind = "conv2d"
    axes = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | tuple[int, int, int, int] | Literal["same"] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.groups, self.bias = in_channels, out_channels, groups, bias
        self.kernel, self.stride, self.dilation = pair(kernel), pair(stride), pair(dilation)
        positive(self.name, "in_channels", in_channels)
        positive(self.name, "out_channels", out_channels)
        positive(self.name, "kernel", *self.kernel)
        positive(self.name, "stride", *self.stride)
        positive(self.name, "dilation", *self.dilation)
        positive(self.name, "groups", groups)
        self.window = spanned(self.kernel, self.dilation)
        self._is_strided_same = padding == "same" and self.stride != (1, 1)
        self.padding = self._same() if padding == "same" else sides(self.name, padding)

    def _same(self) -> Sides:
        (high, wide) = (extent - 1 for extent in self.window)
        return high // 2, high - high // 2, wide // 2, wide - wide // 2

    @property
    def depth(self) -> int:
        """How many channels a kernel sees."""
        return self.in_channels // self.groups

    @property
    def parameter_shapes(self) -> Mapping[str, Shape]:
        """The kernels and b."""
        shapes: dict[str, Shape] = {"w": (self.out_channels, self.depth, *self.kernel)}
        return {**shapes, "b": (self.out_channels,)} if self.bias else shapes

    def cost(self, shape: Shape) -> Cost:
        """Return the multiply-adds of the output and of both gradients, and the windows that are laid out.

        The input's gradient may be the dearest: it is gathered for every place of the input, at any stride.
        After an overflow a product is a statement for each row of windows.
        """
        channels, height, width = shape
        kernel, out, groups = prod(self.kernel), self.output_shape(shape), self.groups
        above, below, left, right = self.padding
        padded = channels * (height + above + below) * (width + left + right)
        spread = out[0] * (height + self.window[0] - 1) * (width + self.window[1] - 1)
        depth, gathered = self.depth * kernel, out[0] // groups * kernel
        places = out[1] * out[2]
        statements = (
            depth * blocks_in(depth, *out[1:]) + places + gathered * blocks_in(gathered, height, width)
        )
        return Cost(
            3 * (prod(shape) + prod(out) + padded)
            + (2 * spread + depth * places)
            + max(depth * out[2], gathered * width),  # a row of windows, the least that is laid out at once
            2 * depth * places * (out[0] + groups)
            + gathered * height * width * (channels + groups)
            + (groups * statements + 5 * kernel) * STATEMENT,
        )

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Array]:
        """Draw the kernels as He et al. (2015) propose for ReLU; the biases are 0."""
        shapes = self.parameter_shapes
        drawn: dict[str, Array] = {"w": rng.normal(0, sqrt(2 / prod(shapes["w"][1:])), shapes["w"])}
        return {**drawn, "b": np.zeros(shapes["b"])} if self.bias else drawn

    def output_shape(self, shape: Shape) -> Shape:
        """Return (C_out, H_out, W_out)."""
        channels, height, width = require_maps(self.name, shape)
        self.refuse_groups_that_do_not_fit()
        self._refuse_a_strided_same()
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
        made = slid(self.name, (height, width), self.window, self.stride, self.padding, self.axes)
        return (self.out_channels, *made)

    def refuse_groups_that_do_not_fit(self) -> None:
        """Raise ShapeError if channels and kernels cannot be cut into the groups."""
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ShapeError(
                tr(
                    "{layer}: {channels} channels and {kernels} kernels cannot be cut into {groups} groups; "
                    "both must be multiples of groups.",
                    layer=self.name,
                    channels=self.in_channels,
                    kernels=self.out_channels,
                    groups=self.groups,
                )
            )

    def _refuse_a_strided_same(self) -> None:
        if self._is_strided_same:
            raise ShapeError(
                tr(
                    '{layer}: padding "same" needs stride 1; write the padding of each side: {sides}.',
                    layer=self.name,
                    sides=tr("[above, below, left, right]") if self.axes == 2 else tr("[before, behind]"),
                )
            )

    def forward(self, x: Array, w: Array, b: Array | None = None) -> Array:
        """Convolve a batch (N, C_in, H, W) to (N, C_out, H_out, W_out)."""
        return self._slide(w, self._padding_of(x).place(x), self.stride, None if b is None else b[:, None])

    def backward(self, dy: Array, x: Array, *, w: Array, needs_dx: bool = True, **_: Any) -> dict[str, Array]:
        """Return ∂E/∂b, ∂E/∂w (the output gradient slid over the input) and ∂E/∂x."""
        db, dw = np.zeros(self.out_channels, w.dtype), np.empty(w.shape, w.dtype)
        maps = self._padding_of(x).place(x)
        for seen, kernels in grouped(self.groups, self.in_channels, self.out_channels):
            of_group, of_kernels = None, db[kernels]
            for samples, rows, columns in self._laid(maps, self.stride).blocks_of(maps, seen):
                part = dy[samples, kernels, rows].swapaxes(0, 1).reshape(len(of_kernels), -1)
                of_group = product(columns, part.T, of_group)
                of_kernels = added(part, of_kernels)
            assert of_group is not None
            dw[kernels], db[kernels] = of_group.T.reshape(dw[kernels].shape), of_kernels
        gradients = {"db": db, "dw": dw} if self.bias else {"dw": dw}
        if needs_dx:
            gradients["dx"] = self.input_gradient(dy, x.shape[1:], w)
        return gradients

    def input_gradient(self, dy: Array, shape: Shape, w: Array, start: Array | None = None) -> Array:
        """Return ∂E/∂x of an input of a shape: the turned kernels slide over dy with zeros put in.

        Parameters
        ----------
        start : Array, optional
            For each channel a number that its sums begin with, as a transposed convolution has a bias.
        """
        grouped = w[:, :, ::-1, ::-1].reshape(self.groups, -1, *w.shape[1:])
        turned = grouped.swapaxes(1, 2).reshape(self.in_channels, -1, *self.kernel)
        spread = self._spreading_of(dy, shape).place(dy)
        return self._slide(turned, spread, (1, 1), None if start is None else start[:, None])

    def _slide(self, w: Array, maps: Array, stride: tuple[int, int], b: Array | None = None) -> Array:
        """Return b + Σ w[o, c, u, v] · maps[n, c, i·S + u·R, j·S + v·R], for each n, o, i, j."""
        laid = self._laid(maps, stride)
        y = np.empty((len(maps), len(w), *laid.shape[-2:]), np.result_type(maps, w))
        kernels = w.reshape(len(w), -1).astype(y.dtype, copy=False)  # once, and not in each product
        for seen, made in grouped(self.groups, maps.shape[1], len(w)):
            start = None if b is None else b[made]
            for samples, rows, columns in laid.blocks_of(maps, seen):
                part = y[samples, made, rows].swapaxes(0, 1)  # (C_out, n, rows, W_out)
                part[...] = product(kernels[made], columns, start).reshape(part.shape)
        return y

    def _laid(self, maps: Array, stride: tuple[int, int]) -> Windows:
        """Return how the windows lie in maps that have their padding."""
        return laid(maps.shape, maps.itemsize, self.groups, self.kernel, self.dilation, stride)

    def _cells(self, dx: Array, out: Shape) -> Iterator[tuple[int, int, Array]]:
        """Yield each weight's place in the kernel, and the cells of a padded input that it is laid on.

        The last one first: so the windows that a cell lies in come in their order.
        """
        (kernel_h, kernel_w), (down, right), (rate_h, rate_w) = self.kernel, self.stride, self.dilation
        height, width = out
        for u in reversed(range(kernel_h)):
            for v in reversed(range(kernel_w)):
                top, left = u * rate_h, v * rate_w
                rows, columns = (
                    slice(top, top + down * height, down),
                    slice(left, left + right * width, right),
                )
                yield u, v, dx[:, rows, columns]

    def _call(
        self, result: str, listing: Listing, sizes: Mapping[str, int], *given: Any, **more: Any
    ) -> Call:
        """Return a call of a listing as the arguments ask for it."""
        listing = self._asked(listing)
        arrays, *others = given
        known = {**sizes, **self._steps()}
        taken = {name: known[name] for name in parameters_of(listing) if name in known}
        return self.call(result, listing, {**arrays, **taken}, *others, **more)

    def _steps(self) -> dict[str, int]:
        (stride_h, stride_w), (rate_h, rate_w) = self.stride, self.dilation
        steps = {"S": stride_h, "S_h": stride_h, "S_w": stride_w, "R": rate_h, "R_h": rate_h, "R_w": rate_w}
        return steps | {"M": self.out_channels // self.groups, "D": self.depth}

    def _asked(self, listing: Listing) -> Listing:
        """Return a listing with what the arguments ask for beyond the usual, and without what they do not."""
        changes: dict[str, str] = {}
        if len(set(self.stride)) > 1:
            changes |= {"i*S": "i*S_h", "j*S": "j*S_w"}
        if self.dilation != (1, 1):
            rates = ("R", "R") if len(set(self.dilation)) == 1 else ("R_h", "R_w")
            changes |= {"+u, ": f"+u*{rates[0]}, ", "+v]": f"+v*{rates[1]}]"}
        if self.groups > 1:
            gathered = listing is conv2d_dx
            changes |= _GATHERED_IN_GROUPS if gathered else _IN_GROUPS
        if not self.bias:
            changes |= {"b[o]": "0.0"}
        return variant(listing, changes, "S_h", "S_w", "R", "R_h", "R_w", "M", "D")

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
        given = {"x": padding.place(arrays["x"]), **{name: arrays[name] for name in self.parameter_shapes}}
        y = arrays["y"]
        call = self._call("y", conv2d, self._sizes(y), given, {"y": y}, placements={"x": padding})
        return call if self.bias else replace(call, kind=f"{self.kind}.without_bias")

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the gradients of bias, kernels and input; the last gathers from the spread-out ``dy``."""
        dy, w = arrays["dy"], arrays["w"]
        padding, spread = self._padding_of(arrays["x"]), self._spreading_of(dy, arrays["x"].shape)
        sizes = self._sizes(dy) | {"H": arrays["x"].shape[1], "W": arrays["x"].shape[2]}
        for_dw, for_dx = {"x": padding.place(arrays["x"]), "dy": dy}, {"w": w, "dy": spread.place(dy)}
        dw, dx = {"dw": arrays["dw"]}, {"dx": arrays["dx"]}
        calls = [
            self._call("dw", conv2d_dw, sizes, for_dw, dw, placements={"x": padding}),
            self._call("dx", conv2d_dx, sizes, for_dx, dx, placements={"dy": spread}, form="gathered"),
        ]
        if self.bias:
            calls.insert(0, self._call("db", conv2d_db, sizes, {"dy": dy}, {"db": arrays["db"]}))
        return calls

    def scattered_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the gradients of bias and kernels as they are, and that of the input scattered."""
        return [*self.backward_calls(arrays)[:-1], self.scatter_call(arrays)]

    def _padding_of(self, x: Array) -> Placement:
        """Return how the input lies in the padded one."""
        return padded_by(*x.shape[-2:], self.padding)

    def _spreading_of(self, dy: Array, shape: Shape) -> Placement:
        """Return how ∂E/∂y is spread, so that ∂E/∂x of an input of a shape can be gathered from it.

        S − 1 zeros stand between its values and enough around them: a kernel slid over the result, turned
        by 180°, meets each value exactly where the kernel going forward met the input.
        """
        return _spreading(dy.shape[-2:], shape[1:], self.window, self.stride, self.padding)

    def scatter_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the other form of ∂E/∂x: each output gradient times the kernel, added where it was read.

        Its ``dx`` is that of the padded input: what comes back to the padding is no part of ∂E/∂x.
        """
        dy, w = arrays["dy"], arrays["w"]
        padding, out = self._padding_of(arrays["x"]), dy.shape[1:]

        def scatter(given: Mapping[str, Any]) -> dict[str, Array]:
            kernels, gradients = (part.reshape(self.out_channels, -1) for part in (w, given["dy"]))
            dx = np.zeros((self.in_channels, *padding.shape))
            one_by_one = not tame(kernels, gradients)
            for seen, made in grouped(self.groups, self.in_channels, self.out_channels):
                parts = [slice(o, o + 1) for o in range(made.start, made.stop)] if one_by_one else [made]
                with np.errstate(all="ignore"):
                    for o in parts:
                        columns = product(kernels[o].T, gradients[o])
                        windows = columns.reshape(self.depth, *self.kernel, *out)
                        for u, v, cells in self._cells(dx[seen], out):
                            cells += windows[:, u, v]
            return {"dx": dx}

        def on_the_way() -> dict[str, tuple[float, float]]:
            dx = np.zeros((self.in_channels, *padding.shape))
            additions = (
                (cells, dy[o] * w[o, :, u, v][:, None, None])
                for seen, made in grouped(self.groups, self.in_channels, self.out_channels)
                for o in range(made.start, made.stop)
                for u, v, cells in self._cells(dx[seen], out)
            )
            return {"dx": extremes_of_sums(additions)}

        given = {"w": w, "dy": dy}
        more = scatter, on_the_way, {"dx": padding}, "scattered"
        return self._call("dx", conv2d_dx_scatter, self._sizes(dy), given, scatter(given), *more)


# Placements are the same for all passes of a shape; what is worked out about one is kept with it.
@lru_cache(maxsize=256)
def _spreading(
    own: tuple[int, int],
    size: tuple[int, int],
    window: tuple[int, int],
    stride: tuple[int, int],
    padding: Sides,
) -> Placement:
    (height, width), (high, wide), (above, _, left, _) = size, window, padding
    shape, start = (height + high - 1, width + wide - 1), (high - 1 - above, wide - 1 - left)
    return Placement(own, shape, start, stride)


# In groups, kernel o sees the D channels of its group, of which M kernels are.
_IN_GROUPS = {"x[c, ": "x[o//M*D+c, ", "range(C_in)": "range(D)"}
_GATHERED_IN_GROUPS = {
    **{"for o in range(C_out)": "for m in range(M)", "dy[o, ": "dy[c//D*M+m, "},
    **{"w[o, c, ": "w[c//D*M+m, c%D, "},
}


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
