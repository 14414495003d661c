"""Reads where somebody wants to go: a step's number, or a cell such as ``conv1[2,3,4]``."""

from __future__ import annotations

import re
from difflib import get_close_matches

from cnnviz.errors import CnnvizError
from cnnviz.scene.numbers import count
from cnnviz.text import tr
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program

_CELL = re.compile(r"([\w.]+?)\s*(?:\[([\d\s,]*)\])?")


def find_place(program: Program, text: str) -> int:
    """Return the step that a text names.

    Parameters
    ----------
    text : str
        ``1034``, ``1,034``; ``conv1`` for an operation's start; ``conv1[2,3,4]`` or ``conv1.dw[0,0,1,2]``
        for the step that writes this cell.

    Raises
    ------
    CnnvizError
        If it names none; the sentence says what would.
    """
    text = text.strip()
    if re.fullmatch(r"\d[\d,\s]*", text):
        return _numbered(program, int(re.sub(r"\D", "", text)[:30]))
    match = _CELL.fullmatch(text)
    if not match:
        raise CnnvizError(tr("Type a step's number, or a cell as in conv1[2,3,4]."))
    operation = _named(program, match[1])
    start = program.start(operation.name)
    if match[2] is None:
        return start
    index = tuple(int(part) for part in match[2].split(",") if part.strip())
    return start + _writing(operation, index)


def _named(program: Program, name: str) -> Operation:
    names = [operation.name for operation in program.operations]
    if name in names:
        return program.operation(name)
    near = get_close_matches(name, names, n=3) or names[:3]
    raise CnnvizError(
        tr("There is no operation {name}; there is {near}, for instance.", name=name, near=", ".join(near))
    )


def _numbered(program: Program, index: int) -> int:
    if index >= len(program):
        raise CnnvizError(tr("There is no such step; the last one is {last}.", last=count(len(program) - 1)))
    return index


def _writing(operation: Operation, index: tuple[int, ...]) -> int:
    """Return the step of an operation that writes a cell of its result."""
    name, array = next(iter(operation.call.writes.items()))
    found = operation.step_writing(name, index)
    if found is not None:
        return found
    last = ", ".join(str(size - 1) for size in array.shape)
    raise CnnvizError(
        tr("{operation} writes no such cell; its last one is [{last}].", operation=operation.name, last=last)
    )
