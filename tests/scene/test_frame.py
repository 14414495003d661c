"""What every frame owes, at telling steps of every operation of many programs, in three sizes.

Numbers are those of the state, what a step reads and writes is outlined, and nothing leaves its pane.
"""

from __future__ import annotations

import random
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.arrays import role, symbol
from cnnviz.scene.frame import compose
from cnnviz.scene.marks import Cells, Frame, Group, Hotspot, Label, Rect
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import last_digit, number, power_of_ten, read
from cnnviz.trace.nonfinite import first_nonfinite
from cnnviz.trace.operation import Operation
from tests.scene.looking import (
    PANES,
    all_marks,
    described,
    grids,
    in_pane,
    inside,
    overlap,
    panes,
    reach,
    said,
)
from tests.scene.programs import NAMES, fresh, moments, program, telling_offsets, view

# Arrays that pictures show by other means than a grid: the bias of a convolution among the sums, the
# switch as the ring around the winner, the loss as one number.
WITHOUT_GRID = {("conv1d", "b"), ("conv2d", "b"), ("max_pool2d", "switch"), ("max_pool2d_dx", "switch")}
WITHOUT_GRID |= {("max_pool1d", "switch"), ("max_pool1d_dx", "switch")}
LOSS = "E"

FULL = 1920, 1080
SMALLER = (1280, 720), (1024, 600)
# The programs with pictures of all kinds, at which smaller sizes are looked at, too.
TELLING = ("digits", "every", "large", "columns", "deep", "chain", "descents")


class Shown(NamedTuple):
    """A step and the frame of it."""

    at: Moment
    frame: Frame


def composed(name: str, size: tuple[int, int], runs: int) -> list[Shown]:
    made = program(name)
    return [Shown(at, compose(made, at.step.index, view(made, *size))) for at in moments(name, runs)]


@pytest.fixture(scope="module", params=NAMES)
def shown(request) -> list[Shown]:
    """Frames of a program at full size."""
    return composed(request.param, FULL, runs=1)


@pytest.fixture(
    scope="module",
    params=[*((name, FULL) for name in NAMES), *((name, size) for size in SMALLER for name in TELLING)],
    ids=lambda p: f"{p[0]}-{p[1][0]}",
)
def placed(request) -> list[Shown]:
    """Frames of a program at each size."""
    return composed(*request.param, runs=1)


def where(at: Moment) -> str:
    """A step as a failure names it."""
    return f"{at.operation.name} at its step {at.step.offset}, line {at.state.line}"


# -------------------------------------------------------------------------------------------------- numbers


def test_every_number_is_that_of_the_state(shown):
    for at, frame in shown:
        for grid in grids(frame):
            look, array = at.look(grid.array), at.state.arrays[grid.array]
            assert grid.values.shape == (len(grid.texts), len(grid.texts[0]))
            for row, column in np.ndindex(*grid.values.shape):
                text, index = grid.texts[row][column], grid.index_of(row, column)
                if text:
                    value = float(array[index]) * 10.0**-look.power
                    padding = put_in(at, grid, row, column)
                    wanted = number(value, 0 if padding else look.places)
                    if text != wanted:  # it would read as 0
                        assert not wanted.strip("−0."), (text, wanted, grid.array, index, where(at))
                        assert value != 0
                        assert text == "≈0" or read(text) != 0
                        assert text == "≈0" or abs(read(text) - value) <= 0.51 * last_digit(text), (
                            text,
                            value,
                            where(at),
                        )
                    elif value and not wanted.strip("0."):
                        largest = np.max(np.abs(at.operation.call.value(grid.array)))
                        assert abs(value) < 1e-14 * max(1.0, largest), (text, value, grid.array, where(at))
                    assert padding or np.isclose(
                        grid.values[row, column], array[index], rtol=1e-9, atol=0, equal_nan=True
                    )


def put_in(at: Moment, grid: Cells, row: int, column: int) -> bool:
    """Whether a cell holds what lies around an input (0, or −∞), or between gradients."""
    placement = at.operation.call.placement(grid.array)
    return (
        grid.array in at.operation.call.given
        and placement is not None
        and bool(placement.zeros[grid.index_of(row, column)[-2:]])
    )


def test_numbers_are_shown_from_the_step_that_writes_them(shown):
    for at, frame in shown:
        call = at.operation.call
        for grid in grids(frame):
            name = grid.array
            if name not in call.writes or call.linear is not None or (name in call.before and name != "w"):
                continue
            for row, column in np.ndindex(*grid.values.shape):
                index = grid.index_of(row, column)
                written = last_write(at.operation, name, index) <= at.step.offset
                assert bool(grid.texts[row][column]) == written, (name, index, where(at))
                if not written:
                    assert grid.missing is not None and grid.missing[row, column], "hatched"


@cache
def last_write(operation: Operation, name: str, index: tuple[int, ...]) -> float:
    found = operation.step_writing(name, index)
    return np.inf if found is None else found


