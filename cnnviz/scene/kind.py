"""One record for one kind of operation: what is said about it, how it is drawn, what its numbers mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, field

from cnnviz.engine.layer import Call
from cnnviz.scene.layout import Room
from cnnviz.scene.local import Back, Local, unknown
from cnnviz.scene.marks import Mark

# (moment, room) to marks; a Moment itself asks for kinds, so it cannot be named here.
Picture = Callable[[Any, Room], list[Mark]]


class Kind(Struct, frozen=True, kw_only=True):
    """What is known of one kind of operation.

    Attributes
    ----------
    title : str
        What is being computed; empty for a layer's forward pass, which the layer's name says.
    sentence : str
        What happens, in one whole sentence, in words that a student understands.
    formula : tuple[str, ...] or Callable
        The same as formulas, written as `cnnviz.scene.typesetting` says, with the listing's own indices;
        ``@`` stands for those of a cell, ``c,i,j`` or ``n``, and ``@N`` for how many cells there are. Where
        they depend on the call or on its line, what makes them of these.
    variables : Mapping[str, str]
        What the loop variables count.
    ahead : str
        What is about to be computed, said before it has begun: with arrays between backticks as the listing
        calls them, and ``{terms}`` where the number of a cell's terms goes; empty where the first line
        computes something already.
    ahead_of_one : str
        The same where a cell has one term, if that is said otherwise.
    picture : Callable or None
        Draws a step of it; None where the picture for any listing will do.
    local : Callable
        Of a gradient, the local derivative that it multiplies by; where it is not known, its name is told.
    compared : Callable
        The arrays of a call whose numbers are compared, so that they have one scale of colours.
    added : bool
        Whether those are added up, or copied, so that they have the same decimals and power of ten, too.
    """

    title: str = ""
    sentence: str
    formula: tuple[str, ...] | Callable[[Call, int], tuple[str, ...]] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    ahead: str = ""
    ahead_of_one: str = ""
    picture: Picture | None = None
    local: Callable[[Back], Local] = unknown
    compared: tuple[str, ...] | Callable[[Call], tuple[str, ...]] = ()
    added: bool = False


CELL: Mapping[str, str] = {"c": "channel", "i": "row", "j": "column", "n": "number"}
"""What the loop variables of a cell count, in maps and in a column."""

MAPS, COLUMN = "c,i,j", "n"
"""The indices of a cell."""

CELLS: Mapping[str, str] = {MAPS: "C H W", COLUMN: "N"}
"""The indices of a cell, in maps and in a column, and how many cells there are."""


def index_of(call: Call) -> str:
    """Return the indices of a cell in a listing for maps or for a column: ``c,i,j`` or ``n``."""
    return MAPS if "C" in call.given or "C_1" in call.given else COLUMN


def of_cells(formula: str, index: str) -> str:
    """Put the indices of a cell into a formula of a record."""
    lowered = index if len(index) == 1 else f"{{{index}}}"
    return formula.replace("@N", CELLS[index]).replace("_@", f"_{lowered}").replace("@", index)
