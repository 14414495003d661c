"""One record for one kind of operation: what is said about it, how it is drawn, what its numbers mean.

Each file in `cnnviz.scene.kinds` tells its own records as ``KINDS``, by the kind of the calls that they are
about. A call of any other kind is spoken of and drawn by what its listing and its ports say.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from msgspec import Struct, field

from cnnviz.engine.layer import Call
from cnnviz.scene.local import Back, Local, unknown
from cnnviz.scene.marks import Box, Mark

# (moment, area, unit) to marks; a Moment itself asks for kinds, so it cannot be named here.
Picture = Callable[[Any, Box, float], list[Mark]]


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
        Whether those are added up, so that they have the same decimals and power of ten, too.
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

_CELLS = {"c,i,j": "C H W", "n": "N"}


@cache
def kinds() -> dict[str, Kind]:
    """Return all records, by kind."""
    package = import_module("cnnviz.scene.kinds")
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    modules = [import_module(f"{package.__name__}.{name}") for name in names]
    return {kind: record for module in modules for kind, record in getattr(module, "KINDS", {}).items()}


def kind_of(call: Call) -> Kind:
    """Return what is known of a call; little, where there is no record of its kind."""
    return kinds().get(call.kind) or Kind(sentence="Each line below is run in turn.")


def formulas(call: Call, line: int) -> tuple[str, ...]:
    """Return what a listing computes as formulas; of an expression, itself and what the line does."""
    written = kind_of(call).formula
    if callable(written):
        return written(call, line)
    return tuple(_of_cells(formula, index_of(call)) for formula in written)


def all_formulas() -> Iterator[str]:
    """Yield the formulas of all records that are the same for every call, of maps and of a column."""
    for kind in kinds().values():
        for formula in () if callable(kind.formula) else kind.formula:
            yield from dict.fromkeys(_of_cells(formula, index) for index in _CELLS)


def compared(call: Call) -> tuple[str, ...]:
    """Return the arrays of a call whose numbers are compared."""
    found = kind_of(call).compared
    return found(call) if callable(found) else found


def index_of(call: Call) -> str:
    """Return the indices of a cell in a listing for maps or for a column: ``c,i,j`` or ``n``."""
    return "c,i,j" if "C" in call.given or "C_1" in call.given else "n"


def _of_cells(formula: str, index: str) -> str:
    lowered = index if len(index) == 1 else f"{{{index}}}"
    return formula.replace("@N", _CELLS[index]).replace("_@", f"_{lowered}").replace("@", index)
