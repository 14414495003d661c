"""Which path from the loss the chain strip follows: chosen by mouse and key, kept, saved, exported."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QPoint, Qt

from cnnviz.app import main
from cnnviz.render.image import to_image
from cnnviz.scene.frame import compose
from cnnviz.scene.marks import Group, Hotspot
from cnnviz.scene.marks import Path as Line
from cnnviz.scene.view import View
from tests.scene.looking import said
from tests.scene.test_network_pane import residual
from tests.ui.test_panes import LEFT, center

FILE = Path(__file__).parents[1] / "lesson" / "files" / "residual-block.toml"


@pytest.fixture
def player(window):
    program = residual(2, False)[1]
    window.player.load(program, program.start("stem.dw"))
    QCoreApplication.processEvents()
    return window.player


def shown(window) -> set[str]:
    return set(said(window.stage.frame.marks))


def place(window, by: int):
    return center(
        next(
            m.box
            for m in window.stage.frame.marks
            if isinstance(m, Hotspot) and (m.kind, m.line) == ("path", by)
        )
    )


def test_a_click_on_the_strip_follows_the_next_path_and_goes_nowhere(window, player, qtbot):
    step = player.cursor.index
    assert {"1 / 4", "through add0.dx1,", "add1.dx1"} <= shown(window)
    qtbot.mouseClick(window.stage, LEFT, pos=place(window, 1))
    assert {"2 / 4", "through add0.dx2,", "add1.dx1"} <= shown(window)
    qtbot.mouseClick(window.stage, LEFT, pos=place(window, -1))
    qtbot.mouseClick(window.stage, LEFT, pos=place(window, -1))
    assert {"4 / 4", "through add0.dx2,", "add1.dx2"} <= shown(window)
    assert player.cursor.index == step


def test_a_click_on_a_line_of_the_network_follows_the_path_on_it(window, player, qtbot):
    def lanes():
        return [m for m in window.network.frame.marks if isinstance(m, Hotspot) and m.kind == "lane"]

    def followed():
        marks = [
            mark for group in window.network.frame.marks if isinstance(group, Group) for mark in group.marks
        ]
        return {mark.points[0] for mark in marks if isinstance(mark, Line) and mark.role == "accent"}

    step, usual = player.cursor.index, followed()
    assert {lane.name for lane in lanes()} == {"add0.dx2", "add1.dx2"}
    for name in ("add0.dx2", "add1.dx2"):
        at = [lane.box for lane in lanes() if lane.name == name][-1]
        point = QPoint(round(at.center[0]), round(at.bottom - 3))
        assert window.network.said_at(point.x(), point.y()) == (f"A click follows the path through {name}.",)
        qtbot.mouseClick(window.network, LEFT, pos=point)
    assert player.view.paths == ("add0.dx2", "add1.dx2") and player.cursor.index == step
    assert "4 / 4" in shown(window) and followed() != usual
    assert {lane.name for lane in lanes()} == {
        "fc10.dx",
        "relu0.dx",
        "fc20.dx",
        "fc11.dx",
        "relu1.dx",
        "fc21.dx",
    } | {
        "add0.dx1",
        "add1.dx1",
    }


def test_a_key_follows_the_next_path_and_it_stays_while_one_stays_in_the_lesson(
    window, player, qtbot, lesson
):
    qtbot.keyClick(window.stage, Qt.Key.Key_P)
    assert "2 / 4" in shown(window)
    player.go_to(player.cursor.program.start("stem.db"))
    assert "through add0.dx2," in shown(window)
    program = player.cursor.program
    player.load(program, program.start("stem.dw"))
    assert "2 / 4" in shown(window), "another iteration or image of the same layers"
    qtbot.keyClick(window.stage, Qt.Key.Key_P, Qt.KeyboardModifier.ShiftModifier)
    assert "1 / 4" in shown(window)
    qtbot.keyClick(window.stage, Qt.Key.Key_P)
    player.load(lesson.program, 0)
    assert player.view.paths == ()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("stem", "Paths are chosen where a gradient is computed: go to one first."),
        ("stem.dy", "Here all gradients that come back are shown, so that none is to be chosen."),
        ("add1.dx", "From the loss to this gradient there is one path only."),
    ],
)
def test_where_there_is_nothing_to_choose_it_is_said(window, player, qtbot, name, told):
    failed: list[str] = []
    player.noted.connect(failed.append)
    player.go_to(player.cursor.program.start(name))
    qtbot.keyClick(window.stage, Qt.Key.Key_P)
    assert failed == [told] and player.view.paths == ()


def test_a_saved_frame_follows_the_same_path_and_has_the_same_blocks_folded(window, player):
    player.follow_path()
    player.fold(next(item.name for item in window.network.rows.rows.items if item.kind == "open"), True)
    view = View(1920, 1080, title=player.view.title, paths=player.view.paths, folds=player.view.folds)
    frame = compose(player.cursor.program, player.cursor.index, view)
    assert "through add0.dx2," in said(frame.marks)
    assert "▸ add0" in said(frame.marks)
    assert window.pictures.image() == to_image(frame, "light")


def test_an_export_is_told_which_path_to_follow(tmp_path: Path, capsys):
    command, made = (
        ["export", str(FILE), *["--from", "stem.dw", "--to", "stem.dw", "--size", "1280x720", "-o"]],
        {},
    )
    for name, options in (("near", []), ("far", ["--through", "add.dx2"])):
        assert main([*command, str(tmp_path / name), *options]) == 0
        made[name] = sorted(path.read_bytes() for path in (tmp_path / name).glob("*.png"))
    assert made["near"] and made["near"] != made["far"]
    capsys.readouterr()
    assert main([*command, str(tmp_path / "far")]) == 2
    assert main(["export", str(FILE), "-o", str(tmp_path / "none"), "--through", "fc.dw"]) == 2
    told = capsys.readouterr().err
    assert "fc.dw: no gradient of this name is added up with others; there is conv1.dx, add.dx2." in told
