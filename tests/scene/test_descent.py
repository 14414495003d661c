"""The picture of a descent: the curve to scale, the tangent's slope, the step, the numbers, kept apart."""

from __future__ import annotations

import re
from functools import cache
from itertools import combinations
from math import isfinite

import numpy as np
import pytest
from msgspec.structs import replace

from cnnviz.engine.descent import Descent
from cnnviz.engine.generated import compiled
from cnnviz.scene import panels
from cnnviz.scene.expression_formula import curve_formulas
from cnnviz.scene.frame import compose, moment
from cnnviz.scene.kinds.curve import Curve, tick_text, ticks
from cnnviz.scene.kinds.descent import picture, placed
from cnnviz.scene.layout import Room
from cnnviz.scene.marks import Box, Cells, Dot, Frame, Hotspot, Label, Path, Rect
from cnnviz.scene.registry import formulas
from cnnviz.scene.view import View
from cnnviz.trace.program import Program
from tests.scene.looking import all_marks, described, in_pane, overlap, said
from tests.scene.programs import program as made

BOX = Box(0, 0, 1072, 548)
WALK = Descent("walk", "(w - 3) ** 2", 0.1, (5.0, -1.0), 4, (-2.0, 8.0))


@cache
def program(descent: Descent = WALK) -> Program:
    return Program([descent.call()])


def marks_at(line, descent=WALK, box=BOX, unit=1.0, **variables):
    whole = program(descent)
    return picture(moment(whole, whole.find("walk", line=line, **variables)), Room(box, 17 * unit, 13 * unit))


def texts(line, descent=WALK, **variables):
    return said(marks_at(line, descent, **variables))


def curve(box=BOX, descent=WALK) -> Curve:
    return placed(moment(program(descent), 0), Room(box, 17, 13))[1]


@pytest.mark.parametrize("wide", [320, 640, 1000, 1072, 1900])
def test_the_curve_has_more_room_than_the_table(wide):
    """They stand beside one another, or the table under the curve."""
    box = Box(0, 0, wide, 548)
    shown = [mark for mark in marks_at(7, box=box, s=0, t=0) if isinstance(mark, Cells)]
    grids = [mark.box for mark in shown if mark.array in ("w", "E", "dw")]
    assert len(grids) == 3
    area, left, top = curve(box).box, min(grid.x for grid in grids), min(grid.y for grid in grids)
    assert area.right < left or area.bottom < top
    assert area.w * area.h > sum(grid.w * grid.h for grid in grids)


# ----------------------------------------------------------------------------------------- what is said


def test_what_is_known_comes_line_by_line():
    loss, slope, step = "4.000", "slope 4.000 > 0: go left", "step −lr · ∂E/∂w = −0.400"
    begun = texts(3, s=0)
    assert {"5.000", "loss E = (w − 3)²", "learning rate lr = 0.1", "parameter w"} <= set(begun)
    assert not {loss, slope, step} & set(begun)
    assert loss in texts(5, s=0, t=0) and slope not in texts(5, s=0, t=0)
    assert slope in texts(6, s=0, t=0) and step not in texts(6, s=0, t=0)
    assert {slope, step, "5.000", "4.600"} <= set(texts(7, s=0, t=0))


def test_the_sign_of_the_slope_is_said():
    assert "slope −8.000 < 0: go right" in texts(6, s=1, t=0)
    assert "step −lr · ∂E/∂w = +0.800" in texts(7, s=1, t=0)
    flat = Descent("walk", "(w - 3) ** 2", 0.1, (3.0,), 1, (-2.0, 8.0))
    assert any(text.strip() == "slope 0" for text in texts(6, flat, s=0, t=0))


def test_a_slope_too_small_for_its_decimals_is_written_by_itself():
    near = Descent("walk", "(w - 3) ** 2", 0.1, (5.0, 3.00001), 1, (-2.0, 8.0))
    assert any(re.fullmatch(r"slope 2\.?0*·10⁻⁵ > 0: go left", text) for text in texts(6, near, s=1, t=0))


def test_the_arithmetic_has_its_numbers():
    whole = program()
    frame = compose(whole, whole.find("walk", line=7, s=1, t=1), View())
    assert said(in_pane(frame, "stage"))[-3:] == [
        "w[1, 2] = w[1, 1] - lr·∂E/∂w[1, 1]".replace("-", "−"),
        "= −0.200 − 0.1·(−6.400)",
        "= 0.440",
    ]


def test_loss_and_derivative_are_the_formulas():
    loss, slope, step = formulas(WALK.call(), 7)
    assert loss == r"\part{E}{E} = (\part{w}{w} - 3)^{2}"
    assert slope == r"\part{dw}{\frac{\partial E}{\partial w}} = 2 \cdot (\part{w}{w} - 3)"
    assert step == r"\w{s,t+1} = \w{s,t} - \mathrm{lr} \cdot \dw{s,t}"


