"""What a monkey does: keys, clicks, drags, the wheel, words, sizes, lessons. Each is data, to be done again.

Places are parts of a widget's size, widgets parts of the list of those that can be seen: so an action has a
meaning whatever is on the screen.
"""

from __future__ import annotations

import random
from typing import Any

from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QKeyEvent, QKeySequence, QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from shiboken6 import isValid

from cnnviz.ui.keys import KEYS

Action = list[Any]

OTHER_KEYS = [
    *("Tab", "Shift+Tab", "Return", "Enter", "Esc", "Up", "Down", "Space", "Backspace", "Del", "Ctrl+A"),
    *("Alt+F", "Alt+V", "Alt+S", "Alt+T", "Menu", "Shift+F10", "Ctrl+Tab", "F2", "Ctrl+V", "Ctrl+X", "PgUp"),
]
WORDS = [
    *("0", "7", "12", "-5", "1e400", "99999999999999999999", "3.5", "1,5", " ", "=", "((((", "ä∂∞"),
    *(
        "conv1",
        "conv1[0,0,1]",
        "conv2.dx[1,2,3]",
        "loss[0]",
        "fc.w[3]",
        "relu1",
        "digits",
        "next stop",
        "[1 1]",
    ),
    *(
        "f = x*y + z x=1 y=-2 z=3",
        "x / 0 x=1",
        "(x+y)**9 x=1e200 y=3",
        "x**y x=2 y=0.5",
        "log(x) x=0",
        "x x=",
    ),
    *("relu(a*b) + sigmoid(a) a=1e308 b=-1e308", "L = (a+b)*(a-b)/c a=1 b=2 c=0", "0.001", "frames", "nix"),
    *("acc < 0 and i == j", "y[0].max()", "abs(fc.dw).mean() > 0.1", "conv1.w[0,0,1,1]", "y[", "not y"),
]
SIZES = [
    *((320, 240), (640, 480), (800, 600), (1000, 620), (1024, 768), (1280, 720), (1366, 768), (1920, 1080)),
    *((1080, 1920), (2560, 1080), (3840, 2160), (1200, 400), (500, 1400)),
]
LESSONS = [
    *("image", "convolution", "depth", "stride-padding", "relu", "pooling", "fully-connected", "training"),
    *(
        "sigmoid-softmax",
        "forward",
        "gradient-descent",
        "chain-rule",
        "backward-fc",
        "backward-conv",
        "digits",
    ),
]
FILES = ["wrong.toml", "overflow.toml", "scores.toml", "missing.toml", "picture.png", "chain-rule copy.toml"]

_LEFT, _RIGHT = "left", "right"
_BUTTONS = {_LEFT: Qt.MouseButton.LeftButton, _RIGHT: Qt.MouseButton.RightButton}
_MODIFIERS = {
    "": Qt.KeyboardModifier.NoModifier,
    "Shift": Qt.KeyboardModifier.ShiftModifier,
    "Ctrl": Qt.KeyboardModifier.ControlModifier,
}


def drawn(rng: random.Random) -> Action:
    """What to do next."""
    kind = rng.choices(list(_KINDS), [weight for weight, _ in _KINDS.values()])[0]
    return [kind, *_KINDS[kind][1](rng)]


def _key(rng: random.Random) -> Action:
    ours = [sequence for key in KEYS.values() for sequence in key.keys]
    key = rng.choice(ours if rng.random() < 0.8 else OTHER_KEYS)
    return [key, rng.choice([1, 1, 1, 2, 5, 20])]


def _place(rng: random.Random) -> Action:
    """A widget, by its number among those seen or by what lies at a point of the window; a place in it."""
    return [round(rng.random(), 4) if rng.random() < 0.4 else None, *(round(rng.random(), 4) for _ in "xy")]


def _click(rng: random.Random) -> Action:
    button = _RIGHT if rng.random() < 0.2 else _LEFT
    return [*_place(rng), button, rng.choice(["", "", "", "Shift", "Ctrl"]), rng.random() < 0.1]


_KINDS: dict[str, tuple[float, Any]] = {
    "key": (40, _key),
    "click": (20, _click),
    "hover": (8, _place),
    "drag": (5, lambda rng: [*_place(rng), round(rng.random(), 4), round(rng.random(), 4)]),
    "wheel": (5, lambda rng: [*_place(rng), rng.choice([-1200, -120, 120, 1200]), rng.choice(["", "Ctrl"])]),
    "type": (6, lambda rng: [rng.choice(WORDS), rng.random() < 0.6]),
    "action": (4, lambda rng: [rng.choice(sorted(set(KEYS) - {"quit"}))]),
    "size": (3, lambda rng: list(rng.choice(SIZES)) if rng.random() < 0.6 else _any_size(rng)),
    "lesson": (1.5, lambda rng: [rng.choice(LESSONS)]),
    "drop": (0.7, lambda rng: [rng.choice(FILES)]),
    "wait": (6, lambda rng: [rng.choice([5, 20, 50, 200, 500])]),
    "reopen": (0.3, lambda rng: []),
}


