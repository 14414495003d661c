"""Max-pooling: the largest of each window goes on."""

from __future__ import annotations

from collections.abc import Mapping

from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds import pooling
from cnnviz.scene.kinds.pooling import windows
from cnnviz.scene.local import Back, Local
from cnnviz.text import tr


def _winners(back: Back) -> Local:
    switch = back.value("switch")
    return Local("→", windows(back, lambda k: (switch == k).astype(float)), tr("1 at the winners"))


_OF_MAPS: Mapping[str, Kind] = {
    "max_pool2d": pooling.of_windows(
        sentence="Of each window only the largest number goes on; its place is remembered as the window's "
        "switch.",
        formula=(
            r"\y{c,i,j} = \max_{u,v}\, \x{c,\,iS_h+u,\,jS_w+v}",
            r"\part{switch}{\mathrm{switch}_{c,i,j}} = \arg\max_{u,v}\, \x{c,\,iS_h+u,\,jS_w+v}",
        ),
        ahead="Each cell of `y` will be the largest `x` of its window of {terms}; `switch` will tell which "
        "one it was.",
        ahead_of_one="Each cell of `y` will be the one `x` of its window; `switch` will tell where that is.",
    ),
    "max_pool2d.dx": pooling.gradient(
        sentence="The gradient goes back to the cell that won; the others did not matter and get 0.",
        formula=(
            r"\dx{c,\,iS_h+u,\,jS_w+v} \add \dy{c,i,j}",
            r"(u K_w + v = \part{switch}{\mathrm{switch}_{c,i,j}})",
        ),
        ahead="Every `dx` begins at 0; each `dy` will be added to the one `dx` of its window that `switch` "
        "names.",
        local=_winners,
    ),
}

KINDS = {**_OF_MAPS, **{kind.replace("2d", "1d"): record for kind, record in _OF_MAPS.items()}}
