"""One map of an array by itself: as text for spreadsheets, as LaTeX for papers, as a picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from msgspec.structs import replace

from cnnviz.scene import grid
from cnnviz.scene.frame import moment
from cnnviz.scene.latex import mathematics
from cnnviz.scene.marks import Box, Frame, Label, Rect
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import scaled
from cnnviz.trace.program import Made

_EM, _RIM = 20.0, 16.0
_MOST_NUMBERS = 4096  # in a picture; of more there is a heatmap
_LARGEST = 1024  # pixels of a side of one


def map_of(at: Moment, cell: Made) -> grid.Plane:
    """Return the map that a cell is in, as far as it is computed by a step.

    Its last two axes are rows and columns; of fewer it is one row.
    """
    operation = cell.operation
    if operation is not at.operation:  # as it is left, or as it will be begun
        start = at.program.start(operation.name)
        there = max(start, min(at.step.index, start + len(operation) - 1))
        at = moment(at.program, there, at.view)
    at = moment(at.program, at.step.index, replace(at.view, display=replace(at.view.display, letters=False)))
    axes = {0: "", 1: "c"}.get(len(cell.index), "rc")
    return grid.plane(at, cell.array, cell.index[:-2], axes=axes)


def as_text(shown: grid.Plane) -> str:
    """Return its numbers with tabs between them, a row a line; nothing where there is none yet."""
    return _joined(shown, "\t", "\n", lambda value: f"{value:.9g}") + "\n"


def as_latex(shown: grid.Plane) -> str:
    """Return it as a matrix under its name, its numbers as they are shown."""
    look = shown.of.look
    name = mathematics(grid.heading(shown.of._replace(look=look._replace(power=0)), "")[0].text)

    def written(value: float) -> str:
        return mathematics(scaled(value, look.places, look.power, look.rounding))

    rows, columns = _joined(shown, " & ", " \\\\\n", written), "r" * shown.values.shape[1]
    power = f" \\cdot 10^{{{look.power}}}" if look.power else ""
    return f"\\[\n{name} = \\left[\\begin{{array}}{{{columns}}}\n{rows}\n\\end{{array}}\\right]{power}\n\\]\n"


def _joined(shown: grid.Plane, between: str, rows: str, written: Callable[[float], str]) -> str:
    missing = np.zeros(shown.values.shape, bool) if shown.missing is None else shown.missing
    return rows.join(
        between.join("" if gone else written(value) for value, gone in zip(*row, strict=True))
        for row in zip(shown.values.tolist(), missing.tolist(), strict=True)
    )


def as_frame(shown: grid.Plane) -> Frame:
    """Return its picture under its name: with its numbers, or as a heatmap of very many."""
    rows, columns = shown.values.shape
    size, wide = _EM, (grid.figures(shown.of.look) + 0.9) * _EM
    high = max(1.9 * _EM, 0.6 * wide)
    if rows * columns > _MOST_NUMBERS:
        size = 0.0
        wide = high = max(1.0, _LARGEST // max(rows, columns))
    box = Box(_RIM, _RIM + 1.8 * _EM, columns * wide, rows * high)
    runs = grid.heading(shown.of, "")
    page = Box(0, 0, box.right + _RIM, box.bottom + _RIM)
    name = Label(Box(_RIM, 0.5 * _RIM, box.w, 1.8 * _EM), runs[:1], _EM)
    return Frame(page.w, page.h, (Rect(page, fill="ground"), name, grid.cells(shown, box, size)))
