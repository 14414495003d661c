"""All records by kind: each file in `cnnviz.scene.kinds` tells its own as ``KINDS``."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module

from msgspec.structs import replace

from cnnviz.engine.batch import VARIABLE
from cnnviz.engine.generated import is_variant
from cnnviz.engine.layer import Call
from cnnviz.engine.port import Port
from cnnviz.engine.sequences import is_of_sequences
from cnnviz.scene.derived import derived
from cnnviz.scene.kind import CELL, CELLS, MAPS, Kind, index_of, of_cells
from cnnviz.scene.listing_formula import listing_formulas
from cnnviz.text import tr


@cache
def kinds() -> dict[str, Kind]:
    """Return all records, by kind."""
    package = import_module("cnnviz.scene.kinds")
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    modules = [import_module(f"{package.__name__}.{name}") for name in names]
    return {kind: record for module in modules for kind, record in getattr(module, "KINDS", {}).items()}


def recorded_as(call: Call) -> str:
    """Return under which name the record of a call is: its kind; ``softmax.maps`` if there is one of maps."""
    of_maps = f"{call.kind}.maps"
    return of_maps if index_of(call) == MAPS and of_maps in kinds() else call.kind


def kind_of(call: Call) -> Kind:
    """Return what is known of a call: by the record of its kind, else by its listing and its ports.

    Of several samples that go through together, by that of one, with their number among the indices.
    """
    found = kinds().get(recorded_as(call)) or derived(call)
    if is_of_sequences(call) and found.variables.get("i") == CELL["i"]:
        found = replace(found, variables={**found.variables, "i": "place", "u": "window cell"})
    if call.batch is None:
        return found
    own = {call.batch.called.get(name, name): words for name, words in found.variables.items()}
    found = replace(found, formula=listing_formulas, variables={**own, VARIABLE: "sample"})
    if call.batch.calls and call.writes.keys().isdisjoint(call.batch.arrays):
        return _added(found, tr("All samples add to it."), tr("Each cell will be made of all samples."))
    if call.batch.mean:
        more = tr("It is divided by the number of samples.")
        return _added(found, more, tr("Each cell will be that of its sample, divided by their number."))
    return found


def _added(kind: Kind, sentence: str, ahead: str) -> Kind:
    """Return a record of several samples, of which more is to be said than of one."""
    ahead = ahead if kind.ahead else ""
    return replace(kind, sentence=f"{tr(kind.sentence)} {sentence}", ahead=ahead, ahead_of_one="")


def formulas(call: Call, line: int) -> tuple[str, ...]:
    """Return what a listing computes as formulas; of an expression, itself and what the line does."""
    written = kind_of(call).formula
    if callable(written):
        found = written(call, line)
    else:
        found = listing_formulas(call, line) if is_variant(call.listing) else ()
        found = found or tuple(of_cells(formula, index_of(call)) for formula in written)
        if is_of_sequences(call):
            found = tuple(map(_of_sequences, found))
        if not call.given.keys().isdisjoint(("R", "R_h")) and not is_variant(call.listing):
            found = tuple(_dilated(formula, call) for formula in found)
    losses = {name: port for name, port in call.ports.items() if port.loss}
    return tuple(_of_loss(formula, losses) for formula in found) if losses else found


_OF_SEQUENCES = (
    (r"u K_w \+ v", "u"),
    ("K_h K_w", "K"),
    (r"\(cH\+i\)W\+j", "cL+i"),
    (r",(?:\\,)?[^,{}]*\b[jqv]\b[^,{}]*(?=[,}])", ""),
    ("H W", "L"),
    (r"([KRS])_h\b", r"\1"),
)


def _dilated(formula: str, call: Call) -> str:
    """Return a formula of windows as that of those whose cells lie apart."""
    rates = dict(u="R_h", v="R_w") if "R_h" in call.given else dict(u="R", v="R")
    return re.sub(
        r"(?<=[ijS])(_[hw])?\+([uv])", lambda found: f"{found[1] or ''}+{found[2]}{rates[found[2]]}", formula
    )


def _of_sequences(formula: str) -> str:
    """Return a formula of maps as that of sequences, which have no columns."""
    for old, new in _OF_SEQUENCES:
        formula = re.sub(old, new, formula)
    return formula


def _of_loss(formula: str, losses: Mapping[str, Port]) -> str:
    """Write one of several losses, and its gradient by itself, with the name of the loss in the sum."""
    for name, port in losses.items():
        loss = rf"E^{{({port.loss.removeprefix('E')})}}"

        def cell(found: re.Match[str], port: Port = port, name: str = name, loss: str = loss) -> str:
            own = f"{port.symbol}_{{{found[1]}}}" if found[1] else port.symbol
            whole = rf"\frac{{\partial {loss}}}{{\partial {own}}}\!" if port.gradient_of else loss
            return rf"\part{{{name}}}{{{whole}}}"

        formula = re.sub(rf"\\{name}\{{([^{{}}]*)\}}", cell, formula)
    return formula


def all_formulas() -> Iterator[str]:
    """Yield the formulas of all records that are the same for every call, of maps and of a column."""
    for kind in kinds().values():
        for formula in () if callable(kind.formula) else kind.formula:
            yield from dict.fromkeys(of_cells(formula, index) for index in CELLS)


def compared(call: Call) -> tuple[str, ...]:
    """Return the arrays of a call whose numbers are compared."""
    found = kind_of(call).compared
    return found(call) if callable(found) else found
