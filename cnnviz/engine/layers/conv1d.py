"""Convolution of sequences: the kernel slides along a row."""

from __future__ import annotations

from typing import Literal

from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.sequences import OfSequences


class Conv1d(OfSequences):
    """Slides C_out kernels of shape (C_in / groups, K) along sequences of shape (C_in, L).

    y[o, i] = b[o] + Σ w[o, c, u] · x[c, i·S + u·R], with x padded by zeros, and
    L_out = ⌊(L + P_before + P_behind − R·(K − 1) − 1) / S⌋ + 1.

    Parameters
    ----------
    in_channels, out_channels : int
        C_in and C_out.
    kernel : int
        K.
    stride, dilation : int
        S and R: how far windows lie apart, and the cells of a window.
    padding : int or (int, int) or "same"
        How many zeros are put around: on both sides, or before and behind. "same" are as many as keep the
        length, the odd one behind.
    groups : int
        Into how many groups the channels are cut; kernels of a group see its channels alone.
    bias : bool
        Whether each kernel has a bias.
    """

    kind = "conv1d"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        padding: int | tuple[int, int] | Literal["same"] = 0,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        if isinstance(padding, int):
            padding = (padding, padding)
        super().__init__(
            _OneColumn(
                *(in_channels, out_channels, (kernel, 1), (stride, 1)),
                padding if padding == "same" else (*padding, 0, 0),
                *((dilation, 1), groups, bias),
            )
        )


class _OneColumn(Conv2d):
    kind = "conv1d"
    axes = 1
