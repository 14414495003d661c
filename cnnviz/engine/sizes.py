"""How large gradients are, layer by layer: the root of their mean square, as a listing of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy import sqrt

from cnnviz.engine.layer import Array, Call
from cnnviz.engine.port import Port

# The listing, set as it is shown.
# fmt: off

def sizes(dy, size, N, K):
    for n in range(N):
        total = 0.0
        for k in range(K):
            total += dy[n, k] ** 2
        size[n] = sqrt(total / K)

# fmt: on


def sizes_call(name: str, gradients: Sequence[Array]) -> Call:
    """Return what finds the size of each of several gradients of as many numbers each.

    Parameters
    ----------
    name : str
        What the operation is called.
    gradients : Sequence[Array]
        Those of the outputs of layers, in the order in which they are computed forward.
    """
    dy = np.stack([gradient.reshape(-1) for gradient in gradients])
    with np.errstate(all="ignore"):
        found = np.sqrt((dy**2).sum(axis=1) / dy.shape[1])
    return Call(
        name=name,
        layer=name,
        phase="backward",
        listing=sizes,
        given={"dy": dy, "N": len(dy), "K": dy.shape[1]},
        writes={"size": found},
        ports={
            "dy": Port(f"{name}.gradients", "source", "dy"),
            "size": Port(f"{name}.size", "result", "size"),
        },
        kind="sizes",
    )