def _any_size(rng: random.Random) -> Action:
    return [rng.randrange(100, 3000), rng.randrange(100, 2500)]


# ------------------------------------------------------------------------------------------- doing it


def do(action: Action, window: Any) -> None:
    """Do one of them, as a person would: to the menu or dialog that is open, else to the window."""
    kind, *rest = action
    _DOING[kind](window, *rest)


def presses(action: Action | None) -> int:
    """Return how many things an action asks for, one after the other: a key may be pressed many times."""
    return int(action[2]) if action is not None and action[0] == "key" else 1


def _top(window: QWidget) -> QWidget:
    return QApplication.activePopupWidget() or QApplication.activeModalWidget() or window


# PySide lets go of a widget's children together with the name that Python has for it.
_held: list[QWidget] = []


def _found(window: QWidget, number: float | None, x: float, y: float) -> tuple[QWidget, QPoint]:
    top = _top(window)
    if number is None:
        at = QPoint(int(x * top.width()), int(y * top.height()))
        widget = top.childAt(at) or top
        _held[:] = [top, widget]
        return widget, widget.mapFrom(top, at)
    seen = [top, *(child for child in top.findChildren(QWidget) if child.isVisibleTo(top))]
    _held[:] = seen
    widget = seen[min(int(number * len(seen)), len(seen) - 1)]  # 1.0 is drawn, too: numbers are rounded
    return widget, QPoint(int(x * widget.width()), int(y * widget.height()))


def _press(window: QWidget, sequence: str, times: int) -> None:
    for _ in range(times):
        # What opens or closes in between takes the keys that follow.
        target = QApplication.activePopupWidget() or QApplication.focusWidget() or _top(window)
        combination = QKeySequence(sequence)[0]
        QTest.keyClick(target, combination.key(), combination.keyboardModifiers())


def _clicked(
    window: QWidget, number: float | None, x: float, y: float, button: str, modifier: str, double: bool
) -> None:
    widget, at = _found(window, number, x, y)
    press = QTest.mouseDClick if double else QTest.mouseClick
    press(widget, _BUTTONS[button], _MODIFIERS[modifier], at)


def _hovered(window: QWidget, number: float | None, x: float, y: float) -> None:
    QTest.mouseMove(*_found(window, number, x, y))


def _dragged(window: QWidget, number: float | None, x: float, y: float, to_x: float, to_y: float) -> None:
    widget, at = _found(window, number, x, y)
    end = QPoint(int(to_x * widget.width()), int(to_y * widget.height()))
    QTest.mousePress(widget, Qt.MouseButton.LeftButton, pos=at)
    for k in range(1, 6):
        if isValid(widget):  # a press may have closed it
            _mouse(widget, QEvent.Type.MouseMove, at + (end - at) * k / 5, Qt.MouseButton.LeftButton)
    if isValid(widget):
        QTest.mouseRelease(widget, Qt.MouseButton.LeftButton, pos=end)


def _mouse(widget: QWidget, kind: QEvent.Type, at: QPoint, held: Qt.MouseButton) -> None:
    there = QPointF(widget.mapToGlobal(at))
    button = Qt.MouseButton.NoButton
    event = QMouseEvent(kind, QPointF(at), there, button, held, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(widget, event)


def _rolled(window: QWidget, number: float | None, x: float, y: float, angle: int, modifier: str) -> None:
    widget, at = _found(window, number, x, y)
    event = QWheelEvent(
        QPointF(at),
        QPointF(widget.mapToGlobal(at)),
        QPoint(),
        QPoint(0, angle),
        Qt.MouseButton.NoButton,
        _MODIFIERS[modifier],
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def _typed(window: QWidget, text: str, enter: bool) -> None:
    for letter in text:
        target = QApplication.activePopupWidget() or QApplication.focusWidget() or _top(window)
        if letter.isascii():
            QTest.keyClick(target, letter)
        else:
            for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
                key = QKeyEvent(kind, 0, Qt.KeyboardModifier.NoModifier, letter)
                QApplication.sendEvent(target, key)
    if enter:
        _press(window, "Return", 1)


def _dropped(window: QWidget, file: str) -> None:
    """Let go of a file over the window."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(file)])
    event = QDropEvent(
        QPointF(50, 50),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    window.dropEvent(event)


_DOING: dict[str, Any] = {
    "key": _press,
    "click": _clicked,
    "hover": _hovered,
    "drag": _dragged,
    "wheel": _rolled,
    "type": _typed,
    "action": lambda window, name: window.actions_by_name[name].trigger(),
    "size": lambda window, width, height: window.resize(width, height),
    "lesson": lambda window, name: window.desk.open(name),
    "drop": _dropped,
}
