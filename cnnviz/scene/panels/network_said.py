"""What is said of a row of the network pane: what it reads, who reads it, where its numbers are computed."""

from __future__ import annotations

from collections.abc import Iterable

from cnnviz.engine.layer import shape_text
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import count
from cnnviz.scene.panels import network_arrays as arrays
from cnnviz.scene.panels.network_arrays import Arrays, Source
from cnnviz.scene.panels.network_rows import Item
from cnnviz.scene.panels.network_strip import arrays_shown, network_outline
from cnnviz.text import tr
from cnnviz.trace.counted import of_layer, parameters_of, written_out
from cnnviz.trace.program import Program


def row_said(moment: Moment, item: Item) -> tuple[str, ...]:
    """Return lines about a row: what it is, whom it reads and who reads it, where it is computed."""
    program = moment.program
    shown = arrays_shown(program, item)
    lines = [_what(program, item, shown)]
    if origin := moment.view.origin(item.name):
        lines.append(tr("in its file: {name}", name=origin))
    lines += _joined(program, item)
    if item.kind == "open":
        return tuple(lines)
    if item.kind == "folded":
        names = network_outline(program).names[item.first : item.last + 1]
        done = arrays.progress(program, names, program.number(moment.operation.name))
        lines.append(
            tr(
                "done: {forward} of {of_forward} operations going forward, {backward} of {of_backward} back",
                **done._asdict(),
            )
        )
    if shown.values:
        lines.append(tr("values: {where}", where=_where(moment, shown.values)))
    if shown.gradient:
        lines.append(tr("gradient: {where}", where=_where(moment, shown.gradient)))
    if shown.parts:
        made = (f"{part.operation.layer}.{part.name}" for part in shown.parts if part.operation)
        lines.append(tr("it is the sum of {parts}", parts=_listed(made)))
    return (*lines, *_taken((moment.whole or moment).program, item))


def _taken(program: Program, item: Item) -> list[str]:
    """Say how many parameters a layer has, and how often it multiplies and adds, as products of sizes."""
    if item.kind != "layer":
        return []
    parameters = [*parameters_of(program, item.name).values()]
    found = [tr("parameters: {count}", count=written_out(parameters))] if parameters else []
    forward, backward = (of_layer(program, item.name, phase) for phase in ("forward", "backward"))
    if forward:
        found.append(tr("multiply-adds: {count}", count=written_out(forward)))
    if backward:
        found.append(tr("multiply-adds going back: {count}", count=written_out(backward)))
    return found


def _what(program: Program, item: Item, shown: Arrays) -> str:
    if item.kind != "layer":
        return tr("{name}: {count} layers", name=item.name, count=item.last - item.first + 1)
    name = arrays.said(item.name)
    if shown.values is None or not shown.values.shape or arrays.is_loss(program, item.name):
        return name
    return f"{name}: {shape_text(shown.values.shape)}"


def _joined(program: Program, item: Item) -> list[str]:
    """Say whom a row reads, and who reads it."""
    whole = network_outline(program)
    inside = range(item.first, item.last + 1)
    read = {one for row in inside for one in whole.sources[row] if one not in inside}
    readers = {
        row for row, of in enumerate(whole.sources) if row not in inside and not {*of}.isdisjoint(inside)
    }
    found = []
    if read:
        found.append(tr("reads {layers}", layers=_listed(arrays.said(whole.names[k]) for k in sorted(read))))
    if readers:
        found.append(
            tr("read by {layers}", layers=_listed(arrays.said(whole.names[k]) for k in sorted(readers)))
        )
    return [", ".join(found)] if found else []


def _where(moment: Moment, source: Source) -> str:
    """Say which operation computes an array, at which steps, and how far it is."""
    operation = source.operation
    if operation is None:
        return tr("given")
    known = arrays.known(moment.program, source, moment.program.number(moment.operation.name))
    program = (moment.whole or moment).program  # of several samples, the steps of all
    operation, first = program.operation(operation.name), program.start(operation.name)
    return tr(
        "{operation}, steps {first} to {last}, {known}",
        operation=operation.name,
        first=count(first),
        last=count(first + len(operation) - 1),
        known={"done": tr("computed"), "now": tr("being computed"), "later": tr("not computed yet")}[known],
    )


def _listed(names: Iterable[str]) -> str:
    """Return names as a sentence lists them; of many the first."""
    found = list(names)
    if len(found) > 6:
        return tr("{names} and {count} more", names=", ".join(found[:5]), count=len(found) - 5)
    return tr(" and ").join([", ".join(found[:-1]), found[-1]]) if len(found) > 1 else found[0]
