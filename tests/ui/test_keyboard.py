"""Everything is done by keys alone; nothing here touches a pointer or calls what a key should reach."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget

from cnnviz.scene.marks import Box
from cnnviz.trace.stops import Level
from cnnviz.ui.cursor_pane import beside
from cnnviz.ui.export_dialog import ExportDialog

K, NONE = Qt.Key, Qt.KeyboardModifier.NoModifier
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier

# The offscreen platform has no keyboard to grab for a menu.
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


@pytest.fixture
def press(window, qtbot):
    def press(key, modifier=NONE, times: int = 1):
        for _ in range(times):
            popup = QApplication.activePopupWidget() or QApplication.activeModalWidget()
            at = (popup and popup.focusWidget()) or popup or window.focusWidget() or window.stage
            qtbot.keyClick(at, key, modifier)

    return press


@pytest.fixture
def write(window, qtbot):
    def write(text: str) -> None:
        popup = QApplication.activePopupWidget() or QApplication.activeModalWidget() or window
        qtbot.keyClicks(popup.focusWidget(), text)

    return write


def tab_to(window, press, wanted: QWidget, most: int = 60) -> None:
    for _ in range(most):
        if window.focusWidget() is wanted:
            return
        press(K.Key_Tab)
    raise AssertionError(f"Tab does not lead to {wanted.accessibleName()}")


def test_a_lesson_from_choosing_it_to_its_last_stop(window, press, write):
    press(K.Key_P, CONTROL | SHIFT)
    write("lesson backward through the convolution")
    press(K.Key_Return)
    assert window.desk.source == "backward-conv"
    stops = window.desk.lesson.sequence
    press(K.Key_N, times=len(stops) - 1)
    assert window.player.cursor.stop == window.desk.lesson.sequence[-1]
    press(K.Key_N, times=2)
    assert window.desk.source == "transposed"


def test_lessons_and_images_are_chosen(window, press):
    before = window.desk.lesson.image
    press(K.Key_I)
    press(K.Key_Right)
    press(K.Key_Return)
    assert window.desk.lesson.image == before + 1
    press(K.Key_O)
    press(K.Key_Up, times=30)
    press(K.Key_Return)
    assert window.desk.source in ("image", "convolution")  # the topmost row
    assert window.stage.hasFocus()


def test_an_iteration_is_typed(window, press, write, qtbot):
    window.desk.open("training")
    press(K.Key_G)
    qtbot.waitUntil(lambda: window.desk.lesson.run is not None and window.desk.lesson.run.last >= 3)
    press(K.Key_G)
    tab_to(window, press, window.training.number)
    press(K.Key_A, CONTROL)
    write("2")
    press(K.Key_Return)
    assert window.desk.lesson.program.iteration == 2
    assert not window.training.number.hasFocus()
    press(K.Key_C)  # from the curves back to the stage
    assert window.stage.isVisible()
    here = window.player.cursor
    press(K.Key_PageDown)
    assert window.player.cursor == here.next()


def test_the_export_dialog_is_gone_through_and_left(window, press, tmp_path, qtbot):
    press(K.Key_E, CONTROL | SHIFT)
    (dialog,) = window.findChildren(ExportDialog)
    qtbot.waitUntil(dialog.isVisible)
    assert not dialog.first.isEnabled()  # all stops are chosen, which have no first and no last step
    dialog.span.setCurrentIndex(1)
    seen = []
    for _ in range(40):
        seen.append(dialog.focusWidget())
        qtbot.keyClick(dialog.focusWidget(), K.Key_Tab)
    asked = (dialog.folder, dialog.every, dialog.span, dialog.first, dialog.size_choice)
    assert {*asked, dialog.start_button} <= set(seen)
    qtbot.keyClick(dialog.focusWidget(), K.Key_Escape)
    assert not dialog.isVisible()


def test_tab_goes_round_through_all_panes_and_back(window, press):
    panes = {window.stage, window.debugger, window.timeline, window.network}
    for key in (K.Key_Tab, K.Key_Backtab):
        seen = []
        while len(seen) < 80 and (not seen or window.focusWidget() is not window.stage):
            press(key)
            seen.append(window.focusWidget())
        assert panes <= set(seen)
        assert len(seen) == len(set(seen)) < 80  # each once: no trap


def test_the_edges_of_panes_are_moved_by_arrows(window, press):
    index = window.player.cursor.index
    for pane, grows in ((window.network, K.Key_Right), (window.debugger, K.Key_Left)):
        edge = window.splitter.handle(1 if pane is window.network else 2)
        before = pane.width()
        for _ in range(60):
            if window.focusWidget() is edge:
                break
            press(K.Key_Tab)
        assert window.focusWidget() is edge and edge.accessibleName()
        press(grows)
        assert 14 <= pane.width() - before <= 18
        press(K.Key_Left if grows == K.Key_Right else K.Key_Right)
        assert abs(pane.width() - before) <= 1
    assert window.player.cursor.index == index


def test_focus_is_seen_on_whatever_has_it(window, press, qtbot):
    """Its picture is another one with the focus than without."""
    for _ in range(40):
        widget = window.focusWidget()
        with_focus = widget.grab().toImage()
        press(K.Key_Tab)
        if window.focusWidget() is widget or widget is window.stage:
            continue
        assert widget.grab().toImage() != with_focus, widget.accessibleName() or widget.objectName()


def test_from_a_number_to_where_it_comes_from(window, press):
    """What hovering tells and a click does: the number that relu1 reads was written by conv1."""
    program = window.player.cursor.program
    window.player.go_to(program.start("relu1") + program.operation("relu1").step_writing("y", (1, 2, 3)))
    press(K.Key_F2)
    place = window.stage.chosen
    assert place is not None
    found = window.stage.frame.at(*place.center)
    assert found is not None and found[0].array == "y"
    for _ in range(30):
        press(K.Key_Left)
        found = window.stage.frame.at(*window.stage.chosen.center)
        if found and found[0].array == "x":
            break
    press(K.Key_Return)  # opens the menu, whose first entry that is
    press(K.Key_Down)
    press(K.Key_Return)
    after = window.player.moment
    assert after.operation.name == "conv1" and after.state.writes == (("y", found[1]),)


def test_esc_leaves_the_numbers_and_arrows_step_again(window, press):
    press(K.Key_F2)
    here = window.player.cursor
    press(K.Key_Right)
    assert window.player.cursor == here
    press(K.Key_Escape)
    assert window.stage.chosen is None
    press(K.Key_Right)
    assert window.player.cursor == here.next()


def test_a_channel_of_a_number_is_outlined_as_the_pointer_would(window, press, qtbot):
    window.player.go_to(5000)
    press(K.Key_F2)
    chosen = window.stage.over(window.stage.frame)
    assert len(chosen) > 2  # its card, what it is made of, and the ring


def test_breakpoints_in_the_listing(window, press):
    window.player.go_to(100)
    line = window.player.moment.state.line
    tab_to(window, press, window.debugger)
    press(K.Key_Down)  # at the line that runs
    press(K.Key_Left)  # at its number
    press(K.Key_Return)
    assert [(point.operation, point.line) for point in window.player.breakpoints] == [("conv1", line)]
    press(K.Key_Return)
    assert window.player.breakpoints == ()
    press(K.Key_Right)
    press(K.Key_Return)
    assert window.player.moment.state.line == line and window.player.cursor.index > 100


def test_the_timeline_goes_from_mark_to_mark_and_shows_a_part(window, press):
    tab_to(window, press, window.timeline)
    press(K.Key_Up, times=3)
    low, high = window.timeline.span
    assert high - low < 0.6
    press(K.Key_Down, times=3)
    assert window.timeline.span == (0.0, 1.0)
    press(K.Key_Right, times=4)
    press(K.Key_Return)
    program = window.player.cursor.program
    marked = {stop.index for stop in window.desk.lesson.stops} | set(program.starts)
    assert window.player.cursor.index in marked and window.player.cursor.index > 0


def test_blocks_of_the_network_fold_and_its_rows_are_gone_to(window, press):
    window.desk.open("residual")
    tab_to(window, press, window.network)
    press(K.Key_Home)
    rows = window.network.rows.rows.items
    block = next(k for k, item in enumerate(rows) if item.kind == "open")
    press(K.Key_Down, times=block)
    press(K.Key_Left)
    assert len(window.network.rows.rows.items) < len(rows)
    press(K.Key_Right)
    assert len(window.network.rows.rows.items) == len(rows)
    press(K.Key_End)
    press(K.Key_Up)
    press(K.Key_Return)
    assert window.player.cursor.index > 0


def test_a_descents_start_is_put_by_keys(window, press):
    window.desk.open("gradient-descent")
    press(K.Key_End)
    before = window.desk.descent.starts
    press(K.Key_F2)
    stage = window.stage
    for key in (*[K.Key_Up] * 6, *[K.Key_Left] * 6, *[K.Key_Down] * 6, *[K.Key_Right] * 6):
        spot = stage.frame.spot_at(*stage.chosen.center)
        if spot and spot.kind == "start":
            break
        press(key)
    assert spot and spot.kind == "start"
    at = spot.value_at(stage.chosen.center[0])
    press(K.Key_Left, times=3)
    press(K.Key_Return)
    after = window.desk.descent.starts
    (moved,) = (new for old, new in zip(before, after, strict=True) if old != new)
    assert moved < at


def test_levels_are_reached_with_single_keys_switched_off(window, press, write):
    """By the palette and the menus, since every action is in both."""
    from cnnviz.ui.keymap import Keymap

    window.take_keymap(Keymap(single=False))
    press(K.Key_P, CONTROL | SHIFT)
    write("step by layer")
    press(K.Key_Return)
    assert window.player.cursor.level is Level.LAYER


# ------------------------------------------------------------------------------------ from place to place

GRID = [Box(10 * column, 10 * row, 10, 10) for row in range(3) for column in range(4)]


@pytest.mark.parametrize(
    ("dx", "dy", "expected"), [(1, 0, (20, 10)), (-1, 0, (0, 10)), (0, 1, (10, 20)), (0, -1, (10, 0))]
)
def test_arrows_go_to_the_cell_beside(dx, dy, expected):
    assert beside(GRID, Box(10, 10, 10, 10), dx, dy)[:2] == expected


def test_at_an_edge_the_next_grid_is_gone_to_and_behind_the_last_there_is_nothing():
    other = [place._replace(x=place.x + 100, y=place.y + 4) for place in GRID]
    assert beside([*GRID, *other], Box(30, 10, 10, 10), 1, 0)[:2] == (100, 14)
    assert beside(GRID, Box(30, 10, 10, 10), 1, 0) is None
