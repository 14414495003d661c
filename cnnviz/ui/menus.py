"""The window's actions and menus, made from the one table of keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMainWindow

from cnnviz.scene.display import Display
from cnnviz.text import tr
from cnnviz.trace.cursor import Cursor
from cnnviz.trace.stops import Level
from cnnviz.ui.keys import KEYS, MENUS, REPEATING, Choice
from cnnviz.ui.player import Player
from cnnviz.ui.reader import tell


def make_actions(window: QMainWindow) -> dict[str, QAction]:
    """Return every action with its words; they work while the menu bar is hidden, too."""
    actions: dict[str, QAction] = {}
    for name, key in KEYS.items():
        action = QAction(tr(key.text), window)
        action.setAutoRepeat(name in REPEATING)
        action.setCheckable(key.checkable)
        action.setMenuRole(QAction.MenuRole.NoRole)
        window.addAction(action)
        actions[name] = action
    levels = [level.value for level in Level]
    for names in (levels, *_one_of_several().values()):
        group = QActionGroup(window)
        for name in names:
            group.addAction(actions[name])
    actions["quit"].setMenuRole(QAction.MenuRole.QuitRole)
    actions["about"].setMenuRole(QAction.MenuRole.AboutRole)
    return actions


def _one_of_several() -> dict[str, list[str]]:
    """Return the actions that choose a value each, by the option of how things are shown."""
    found: dict[str, list[str]] = {}
    for key in KEYS.values():
        if key.choice and key.checkable and key.choice.value is not None:
            found.setdefault(key.choice.option, []).append(key.name)
    return found


def choices(player: Player) -> dict[str, Callable[[], object]]:
    """Return what the actions do that change how things are shown."""

    def take(choice: Choice) -> None:
        player.show(choice.taken(player.display))

    return {key.name: partial(take, key.choice) for key in KEYS.values() if key.choice}


def check_choices(actions: Mapping[str, QAction], display: Display) -> None:
    """Let the menu say how things are shown."""
    for key in KEYS.values():
        if key.choice and key.checkable:
            actions[key.name].setChecked(key.choice.holds(display))


def moves(player: Player) -> dict[str, Callable[[], object]]:
    """Return what the actions of the menu Step do to the player."""

    def going(move: Callable[[Cursor], Cursor]) -> Callable[[], object]:
        return lambda: player.go(move(player.cursor))

    return {
        **{level.value: partial(player.set_level, level) for level in Level},
        "next": player.step,
        "back": partial(player.step, backwards=True),
        "play": player.toggle,
        "into": going(Cursor.into),
        "over": player.step,
        "out": player.step_out,
        "next_layer": going(lambda cursor: cursor.next(Level.LAYER)),
        "back_layer": going(lambda cursor: cursor.previous(Level.LAYER)),
        "next_pass": going(lambda cursor: cursor.next(Level.PASS)),
        "back_pass": going(lambda cursor: cursor.previous(Level.PASS)),
        "breakpoint": player.toggle_here,
        "clear": player.clear_breakpoints,
        "end": lambda: player.jump_to(len(player.cursor.program) - 1),
        "next_sample": player.follow_sample,
        "back_sample": partial(player.follow_sample, -1),
        "next_path": player.follow_path,
        "back_path": partial(player.follow_path, -1),
        "faster": partial(player.shift, 1),
        "slower": partial(player.shift, -1),
    }


def connect(
    window: QMainWindow, actions: Mapping[str, QAction], handlers: Mapping[str, Callable[[], object]]
) -> None:
    """Let each action do what its handler does; every one must have one. What is on or off is told."""

    def do(name: str, action: QAction) -> None:
        switches = action.isCheckable()  # asked before: what others do may end the window
        handlers[name]()
        if switches:
            state = tr("on") if action.isChecked() else tr("off")
            tell(window, tr("{action}: {state}", action=action.text(), state=state))

    for name, action in actions.items():
        action.triggered.connect(lambda _checked=False, name=name, action=action: do(name, action))


def fill_menu_bar(window: QMainWindow, actions: Mapping[str, QAction]) -> None:
    """Put the actions into the menu bar; Alt and its first letter open a menu, where systems have that."""
    for title, keys in MENUS:
        menu = window.menuBar().addMenu("&" + tr(title))
        for key in keys:
            if key.name:
                menu.addAction(actions[key.name])
            else:
                menu.addSeparator()
