"""The breakpoints of a program, those that wait for its other form included."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from cnnviz.errors import CnnvizError
from cnnviz.text import tr
from cnnviz.trace.breakpoint import Breakpoint, Kind
from cnnviz.trace.hits import check
from cnnviz.trace.program import Program

MOST_MARKS = 200
"""How many breakpoints a lesson may have, and how many bookmarks: all of them are drawn, and remembered."""


class Breakpoints(Struct, frozen=True, rename={"form": "view"}):  # as it is remembered
    """All breakpoints there are.

    Attributes
    ----------
    here : tuple[Breakpoint, ...]
        Those in the form of the program that is shown.
    waiting : tuple[Breakpoint, ...]
        Those in what the other form computes otherwise.
    form : str
        The form that is shown.
    """

    here: tuple[Breakpoint, ...] = ()
    waiting: tuple[Breakpoint, ...] = ()
    form: str = ""

    @property
    def full(self) -> bool:
        """Whether there is no room for another."""
        return len(self.here) + len(self.waiting) >= MOST_MARKS

    def switched(self, program: Program) -> Breakpoints:
        """Let those wait that are in what the two forms compute differently, for those that waited.

        Parameters
        ----------
        program : Program
            In one of the two forms.
        """
        differing = {operation.name for operation in program.operations if operation.call.form}
        leaving = tuple(point for point in self.here if point.operation in differing)
        staying = tuple(point for point in self.here if point.operation not in differing)
        return Breakpoints((*staying, *self.waiting), leaving, program.form)

    def put_into(self, program: Program) -> Breakpoints:
        """Return what a program has of them, though they may have been set in the other form of it."""
        points = self if self.form == program.form else self.switched(program)
        here = fitting(points.here, program)[:MOST_MARKS]
        return Breakpoints(here, points.waiting[: MOST_MARKS - len(here)], program.form)


def fitting(points: tuple[Breakpoint, ...], program: Program) -> tuple[Breakpoint, ...]:
    """Return the breakpoints that a program can come to."""
    operations = {operation.name: operation for operation in program.operations}

    def fits(point: Breakpoint) -> bool:
        operation = operations.get(point.operation)
        if point.kind is Kind.LINE:
            if operation is None:
                return False
            if point.offset is None:
                return 1 <= point.line <= len(operation.tree.source)
            return 0 <= point.offset < len(operation) and operation.line_at(point.offset) == point.line
        try:
            check(program, point)
        except CnnvizError:
            return False
        return True

    return tuple(point for point in points if fits(point))


WORDS: Mapping[Kind, str] = {
    Kind.CONDITION: "it holds that …",
    Kind.WRITTEN: "a cell is written: …",
    Kind.READ: "a cell is read: …",
    Kind.CLIPS: "a ReLU clips",
    Kind.WINNER: "a pool's winner is not the first of its cells",
    Kind.GRADIENT: "a gradient is larger than …",
    Kind.NONFINITE: "a number is NaN or infinite for the first time",
    Kind.PREDICTION: "the prediction is another than an iteration before",
    Kind.OPERATION: "an operation begins",
}
"""What a run can stop at besides lines and steps, in words; … is what is typed."""


def breakpoint_said(point: Breakpoint) -> str:
    """Return what a breakpoint waits for, in words."""
    if point.kind is Kind.LINE:
        said = tr("{name}, line {line}", name=point.operation, line=point.line)
        if point.offset is None:
            return said
        return tr("{place}, at its step {offset}", place=said, offset=point.offset)
    said = tr(WORDS[point.kind]).replace("…", point.what)
    if point.operation and point.line:
        return tr("{name}, line {line}: {what}", name=point.operation, line=point.line, what=said)
    return f"{point.operation}: {said}" if point.operation else said
