"""Upsample: maps grow, or are given a size, by repeating their numbers or by means of neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.engine.generated import variant
from cnnviz.engine.layer import (
    Array,
    Call,
    Cost,
    Layer,
    Shape,
    Value,
    pair,
    positive,
    require_maps,
)
from cnnviz.engine.product import added, tame

# The listings, set as they are shown.
# fmt: off

def upsample_nearest(x, y, C, H_out, W_out, S_h, S_w):
    for c in range(C):
        for i in range(H_out):
            for j in range(W_out):
                y[c, i, j] = x[c, i // S_h, j // S_w]


def upsample_nearest_dx(dy, dx, C, H, W, S_h, S_w):
    for c in range(C):
        for i in range(H):
            for j in range(W):
                acc = 0.0
                for u in range(S_h):
                    for v in range(S_w):
                        acc += dy[c, i*S_h+u, j*S_w+v]
                dx[c, i, j] = acc


def upsample_nearest_size_dx(dy, dx, C, H_out, W_out, H, W):
    for c in range(C):
        for i in range(H_out):
            for j in range(W_out):
                dx[c, i*H//H_out, j*W//W_out] += dy[c, i, j]


def upsample_p(p, H_out, H, S_h):
    for i in range(H_out):
        s = min(max((i + 0.5) / S_h - 0.5, 0.0), H - 1.0)
        for u in range(H):
            p[i, u] = max(1.0 - abs(s - u), 0.0)


def upsample_q(q, W_out, W, S_w):
    for j in range(W_out):
        s = min(max((j + 0.5) / S_w - 0.5, 0.0), W - 1.0)
        for v in range(W):
            q[j, v] = max(1.0 - abs(s - v), 0.0)


def upsample_bilinear(x, p, q, y, C, H_out, W_out, H, W):
    for c in range(C):
        for i in range(H_out):
            for j in range(W_out):
                acc = 0.0
                for u in range(H):
                    for v in range(W):
                        acc += p[i, u] * q[j, v] * x[c, u, v]
                y[c, i, j] = acc


def upsample_bilinear_dx(p, q, dy, dx, C, H, W, H_out, W_out):
    for c in range(C):
        for u in range(H):
            for v in range(W):
                acc = 0.0
                for i in range(H_out):
                    for j in range(W_out):
                        acc += p[i, u] * q[j, v] * dy[c, i, j]
                dx[c, u, v] = acc

# fmt: on


class Upsample(Layer):
    """Makes maps larger by whole factors, or of any size: PyTorch's ``nn.Upsample``.

    ``nearest`` repeats every number. ``bilinear`` takes a mean of the numbers between which a cell lies, each
    the more the nearer it is: y = P x Qᵀ, where row i of P says how much each row of x counts in row i of y,
    max(0, 1 − distance). Source of that form: Jaderberg, Simonyan, Zisserman and Kavukcuoglu, "Spatial
    Transformer Networks" (2015), equation 5.

    Parameters
    ----------
    scale_factor : int or (int, int)
        By how much height and width grow.
    mode : {"nearest", "bilinear"}
        What new cells are made of.
    align_corners : bool
        Whether the corners of input and output are the same numbers; only of ``bilinear``.
    size : int or (int, int), optional
        How high and wide maps become, in place of factors.
    """

    kind = "upsample"

    def __init__(
        self,
        scale_factor: int | tuple[int, int] = 2,
        mode: Literal["nearest", "bilinear"] = "nearest",
        align_corners: bool = False,
        size: int | tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.scale_factor, self.mode, self.align_corners = pair(scale_factor), mode, align_corners
        self.size = None if size is None else pair(size)
        positive(self.name, "scale_factor", *self.scale_factor)
        positive(self.name, "size", *self.size or ())
        if mode == "bilinear":
            self.auxiliary_names = self.shared_names = ("p", "q")

    def output_shape(self, shape: Shape) -> Shape:
        """Return (C, S_h · H, S_w · W), or (C, *size)."""
        channels, height, width = require_maps(self.name, shape)
        if self.size is not None:
            return channels, *self.size
        return channels, height * self.scale_factor[0], width * self.scale_factor[1]

    def cost(self, shape: Shape) -> Cost:
        """Return a few passes over all outputs, and two matrix products where they are means."""
        (channels, height, width), (_, high, wide) = shape, self.output_shape(shape)
        size = channels * high * wide
        if self.mode == "nearest":
            return Cost(3 * size, 4 * size)
        work = 2 * channels * high * width * (height + wide)
        return Cost(4 * size + 2 * (high * height + wide * width), work + 4 * size)

    def forward(self, x: Array) -> Array:
        """Enlarge a batch (N, C, H, W)."""
        if self.mode == "nearest" and self.size is not None:
            rows, columns = (k * n // m for k, n, m in self._lengths(x.shape))
            return x[:, :, rows[:, None], columns]
        if self.mode == "nearest":
            down, right = self.scale_factor
            return x.repeat(down, axis=2).repeat(right, axis=3)
        p, q = self._parts(x.shape, x.dtype)
        return _mixed(p, q, x)

    def auxiliary(self, x: Array, **_: Any) -> dict[str, NDArray[Any]]:
        """Return how much each row, and each column, counts in each new one."""
        if self.mode == "nearest":
            return {}
        p, q = self._parts(x.shape, x.dtype)
        return {"p": p, "q": q}

    def backward(self, dy: Array, x: Array, **_: Any) -> dict[str, Array]:
        """Return ∂E/∂x: to each cell what comes back from those that it went into, times its part in them."""
        if self.mode == "bilinear":
            p, q = self._parts(x.shape, dy.dtype)
            return {"dx": _mixed(p.T, q.T, dy)}
        if self.size is not None:
            dx = np.zeros(x.shape, dy.dtype)
            for _one in self._added(dy, dx):
                pass
            return {"dx": dx}
        down, right = self.scale_factor
        windows = dy.reshape(*x.shape[:3], down, x.shape[3], right).swapaxes(3, 4)
        return {"dx": added(windows.reshape(-1, down * right)).reshape(x.shape)}

    def _lengths(self, shape: Shape) -> Iterator[tuple[NDArray[np.integer], int, int]]:
        """Yield the rows of the output, how many the input has and how many there are; columns likewise."""
        for n, m in zip(shape[-2:], self.output_shape(shape[-3:])[1:], strict=True):
            yield np.arange(m), n, m

    def _added(self, dy: Array, dx: Array) -> Iterator[Array]:
        """Add each cell's gradient to that of the number it is; yield those that were added to."""
        blocks = []
        for _, n, m in self._lengths(dx.shape):
            starts = -(-np.arange(n + 1) * m // n)  # of the cells that are this number
            blocks.append((starts[:-1], np.diff(starts)))
        (tops, rows), (lefts, columns) = blocks
        for u, v in np.ndindex(int(rows.max()), int(columns.max())):
            high, wide = np.flatnonzero(rows > u)[:, None], np.flatnonzero(columns > v)
            with np.errstate(all="ignore"):
                dx[..., high, wide] += dy[..., tops[high] + u, lefts[wide] + v]
            yield dx[..., high, wide]

    def _parts(self, shape: Shape, dtype: np.dtype[Any]) -> tuple[Array, Array]:
        """Return how much each row of a batch counts in each new one, (H_out, H), and each column."""
        made = []
        for (k, size, length), factor in zip(self._lengths(shape), self.scale_factor, strict=True):
            if self.align_corners:  # one cell is the first
                s = k * (size - 1) / max(length - 1, 1)
            elif self.size is not None:
                s = np.clip((k + 0.5) * size / length - 0.5, 0, size - 1)
            else:
                s = np.clip((k + 0.5) / factor - 0.5, 0, size - 1)
            made.append(np.maximum(1 - np.abs(s[:, None] - np.arange(size)), 0).astype(dtype))
        return made[0], made[1]

    # ------------------------------------------------------------------------------------------ listings

    def forward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return how much rows and columns count in new ones, if these are means, and the forward listing."""
        if self.mode == "nearest":
            return [self.forward_call(arrays)]
        return [*(self._parts_call(axis, arrays) for axis in range(2)), self.forward_call(arrays)]

    def _parts_call(self, axis: int, arrays: Mapping[str, Array]) -> Call:
        result, size, out, step, k = (("p", "H", "H_out", "S_h", "i"), ("q", "W", "W_out", "S_w", "j"))[axis]
        listing = (upsample_p, upsample_q)[axis]
        lengths = {size: arrays["x"].shape[axis + 1], out: arrays["y"].shape[axis + 1]}
        given: dict[str, Value] = {**lengths, step: self.scale_factor[axis]}
        if self.align_corners:
            middle = f"min(max(({k} + 0.5) / {step} - 0.5, 0.0), {size} - 1.0)"
            between = f"{k} * ({size} - 1.0) / ({out} - 1.0)" if lengths[out] > 1 else "0.0"
            listing = variant(listing, {middle: between})
            given = {**lengths}
        elif self.size is not None:
            listing, given = variant(listing, {f" / {step}": f" * {size} / {out}"}), {**lengths}
        return self.call(result, listing, given, {result: arrays[result]})

    def forward_call(self, arrays: Mapping[str, Array]) -> Call:
        """Return the forward listing."""
        y = arrays["y"]
        if self.mode == "nearest":
            sizes = dict(zip(("C", "H_out", "W_out"), y.shape, strict=True))
            if self.size is not None:
                changes = {"i // S_h": "i*H//H_out", "j // S_w": "j*W//W_out"}
                listing = variant(upsample_nearest, changes, "H", "W")
                call = self.call("y", listing, {"x": arrays["x"], **_sizes(arrays)}, {"y": y})
                return replace(call, kind="upsample.size")
            return self.call("y", upsample_nearest, {"x": arrays["x"], **sizes, **self._factors}, {"y": y})
        given: dict[str, Value] = {name: arrays[name] for name in ("x", "p", "q")}
        call = self.call("y", upsample_bilinear, given | _sizes(arrays), {"y": y})
        return replace(call, kind="upsample.bilinear")

    def backward_calls(self, arrays: Mapping[str, Array]) -> list[Call]:
        """Return the listing of the input's gradient."""
        dx = arrays["dx"]
        if self.mode == "nearest" and self.size is not None:
            return [self._scattered(arrays)]
        if self.mode == "nearest":
            sizes = dict(zip(("C", "H", "W"), dx.shape, strict=True))
            given: dict[str, Value] = {"dy": arrays["dy"], **sizes, **self._factors}
            return [self.call("dx", upsample_nearest_dx, given, {"dx": dx})]
        given = {name: arrays[name] for name in ("p", "q", "dy")}
        call = self.call("dx", upsample_bilinear_dx, given | _sizes(arrays), {"dx": dx})
        return [replace(call, kind="upsample.dx.bilinear")]

    def _scattered(self, arrays: Mapping[str, Array]) -> Call:
        dy, dx = arrays["dy"], arrays["dx"]

        def linear(given: Mapping[str, Any]) -> dict[str, Array]:
            made = np.zeros((len(given["dy"]), *dx.shape[1:]))
            for _ in self._added(given["dy"], made):
                pass
            return {"dx": made}

        def extremes() -> dict[str, tuple[float, float]]:
            least = greatest = 0.0
            for cells in self._added(dy, np.zeros(dx.shape)):
                finite = cells[np.isfinite(cells)]
                least, greatest = min(least, finite.min(initial=0.0)), max(greatest, finite.max(initial=0.0))
            return {"dx": (float(least), float(greatest))}

        given: dict[str, Value] = {"dy": dy, **_sizes(arrays)}
        call = self.call("dx", upsample_nearest_size_dx, given, {"dx": dx}, linear, extremes)
        return replace(call, kind="upsample.dx.size")

    @property
    def _factors(self) -> dict[str, int]:
        return dict(zip(("S_h", "S_w"), self.scale_factor, strict=True))


def _sizes(arrays: Mapping[str, Array]) -> dict[str, int]:
    (channels, height, width), (_, high, wide) = arrays["x"].shape, arrays["y"].shape
    return {"C": channels, "H": height, "W": width, "H_out": high, "W_out": wide}


def _mixed(p: Array, q: Array, x: Array) -> Array:
    """Return p x qᵀ of all maps of a batch, overflowing where the listings do."""
    if tame(p, q, x):
        return np.asarray(p @ x @ q.T)
    with np.errstate(all="ignore"):
        total = np.zeros((*x.shape[:2], len(p), len(q)), x.dtype)
        for u, v in np.ndindex(x.shape[2:]):
            total += p[:, u, None] * q[:, v] * x[:, :, u, v, None, None]
        return total