def test_a_minus_stands_before_its_product():
    assert curve_formulas("1 / w")[1].endswith(r"= -\frac{1}{\part{w}{w}^{2}}")
    assert curve_formulas("-3 * w ** 2")[1].endswith(r"= -6 \cdot \part{w}{w}")
    assert curve_formulas("3 - 2 * w")[1].endswith("= -2")


# ---------------------------------------------------------------------------------------- where it is


def test_the_curve_is_drawn_to_scale():
    at = curve()
    (line,) = [
        mark for mark in all_marks(marks_at(5, s=0, t=0)) if isinstance(mark, Path) and mark.role == "accent"
    ]
    low, high = at.range
    for x, y in line.points[::20]:
        w = -2 + (x - at.area.x) / at.area.w * 10
        e = low + (at.area.bottom - y) / at.area.h * (high - low)
        assert e == pytest.approx((w - 3) ** 2, abs=1e-9)


@pytest.mark.parametrize(("s", "t"), [(0, 0), (0, 3), (1, 0), (1, 2)])
def test_point_tangent_and_step_are_those_of_the_state(s, t):
    at, arrays = curve(), WALK.arrays
    marks = list(all_marks(marks_at(7, s=s, t=t)))
    w, slope, following = arrays["w"][s, t], arrays["dw"][s, t], arrays["w"][s, t + 1]
    (tangent,) = [mark for mark in marks if isinstance(mark, Path) and mark.role == "source_line"]
    (x0, y0), (x1, y1) = tangent.points
    scale = at.area.w / 10 / (at.area.h / (at.range[1] - at.range[0]))
    assert -(y1 - y0) / (x1 - x0) * scale == pytest.approx(slope)
    (arrow,) = [mark for mark in marks if isinstance(mark, Path) and mark.arrow]
    assert [x for x, _ in arrow.points] == pytest.approx([at.x(w), at.x(following)])
    shapes = [mark for mark in marks if isinstance(mark, Dot)] if s == 0 else []
    assert s == 1 or any(mark.center == pytest.approx(at.on(w)) for mark in shapes)


def test_walks_are_told_apart_without_colours():
    many = Descent("walk", "(w - 3) ** 2", 0.1, (5.0, -1.0, 0.0, 7.0), 3, (-2.0, 8.0))
    marks = list(all_marks(marks_at(7, many, s=3, t=2)))
    on_curve = [
        mark
        for mark in marks
        if isinstance(mark, Label) and mark.size == 17 and mark.runs[0].role == "ground"
    ]
    assert {"".join(run.text for run in mark.runs) for mark in on_curve} == {"0", "1", "2", "3"}
    corners = {len(mark.points) for mark in marks if isinstance(mark, Path) and mark.filled}
    assert corners == {3, 4}
    assert any(isinstance(mark, Dot) for mark in marks)


def test_a_point_outside_is_said_with_its_side():
    far = Descent("walk", "(w - 3) ** 2", 1.05, (7.9,), 4, (-2.0, 8.0))
    w = far.arrays["w"][0]
    assert w[1] < -2 and w[2] > 8
    assert "outside: w = −2.390" in texts(7, far, s=0, t=0)
    both = set(texts(7, far, s=0, t=1))
    assert {"outside: w = −2.390", "outside: w = 8.929"} <= both
    assert any("slope −10.780 < 0" in text for text in both)


def test_numbers_that_are_none_are_said_and_nothing_is_drawn_at_them():
    whole = made("descents")
    away = whole.operation("away")
    for t in range(9):
        for line in (5, 6, 7):
            index = whole.find("away", line=line, s=0, t=t)
            marks = list(all_marks(compose(whole, index, View()).marks))
            points = [
                part for mark in marks if isinstance(mark, Path) for point in mark.points for part in point
            ]
            assert np.isfinite(points).all()
    assert np.isnan(away.call.writes["w"][0, -1])
    assert "w = NaN" in said(in_pane(compose(whole, index, View()), "stage"))


def is_tag(mark) -> bool:
    """A number at an axis in a frame of its own; the round marks are no tags."""
    framed = isinstance(mark, Rect) and mark.fill == "ground" and str(mark.stroke).endswith("_line")
    return framed and mark.box.w > mark.box.h


@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720), (1024, 600)])
@pytest.mark.parametrize("name", ["valleys", "away", "steep"])
def test_tags_lie_on_nothing_that_is_written(name, size):
    whole = made("descents")
    start, stop = whole.start(name), whole.start(name) + len(whole.operation(name))
    for index in range(start, stop, 3):
        stage = in_pane(compose(whole, index, View(*size)), "stage")
        tags = [k for k, mark in enumerate(stage) if is_tag(mark)]
        for one, other in combinations((stage[k].box for k in tags), 2):
            assert min(overlap(one, other)) <= 0
        for k in tags:
            on_it = [m for m in stage if isinstance(m, Label) and min(overlap(m.box, stage[k].box)) > 1]
            assert len(on_it) == 1, (index, said(on_it))


