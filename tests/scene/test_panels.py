"""The panes around the stage: what is computed, the variables, where we are on the timeline."""

from __future__ import annotations

import random
import re
from itertools import pairwise

import numpy as np
import pytest
from PySide6.QtGui import QFontMetricsF

from cnnviz.lesson.lesson import load_lesson
from cnnviz.render.fonts import font
from cnnviz.scene import lecture, panels
from cnnviz.scene.frame import LEAST_UNIT, compose, moment
from cnnviz.scene.marks import Box, Cells, Dot, Frame, Group, Hotspot, Label, Path
from cnnviz.scene.numbers import count
from cnnviz.scene.view import View
from cnnviz.trace.breakpoint import Breakpoint
from cnnviz.trace.program import Program
from tests.cases import ALL_CALLS
from tests.scene.looking import all_marks, in_pane, inside, overlap, panes, reach, said
from tests.scene.programs import NAMES, program, view

each_program = pytest.mark.parametrize("name", NAMES)


def frame_at(name: str, step: int, **more) -> Frame:
    return compose(program(name), step, View(**more))


# ------------------------------------------------------------------------------------------------- network


def tiles(frame: Frame) -> list[Cells]:
    """Every map of the network, from the top, values before gradients."""
    found = [mark for mark in in_pane(frame, "network") if isinstance(mark, Cells)]
    return sorted(found, key=lambda mark: (round(reach(mark).center[1]), mark.box.x))


def computed(frame: Frame) -> list[float]:
    """Which part of each map is not hatched."""
    return [1.0 if mark.missing is None else 1 - mark.missing.mean() for mark in tiles(frame)]


# These have sums of gradients, before which the parts stand in their place.
WITH_SUMS = ("joined", "residual-block", "inception-block", "two-outputs")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITH_SUMS])
def test_the_network_fills_as_it_is_computed(name):
    made = program(name)
    ends = [made.starts[k + 1] - 1 for k in range(len(made.operations))]
    parts = [computed(frame_at(name, step)) for step in (0, *ends)]
    assert all(len(part) == len(parts[0]) for part in parts)
    for before, after in pairwise(parts):
        assert all(one <= other for one, other in zip(before, after, strict=True)), "nothing is lost"
    assert parts[-1] == [1.0] * len(parts[-1])


def test_before_the_first_step_only_the_input_is_there():
    first, *others = computed(frame_at("digits", 0))
    assert first == 1.0
    # The gaps between the maps of one tile hold nothing to hatch.
    assert all(part < 0.5 for part in others)


def test_a_map_in_work_is_filled_as_far_as_it_is_computed():
    made = program("digits")
    at = made.find("conv1", line=10, o=1, i=3, j=7)
    there = [
        int((~np.isnan(tile.values) & ~tile.missing).sum())
        for tile in tiles(frame_at("digits", at))
        if tile.missing is not None
    ]
    assert [count for count in there if count] == [64 + 32]


def test_maps_of_a_layer_in_the_network_are_its_outputs():
    made = program("digits")
    frame = frame_at("digits", len(made) - 1)
    pool = made.operation("pool1").call.writes["y"]
    found = [tile for tile in tiles(frame) if np.isin(pool, tile.values).all() and tile.palette == "value"]
    assert found


def test_a_click_in_the_network_names_layer_and_gradient():
    made = program("digits")
    frame = frame_at("digits", 0)
    rows = {
        mark.name: mark
        for mark in all_marks(frame.marks)
        if isinstance(mark, Hotspot) and mark.kind == "layer"
    }
    assert list(rows) == list(panels.network_outline(made).names)
    for name, spot in rows.items():
        assert frame.spot_at(spot.box.x + 5, spot.box.center[1]) == spot
        right = frame.spot_at(spot.box.right - 30, spot.box.center[1])
        assert right is not None and right.name == name
        assert (right.kind == "gradient") == (panels.arrays_of(made, name)[1] is not None)


# ------------------------------------------------------------------------------------------------ variables


