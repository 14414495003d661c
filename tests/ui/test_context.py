"""Menus: what can be done with a number, a variable, a line, a layer, a step; by mouse and by keyboard."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QMenu

from cnnviz.scene.marks import Cells, Hotspot, flat, spots
from cnnviz.scene.table import as_text, map_of
from cnnviz.scene.target import cell_target, network_target, used_next
from cnnviz.ui.context import ENTRIES
from cnnviz.ui.keys import NUMBER

K, SHIFT = Qt.Key, Qt.KeyboardModifier.ShiftModifier

# The offscreen platform has no keyboard to grab for a menu.
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


def menu_at(pane, box) -> QMenu | None:
    """Return the menu that the right button opens at a place."""
    at = QPoint(round(box.center[0]), round(box.center[1]))
    reason = QContextMenuEvent.Reason.Mouse
    QApplication.sendEvent(pane, QContextMenuEvent(reason, at, pane.mapToGlobal(at)))
    popup = QApplication.activePopupWidget()
    return popup if isinstance(popup, QMenu) else None


def words(menu: QMenu) -> list[str]:
    return [action.text().partition("\t")[0] for action in menu.actions() if not action.isSeparator()]


def choose(menu: QMenu, text: str) -> None:
    action = next(one for one in menu.actions() if one.text().partition("\t")[0] == text)
    menu.hide()
    action.trigger()


def cell(window, array: str):
    """Return the place of some cell of an array on the stage, and its index."""
    grids = (mark for mark in flat(reversed(window.stage.frame.marks)) if isinstance(mark, Cells))
    grid = next(grid for grid in grids if grid.array == array and grid.texts)
    return grid.box_of(0, 0), grid.index_of(0, 0)


def readings(program, operation):
    return program.where_to(operation, "x", (1, 2, 3))


def spot(pane, kind: str, **wanted) -> Hotspot:
    spots = [mark for mark in flat(pane.frame.marks) if isinstance(mark, Hotspot) and mark.kind == kind]
    return next(one for one in spots if all(getattr(one, name) == value for name, value in wanted.items()))


def test_each_entry_has_words_in_the_table_of_keys_and_each_of_those_is_an_entry():
    assert [key.name for key in NUMBER if key.name and key.name != "menu"] == [
        entry.name for entry in ENTRIES
    ]


def test_a_number_leads_to_where_it_was_computed_and_to_where_it_is_used_next(window):
    program, player = window.player.cursor.program, window.player
    player.go_to(program.start("relu1") + 40)
    box, index = cell(window, "x")
    menu = menu_at(window.stage, box)
    assert menu is not None and words(menu)[0].startswith("x[")
    choose(menu, "Go to where it was computed")
    assert player.moment.operation.name == "conv1" and player.moment.state.writes == (("y", index),)
    choose(menu_at(window.stage, cell(window, "y")[0]), "Go to where it is used next")
    assert player.moment.operation.name == "relu1"
    assert ("x", cell(window, "x")[1]) in player.moment.state.reads


def test_what_comes_from_outside_and_what_is_read_no_more_is_said(window):
    player, program = window.player, window.player.cursor.program
    player.go_to(2500)
    choose(menu_at(window.stage, cell(window, "w")[0]), "Go to where it was computed")
    assert player.cursor.index == 2500 and "outside" in window.message.sentence.text()
    operation = program.operation("relu1")
    last = max(max(program.start(one.operation.name) + one.offsets) for one in readings(program, operation))
    player.go_to(int(last))
    target = cell_target(player.moment, *player.moment.state.reads[0])
    step, coming = used_next(program, target, player.cursor.index)
    assert not coming and step < last and player.moment.state.reads[0] == ("x", (1, 2, 3))


def test_a_variable_leads_to_its_last_assignment_and_its_next_use(window):
    player = window.player
    player.go_to(100)
    pane = window.debugger
    labels = {run.text: mark.box for mark in flat(pane.frame.marks) for run in getattr(mark, "runs", ())}
    for name in ("acc", "j"):
        player.go_to(100)
        line = player.cursor.program[100].operation.tree.source
        choose(menu_at(pane, labels[name]), "Go to where it was computed")
        at = player.moment.state
        source = line[at.line - 1].strip()
        assert source.startswith((f"{name} =", f"{name} +=", f"for {name} in")), source
        assert player.cursor.index <= 100
        player.go_to(100)
        choose(menu_at(pane, labels[name]), "Go to where it is used next")
        assert name in line[player.moment.state.line - 1].replace("[", " ").replace("]", " ")
        assert player.cursor.index > 100


def test_a_line_is_run_to_and_has_a_breakpoint(window):
    window.player.go_to(100)
    box = spot(window.debugger, "line", line=5).box
    choose(menu_at(window.debugger, box), "Breakpoint there")
    assert [(one.operation, one.line, one.offset) for one in window.player.breakpoints] == [
        ("conv1", 5, None)
    ]
    choose(menu_at(window.debugger, box), "Copy the number or the text")
    assert QGuiApplication.clipboard().text() == window.player.moment.operation.tree.source[4].strip()
    choose(menu_at(window.debugger, box), "Run to here")
    assert window.player.moment.state.line == 5


def test_a_layer_and_a_step_of_the_timeline_are_gone_to_and_marked(window):
    choose(menu_at(window.network, spot(window.network, "layer", name="relu1").box), "Run to here")
    assert window.player.cursor.step.operation.name == "relu1"
    bar = window.timeline.bar()
    box = bar._replace(x=round(bar.x + 0.45 * bar.w), w=0)
    there = window.timeline.step_at(box.center[0])
    choose(menu_at(window.timeline, box), "Bookmark there")
    (mark,) = window.player.bookmarks
    assert mark.index_in(window.player.cursor.program) == there
    choose(menu_at(window.timeline, box), "Run to here")
    assert window.player.cursor.index == there


def test_a_number_is_traced_to_the_pixels_and_on_to_the_loss_until_esc_or_a_step(window, qtbot):
    player, program = window.player, window.player.cursor.program
    operation = program.operation("conv2")
    written = program.start("conv2") + operation.step_writing("y", (1, 2, 3))
    player.go_to(written)
    before = window.stage.grab().toImage()
    qtbot.keyClick(window.stage, K.Key_Z)
    shown = player.view.traced
    (pixels,) = shown.ends
    assert [tile.name for tile in shown.way] == ["conv1", "relu1", "pool1", "conv2"]
    # What is written adds up to the number, which is written, too.
    *parts, whole = (float(text.replace("−", "-")) for text in re.findall("−?[0-9.]*[0-9]", shown.sum))
    assert sum(parts) == pytest.approx(whole, abs=2e-4)
    assert whole == pytest.approx(operation.call.writes["y"][1, 2, 3], abs=1e-4)
    assert parts[0] == pytest.approx(pixels.values.sum(), abs=1e-4)
    assert window.stage.grab().toImage() != before
    assert window.stage.accessibleDescription().startswith("Trace back from y at 1, 2, 3 of conv2")
    qtbot.keyClick(window.stage, K.Key_Escape)
    assert player.view.traced is None and player.cursor.index == written
    assert window.stage.grab().toImage() == before
    qtbot.keyClick(window.stage, K.Key_Z, SHIFT)
    assert not player.view.traced.way and "ReLU" in player.view.traced.sum  # which clips it
    largest = np.unravel_index(operation.call.writes["y"].argmax(), operation.call.writes["y"].shape)
    player.go_to(program.start("conv2") + operation.step_writing("y", largest))
    qtbot.keyClick(window.stage, K.Key_Z, SHIFT)
    assert [tile.name for tile in player.view.traced.way][-1] == "softmax"
    qtbot.keyClick(window.stage, K.Key_Right)
    assert player.view.traced is None and player.cursor.index != written


def test_what_is_not_traced_is_said(window):
    player, program = window.player, window.player.cursor.program
    operation = program.operation("conv1.dw")
    player.go_to(program.start("conv1.dw") + operation.step_writing("dw", (0, 0, 1, 1)))
    window.actions_by_name["trace_back"].trigger()
    assert player.view.traced is None and "gradient" in window.message.sentence.text()
    window.desk.open("gradient-descent")
    window.player.go_to(30)
    window.actions_by_name["trace_back"].trigger()
    assert player.view.traced is None and window.message.isVisible()


def test_each_number_of_the_network_pane_is_the_one_that_its_colour_shows(window):
    """Cell by cell over a row's tiles: the menu's number has the colour under the pointer's value."""
    player, program = window.player, window.player.cursor.program
    player.go_to(len(program) - 1)
    pane = window.network
    for name, array in (("relu1", "y"), ("conv2", "y"), ("fc", "y")):
        row = spot(pane, "layer", name=name).box
        tiles = [mark for mark in flat(pane.frame.marks) if isinstance(mark, Cells)]
        tile = min((one for one in tiles if row.contains(*one.box.center)), key=lambda one: one.box.x)
        seen = set()
        for r, c in np.ndindex(tile.values.shape):
            if not np.isfinite(tile.values[r, c]):
                continue
            found = pane.target_at(*tile.box_of(r, c).center)
            made = found.cell
            assert made.operation.name == name and made.array == array
            assert made.operation.call.writes[array][made.index] == tile.values[r, c]
            seen.add(made.index)
        assert len(seen) == np.isfinite(tile.values).sum()
    choose(menu_at(pane, tile.box_of(0, 3)), "Go to where it was computed")
    assert player.moment.state.writes == (("y", (3,)),) and player.moment.operation.name == "fc"