def test_heatmaps_show_nothing_that_is_not_computed(shown):
    for at, frame in shown:
        call = at.operation.call
        for mark in all_marks(frame.marks):
            if not isinstance(mark, Cells) or mark.texts or mark.array not in call.writes:
                continue
            if call.linear is not None or mark.array in call.before:
                continue
            there = at.state.written(mark.array)
            hatched = np.zeros(mark.values.shape, bool) if mark.missing is None else mark.missing
            for row, column in np.ndindex(*mark.values.shape):
                assert hatched[row, column] != there[mark.index_of(row, column)], (where(at), mark.array)


def test_a_power_of_ten_is_said_beside_the_numbers_written_in_it(shown):
    for at, frame in shown:
        for name in {grid.array for grid in grids(frame)}:
            power = at.look(name).power
            if power:
                wanted = f"· {power_of_ten(power)}"
                texts = [text for text in said(in_pane(frame, "stage")) if wanted in text]
                assert any(named(at.operation, text, name) for text in texts), (name, wanted, where(at))


def named(operation: Operation, text: str, name: str) -> bool:
    # The update's listing calls every parameter w; its picture calls it what it is in its layer.
    others = {"w": ("Wᵀ", "b"), "x": ("X",), "y": ("Z",), "dw": ("∂E/∂W", "∂E/∂b")}
    return (
        text.removeprefix("old ")
        .removeprefix("new ")
        .startswith((symbol(operation, name), *others.get(name, ())))
    )


# ------------------------------------------------------------------------------------------------- outlines


def test_what_a_step_reads_and_writes_is_seen_with_its_number_and_outlined(shown):
    for at, frame in shown:
        marks = list(all_marks(frame.marks))
        for places, is_write in ((at.state.reads, False), (at.state.writes, True)):
            for name, index in places:
                on = [
                    (grid, cell)
                    for grid in grids(frame)
                    if grid.array == name and (cell := grid.cell_of(index))
                ]
                by_other_means = (at.operation.tree.name, name) in WITHOUT_GRID or name == LOSS
                assert on or by_other_means, (name, index, where(at))
                colour = "written_line" if is_write else f"{role(at.operation, name)}_line"
                for grid, cell in on:
                    over = marks[marks.index(grid) + 1 :]
                    box = grid.box_of(*cell)
                    assert any(
                        isinstance(mark, Rect) and (mark.box, mark.stroke) == (box, colour) for mark in over
                    ), (name, index, where(at))


def test_outlines_lie_on_a_grid(placed):
    """A window or a cell is outlined where there is one: never beside the grid. (Graphs have nodes.)"""
    for at, frame in placed:
        if at.operation.call.expression:
            continue
        stage = in_pane(frame, "stage")
        cells = [mark.box for mark in stage if isinstance(mark, Cells)]
        for mark in stage:
            if isinstance(mark, Rect) and str(mark.stroke).endswith("_line") and not mark.fill:
                assert mark.box.w > 0 and mark.box.h > 0, where(at)
                assert any(inside(mark.box, box, 1.0) for box in cells), (where(at), mark)


# --------------------------------------------------------------------------------------------------- places


def test_panes_make_up_the_frame(placed):
    for _, frame in placed:
        boxes = list(panes(frame).values())
        assert sum(box.w * box.h for box in boxes) == frame.width * frame.height
        for k, one in enumerate(boxes):
            assert all(min(overlap(one, other)) <= 0 for other in boxes[k + 1 :])


def test_every_mark_stays_in_one_pane(placed):
    for at, frame in placed:
        boxes = panes(frame).values()
        for mark in frame.marks:  # a group holds what is in it, as the next test says
            assert any(inside(reach(mark), box, 1.0) for box in boxes), (where(at), mark)


def test_what_a_group_holds_stays_in_it(placed):
    """Its kept picture is cut off at its box."""
    for at, frame in placed:
        groups = [mark for mark in frame.marks if isinstance(mark, Group)]
        for group in groups:
            groups += [mark for mark in group.marks if isinstance(mark, Group)]
            assert group.box == group.box.whole()
            for mark in group.marks:
                assert inside(reach(mark), group.box, 0.5), (where(at), mark)


def test_the_picture_keeps_off_the_arithmetic(placed):
    for at, frame in placed:
        top = panel(frame).y
        for mark in in_pane(frame, "stage"):
            if isinstance(mark, Cells):
                assert reach(mark).bottom <= top, (where(at), mark.array)
            elif reach(mark).y < top and reach(mark).h < frame.height / 2:
                assert reach(mark).bottom <= top + 0.5, (where(at), mark)


def panel(frame: Frame):
    """The box of the arithmetic."""
    stage = panes(frame)["stage"]
    groups = [mark for mark in frame.marks if isinstance(mark, Group) and inside(mark.box, stage)]
    (found,) = [
        group.box
        for group in groups
        if any(
            isinstance(mark, Rect) and mark.radius and (mark.fill, mark.stroke) == ("panel", "panel_line")
            for mark in group.marks
        )
    ]
    return found


def test_grids_keep_off_each_other(placed):
    for at, frame in placed:
        cells = [
            mark for mark in in_pane(frame, "stage") if isinstance(mark, Cells) and (mark.array or mark.texts)
        ]
        for k, one in enumerate(cells):
            for other in cells[k + 1 :]:
                assert min(overlap(one.box, other.box)) <= 0.5, (where(at), one.array, other.array)