@each_program
def test_variables_are_those_python_holds(name):
    made = program(name)
    for operation in made.operations:
        step = made.start(operation.name) + len(operation) // 2
        state = made.state(step)
        labels = {mark: said([mark])[0] for mark in in_pane(frame_at(name, step), "debugger") if said([mark])}
        for variable, value in state.variables.items():
            if variable not in operation.tree.variables:
                continue
            names = [
                mark for mark, text in labels.items() if text == variable or text.startswith(f"{variable}  ")
            ]
            beside = [
                text
                for mark, text in labels.items()
                for name_mark in names
                if mark.align == "right" and abs(mark.box.center[1] - name_mark.box.center[1]) < 1
            ]
            assert [text.split()[0] for text in beside] == [str(value)], (operation.name, variable)


def test_all_variables_have_room_and_no_line_is_broken_inside_an_index():
    """Of every listing, at 1080 and at 720 lines: g of a batch norm was gone, and x[n, was a row by itself.

    But where a target's own index is longer than a row.
    """
    for _, call in ALL_CALLS:
        made = Program([call])
        for box, unit in ((Box(0, 0, 450, 878), 1.0), (Box(0, 0, 311, 580), LEAST_UNIT)):
            labels = [mark for mark in panels.debugger(moment(made, 0), box, unit) if said([mark])]
            rows = [mark for mark in all_marks(labels) if isinstance(mark, Label)]
            names = {mark.runs[0].text for mark in rows if mark.runs[0].bold and mark.family == "mono"}
            (tree,) = (operation.tree for operation in made.operations)
            lines = [line.strip().removeprefix("for ") for line in tree.source[1:]]
            assigned = {re.match(r"\w+(?=,? | in)", line) for line in lines if "[" not in line.split(" ")[0]}
            assert {found[0] for found in assigned if found} <= names, call.kind
            listed = [said([mark])[0] for mark in rows if mark.family == "mono" and not mark.runs[0].bold]
            for text in listed:
                assert text.count("[") == text.count("]") or "dx[" in text or "] +=" in text, text


def test_beside_a_variable_that_a_line_has_changed_stands_its_old_value_once():
    made = program("digits")
    first = made.find("conv1", line=9, o=0, i=2, j=3, u=1, v=2)
    old, new = (made.state(step).variables["acc"] for step in (first - 1, first))
    texts = said(in_pane(frame_at("digits", first), "debugger"))
    assert f"{old:.2f} → {new:.2f}".replace("-", "−") in texts and old != new
    for other in (first + 1, first - 1):  # at the loop's header nothing has changed
        assert not [text for text in said(in_pane(frame_at("digits", other), "debugger")) if "→" in text]


def test_a_loop_variable_says_how_far_it_goes():
    made = program("digits")
    texts = said(in_pane(frame_at("digits", made.find("conv2", line=9, o=3, i=1, j=2, c=1)), "debugger"))
    assert {"3 of 7", "1 of 3", "2 of 3"} <= set(texts)


# ------------------------------------------------------------------------------------------------- timeline


@each_program
def test_a_place_on_the_timeline_and_its_step_lead_to_each_other(name):
    made = program(name)
    for step in {0, 1, len(made) - 1, *random.Random(3).choices(range(len(made)), k=300)}:
        assert panels.timeline_step(made, panels.timeline_at(made, step)) == step


@each_program
def test_the_timeline_goes_forwards_and_has_room_for_every_operation(name):
    made = program(name)
    steps = sorted(random.Random(4).choices(range(len(made)), k=200))
    places = [panels.timeline_at(made, step) for step in steps]
    assert places == sorted(places) and places[0] > 0 and places[-1] < 1
    starts = [panels.timeline_at(made, start) for start in made.starts[:-1]]
    widths = np.diff([*starts, 1.0])
    assert widths.min() > 0.005
    assert panels.timeline_step(made, -0.5) == 0 and panels.timeline_step(made, 1.5) == len(made) - 1


