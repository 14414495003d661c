"""Formulas as they are painted: within their boxes, in the colours of their parts."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage, QPainter

from cnnviz.render.painter import paint
from cnnviz.scene.formulas import typeset
from cnnviz.scene.frame import compose
from cnnviz.scene.marks import Box, Formula, Frame
from cnnviz.scene.theme import DARK, LIGHT
from tests.render.ink import pixels
from tests.scene.looking import all_marks
from tests.scene.programs import NAMES, program, view


def painted(mark: Formula, width: int, height: int, theme=LIGHT) -> np.ndarray:
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(QColor(theme.color("panel")))
    painter = QPainter(image)
    paint(painter, Frame(width, height, (mark,)), theme)
    painter.end()
    return pixels(image)


def inked(found: np.ndarray) -> np.ndarray:
    return np.abs(found[:, :, :3].astype(int) - found[0, 0, :3].astype(int)).max(axis=2) > 60


def reaches(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)], ids=lambda size: str(size[0]))
def test_formulas_are_painted_within_their_boxes(name, size):
    made = program(name)
    for operation in made.operations:
        frame = compose(made, made.start(operation.name), view(made, *size))
        for mark in all_marks(frame.marks):
            if isinstance(mark, Formula):
                box = Box(20, 20, mark.box.w, mark.box.h)
                shown = inked(
                    painted(Formula(box, mark.outline, mark.size), int(box.w) + 40, int(box.h) + 40)
                )
                left, top, right, bottom = reaches(shown)
                assert left >= 19 and top >= 19, operation.name
                assert right <= box.right + 1 and bottom <= box.bottom + 1, operation.name
                assert (left + right) / 2 == pytest.approx(box.center[0], abs=3)


def test_a_formula_too_wide_or_too_high_is_made_smaller():
    outline = typeset(r"\y{n} = \frac{1}{2} \sum_n \x{n}")
    wide = reaches(inked(painted(Formula(Box(10, 10, 380, 180), outline, 40), 400, 200)))
    narrow = reaches(inked(painted(Formula(Box(10, 10, 60, 180), outline, 40), 400, 200)))
    low = reaches(inked(painted(Formula(Box(10, 10, 380, 30), outline, 40), 400, 200)))
    assert 40 < narrow[2] - narrow[0] <= 61 < wide[2] - wide[0]
    assert 20 < low[3] - low[1] <= 31 < wide[3] - wide[1]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_parts_have_the_colours_of_their_roles_and_the_rest_is_ink(theme):
    outline = typeset(r"\part{q}{\part{x}{x} + 1} = \part{y}{y}")

    def colours(*roles: tuple[str, str]) -> list[str]:
        """Those in the middles of x, + and y, which are painted thickly."""
        found = painted(Formula(Box(0, 0, 1400, 400), outline, 300, roles), 1400, 400, theme)
        columns = np.split(found, np.flatnonzero(np.diff(inked(found).any(axis=0).astype(int))) + 1, axis=1)
        glyphs = [part for part in columns if inked(np.hstack([found[:, :1], part])).any()]
        return [strongest(glyphs[k], theme) for k in (0, 1, -1)]

    assert colours() == ["ink", "ink", "ink"]
    assert colours(("x", "source"), ("y", "written")) == ["source", "ink", "written"]
    assert colours(("q", "parameter")) == ["parameter", "parameter", "ink"]
    assert colours(("q", "parameter"), ("x", "source")) == ["source", "parameter", "ink"]


def strongest(glyph: np.ndarray, theme) -> str:
    """The role whose colour most of the glyph's pixels have."""
    roles = ("ink", "source", "parameter", "written")
    counts = {}
    for role in roles:
        color = QColor(theme.color(role))
        wanted = np.array([color.blue(), color.green(), color.red()])
        counts[role] = int((glyph[:, :, :3] == wanted).all(axis=2).sum())
    return max(counts, key=counts.__getitem__)
