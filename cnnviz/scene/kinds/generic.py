"""The picture for any listing: its arrays side by side, the current slice of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnviz.engine.address import layer_of, name_of
from cnnviz.engine.batch import VARIABLE
from cnnviz.engine.wiring import INPUT
from cnnviz.scene import grid
from cnnviz.scene.arrays import gradient_to
from cnnviz.scene.kind import Picture
from cnnviz.scene.layout import Part, Room, Sign, column, row
from cnnviz.scene.letters import letter
from cnnviz.scene.marks import Box, Mark
from cnnviz.scene.moment import Moment
from cnnviz.scene.registry import kind_of
from cnnviz.scene.sheet import TooSmallError, sheet, shown
from cnnviz.scene.substitution import scope_of
from cnnviz.text import tr
from cnnviz.trace.alone import is_shared
from cnnviz.trace.assignment import assignment
from cnnviz.trace.looptree import Loop


def picture_of(moment: Moment) -> Picture:
    """Return what draws a step."""
    return kind_of(moment.operation.call).picture or picture


def drawn_in(moment: Moment, box: Box, sizes: Sequence[float]) -> list[Mark]:
    """Return a step's picture in a box, with text of the first size at which there is room; else nothing."""
    for em in sizes:
        try:
            with np.errstate(all="ignore"):
                return list(picture_of(moment)(moment, Room(box, em, em)))
        except TooSmallError:
            continue
    return []


def picture(moment: Moment, room: Room, sign: str = "") -> list[Mark]:
    """Draw every array that the listing names, sources first, what is written last.

    Parameters
    ----------
    sign : str
        What stands between the sources, + or ·, where what is written is their sum or product; = stands
        before that.
    """
    arrays = list(moment.operation.tree.arrays)
    names = [name for name in moment.operation.tree.parameters if name in arrays]
    planes = [shown(moment, _slice(moment, name), grid_title(moment, name)) for name in names]
    parts: list[Part] = []
    for each in planes:
        if sign and parts:
            parts.append(Sign("=" if each.part.name in moment.operation.call.writes else sign))
        parts.append(each.part)
    half = len(parts) // 2 + (len(parts) // 2) % 2 if sign else -(-len(parts) // 2)
    two_rows = (column(row(*parts[:half]), row(*parts[half:])),) if len(parts) > 2 else ()
    at = sheet(moment, room, row(*parts), *two_rows, column(*parts))
    for each in planes:
        at.show(each)
    return at.marks


def grid_title(moment: Moment, name: str) -> str:
    """Return what an array is, in a word."""
    operation, port = moment.operation, moment.operation.call.port(name)
    if name in operation.call.writes:
        return gradient_to(operation, name) or tr("result")
    if port.role == "target":
        return tr("target")
    if port.gradient_of:
        return moment.gradient_from(name)
    if moment.program.is_input(port.node):
        return tr("input") if port.node == INPUT else tr("input {name}", name=port.node)
    if port.node == operation.layer or moment.program.is_output(port.address):
        return tr("output") if layer_of(port.address) else ""
    return tr("from {layer}", layer=port.node)


def _slice(moment: Moment, name: str) -> grid.Plane:
    """Return the slice of an array that the step is in: the last two axes at the index read or written."""
    array = np.asarray(moment.state.arrays[name])
    index = next((i for n, i in (*moment.state.writes, *moment.state.reads) if n == name), None)
    if index is None:
        index = _by_variables(moment, name) or (0,) * array.ndim
    prefix = index[:-2] if array.ndim > 2 else ()
    return grid.plane(moment, name, prefix, grid.cell_focus(index))


def _by_variables(moment: Moment, name: str) -> tuple[int, ...] | None:
    """Return the index at a listing's mention of an array: at that which shares most loops with the step.

    Variables not yet bound are 0; those of loops that the step has left behind, or has not come to, are at
    their last value or their first one.
    """
    tree = moment.operation.tree
    mentions = [
        (line, operand)
        for line in range(2, len(tree.source) + 1)
        if (parts := assignment(tree, line)) is not None
        for operand in (parts.target, *parts.operands)
        if operand.name == name
    ]
    if not mentions:
        return None
    line, operand = max(mentions, key=lambda mention: len(_shared(moment, mention[0])))
    return operand.place({**scope_of(moment), **_variables_at(moment, line)})


def _shared(moment: Moment, line: int) -> list[Loop]:
    """Return the loops around both a line and the step; a loop's header is in it."""
    around = moment.operation.path_to(line)[0]
    return [one for one, other in zip(around, moment.state.loops, strict=False) if one is other]


def _variables_at(moment: Moment, line: int) -> dict[str, int]:
    """Return the loop variables as they are at a line, or were, or will be."""
    held = {name: moment.variable(name) for name in moment.operation.tree.variables}
    shared = len(_shared(moment, line))
    if len(moment.state.loops) > shared:  # the step is in other loops than the line
        done = line < moment.state.line
        others = moment.operation.path_to(line)[0][shared:]
        held |= {loop.variable: loop.count - 1 if done else 0 for loop in others}
    return held


def subtitle(moment: Moment) -> str:
    """Return where in the operation the step is: ``output map 1, row 2, column 3``, or which weight moves."""
    operation = moment.operation
    if operation.phase == "update" and moment.cell:
        own = name_of(operation.call.moved)
        shape = np.shape(moment.program.operation(operation.layer).call.given[own])
        index = np.unravel_index(moment.variable("n"), shape)
        return f"{letter(own)}[{', '.join(str(k) for k in index)}]"
    said, cell = kind_of(operation.call), dict(moment.cell)
    over = next((loop for loop in moment.state.loops if loop.variable == VARIABLE), None)
    if is_shared(operation) and over is not None and moment.node is not over:  # a sum over all samples
        cell.setdefault(VARIABLE, moment.sample)
    return ", ".join(f"{tr(said.variables.get(name, name))} {value}" for name, value in cell.items())