@pytest.mark.parametrize("name", ["digits", "every", "large"])
def test_the_playhead_stands_at_the_step_and_in_its_operation(name):
    made = program(name)
    for step in (0, len(made) // 3, len(made) - 1):
        frame = frame_at(name, step)
        low = panes(frame)["timeline"]
        bar = panels.timeline_bar(low, 1.0)
        heads = [mark for mark in frame.marks if isinstance(mark, Path) and inside(reach(mark), low, 1.0)]
        points = [point for head in heads for point in head.points]
        place = bar.x + panels.timeline_at(made, step) * bar.w
        assert points and [x for x, _ in points] == pytest.approx([place] * len(points))
        assert min(y for _, y in points) < bar.y and max(y for _, y in points) > bar.bottom
        assert f"step {count(step)} of {count(len(made) - 1)}" in said(in_pane(frame, "timeline"))


def test_the_playhead_is_one_line_but_behind_the_letters_of_the_operations_name(qapp):
    made = program("digits")
    box, unit = Box(0, 0, 1920, 146), 1.0
    bar, seen = panels.timeline_bar(box, unit), set()
    for start, operation in zip(made.starts, made.operations, strict=False):
        for step in np.linspace(start, start + len(operation) - 1, 60).astype(int):
            marks = panels.timeline(moment(made, int(step)), box, unit)
            names = [mark for mark in marks if isinstance(mark, Label) and mark.box.y == bar.y]
            stems = [reach(mark).inset(-1.5, 0) for mark in marks if isinstance(mark, Path)]
            assert min(stem.y for stem in stems) < bar.y and max(stem.bottom for stem in stems) > bar.bottom
            letters = []
            for (x, y), (text,) in ((mark.box.center, said([mark])) for mark in names):
                wide = QFontMetricsF(font("sans", 14 * unit, text == operation.name)).horizontalAdvance(text)
                letters.append(Box(x - wide / 2, y - 6, wide, 12))
            assert all(min(overlap(stem, word)) <= 0 for stem in stems for word in letters)
            aside = all(overlap(stems[0], word)[0] < -6 for word in letters)
            assert len(stems) == 1 or not aside, (operation.name, step)
            seen.add((operation.name in said(names), len(stems)))
    assert seen == {(True, 1), (True, 2), (False, 1), (False, 2)}, "the last is behind the name of its layer"


def test_names_of_the_passes_do_not_overlap():
    for name in NAMES:
        low = [mark for mark in in_pane(frame_at(name, 0), "timeline") if said([mark])]
        names = [mark for mark in low if said([mark])[0] in ("forward", "loss", "backward", "update")]
        for k, one in enumerate(names):
            for other in names[k + 1 :]:
                assert min(overlap(drawn(one), drawn(other))) <= 0, name


def test_operations_too_thin_for_their_names_have_that_of_their_layer_or_block():
    """`vanishing` has some 200 operations, and its timeline had no name at all."""
    shown = load_lesson("vanishing")
    made = shown.program
    starts = [panels.timeline_at(made, start) for start in made.starts[:-1]]
    for width, blocks in ((1280, ["sigmoid", "tanh", "relu"]), (3840, None)):
        frame = compose(made, 0, View(width=width, height=width * 9 / 16))
        low, unit = panes(frame)["timeline"], max(width / 1920, LEAST_UNIT)
        bar = panels.timeline_bar(low, unit)
        names = [m for m in in_pane(frame, "timeline") if isinstance(m, Label) and m.box.y == bar.y]
        forward = [
            said([m])[0]
            for m in names
            if m.box.right < bar.x + bar.w * starts[made.number("loss_sigmoid_small_8")]
        ]
        assert blocks is None or sorted(forward) == sorted(blocks)
        assert len(forward) >= 3
        for one, other in pairwise(sorted(names, key=lambda mark: mark.box.x)):
            assert one.box.right <= other.box.x + 0.01
        for mark in names:  # it stands over its own, all of them in one phase
            places = [bar.x + bar.w * at for at in starts]
            own = [k for k, x in enumerate(places) if mark.box.x <= x < mark.box.right]
            assert own and all(made.operations[k].layer.startswith(said([mark])[0]) for k in own)
            assert len({made.operations[k].phase for k in own}) == 1
    zoomed = panels.timeline(moment(made, 0), Box(0, 0, 1280, 98), 0.67, (0.0, 0.02))
    assert "sigmoid_small_fc1" in said(zoomed) and "sigmoid" not in said(zoomed)


def drawn(mark) -> Box:
    """Where a short name is within its box: at most 9 pixels a letter."""
    width = 9 * len(said([mark])[0])
    x = mark.box.x if mark.align == "left" else mark.box.right - width
    return Box(x, mark.box.y, width, mark.box.h)


def test_breakpoints_are_seen_in_the_listing_and_on_the_timeline():
    made = program("digits")
    stops = (Breakpoint("conv2", 9), Breakpoint("conv2", 5, 400), Breakpoint("fc", 4))
    frame = frame_at("digits", made.start("conv2") + 30, breakpoints=stops)
    dots = [mark for mark in all_marks(frame.marks) if isinstance(mark, Dot) and mark.role == "stop"]
    debugger, low = panes(frame)["debugger"], panes(frame)["timeline"]
    in_listing = [dot for dot in dots if inside(reach(dot), debugger, 1.0)]
    lines = {
        spot.line
        for spot in all_marks(frame.marks)
        if isinstance(spot, Hotspot) and spot.kind == "gutter"
        for dot in in_listing
        if spot.box.contains(*dot.center)
    }
    assert lines == {9, 5}
    assert in_listing[0].radius != in_listing[1].radius, "one stops every time, the other once"
    assert len([dot for dot in dots if inside(reach(dot), low, 1.0)]) == 3
    assert "breakpoints: 3" in said(in_pane(frame, "timeline"))


@pytest.mark.parametrize("span", [(0.0, 1.0), (0.2, 0.4), (0.95, 1.0), (0.0, 0.01)])
def test_a_zoomed_timeline_keeps_to_its_box(span):
    made = program("digits")
    box = Box(0, 0, 1920, 146)
    stops = (Breakpoint("conv1", 9), Breakpoint("fc.b", 3))
    for step in (0, 20_000, len(made) - 1):
        marks = panels.timeline(moment(made, step, View(breakpoints=stops)), box, 1.0, span)
        for mark in all_marks(marks):
            assert inside(reach(mark), box, 1.0), (span, step, mark)


def test_where_we_are_is_said_in_words():
    made = program("digits")
    step = made.find("conv1", line=9, o=1, i=2, j=3, c=0, u=1, v=2)
    assert panels.where(moment(made, step)) == (
        "forward · conv1 · output map 1 · row 2 · column 3 · input channel 0 · kernel row 1 · kernel column 2"
    )
    assert panels.where(moment(made, made.start("fc.dw"))).startswith(
        "backward · fc · gradient of the weights"
    )


# -------------------------------------------------------------------------------------------------- lecture


@each_program
def test_progress_in_the_lecture_view_fills_with_the_program(name):
    made = program(name)
    box = Box(0, 0, 1920, 60)
    filled = []
    for step in (0, len(made) // 2, len(made) - 1):
        marks = lecture.progress(moment(made, step), box, 1.0)
        assert all(inside(reach(mark), box, 1.0) for mark in all_marks(marks))
        phases = {"forward", "loss", "backward", "update", "descent"}
        filled.append(sum(mark.box.w for mark in marks if getattr(mark, "fill", None) in phases))
        assert f"{count(step)} / {count(len(made) - 1)}" in said(marks)
    assert filled[0] < filled[1] < filled[2]
    assert filled[2] > 0.9 * lecture.progress_bar(box, 1.0).w
    if len(made) > 100:
        assert filled[0] < 0.05 * lecture.progress_bar(box, 1.0).w


def test_groups_stand_for_what_does_not_change():
    """The same object from step to step, or there is nothing to gain by keeping its picture."""
    made = program("digits")
    one, other = (compose(made, made.start("conv2") + k, view(made)) for k in (100, 101))
    groups = [{id(mark) for mark in frame.marks if isinstance(mark, Group)} for frame in (one, other)]
    assert len(groups[0] & groups[1]) >= 6