# -------------------------------------------------------------------------------------------------- listing


def test_the_listing_is_the_operations_own(shown):
    for at, frame in shown:
        source = at.operation.tree.source
        rows = listing_rows(frame)
        first, last = min(rows), max(rows)
        assert rows.keys() == set(range(first, last + 1))
        assert first <= at.state.line <= last <= len(source)
        assert last - first + 1 == len(source) or len(source) > 18  # a page, where there is no room for all
        for line, text in rows.items():
            if line == 1 and text.endswith("…):"):
                assert text.startswith(f"def {at.operation.tree.name}(")
            else:
                assert text == " ".join(source[line - 1].split()), where(at)


def listing_rows(frame: Frame) -> dict[int, str]:
    """The text of each line as shown, the rows of a long one put together."""
    rows: dict[int, str] = {}
    labels = {(text, mark.box): mark for mark in in_pane(frame, "debugger") for text in said([mark])}
    for spot in sorted(spots(frame, "line"), key=lambda spot: spot.box.y):
        texts = [text for text, box in labels if inside(box, spot.box, 4.0)]
        rows[spot.line] = " ".join([*filter(None, [rows.get(spot.line)]), *texts])
    return rows


def spots(frame: Frame, kind: str) -> list[Hotspot]:
    return [mark for mark in all_marks(frame.marks) if isinstance(mark, Hotspot) and mark.kind == kind]


def test_the_executing_line_is_marked_and_no_other(shown):
    for at, frame in shown:
        debugger = panes(frame)["debugger"]
        bands = [
            mark.box
            for mark in all_marks(frame.marks)
            if isinstance(mark, Rect) and mark.fill == "source_fill" and inside(mark.box, debugger)
        ]
        marked = {
            spot.line for spot in spots(frame, "line") for box in bands if box.contains(*spot.box.center)
        }
        assert marked == {at.state.line}
        assert len(bands) == sum(spot.line == at.state.line for spot in spots(frame, "line"))


# -------------------------------------------------------------------------------------------------- purity


@pytest.mark.parametrize("name", NAMES)
def test_a_frame_does_not_depend_on_what_was_composed_before(name):
    """Forwards, backwards, jumped, and anew with nothing kept."""
    made = program(name)
    steps = [made.start(op.name) + offset for op in made.operations for offset in telling_offsets(op, 1)]
    steps = sorted(random.Random(2).sample(steps, min(30, len(steps))))
    look = view(made)
    forwards = {step: described(compose(made, step, look)) for step in steps}
    jumped = random.Random(1).sample(steps, len(steps))
    for order in (reversed(steps), jumped):
        for step in order:
            assert described(compose(made, step, look)) == forwards[step], step
    again = fresh(name)
    for step in jumped[:15]:
        assert described(compose(again, step, look)) == forwards[step], step


def test_sizes_do_not_mix():
    """What is kept for one size is not shown in another."""
    made = program("digits")
    step = made.start("conv2") + 2000
    sizes = [(1920, 1080), (1280, 720), (1600, 1200), (1024, 600)]
    first = {size: described(compose(made, step, view(made, *size))) for size in sizes}
    for size in reversed(sizes):
        frame = compose(made, step, view(made, *size))
        assert (frame.width, frame.height) == size
        assert described(frame) == first[size]


def test_every_pane_says_something(shown):
    for at, frame in shown[::9]:
        for pane in PANES:
            assert any(said(in_pane(frame, pane))), (pane, where(at))


def test_from_where_the_first_number_is_none_a_badge_says_so():
    shown = program("overflowing")
    found = first_nonfinite(shown)
    assert found is not None
    text = f"first NaN: conv, y[0, 0, 0], step {found.step}"
    for index in (found.step - 1, found.step, len(shown) - 1):
        frame = compose(shown, index, view(*FULL))
        assert (text in said(frame.marks)) == (index >= found.step)
    spot = next(mark for mark in frame.marks if isinstance(mark, Hotspot) and mark.kind == "step")
    assert spot.line == found.step
    title = next(mark for mark in frame.marks if isinstance(mark, Label) and mark.runs[0].text == "fc")
    assert title.box.right <= spot.box.x


def test_a_gradient_that_vanishes_is_no_0_anywhere():
    """Of ten to the minus sixteen beside 1/16, cell, variables and sum said 0.0000."""
    lesson = load_lesson("vanishing")
    shown = compose(lesson.program, lesson.sequence[3].index, lesson.view)
    told = [
        text for grid in grids(shown) if grid.array == "size" for row in grid.texts for text in row if text
    ]
    said = [
        "".join(run.text for run in mark.runs) for mark in all_marks(shown.marks) if isinstance(mark, Label)
    ]
    assert told == ["3.2·10⁻¹⁶"]
    assert sum("3.2·10⁻¹⁶" in text for text in said) >= 2, "as a variable and as the result"
    assert not [text for text in said if "0.000" in text]