def test_both_rows_of_a_step_are_on_the_page():
    long = Descent("walk", "(w - 3) ** 2", 0.05, (5.0,), 60, (-2.0, 8.0))
    for t in range(60):
        grids = [
            mark for mark in marks_at(7, long, s=0, t=t) if isinstance(mark, Cells) and mark.array == "w"
        ]
        assert all(grids[0].cell_of((0, k)) for k in (t, t + 1))


def test_the_axes_can_be_clicked_for_a_start():
    (spot,) = [mark for mark in marks_at(5, s=1, t=2) if isinstance(mark, Hotspot)]
    at = curve()
    assert (spot.kind, spot.name, spot.line, spot.box) == ("start", "walk", 1, at.area)
    assert spot.value_at(at.x(4.2)) == pytest.approx(4.2)
    assert spot.value_at(at.area.x) == -2 and spot.value_at(at.area.right + 50) == 8


# --------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (-2, 8, ["−2", "0", "2", "4", "6", "8"]),
        (-1.7, 1.7, ["−1.5", "−1.0", "−0.5", "0.0", "0.5", "1.0", "1.5"]),
        (0, 0.04, ["0.00", "0.01", "0.02", "0.03", "0.04"]),
        (-600, 100, ["−600", "−500", "−400", "−300", "−200", "−100", "0", "100"]),
    ],
)
def test_axes_have_round_numbers(low, high, wanted):
    assert [tick_text(value, low, high) for value in ticks(low, high)] == wanted


def test_a_walk_that_runs_away_does_not_take_the_decimals_from_where_it_began():
    far = Descent("walk", "(w - 3) ** 2", 3.0, (4.5,), 30, (-2.0, 8.0))
    at = moment(program(far), len(program(far)) - 1)
    assert abs(far.arrays["w"][0, -1]) > 1e15
    assert (at.look("w").power, at.text("w", 4.5)) == (0, "4.500")
    from_zero = Descent("walk", "(w - 3) ** 2", 0.1, (0.0,), 4, (-2.0, 8.0))
    assert moment(program(from_zero), 1).text("w", 0.6) == "0.600"


@pytest.mark.parametrize(
    ("loss", "window"),
    [
        ("w ** 20", (-1e6, 1e6)),
        ("exp(w) * (w - 1)", (-1e6, 1e6)),
        ("w * 0 + 4", (-1.0, 1.0)),
        ("w - w", (-1.0, 1.0)),
        ("log(w - 5)", (-1.0, 1.0)),
        ("w * 1e-300", (-1.0, 1.0)),
        ("w ** 2", (999_999.0, 999_999.000_001)),
        ("1 / w ** 20", (-1e-6, 1e-6)),
    ],
)
def test_no_curve_is_too_wild_to_be_drawn(loss, window):
    wild = Descent("walk", loss, 10.0, (window[0], 0.0, 1.0), 3, window)
    assert list(wild.faults()) == []
    whole = program(wild)
    for index in range(len(whole)):
        for mark in all_marks(compose(whole, index, View(1280, 720)).marks):
            if isinstance(mark, Path):
                assert np.isfinite(mark.points).all()
            if isinstance(mark, Label):
                assert all(isfinite(part) for part in mark.box)
                assert sum(len(run.text) for run in mark.runs) < 150


def test_the_pane_at_the_left_has_a_row_for_every_descent():
    whole = made("descents")
    assert list(panels.network_outline(whole).names) == ["valleys", "away", "steep"]
    values, gradients, _ = panels.arrays_of(whole, "valleys")
    assert (values.shape, gradients.shape) == ((2, 15), (2, 14))
    frame: Frame = compose(whole, 40, View())
    assert {"2 × 15", "2 × 10", "5 × 5", "Descents"} <= set(said(in_pane(frame, "network")))
    assert all(isfinite(mark.box.w) for mark in frame.marks if isinstance(mark, Cells))


def test_what_the_picture_shows_follows_from_what_the_listing_does_not_from_its_line_numbers():
    """A listing with a line more draws the same walk at the same places."""
    call = WALK.call()
    text = WALK.source.replace(
        "            w[s, t + 1] = w[s, t] - lr * dw[s, t]\n",
        "            rate = lr\n            w[s, t + 1] = w[s, t] - rate * dw[s, t]\n",
    )
    assert text.count("\n") == WALK.source.count("\n") + 1
    longer = Program([replace(call, listing=compiled(f"{WALK.loss} ", text))])
    plain, box = program(), Box(0, 0, 1000, 600)
    compared = 0
    for step in range(len(plain)):
        writes = plain.state(step).writes
        if writes:
            name, index = writes[0]
            other = longer.operations[0].step_writing(name, index)
            shown = [
                described(tuple(picture(moment(of, at), Room(box, 17, 13))))
                for of, at in ((plain, step), (longer, other))
            ]
            assert shown[0] == shown[1], (name, index)
            compared += name == "w"
    assert compared > 3
