"""Average-pooling of sequences: each window becomes its mean."""

from __future__ import annotations

from cnnviz.engine.layers.avg_pool2d import AvgPool2d
from cnnviz.engine.sequences import OfSequences


class AvgPool1d(OfSequences):
    """Takes the mean of each window along sequences: y[c, i] = Σ x[c, i·S + u] / K.

    Parameters
    ----------
    kernel : int
        K, the window's size.
    stride : int, optional
        S; the window's own size where it is not given.
    padding : int or (int, int)
        How far windows may reach beyond the sequences: on both sides, or before and behind.
    ceil_mode : bool
        Whether a last window that is cut off by the end counts, too.
    count_include_pad : bool
        Whether padding counts among the numbers that a sum is divided by.
    """

    kind = "avg_pool1d"

    def __init__(
        self,
        kernel: int,
        stride: int | None = None,
        padding: int | tuple[int, int] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        step = kernel if stride is None else stride
        sides = (padding, padding) if isinstance(padding, int) else padding
        super().__init__(_OneColumn((kernel, 1), (step, 1), (*sides, 0, 0), ceil_mode, count_include_pad))


class _OneColumn(AvgPool2d):
    kind = "avg_pool1d"
    axes = 1