def test_arrows_lead_to_the_numbers_of_the_network_pane_and_enter_opens_their_menus(window, qtbot):
    player, program, pane = window.player, window.player.cursor.program, window.network
    player.go_to(len(program) - 1)
    pane.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(pane, K.Key_Home)
    while pane.chosen.name != "fc":
        qtbot.keyClick(pane, K.Key_Down)
    seen = []
    for key in (K.Key_Right, K.Key_Right, K.Key_Right):
        qtbot.keyClick(pane, key)
        seen.append(pane.target_at(*pane.point_looked_at()).cell.index)
    assert seen == [(0,), (1,), (2,)]
    qtbot.keyClick(pane, K.Key_Return)
    choose(QApplication.activePopupWidget(), "Go to where it was computed")
    assert player.moment.operation.name == "fc" and player.moment.state.writes == (("y", (2,)),)
    row = pane.point_looked_at()
    qtbot.keyClick(pane, K.Key_Right)
    assert pane.point_looked_at() != row
    qtbot.keyClick(pane, K.Key_Left)
    assert pane.point_looked_at() == row and pane.chosen.name == "fc"
    qtbot.keyClick(pane, K.Key_Return)  # of a row it goes there, as before
    assert player.moment.operation.name == "fc"


def test_where_nothing_is_looked_at_the_menu_is_about_what_the_step_has_written(window, qtbot):
    """Not about what happens to lie in the middle of the stage, where nobody has pointed."""
    program, operation = window.player.cursor.program, window.player.cursor.program.operation("conv2")
    window.player.go_to(program.start("conv2") + operation.step_writing("y", (5, 2, 3)))
    assert window.stage.point_looked_at() is None
    qtbot.keyClick(window.stage, K.Key_F10, SHIFT)
    menu = QApplication.activePopupWidget()
    assert words(menu)[0].startswith("y[5, 2, 3] = ")
    menu.hide()


