"""Transposed convolution of sequences: the input gradient of a convolution as a layer, by which they grow."""

from __future__ import annotations

from cnnviz.engine.layers.conv_transpose2d import ConvTranspose2d
from cnnviz.engine.sequences import OfSequences


class ConvTranspose1d(OfSequences):
    """Lays the kernel, times each number of its input, onto windows of its output, S apart, and adds up.

    y[o, i] = b[o] + Σ w[c, o, K−1−u] · x[c, i + u], with S − 1 zeros between the numbers of x, and zeros
    around; L_out = (L − 1)·S + R·(K − 1) + 1 − 2P + P_out.

    Parameters
    ----------
    in_channels, out_channels : int
        C_in and C_out.
    kernel : int
        K.
    stride, dilation : int
        S and R: how far windows of the output lie apart, and the cells of a window.
    padding : int
        How many numbers of the output are cut off on each side.
    output_padding : int
        How many are put on behind.
    bias : bool
        Whether each channel of the output has a bias.
    groups : int
        Into how many groups the channels are cut; those of a group are made of its channels alone.
    """

    kind = "conv_transpose1d"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        output_padding: int = 0,
        bias: bool = True,
        dilation: int = 1,
        groups: int = 1,
    ) -> None:
        window = (kernel, 1), (stride, 1), (padding, 0), (output_padding, 0)
        super().__init__(_OneColumn(in_channels, out_channels, *window, bias, (dilation, 1), groups))


class _OneColumn(ConvTranspose2d):
    kind = "conv_transpose1d"
    axes = 1
