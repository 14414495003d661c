"""What a click, a drag, the wheel and the pointer do in the panes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QHelpEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QToolTip

from cnnviz.render.image import to_image
from cnnviz.scene.marks import Cells, Formula, Hotspot, Label, Path, flat
from cnnviz.scene.numbers import full
from cnnviz.scene.panels.timeline_bar import timeline_edges
from cnnviz.trace.nonfinite import first_nonfinite
from cnnviz.ui.network_pane import computed_at
from tests.scene.programs import overflowing

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
NONE, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier


def center(box) -> QPoint:
    return QPoint(round(box.center[0]), round(box.center[1]))


def spot(pane, kind, **wanted) -> Hotspot:
    spots = [mark for mark in pane.frame.marks if isinstance(mark, Hotspot) and mark.kind == kind]
    return next(s for s in spots if all(getattr(s, name) == value for name, value in wanted.items()))


@pytest.mark.parametrize("button", [RIGHT, Qt.MouseButton.MiddleButton])
@pytest.mark.parametrize("pane", ["network", "stage", "debugger", "timeline"])
def test_no_button_but_the_left_one_goes_anywhere(window, qtbot, pane, button):
    """Wherever a pane is clicked: what the left button would do there is another step, or a breakpoint."""
    window.player.go_to(30_000)
    widget = getattr(window, pane)
    widget.frame  # noqa: B018 - it is composed
    places = [center(mark.box) for mark in flat(widget.frame.marks) if isinstance(mark, Hotspot | Cells)]
    places += [QPoint(widget.width() * k // 9, widget.height() // 2) for k in range(1, 9)]
    inside = [place for place in places if widget.rect().contains(place)]
    assert len(inside) > 8
    for place in inside:
        qtbot.mouseClick(widget, button, pos=place)
        assert window.player.cursor.index == 30_000, place
    assert window.player.breakpoints == ()


def test_a_click_brings_a_channel_to_the_front_until_the_next_move(window, qtbot):
    """Of four channels the third stands in front, with its own numbers; the step stays where it is."""
    player = window.player
    player.go_to(player.cursor.program.find("conv2", line=9, o=3, i=1, j=1, c=1, u=1, v=2))
    index = player.cursor.index

    def front() -> Cells:
        grids = (mark for mark in flat(window.stage.frame.marks) if isinstance(mark, Cells))
        return max((grid for grid in grids if grid.array == "x"), key=lambda grid: grid.box.w)

    assert front().prefix == (1,)
    edges = [m for m in flat(window.stage.frame.marks) if isinstance(m, Hotspot) and m.kind == "channel"]
    edge = next(mark for mark in edges if mark.name == "x" and mark.line == 1 and mark.box.h > mark.box.w)
    qtbot.mouseClick(window.stage, LEFT, pos=center(edge.box))
    assert front().prefix == (2,)
    x = np.asarray(player.moment.state.arrays["x"])
    assert np.array_equal(front().values, x[2])
    assert player.cursor.index == index
    player.go_to(index + 1)
    assert front().prefix == (1,)
    for modifier, channel in ((NONE, 2), (NONE, 3), (SHIFT, 2)):
        qtbot.keyClick(window.stage, Qt.Key.Key_M, modifier)
        assert front().prefix == (channel,)
    player.go_to(player.cursor.program.start("fc"))
    qtbot.keyClick(window.stage, Qt.Key.Key_M)
    assert window.message.isVisible()


def test_a_card_that_is_pinned_stays_from_step_to_step_until_it_is_taken_away(window, qtbot):
    stage, player = window.stage, window.player
    player.go_to(player.cursor.program.find("conv1", line=9, o=0, i=1, j=1, u=1, v=1))

    def cards() -> list[str]:
        return [run.text for mark in stage.over(stage.frame) if isinstance(mark, Label) for run in mark.runs]

    qtbot.keyClick(stage, Qt.Key.Key_Y)
    assert not cards() and "Point at a number" in window.message.sentence.text()
    qtbot.keyClick(stage, Qt.Key.Key_F2)
    shown = cards()
    assert shown
    qtbot.keyClick(stage, Qt.Key.Key_Y)
    qtbot.keyClick(stage, Qt.Key.Key_Escape)  # it looks at nothing
    assert stage.pointer is None and cards() == shown
    player.go_to(player.cursor.index + 1)
    assert cards(), "and tells the number as it has become"
    qtbot.keyClick(stage, Qt.Key.Key_Y)
    assert not cards()
    qtbot.keyClick(stage, Qt.Key.Key_F2)
    qtbot.keyClick(stage, Qt.Key.Key_Y)
    player.go_to(player.cursor.program.start("relu1") + 5)
    assert stage.pinned is None, "in another operation another number is there"


# -------------------------------------------------------------------------------------------- network


@pytest.mark.parametrize(
    ("layer", "array"), [("conv1", "y"), ("pool2", "y"), ("softmax", "y"), ("loss", "E")]
)
def test_a_layer_goes_to_its_last_cell(window, qtbot, layer, array):
    row = spot(window.network, "layer", name=layer).box
    qtbot.mouseClick(window.network, LEFT, pos=QPoint(round(row.x + 20), round(row.center[1])))
    moment = window.player.moment
    assert (moment.operation.layer, moment.operation.phase) in ((layer, "forward"), (layer, "loss"))
    assert moment.state.writes[0][0] in moment.operation.call.writes
    assert moment.state.written(array).all()


def test_the_input_goes_to_the_start(window, qtbot):
    window.player.go_to(9999)
    qtbot.mouseClick(window.network, LEFT, pos=center(spot(window.network, "layer", name="input").box))
    assert window.player.cursor.index == 0


def test_a_gradient_goes_to_where_it_is_complete(window, qtbot):
    qtbot.mouseClick(window.network, LEFT, pos=center(spot(window.network, "gradient", name="conv1").box))
    moment = window.player.moment
    assert moment.operation.name == "relu1.dx"
    assert moment.state.writes == (("dx", (3, 7, 7)),)


def test_every_row_leads_somewhere(lesson):
    program = lesson.program
    for name in ("input", *(op.layer for op in program.operations if op.phase == "forward"), "loss"):
        for gradient in (False, True):
            assert 0 <= computed_at(program, name, gradient) < len(program)


# -------------------------------------------------------------------------------------------- listing


def test_a_lines_number_toggles_a_breakpoint(window, qtbot):
    place = center(spot(window.debugger, "gutter", line=10).box)
    qtbot.mouseClick(window.debugger, LEFT, pos=place)
    assert [(p.operation, p.line, p.offset) for p in window.player.breakpoints] == [("conv1", 10, None)]
    qtbot.mouseClick(window.debugger, LEFT, pos=place)
    assert window.player.breakpoints == ()


def test_whole_numbers_of_whole_arrays_have_no_decimals(window):
    program = window.player.cursor.program
    pool = program.operation("pool1")
    window.player.go_to(program.start("pool1") + pool.step_writing("switch", (0, 0, 0)))
    marks = flat(window.debugger.frame.marks)
    texts = ["".join(run.text for run in mark.runs) for mark in marks if isinstance(mark, Label)]
    switch = int(pool.call.writes["switch"][0, 0, 0])
    assert texts[texts.index("switch[0, 0, 0]") + 1] == str(switch)


def test_a_lines_text_runs_to_it(window, qtbot):
    qtbot.mouseClick(window.debugger, LEFT, pos=center(spot(window.debugger, "line", line=10).box))
    assert window.player.cursor.step.line == 10
    assert window.player.moment.state.writes == (("y", (0, 0, 0)),)


def test_a_letter_of_the_formula_says_what_it_stands_for(window, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(QToolTip, "showText", lambda at, text: said.append(text))
    window.player.go_to(window.player.cursor.program.find("conv2", line=9))
    shown = [mark for mark in flat(window.debugger.frame.marks) if isinstance(mark, Formula)]
    mark = next(mark for mark in shown if "w" in mark.outline.parts)
    (left, base), scale = mark.origin, mark.scale
    letter = next(piece.reach for piece in mark.outline.pieces if piece.parts == ("w",))

    for place in (QPoint(round(left + scale * letter[0] + 2), round(base - 2)), QPoint(5, 5)):
        event = QHelpEvent(QEvent.Type.ToolTip, place, window.debugger.mapToGlobal(place))
        QCoreApplication.sendEvent(window.debugger, event)
    assert said == ["w: an array of shape 8 × 4 × 3 × 3", ""]


def test_all_digits_of_a_variable_are_said(window, monkeypatch):
    """For it is written as shortly as in its map."""
    said: list[str] = []
    monkeypatch.setattr(QToolTip, "showText", lambda at, text: said.append(text))
    window.player.go_to(window.player.cursor.program.find("conv1", line=9, o=1, i=2, j=4, u=1, v=1))
    shown = [mark for mark in flat(window.debugger.frame.marks) if isinstance(mark, Label)]
    for name in ("acc", "w[1, 0, 1, 1]", "Variables"):
        row = next(mark.box for mark in shown if mark.runs[0].text == name)
        event = QHelpEvent(QEvent.Type.ToolTip, center(row), window.debugger.mapToGlobal(center(row)))
        QCoreApplication.sendEvent(window.debugger, event)
    state = window.player.moment.state
    total, weight = state.variables["acc"], state.arrays["w"][1, 0, 1, 1]
    assert said == [f"acc = {full(total)}", f"w[1, 0, 1, 1] = {full(weight)}", ""]
    assert said[1] == "w[1, 0, 1, 1] = 1.043643"


# ------------------------------------------------------------------------------------------- timeline


def on_bar(window, part: float) -> QPoint:
    bar = window.timeline.bar()
    return QPoint(round(bar.x + part * bar.w), round(bar.center[1]))


def test_a_click_goes_there_and_the_playhead_is_under_the_pointer(window, qtbot):
    place = on_bar(window, 0.6)
    qtbot.mouseClick(window.timeline, LEFT, pos=place)
    assert window.timeline.x_of(window.player.cursor.index) == pytest.approx(place.x(), abs=1.5)


def drag(widget, place: QPoint) -> None:
    at = QPointF(place)
    move = QMouseEvent(
        QEvent.Type.MouseMove, at, widget.mapToGlobal(at), LEFT, LEFT, Qt.KeyboardModifier.NoModifier
    )
    QCoreApplication.sendEvent(widget, move)


def test_dragging_reaches_start_and_end(window, qtbot):
    qtbot.mousePress(window.timeline, LEFT, pos=on_bar(window, 0.4))
    drag(window.timeline, on_bar(window, 1.2))
    assert window.player.cursor.index == len(window.player.cursor.program) - 1
    drag(window.timeline, on_bar(window, -0.1))
    assert window.player.cursor.index == 0


def wheel(widget, place: QPoint, turned: int) -> None:
    at = QPointF(place)
    event = QWheelEvent(
        at,
        widget.mapToGlobal(at),
        QPoint(),
        QPoint(0, turned),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QCoreApplication.sendEvent(widget, event)


def test_the_wheel_zooms_around_the_pointer(window):
    timeline, place = window.timeline, on_bar(window, 0.3)
    step = timeline.step_at(place.x())
    for _ in range(5):
        wheel(timeline, place, 120)
    low, high = timeline.span
    assert high - low == pytest.approx(0.8**5)
    assert timeline.x_of(step) == pytest.approx(place.x(), abs=2)
    for _ in range(9):
        wheel(timeline, place, -120)
    assert timeline.span == (0.0, 1.0)


def test_zoomed_in_as_far_as_it_goes_every_step_can_be_hit(window):
    timeline, place = window.timeline, on_bar(window, 0.05)
    for _ in range(80):
        wheel(timeline, place, 120)
    found = {timeline.step_at(place.x() + k) for k in (-200, -100, 0, 100, 200)}
    assert max(found) - min(found) <= 4


def test_zooming_ends_where_nothing_more_could_be_seen(window):
    """Turned on for ever, either way: never narrower than a millionth of the bar, never wider than all."""
    timeline, place = window.timeline, on_bar(window, 0.4)
    for turned, least, most in ((120, 1e-6, 1.1e-6), (-120, 1.0, 1.0)):
        for _ in range(150):
            wheel(timeline, place, turned)
            low, high = timeline.span
            assert 0.0 <= low < high <= 1.0
            assert not to_image(timeline.frame).isNull()
        assert least * (1 - 1e-6) <= high - low <= most
    assert timeline.span == (0.0, 1.0)


def test_a_double_click_shows_all_and_stays(window, qtbot):
    wheel(window.timeline, on_bar(window, 0.3), 240)
    window.player.go_to(1234)
    place = on_bar(window, 0.5)
    qtbot.mouseClick(window.timeline, LEFT, pos=place)
    qtbot.mouseDClick(window.timeline, LEFT, pos=place)
    assert window.timeline.span == (0.0, 1.0)
    assert window.player.cursor.index == 1234


def test_shift_and_a_click_toggle_a_breakpoint(window, qtbot):
    place, shift = on_bar(window, 0.45), Qt.KeyboardModifier.ShiftModifier
    qtbot.mouseClick(window.timeline, LEFT, shift, pos=place)
    assert len(window.player.breakpoints) == 1
    assert window.player.cursor.index == 0
    qtbot.mouseClick(window.timeline, LEFT, shift, pos=QPoint(place.x() + 3, place.y()))
    assert window.player.breakpoints == ()


def phases_shown(window) -> dict[str, Label]:
    """Return the names over the bar, and see that none is over another or outside."""
    timeline = window.timeline
    bar, above = timeline.bar(), []
    for mark in flat(timeline.frame.marks):
        if isinstance(mark, Label) and mark.box.bottom < bar.y:
            above.append(mark)
    above.sort(key=lambda mark: mark.box.x)
    assert all(bar.x <= mark.box.x and mark.box.right <= bar.right + 3 for mark in above)
    assert all(one.box.right <= two.box.x + 0.01 for one, two in pairwise(above))
    return {"".join(run.text for run in mark.runs): mark for mark in above}


def test_a_phase_of_which_a_part_is_seen_has_its_name_there(window):
    timeline = window.timeline
    assert list(phases_shown(window)) == ["forward", "loss", "backward", "update"]
    for low, high, wanted in ((0.1, 0.3, "forward"), (0.55, 0.6, "backward"), (0.97, 0.99, "update")):
        timeline.span = (low, high)
        timeline.refresh()
        shown = phases_shown(window)
        assert list(shown) == [wanted]
        assert shown[wanted].box.x == pytest.approx(timeline.bar().x, abs=3)
    for low in np.linspace(0, 0.95, 400):
        for size in (0.01, 0.05, 0.3):
            timeline.span = (low, min(1.0, low + size))
            timeline.refresh()
            phases_shown(window)


def test_a_cut_segment_keeps_its_name_in_its_seen_part(window):
    timeline, program = window.timeline, window.player.cursor.program
    edges = timeline_edges(program)
    k = program.number("conv1")
    cut = edges[k] + 0.6 * (edges[k + 1] - edges[k])
    timeline.span = (cut, cut + 0.2)
    timeline.refresh()
    bar = timeline.bar()
    end = bar.x + (edges[k + 1] - cut) / 0.2 * bar.w
    (name,) = [
        mark
        for mark in flat(timeline.frame.marks)
        if isinstance(mark, Label) and mark.runs[0].text == "conv1" and bar.contains(*mark.box.center)
    ][:1]
    assert bar.x <= name.box.x < name.box.right <= end


@pytest.mark.parametrize(("span", "side"), [((0.4, 0.6), -1), ((0.0, 0.1), 1)])
def test_an_arrow_says_where_the_playhead_is_beyond_the_edge(window, qtbot, span, side):
    timeline = window.timeline
    window.player.go_to(0 if side < 0 else 60_000)
    timeline.span = span
    timeline.refresh()
    bar = timeline.bar()
    arrows = [
        m for m in flat(timeline.frame.marks) if isinstance(m, Path) and m.filled and len(m.points) == 3
    ]
    (arrow,) = arrows
    tip = arrow.points[1][0]
    assert tip < bar.x if side < 0 else tip > bar.right
    assert 0 < tip < timeline.width()
    qtbot.mouseClick(timeline, LEFT, pos=on_bar(window, 0.5))
    assert bar.x < timeline.x_of(window.player.cursor.index) < bar.right
    assert not [
        m for m in flat(timeline.frame.marks) if isinstance(m, Path) and m.filled and len(m.points) == 3
    ]


def test_the_playhead_stays_in_sight_while_zoomed(window):
    for _ in range(12):
        wheel(window.timeline, on_bar(window, 0.1), 120)
    window.player.go_to(60_000)
    bar = window.timeline.bar()
    assert bar.x <= window.timeline.x_of(60_000) <= bar.right


def test_another_image_keeps_the_part_that_is_shown_and_another_lesson_is_shown_whole(window):
    window.player.go_to(window.timeline.step_at(on_bar(window, 0.1).x()))
    for _ in range(5):
        wheel(window.timeline, on_bar(window, 0.1), 120)
    low, high = window.timeline.span
    window.desk.choose(7)
    assert window.timeline.span == pytest.approx((0.0, high - low)), "it follows to the first step"
    window.desk.open("relu")
    assert window.timeline.span == (0.0, 1.0)


# ----------------------------------------------------------------------------------------------- stage


def grid_of(window, array: str) -> Cells:
    marks = flat(reversed(window.stage.frame.marks))
    return next(m for m in marks if isinstance(m, Cells) and m.array == array and m.texts)


def test_a_written_cell_goes_to_the_step_that_writes_it(window, qtbot):
    window.player.go_to(2500)
    grid = grid_of(window, "y")
    index = grid.index_of(0, 3)
    qtbot.mouseClick(window.stage, LEFT, pos=center(grid.box_of(0, 3)))
    assert window.player.moment.state.writes == (("y", index),)


def test_an_input_cell_goes_to_the_layer_that_wrote_it(window, qtbot):
    program = window.player.cursor.program
    window.player.go_to(program.start("relu1") + 40)
    grid = grid_of(window, "x")
    index = grid.index_of(1, 1)
    qtbot.mouseClick(window.stage, LEFT, pos=center(grid.box_of(1, 1)))
    assert window.player.cursor.step.operation.name == "conv1"
    assert window.player.moment.state.writes == (("y", index),)


def test_a_parameter_leads_nowhere(window, qtbot):
    window.player.go_to(2500)
    qtbot.mouseClick(window.stage, LEFT, pos=center(grid_of(window, "w").box_of(1, 1)))
    assert window.player.cursor.index == 2500


def test_hovering_explains_and_a_step_ends_it(window, qtbot):
    window.player.go_to(2500)
    grid = grid_of(window, "y")
    qtbot.mouseMove(window.stage, center(grid.box_of(0, 2)))
    QCoreApplication.processEvents()
    marks = window.stage.over(window.stage.frame)
    assert marks
    assert window.stage.cursor().shape() == Qt.CursorShape.PointingHandCursor
    window.player.go(window.player.cursor.next())
    assert window.stage.over(window.stage.frame) == []


def test_hidden_panes_compose_nothing(window, monkeypatch):
    window.lecture.show(True)
    QCoreApplication.processEvents()
    composed: list[str] = []
    for name in ("network", "debugger"):
        pane = getattr(window, name)
        monkeypatch.setattr(pane, "compose", lambda box, unit, name=name: composed.append(name) or [])
    for index in range(0, 900, 100):
        window.player.go_to(index)
        QCoreApplication.processEvents()
    assert composed == []


def test_the_keyboards_focus_is_seen(window, qtbot):
    window.network.setFocus(Qt.FocusReason.TabFocusReason)
    ringed = window.network.grab().toImage()
    window.stage.setFocus(Qt.FocusReason.MouseFocusReason)
    assert window.network.grab().toImage() != ringed


def test_a_factor_that_is_pointed_at_is_seen_large_with_its_name(window, qtbot):
    player, stage = window.player, window.stage
    player.go_to(player.cursor.program.start("conv2.dw") + 40)
    factors = [mark for mark in stage.frame.marks if isinstance(mark, Hotspot) and mark.kind == "operation"]
    seen = 0
    for factor in factors:
        inside = [m for m in flat(stage.frame.marks) if isinstance(m, Cells | Label)]
        inside = [mark for mark in inside if factor.box.contains(*mark.box.center)]
        small = [mark for mark in inside if isinstance(mark, Cells)]
        qtbot.mouseMove(stage, center(factor.box))
        large = [mark for mark in stage.over(stage.frame) if isinstance(mark, Cells)]
        assert len(large) == len(small) <= 1
        for before, after in zip(small, large, strict=True):
            assert after.box.w >= 2 * before.box.w and np.array_equal(after.values, before.values, True)
            assert after.box.y > factor.box.bottom and after.box.right < stage.width()
            seen += 1
    assert seen > 2
    stage.leaveEvent(QEvent(QEvent.Type.Leave))
    assert not stage.over(stage.frame)


def test_a_click_on_a_factor_goes_to_where_it_was_multiplied(window, qtbot):
    window.desk.open("backward-conv")
    program = window.player.cursor.program
    window.player.go_to(program.find("conv.dw", line=9))
    spots = [mark for mark in window.stage.frame.marks if isinstance(mark, Hotspot)]
    assert [spot.name for spot in spots] == [
        *("loss.dy", "sigma2.dx", "fc.dx", "flatten.dx", "sigma1.dx"),
        *("conv.dw", "conv.dw"),
    ]
    slope = spots[1].box.center
    assert window.stage.clickable(*slope)
    qtbot.mouseClick(window.stage, Qt.MouseButton.LeftButton, pos=QPoint(*(round(k) for k in slope)))
    step = window.player.cursor.step
    assert step.operation.name == "sigma2.dx"
    assert program.state(step.index).writes == (("dx", (1,)),)


def test_the_badge_of_the_first_number_that_is_none_leads_to_its_step(window, qtbot):
    program = overflowing()
    window.player.load(program, len(program) - 1)
    qtbot.mouseClick(window.stage, LEFT, pos=center(spot(window.stage, "step").box))
    assert window.player.cursor.index == first_nonfinite(program).step