def test_where_nothing_is_no_menu_opens(window):
    from cnnviz.scene.marks import Box

    assert menu_at(window.timeline, Box(0, 0, 4, 4)) is None
    assert menu_at(window.stage, Box(0, 0, 4, 4)) is None


def test_the_keyboard_opens_it_in_every_pane(window, qtbot):
    window.player.go_to(2500)
    window.stage.look()
    qtbot.keyClick(window.stage, K.Key_Return)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu) and menu.accessibleName() == words(menu)[0]
    menu.hide()
    for pane in (window.stage, window.debugger, window.network, window.timeline):
        pane.setFocus(Qt.FocusReason.TabFocusReason)
        if pane is not window.network:
            pane.choose(pane.first(pane.frame))
        qtbot.keyClick(pane, K.Key_F10, SHIFT)
        menu = QApplication.activePopupWidget()
        assert isinstance(menu, QMenu) and len(words(menu)) > 2, pane
        menu.hide()


def test_without_a_menu_the_keys_are_about_what_is_looked_at_or_has_just_been_written(window, qtbot):
    program = window.player.cursor.program
    start = program.start("relu1")
    written = start + program.operation("relu1").step_writing("y", (1, 2, 3))
    window.player.go_to(written)
    qtbot.keyClick(window.stage, K.Key_F12)
    assert window.player.cursor.index == written
    assert window.message.sentence.text().startswith("This very step computed it")
    qtbot.keyClick(window.stage, K.Key_F12, SHIFT)
    after = window.player.moment
    assert after.operation.name == "pool1" and ("x", (1, 2, 3)) in after.state.reads


