"""All records by kind: each file in `cnnviz.scene.kinds` tells its own as ``KINDS``."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module

from cnnviz.engine.layer import Call
from cnnviz.scene.derived import derived
from cnnviz.scene.kind import CELLS, Kind, index_of, of_cells


@cache
def kinds() -> dict[str, Kind]:
    """Return all records, by kind."""
    package = import_module("cnnviz.scene.kinds")
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    modules = [import_module(f"{package.__name__}.{name}") for name in names]
    return {kind: record for module in modules for kind, record in getattr(module, "KINDS", {}).items()}


def kind_of(call: Call) -> Kind:
    """Return what is known of a call: by the record of its kind, else by its listing and its ports."""
    return kinds().get(call.kind) or derived(call)


def formulas(call: Call, line: int) -> tuple[str, ...]:
    """Return what a listing computes as formulas; of an expression, itself and what the line does."""
    written = kind_of(call).formula
    if callable(written):
        return written(call, line)
    return tuple(of_cells(formula, index_of(call)) for formula in written)


def all_formulas() -> Iterator[str]:
    """Yield the formulas of all records that are the same for every call, of maps and of a column."""
    for kind in kinds().values():
        for formula in () if callable(kind.formula) else kind.formula:
            yield from dict.fromkeys(of_cells(formula, index) for index in CELLS)


def compared(call: Call) -> tuple[str, ...]:
    """Return the arrays of a call whose numbers are compared."""
    found = kind_of(call).compared
    return found(call) if callable(found) else found
