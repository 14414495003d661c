"""Average-pooling: each window becomes its mean."""

from __future__ import annotations

from collections.abc import Mapping

from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds import pooling
from cnnviz.scene.kinds.pooling import windows
from cnnviz.scene.local import Back, Local


def _shares(back: Back) -> Local:
    count = back.forward.sizes["K_h"] * back.forward.sizes["K_w"]
    return Local("→", windows(back, lambda _: 1 / count), f"1 / {count}")


KINDS: Mapping[str, Kind] = {
    "avg_pool2d": pooling.of_windows(
        sentence="Each window is replaced by its mean.",
        formula=(r"\y{c,i,j} = \frac{1}{K_h K_w} \sum_{u,v} \,\x{c,\,iS_h+u,\,jS_w+v}",),
        ahead="Each cell of `y` will be the mean of its window: its {terms} cells of `x` added up, divided "
        "by {terms}.",
        ahead_of_one="Each cell of `y` will be the one cell of `x` in its window.",
    ),
    "avg_pool2d.dx": pooling.gradient(
        sentence="Every cell of the window had the same share in the mean, so each gets the same "
        "share of the gradient.",
        formula=(r"\dx{c,\,iS_h+u,\,jS_w+v} \add \frac{1}{K_h K_w}\, \dy{c,i,j}",),
        ahead="Every `dx` begins at 0; each `dy`, divided by {terms}, will be added to every `dx` of its "
        "window.",
        local=_shares,
    ),
}
