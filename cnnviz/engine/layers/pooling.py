"""What max-pooling and average-pooling share: windows of one channel, slid by a stride."""

from __future__ import annotations

from math import prod

from cnnviz.engine.layer import STATEMENT, Array, Cost, Layer, Shape, pair, positive, require_maps
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
    """

    def __init__(self, kernel: int | tuple[int, int], stride: int | tuple[int, int] | None = None) -> None:
        super().__init__()
        self.kernel = pair(kernel)
        self.stride = self.kernel if stride is None else pair(stride)
        positive(self.name, "kernel", *self.kernel)
        positive(self.name, "stride", *self.stride)

    def output_shape(self, shape: Shape) -> Shape:
        """Return (C, ⌊(H − K_h) / S_h⌋ + 1, ⌊(W − K_w) / S_w⌋ + 1)."""
        channels, height, width = require_maps(self.name, shape)
        (kernel_h, kernel_w), (stride_h, stride_w) = self.kernel, self.stride
        if kernel_h > height or kernel_w > width:
            raise ShapeError(
                tr(
                    "{layer}: a window of {kernel_h} × {kernel_w} does not fit maps of {height} × {width}; "
                    "use a window of at most {height} × {width}.",
                    layer=self.name,
                    kernel_h=kernel_h,
                    kernel_w=kernel_w,
                    height=height,
                    width=width,
                )
            )
        return channels, (height - kernel_h) // stride_h + 1, (width - kernel_w) // stride_w + 1

    def cost(self, shape: Shape) -> Cost:
        """Return a few passes over all outputs for each cell of a window, forward and back."""
        out = self.output_shape(shape)
        return Cost(3 * (prod(shape) + prod(out)), prod(self.kernel) * (4 * prod(out) + 5 * STATEMENT))

    def _all_cells(self, maps: Array, out: Shape) -> list[Array]:
        """Return one view (N, C, H_out, W_out) for each cell of a window, of that cell in every window."""
        (kernel_h, kernel_w), (stride_h, stride_w) = self.kernel, self.stride
        height, width = stride_h * out[-2], stride_w * out[-1]
        return [
            maps[:, :, u : u + height : stride_h, v : v + width : stride_w]
            for u in range(kernel_h)
            for v in range(kernel_w)
        ]

    def _sizes(self, y: Array) -> dict[str, int]:
        channels, height, width = y.shape
        sizes = {"C": channels, "H_out": height, "W_out": width}
        (kernel_h, kernel_w), (stride_h, stride_w) = self.kernel, self.stride
        return {**sizes, "K_h": kernel_h, "K_w": kernel_w, "S_h": stride_h, "S_w": stride_w}
