"""Formulas typeset.

Those of the program are typeset beforehand, by `resources/typeset_formulas.py`, and kept in
`resources/formulas.json`; others are typeset when they are needed. How a formula is written is said in
`cnnviz.scene.typesetting`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from cnnviz.resources import resource
from cnnviz.scene.outline import EM, Outline, Piece


@lru_cache(maxsize=512)
def typeset(formula: str) -> Outline:
    """Return a formula typeset: the kept one, or a new one."""
    kept = _kept()
    found = kept["formulas"].get(formula)
    if found is None:
        from cnnviz.scene.typesetting import typeset_anew  # takes long to import

        return typeset_anew(formula)
    pieces = (
        Piece(tuple(parts.split()), kept["paths"][path], x, y, scale / EM)
        for parts, path, x, y, scale in found["pieces"]
    )
    return Outline(found["width"], found["ascent"], found["descent"], tuple(pieces))


@cache
def _kept() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(resource("formulas.json").read_text(encoding="utf-8"))
    return found
