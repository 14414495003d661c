"""Transposed convolution of sequences: its pictures are a convolution's, back to front."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from msgspec.structs import replace

from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds import conv1d
from cnnviz.scene.kinds.conv1d import Names
from cnnviz.scene.kinds.conv_transpose2d import KINDS as OF_MAPS

_CELL = {"o": "output channel", "i": "place", "c": "input channel", "u": "kernel cell"}

# What goes forward is gathered, as a convolution gathers ∂E/∂x; what comes back is convolved.
_PICTURES = {
    "": partial(conv1d.input_gradient, names=Names("x", "y", "c", "o")),
    ".without_bias": partial(conv1d.input_gradient, names=Names("x", "y", "c", "o")),
    ".db": conv1d.bias_gradient,
    ".dw": partial(conv1d.kernel_gradient, names=Names("dy", "x", "c", "o")),
    ".dx": partial(conv1d.forward, names=Names("dy", "dx", "c", "o")),
}

KINDS: Mapping[str, Kind] = {
    **{
        f"conv_transpose1d{name}": replace(
            OF_MAPS[f"conv_transpose2d{name}"], variables=_CELL, picture=picture
        )
        for name, picture in _PICTURES.items()
    },
    "conv_transpose1d.db": replace(conv1d.KINDS["conv1d.db"], variables=_CELL),
}
