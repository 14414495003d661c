"""The window's actions and menus, made from the one table of keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow

from cnnviz.scene.marks import SCALES
from cnnviz.text import tr
from cnnviz.trace.stops import Level
from cnnviz.ui.keys import KEYS, MENUS
from cnnviz.ui.player import Player


def make_actions(window: QMainWindow) -> dict[str, QAction]:
    """Return every action with its words and keys; they work while the menu bar is hidden, too."""
    actions: dict[str, QAction] = {}
    for name, key in KEYS.items():
        action = QAction(tr(key.text), window)
        action.setShortcuts([QKeySequence(text) for text in key.keys])
        action.setCheckable(key.checkable)
        action.setMenuRole(QAction.MenuRole.NoRole)
        window.addAction(action)
        actions[name] = action
    for choices in ([level.value for level in Level], [f"scale_{scale}" for scale in SCALES]):
        group = QActionGroup(window)
        for name in choices:
            group.addAction(actions[name])
    actions["quit"].setMenuRole(QAction.MenuRole.QuitRole)
    actions["about"].setMenuRole(QAction.MenuRole.AboutRole)
    return actions


def moves(player: Player) -> dict[str, Callable[[], object]]:
    """Return what the actions of the menu Step do to the player."""

    def move(name: str, *arguments: object) -> Callable[[], object]:
        return lambda: player.go(getattr(player.cursor, name)(*arguments))

    return {
        **{level.value: partial(player.set_level, level) for level in Level},
        "next": player.step,
        "back": partial(player.step, backwards=True),
        "play": player.toggle,
        "into": move("into"),
        "over": player.step,
        "out": player.step_out,
        "next_layer": move("next", Level.LAYER),
        "back_layer": move("previous", Level.LAYER),
        "next_pass": move("next", Level.PASS),
        "back_pass": move("previous", Level.PASS),
        "breakpoint": player.toggle_here,
        "run": player.run,
        "run_back": partial(player.run, backwards=True),
        "clear": player.clear_breakpoints,
        "end": lambda: player.go_to(len(player.cursor.program) - 1),
        "faster": partial(player.shift, 1),
        "slower": partial(player.shift, -1),
    }


def connect(actions: Mapping[str, QAction], handlers: Mapping[str, Callable[[], object]]) -> None:
    """Let each action do what its handler does; every one must have one."""
    for name, action in actions.items():
        action.triggered.connect(lambda _checked=False, name=name: handlers[name]())


def fill_menu_bar(window: QMainWindow, actions: Mapping[str, QAction]) -> None:
    """Put the actions into the menu bar; Alt and its first letter open a menu, where systems have that."""
    for title, keys in MENUS:
        menu = window.menuBar().addMenu("&" + tr(title))
        for key in keys:
            if key.name:
                menu.addAction(actions[key.name])
            else:
                menu.addSeparator()