def test_a_command_of_the_palette_is_about_what_is_looked_at(window, qtbot):
    player, program = window.player, window.player.cursor.program
    player.go_to(program.start("relu1") + program.operation("relu1").step_writing("y", (1, 2, 3)))
    window.stage.look()
    for _ in range(2):
        qtbot.keyClick(window.stage, K.Key_Down)
    _, index = window.stage.frame.at(*window.stage.chosen.center)
    assert index == (1, 4, 3)
    window.actions_by_name["palette"].trigger()
    palette = (
        QApplication.activePopupWidget() or QApplication.activeModalWidget() or QApplication.activeWindow()
    )
    qtbot.keyClicks(palette.focusWidget(), "trace back")
    qtbot.keyClick(palette.focusWidget(), K.Key_Return)
    assert player.view.traced.title.startswith("Trace back from y[1, 4, 3] of relu1")


def test_what_the_palette_does_is_about_the_number_under_the_mouse(window):
    """It opens over the number, which the pointer leaves by that."""
    at = cell(window, "w")[0].center
    window.stage.pointer = at
    window.actions_by_name["palette"].trigger()
    QApplication.sendEvent(window.stage, QEvent(QEvent.Type.Leave))
    window.dialogs.palette.close()
    window.actions_by_name["copy_value"].trigger()
    assert QGuiApplication.clipboard().text() == window.stage.target_at(*at).text
    QApplication.sendEvent(window.stage, QEvent(QEvent.Type.Leave))
    assert window.stage.pointer is None


def test_a_menu_closes_when_its_number_is_gone(window):
    """A remote may open another lesson while a menu is open; its entries were about the one before."""
    menu = menu_at(window.stage, cell(window, "w")[0])
    assert menu is not None and menu.isVisible()
    window.desk.open("chain-rule")
    assert not menu.isVisible()


