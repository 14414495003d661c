"""Formulas typeset: what is kept is what ziamath gives, and parts are where they should be."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from cnnviz.resources import resource
from cnnviz.scene.formulas import typeset
from cnnviz.scene.outline import EM, Outline
from cnnviz.scene.registry import formulas
from cnnviz.scene.typesetting import to_keep, to_latex, typeset_anew
from tests.scene.looking import described
from tests.scene.test_words import CALLS

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = runpy.run_path(str(ROOT / "resources" / "typeset_formulas.py"), run_name="script")
KEPT = json.loads(resource("formulas.json").read_text(encoding="utf-8"))
AGAIN = "run python resources/typeset_formulas.py again"


def test_what_is_kept_is_what_the_program_shows():
    assert set(KEPT["formulas"]) == set(SCRIPT["all_formulas"]()), AGAIN


@pytest.mark.skipif(
    version("ziamath") != KEPT["ziamath"], reason="another version may set a little otherwise"
)
def test_what_is_kept_is_what_ziamath_gives():
    assert to_keep(KEPT["formulas"]) == KEPT, AGAIN


@pytest.mark.parametrize("name", ["conv2d", "softmax", "relu_dx"])
def test_a_kept_formula_is_the_same_as_one_typeset_anew(name):
    for formula in formulas(CALLS[name], 2):
        assert described(typeset(formula)) == described(typeset_anew(formula))


def test_pieces_stay_within_the_formula():
    for formula in KEPT["formulas"]:
        outline = typeset(formula)
        for left, top, right, bottom in boxes(outline):
            assert left >= -1 and right <= outline.width + 1, formula
            assert top >= -outline.ascent - 10 and bottom <= outline.descent + 10, formula


def boxes(outline: Outline):
    for piece in outline.pieces:
        numbers = [float(word) for word in piece.path.split() if not word.isalpha()]
        xs = [piece.x + piece.scale * x for x in numbers[::2]]
        ys = [piece.y + piece.scale * y for y in numbers[1::2]]
        yield min(xs), min(ys), max(xs), max(ys)


def test_cells_and_gradients_are_written_short():
    assert to_latex(r"\y{n} = \b{}") == (
        r"\textcolor{#000001}{y_{n}} = \textcolor{#000002}{b}",
        [("y",), ("b",)],
    )
    latex, parts = to_latex(r"\dx{c,i} \add \alpha")
    assert r"\frac{\partial E}{\partial x_{c,i}}" in latex and r"\alpha" in latex and "+" in latex
    assert parts == [("dx",)]


def test_parts_lie_in_parts():
    latex, parts = to_latex(r"\part{q}{\part{x}{x} + 1} \part{x}{x}")
    assert parts == [("q",), ("x", "q"), ("x",)]
    assert latex == r"\textcolor{#000001}{\textcolor{#000002}{x} + 1} \textcolor{#000003}{x}"
    outline = typeset(r"\part{q}{\part{x}{x} + 1} - \part{x}{x}")
    assert [piece.parts for piece in outline.pieces] == [("x", "q"), ("q",), ("q",), (), ("x",)]


def test_a_fraction_has_its_bar_in_its_colour():
    outline = typeset(r"a = \part{q}{\frac{b}{c}}")
    assert [piece.parts for piece in outline.pieces] == [(), (), ("q",), ("q",), ("q",)]
    (left, top, right, bottom) = list(boxes(outline))[-1]
    assert right - left > 5 * (bottom - top) > 0


def test_letters_have_their_size():
    x, n = typeset("x_n").pieces
    assert x.scale == 1.0 and 0.6 < n.scale < 0.8
    assert n.x > x.x and n.y > x.y == 0
    (left, top, right, bottom) = next(boxes(typeset("x")))
    assert 0.4 * EM < bottom - top < 0.6 * EM and 0.4 * EM < right - left < 0.6 * EM


def test_a_brace_that_is_never_closed_is_named():
    with pytest.raises(ValueError, match="never closed"):
        to_latex(r"\part{x}{x")


def test_deep_formulas_take_no_longer_than_wide_ones():
    """By itself, ziamath measures each row twice: 2^14 times what is 14 rows deep."""
    outline = typeset(r"1 + \frac{1}{" * 14 + "x" + "}" * 14)
    assert len(outline.pieces) == 14 * 4 + 1


ASKED = """
import sys
import cnnviz.app
import cnnviz.ui.launch
from cnnviz import load_lesson
from cnnviz.scene.frame import compose
from cnnviz.scene.view import View
for name in ("digits", "chain-rule"):
    program = load_lesson(name).program
    for start in program.starts[:-1]:
        compose(program, start, View())
assert "cnnviz.scene.outline" in sys.modules
assert not {"ziamath", "ziafont", "latex2mathml", "cnnviz.scene.typesetting"} & set(sys.modules)
"""


def test_the_window_and_the_lessons_do_without_importing_ziamath():
    subprocess.run([sys.executable, "-c", ASKED], check=True, cwd=ROOT)
