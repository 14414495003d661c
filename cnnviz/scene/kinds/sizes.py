"""How large gradients are: a bar for each layer, with its number."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from cnnviz.scene.kind import Kind
from cnnviz.scene.kinds import outputs
from cnnviz.scene.listing_formula import listing_formulas

KINDS: Mapping[str, Kind] = {
    "sizes": Kind(
        sentence="How large the gradient is that comes back to each layer: the root of its mean square.",
        formula=listing_formulas,
        variables={"n": "layer", "k": "number"},
        ahead="For each layer, `size` will be the root of the mean square of its row of `dy`.",
        picture=partial(outputs.picture, each="layer", tenfold=True),
    )
}