def test_a_factor_of_the_arithmetic_is_its_cell_and_a_product_has_menus_of_both(window):
    player, program = window.player, window.player.cursor.program
    operation = program.operation("conv2")
    (line,) = (k for k, text in enumerate(operation.tree.source, 1) if "acc +=" in text)
    here = program.start("conv2") + next(k for k in range(700, 900) if operation.line_at(k) == line)
    player.go_to(here)
    read = dict(player.moment.state.reads)
    known = list(spots(window.stage.frame.marks))
    for name in ("x", "w"):
        box = next(one.box for one in known if (one.name, one.index) == (name, read[name]))
        menu = menu_at(window.stage, box)
        assert words(menu)[0].startswith(f"{name}[{', '.join(map(str, read[name]))}] = ")
        menu.hide()
    product = max((one for one in known if one.kind == "terms" and one.count == 1), key=lambda one: one.line)
    menu = menu_at(window.stage, product.box)
    factors = {action.text()[0]: action.menu() for action in menu.actions() if action.menu()}
    assert set(factors) == {"x", "w"} and "Run to here" in words(menu)
    menu.hide()
    choose(factors["x"], "Go to where it was computed")
    ((_, at),) = player.moment.state.writes
    assert player.moment.state.arrays["y"][at] == operation.call.given["x"][read["x"]]
    assert player.moment.operation.name == "pool1"
    player.go_to(here)
    total = next(one.box for one in known if (one.kind, one.name) == ("value", "acc"))
    choose(menu_at(window.stage, total), "Go to where it is used next")
    assert player.cursor.index == here + 2  # after the header, the next term


def test_the_arithmetic_is_copied_as_text_and_as_latex_from_a_number_and_from_the_palette(window):
    window.player.go_to(2500)
    box, clipboard = cell(window, "w")[0], QGuiApplication.clipboard()
    choose(menu_at(window.stage, box), "Copy the arithmetic as text")
    text = clipboard.text()
    assert "acc" in text and "·" in text
    window.actions_by_name["copy_latex"].trigger()
    numbers = re.findall(r"\d+\.\d+", text)
    latex = clipboard.text()
    assert len(numbers) > 4 and latex.startswith(r"\begin{align*}") and r"\sum" in latex
    assert re.findall(r"\d+\.\d+", latex)[-len(numbers) :] == numbers


def test_the_map_that_a_number_is_in_is_copied_as_a_table_as_latex_and_as_a_picture(window):
    player, program, clipboard = window.player, window.player.cursor.program, QGuiApplication.clipboard()
    player.go_to(1415)  # in the middle of a map
    state = player.moment.state
    for array in ("w", "y"):
        box, index = cell(window, array)
        shown, there = state.arrays[array][index[:-2]], np.ones(state.arrays[array][index[:-2]].shape, bool)
        if array == "y":
            there = state.written("y")[index[:-2]]
            assert there.any() and not there.all()
        choose(menu_at(window.stage, box), "Copy the map that it is in as text, with tabs")
        rows = [line.split("\t") for line in clipboard.text().splitlines()]
        assert np.shape(rows) == shown.shape
        read = np.array([[float(text or "nan") for text in row] for row in rows])
        assert np.allclose(read[there], shown[there], rtol=1e-8) and np.isnan(read[~there]).all()
        choose(menu_at(window.stage, box), "Copy the map that it is in as LaTeX")
        latex = clipboard.text()
        assert f"{{{array}}}_{{{', '.join(map(str, index[:-2]))}}} = \\left[" in latex
        lines = latex.split("}\n", 1)[1].split("\n\\end")[0].split(" \\\\\n")
        written = [[text.strip() for text in line.split("&")] for line in lines]
        assert np.shape(written) == shown.shape
        read = np.array([[float(text or "nan") for text in row] for row in written])
        assert np.abs(read - shown)[there].max() <= 0.005
        choose(menu_at(window.stage, box), "Copy the map that it is in as a picture")
        picture = clipboard.image()
        assert picture.height() / picture.width() == pytest.approx(shown.shape[0] / shown.shape[1], rel=0.6)
    player.go_to(program.start("relu1") + 40)
    target = network_target(player.moment, program.operation("conv1"), "y", (1, 0, 0))
    assert as_text(map_of(player.moment, target.cell)).count("\t") == 8 * 7, "of another operation, whole"
    later = network_target(player.moment, program.operation("fc"), "y", (3,))
    assert as_text(map_of(player.moment, later.cell)).split() == [], "what is still to come is not told"
