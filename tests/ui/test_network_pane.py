"""The network pane of a large network: scrolled, folded, by mouse and keyboard, and what is repainted."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QPoint, Qt
from PySide6.QtGui import QHelpEvent, QPaintEvent, QRegion
from PySide6.QtWidgets import QToolTip

from cnnviz.scene.marks import Box, Hotspot
from cnnviz.trace.program import Program
from cnnviz.ui.network_pane import NetworkPane
from tests.scene.test_network_pane import residual
from tests.ui.test_panes import LEFT, center, wheel


class Painted(QObject):
    """Notes which region of a widget is painted."""

    def __init__(self, widget) -> None:
        super().__init__(widget)
        self.region = QRegion()
        widget.installEventFilter(self)

    def eventFilter(self, watched, event) -> bool:
        if event.type() == QEvent.Type.Paint:
            assert isinstance(event, QPaintEvent)
            self.region |= event.region()
        return False


@pytest.fixture
def pane(window) -> NetworkPane:
    window.player.load(residual(17)[1], 0)
    QCoreApplication.processEvents()
    return window.network


def program_of(pane: NetworkPane) -> Program:
    return pane.player.cursor.program


def names(pane: NetworkPane) -> list[str]:
    """The rows in sight, from the top."""
    window = pane.rows
    return [item.name for item in window.rows.items[window.top : window.top + window.seen]]


def spot(pane: NetworkPane, kind: str, name: str) -> Box:
    return next(
        m.box for m in pane.frame.marks if isinstance(m, Hotspot) and (m.kind, m.name) == (kind, name)
    )


def go(pane: NetworkPane, name: str, offset: int = 0) -> None:
    pane.player.go_to(program_of(pane).start(name) + offset)
    QCoreApplication.processEvents()


# ---------------------------------------------------------------------------------------------- repainted


def test_a_step_repaints_what_is_written_in_its_row_and_nothing_else(pane):
    go(pane, "block5_fc1")
    painted = Painted(pane)
    program, row, steps = program_of(pane), spot(pane, "layer", "block5_fc1"), 0
    for offset in range(1, len(program.operation("block5_fc1"))):
        painted.region = QRegion()
        go(pane, "block5_fc1", offset)
        area = painted.region.boundingRect()
        if painted.region.isEmpty():  # nothing is written then
            continue
        steps += 1
        assert row.y - 1 <= area.top() and area.bottom() <= row.bottom + 1
        assert area.width() < row.w / 2
    assert steps


def test_a_step_that_writes_nothing_that_is_shown_repaints_nothing(pane):
    go(pane, "block5_fc1.dw")
    painted = Painted(pane)
    go(pane, "block5_fc1.dw", 3)
    assert painted.region.isEmpty()


def test_the_next_operation_repaints_two_rows_and_the_lanes(pane):
    go(pane, "block5_fc2.dw")
    painted = Painted(pane)
    program = program_of(pane)
    end = program.start("block5_fc2.dw") + len(program.operation("block5_fc2.dw")) - 1
    pane.player.go_to(end)
    QCoreApplication.processEvents()
    painted.region = QRegion()
    go(pane, "block5_fc2.dx")
    marked, written = spot(pane, "layer", "block5_fc2"), spot(pane, "layer", "block5_relu")
    columns = [area for area in painted.region if area.width() > pane.width() / 3]
    assert columns
    for area in columns:
        inside = [
            row for row in (marked, written) if row.y - 3 <= area.top() and area.bottom() <= row.bottom + 3
        ]
        both = written.y - 3 <= area.top() and area.bottom() <= marked.bottom + 3
        assert inside or both


def test_other_colours_repaint_all(window, pane):
    painted = Painted(pane)
    window.actions_by_name["theme"].trigger()
    QCoreApplication.processEvents()
    assert painted.region.boundingRect() == pane.rect()


# ------------------------------------------------------------------------------------------------- scrolled


def test_the_row_at_work_is_followed_and_what_need_not_move_stays(pane):
    """Stepped through from the start: the row is always in sight, and within a block nothing moves."""
    program = program_of(pane)
    for operation in program.operations[:60]:
        before, folded = names(pane), pane.rows.rows
        go(pane, operation.name)
        window = pane.rows
        assert window.top <= window.at_work < window.top + window.seen
        if window.rows is folded:
            moved = abs(names(pane).index(before[3]) - 3) if before[3] in names(pane) else 9
            assert moved <= 1, operation.name


def test_the_wheel_scrolls_and_no_further_than_there_are_rows(pane, qtbot):
    go(pane, "block8_fc1")
    top = pane.rows.top
    wheel(pane, QPoint(50, 200), -120)
    assert pane.rows.top == top + 3
    for _ in range(3):
        wheel(pane, QPoint(50, 200), 40)
    assert pane.rows.top == top
    for turned, end in ((120, 0), (-120, len(pane.rows.rows.items) - pane.rows.seen)):
        for _ in range(40):
            wheel(pane, QPoint(50, 200), turned)
        assert pane.rows.top == end
    go(pane, "block8_fc1", 2)
    assert pane.rows.top == end, "a step in the same row does not scroll back"
    go(pane, "block8_relu")
    assert "block8_relu" in names(pane)


def test_a_click_on_how_many_more_there_are_shows_them(pane, qtbot):
    go(pane, "block8_fc1")
    before = names(pane)
    places = {m.line > 0: m.box for m in pane.frame.marks if isinstance(m, Hotspot) and m.kind == "scroll"}
    qtbot.mouseClick(pane, LEFT, pos=center(places[True]))
    assert before[-1] in names(pane) and names(pane) != before


# --------------------------------------------------------------------------------------------------- folded


def test_a_click_on_a_blocks_name_unfolds_and_folds_it_and_goes_nowhere(pane, qtbot):
    step = pane.player.cursor.index
    assert "block1_relu" not in names(pane)
    qtbot.mouseClick(pane, LEFT, pos=center(spot(pane, "fold", "block1")))
    assert {"block1_fc1", "block1_relu", "block1_fc2", "block1_add"} < set(names(pane))
    qtbot.mouseClick(pane, LEFT, pos=center(spot(pane, "fold", "block1")))
    assert "block1_relu" not in names(pane)
    assert pane.player.cursor.index == step


def test_a_click_on_a_folded_blocks_maps_goes_to_where_they_are_computed(pane, qtbot):
    for kind, operation in (("layer", "block1_add"), ("gradient", "block1_add.dy")):
        go(pane, "stem")
        box = spot(pane, kind, "block1_add")
        x = box.right - 30 if kind == "gradient" else box.center[0]
        qtbot.mouseClick(pane, LEFT, pos=QPoint(round(x), round(box.center[1])))
        assert pane.player.moment.operation.name == operation
        assert pane.player.moment.state.written(next(iter(pane.player.moment.operation.call.writes))).all()


def test_all_can_be_done_without_a_mouse(window, pane, qtbot):
    go(pane, "stem")
    pane.setFocus(Qt.FocusReason.TabFocusReason)
    assert pane.chosen.name == "stem", "it begins at the row at work"
    step = pane.player.cursor.index
    for key, name in (
        (Qt.Key.Key_Down, "block0"),
        (Qt.Key.Key_Down, "block1"),
        (Qt.Key.Key_Right, "block1"),
        (Qt.Key.Key_Down, "block1_fc1"),
        (Qt.Key.Key_Down, "block1_relu"),
        (Qt.Key.Key_Left, "block1"),
        (Qt.Key.Key_Up, "block0"),
        (Qt.Key.Key_Home, "input"),
        (Qt.Key.Key_End, "loss"),
    ):
        qtbot.keyClick(pane, key)
        assert pane.chosen.name == name
        assert name in names(pane)
        assert pane.player.cursor.index == step, "no step was made"
        assert name in pane.accessibleDescription()
    qtbot.keyClick(pane, Qt.Key.Key_Up)
    qtbot.keyClick(pane, Qt.Key.Key_Return)
    assert pane.player.moment.operation.name == "softmax"
    qtbot.keyClick(pane, Qt.Key.Key_Up)
    assert pane.chosen.name == "block16"
    qtbot.keyClick(pane, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert pane.player.moment.operation.name == "softmax.dx"
    qtbot.keyClick(pane, Qt.Key.Key_Space)
    assert "block16_relu" in [item.name for item in pane.rows.rows.items]
    step = pane.player.cursor.index
    qtbot.keyClick(pane, Qt.Key.Key_PageDown)
    assert pane.player.cursor.index > step, "the presenter's remote steps from everywhere"


def test_another_lesson_begins_unscrolled_with_nothing_folded_by_hand(window, pane, lesson):
    pane.fold("block3")
    wheel(pane, QPoint(50, 200), -360)
    window.player.load(lesson.program, 0)
    QCoreApplication.processEvents()
    assert window.player.view.folds == () and pane.rows.is_whole
    assert names(pane)[0] == "input"


# ------------------------------------------------------------------------------------------------------ said


def test_what_rests_on_a_row_is_told_about_it(pane, monkeypatch):
    told: list[str] = []
    monkeypatch.setattr(QToolTip, "showText", lambda at, text: told.append(text))
    go(pane, "block1_relu")
    for kind, name in (("layer", "block1_relu"), ("fold", "block3")):
        place = center(spot(pane, kind, name))
        QCoreApplication.sendEvent(pane, QHelpEvent(QEvent.Type.ToolTip, place, pane.mapToGlobal(place)))
    row, block = told
    assert "block1_relu: 2" in row and "reads block1_fc1, read by block1_fc2" in row
    assert "values: block1_relu, steps" in row and "being computed" in row
    assert "gradient: block1_fc2.dx" in row and "not computed yet" in row
    assert "block3: 4 layers" in block and "reads block2, read by block4" not in block
    assert "reads block2_add, read by block4_fc1 and block4_add" in block
    assert "done: 0 of 4 operations going forward, 0 of 9 back" in block
    assert "it is the sum of block4_add.dx2 and block4_fc1.dx" in block
