"""Transposed convolution: the input gradient of a convolution as a layer, by which maps grow.

Source of the formulas: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod, sqrt
from typing import Any

import numpy as np
from msgspec.structs import replace

from cnnviz.engine.generated import parameters_of, variant, with_changes
from cnnviz.engine.layer import Array, Call, Cost, Layer, Listing, Shape, pair, positive, require_maps
from cnnviz.engine.layers.conv2d import Conv2d, conv2d_db
from cnnviz.engine.layers.windows import Sides, sides, sides_text
from cnnviz.engine.placement import Placement
from cnnviz.engine.product import added
from cnnviz.errors import CnnvizError, ShapeError
from cnnviz.text import tr


class ConvTranspose2d(Layer):
    """Lays the kernel, times each number of its input, onto windows of its output, S apart, and adds up.

    y[o, i, j] = b[o] + Σ w[c, o, K_h−1−u, K_w−1−v] · x[c, i + u, j + v], with S − 1 zeros between rows and
    columns of x, and zeros around; H_out = (H − 1)·S + R·(K_h − 1) + 1 − 2P + P_out.

    Parameters
    ----------
    in_channels, out_channels : int
        C_in and C_out.
    kernel : int or (int, int)
        K_h and K_w.
    stride : int or (int, int)
        How far windows of the output lie apart, along rows and columns.
    padding : int or (int, int)
        How many rows and columns of the output are cut off on each side.
    output_padding : int or (int, int)
        How many rows are put on below, and columns at the right.
    bias : bool
        Whether each map of the output has a bias.
    dilation : int or (int, int)
        R: how far the places lie apart that the cells of a kernel are laid onto.
    groups : int
        Into how many groups the channels are cut; maps of a group are made of its channels alone.
    """

    kind = "conv_transpose2d"
    axes = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        output_padding: int | tuple[int, int] = 0,
        bias: bool = True,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.bias = in_channels, out_channels, bias
        self.kernel, self.stride, self.dilation, self.groups = (
            *(pair(kernel), pair(stride), pair(dilation)),
            groups,
        )
        self.padding: Sides = sides(self.name, padding)
        if self.padding[::2] != self.padding[1::2]:
            raise CnnvizError(
                tr(
                    "{layer}: padding is {padding}, but as much is cut off on both sides; give one number, "
                    "or [rows, columns].",
                    layer=self.name,
                    padding=sides_text(self.padding),
                )
            )
        self.output_padding = pair(output_padding)
        positive(self.name, "in_channels", in_channels)
        positive(self.name, "out_channels", out_channels)
        positive(self.name, "kernel", *self.kernel)
        positive(self.name, "stride", *self.stride)
        # The convolution whose input gradient this is: it reads what is put out here.
        window = self.kernel, self.stride, self.padding, self.dilation
        self._back = _Back(out_channels, in_channels, *window, groups, bias=False)

    @property
    def parameter_shapes(self) -> Mapping[str, Shape]:
        """The kernels, as PyTorch has them, and b."""
        shapes: dict[str, Shape] = {"w": (self.in_channels, self.out_channels // self.groups, *self.kernel)}
        return {**shapes, "b": (self.out_channels,)} if self.bias else shapes

    def initial_parameters(self, rng: np.random.Generator) -> dict[str, Array]:
        """Draw the kernels as He et al. (2015) propose for ReLU; the biases are 0."""
        shape = self.parameter_shapes["w"]
        depth = shape[0] // self.groups * prod(self.kernel)
        drawn: dict[str, Array] = {"w": rng.normal(0, sqrt(2 / depth), shape)}
        return {**drawn, "b": np.zeros(self.out_channels)} if self.bias else drawn

    def output_shape(self, shape: Shape) -> Shape:
        """Return (C_out, H_out, W_out)."""
        channels, *sizes = require_maps(self.name, shape)
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
        self._back.refuse_groups_that_do_not_fit()
        for extra, step, rate in zip(self.output_padding, self.stride, self.dilation, strict=True):
            if extra >= max(step, rate):
                raise ShapeError(
                    tr(
                        "{layer}: output_padding is {value}, but must be less than the stride {stride}, or "
                        "than the dilation.",
                        layer=self.name,
                        value=extra,
                        stride=step,
                    )
                )
        height, width = (
            (size - 1) * step + extent - 2 * pad + extra
            for size, step, extent, pad, extra in zip(
                sizes, self.stride, self._back.window, self.padding[::2], self.output_padding, strict=True
            )
        )
        if min(height, width) < 1:
            raise ShapeError(
                tr(
                    "{layer}: with padding {padding} nothing is left of its output; use less padding.",
                    layer=self.name,
                    padding=sides_text(self.padding[: 2 * self.axes]),
                )
            )
        return self.out_channels, height, width

    def cost(self, shape: Shape) -> Cost:
        """Return what the convolution takes whose gradient this is."""
        return self._back.cost(self.output_shape(shape))

    def forward(self, x: Array, w: Array, b: Array | None = None) -> Array:
        """Convolve a batch (N, C_in, H, W) to (N, C_out, H_out, W_out)."""
        return self._back.input_gradient(x, self.output_shape(x.shape[1:]), w, b)

    def backward(self, dy: Array, x: Array, *, w: Array, needs_dx: bool = True, **_: Any) -> dict[str, Array]:
        """Return ∂E/∂b, ∂E/∂w and ∂E/∂x, which is a convolution of ∂E/∂y."""
        gradients = self._back.backward(x, dy, w=w, needs_dx=False)
        if self.bias:
            maps = dy.swapaxes(0, 1).reshape(self.out_channels, -1)
            gradients["db"] = added(maps, np.zeros(self.out_channels, w.dtype))
        if needs_dx:
            height, width = x.shape[2:]
            gradients["dx"] = self._back.forward(dy, w)[:, :, :height, :width]
        return gradients

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing; its ``x`` is the spread-out input."""
        spread = self._back._spreading_of(arrays["x"], arrays["y"].shape)
        given = {"x": spread.place(arrays["x"]), **{name: arrays[name] for name in self.parameter_shapes}}
        call = self._call("y", conv_transpose2d, arrays, given, {"x": spread})
        return call if self.bias else replace(call, kind=f"{self.kind}.without_bias")

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the gradients of bias, kernels and input; the last two read the padded ``dy``."""
        dy, (height, width), (above, _, left, _) = arrays["dy"], arrays["x"].shape[1:], self.padding
        (high, wide), (down, right) = self._back.window, self.stride
        shape = (height - 1) * down + high, (width - 1) * right + wide
        placed = Placement(dy.shape[1:], shape, (above, left))
        padded, places = placed.place(dy), {"dy": placed}
        calls = [
            self._call("dw", conv_transpose2d_dw, arrays, {"x": arrays["x"], "dy": padded}, places),
            self._call("dx", conv_transpose2d_dx, arrays, {"w": arrays["w"], "dy": padded}, places),
        ]
        return [*([self._call("db", conv2d_db, arrays, {"dy": dy}, {})] if self.bias else []), *calls]

    def _call(
        self,
        result: str,
        listing: Listing,
        arrays: Mapping[str, Array],
        given: Mapping[str, Array],
        placed: Mapping[str, Placement],
    ) -> Call:
        """Return a call of a listing as the arguments ask for it."""
        changes = {} if self.bias else {"b[o]": "0.0"}
        if len(set(self.stride[: self.axes])) > 1:
            changes |= {"i*S": "i*S_h", "j*S": "j*S_w"}
        if self.dilation != (1, 1):
            rates = ("R", "R") if len(set(self.dilation[: self.axes])) == 1 else ("R_h", "R_w")
            dilated = {"+u, ": f"+u*{rates[0]}, ", "+v]": f"+v*{rates[1]}]"}
            listing = with_changes(listing, dilated, "R", "R_h", "R_w")
        if self.groups > 1 and result != "db":
            changes |= _IN_GROUPS if result == "y" else _BACK_IN_GROUPS
        listing = variant(listing, changes, "S_h", "S_w", "M", "D")
        (_, height, width), (_, high, wide) = arrays["x"].shape, arrays["y"].shape
        (down, right), (rate_h, rate_w) = self.stride, self.dilation
        sizes = {
            **{"R": rate_h, "R_h": rate_h, "R_w": rate_w},
            **{"M": self.out_channels // self.groups, "D": self.in_channels // self.groups},
            **{"C_out": self.out_channels, "H_out": high, "W_out": wide},
            **{"C_in": self.in_channels, "H": height, "W": width},
            **{"K_h": self.kernel[0], "K_w": self.kernel[1], "S": down, "S_h": down, "S_w": right},
        }
        taken = {name: sizes[name] for name in parameters_of(listing) if name in sizes}
        return self.call(result, listing, {**given, **taken}, {result: arrays[result]}, placements=placed)


class _Back(Conv2d):
    kind = "conv_transpose2d"


# In groups, map o is made of the D channels of its group, and channel c goes into the M maps of its own.
_IN_GROUPS = {
    **{"for c in range(C_in)": "for c in range(D)", "x[c, ": "x[o//M*D+c, "},
    **{"w[c, o, ": "w[o//M*D+c, o%M, "},
}
_BACK_IN_GROUPS = {"for o in range(C_out)": "for o in range(M)", "dy[o, ": "dy[c//D*M+o, "}


# The listings, set as they are shown.
# fmt: off

def conv_transpose2d(x, w, b, y, C_out, H_out, W_out, C_in, K_h, K_w):
    for o in range(C_out):
        for i in range(H_out):
            for j in range(W_out):
                acc = b[o]
                for c in range(C_in):
                    for u in range(K_h):
                        for v in range(K_w):
                            acc += w[c, o, K_h-1-u, K_w-1-v] * x[c, i+u, j+v]
                y[o, i, j] = acc


def conv_transpose2d_dw(x, dy, dw, C_in, C_out, K_h, K_w, H, W, S):
    for c in range(C_in):
        for o in range(C_out):
            for u in range(K_h):
                for v in range(K_w):
                    acc = 0.0
                    for i in range(H):
                        for j in range(W):
                            acc += x[c, i, j] * dy[o, i*S+u, j*S+v]
                    dw[c, o, u, v] = acc


def conv_transpose2d_dx(w, dy, dx, C_in, H, W, C_out, K_h, K_w, S):
    for c in range(C_in):
        for i in range(H):
            for j in range(W):
                acc = 0.0
                for o in range(C_out):
                    for u in range(K_h):
                        for v in range(K_w):
                            acc += w[c, o, u, v] * dy[o, i*S+u, j*S+v]
                dx[c, i, j] = acc
