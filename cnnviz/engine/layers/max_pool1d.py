"""Max-pooling of sequences: the largest number of each window goes on."""

from __future__ import annotations

from cnnviz.engine.layers.max_pool2d import MaxPool2d
from cnnviz.engine.sequences import OfSequences


class MaxPool1d(OfSequences):
    """Keeps the largest number of each window along sequences, and remembers in ``switch`` which one it was.

    y[c, i] = max over u of x[c, i·S + u·R]; switch[c, i] = u of the first maximum. Padding never wins.

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
    dilation : int
        R: how far the cells of a window lie apart.
    """

    kind = "max_pool1d"

    def __init__(
        self,
        kernel: int,
        stride: int | None = None,
        padding: int | tuple[int, int] = 0,
        ceil_mode: bool = False,
        dilation: int = 1,
    ) -> None:
        step = kernel if stride is None else stride
        sides = (padding, padding) if isinstance(padding, int) else padding
        super().__init__(_OneColumn((kernel, 1), (step, 1), (*sides, 0, 0), ceil_mode, (dilation, 1)))


class _OneColumn(MaxPool2d):
    kind = "max_pool1d"
    axes = 1
