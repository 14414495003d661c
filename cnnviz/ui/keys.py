"""Every action of the window with its words and keys: one table for menus, tooltips and the keys sheet."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace
from PySide6.QtCore import QEvent, QKeyCombination, QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QSpinBox,
    QToolButton,
    QWidget,
)

from cnnviz.scene.display import OPTIONS, Display, Value
from cnnviz.text import tr
from cnnviz.trace.stops import Level
from cnnviz.ui.pane import FramePane
from cnnviz.ui.player import Player


class Choice(Struct, frozen=True):
    """A change of one option of how things are shown.

    Attributes
    ----------
    option : str
        Which.
    value : Value, optional
        What it becomes; the next of its values, and after the last the first, where it is not given.
    by : int
        So many values further on, or back, instead; the last one and the first stay.
    """

    option: str
    value: Value | None = None
    by: int = 0

    def taken(self, display: Display) -> Display:
        """Return how things are shown after it."""
        values = list(OPTIONS[self.option].values)
        at = values.index(getattr(display, self.option))
        if self.by:
            value = values[max(0, min(at + self.by, len(values) - 1))]
        else:
            value = values[(at + 1) % len(values)] if self.value is None else self.value
        return replace(display, **{self.option: value})

    def holds(self, display: Display) -> bool:
        """Return whether things are shown so; without a value, whether what is on or off is on."""
        return getattr(display, self.option) == (True if self.value is None else self.value)


class Key(Struct, frozen=True):
    """One thing that can be done.

    Attributes
    ----------
    name : str
        What the program calls it.
    text : str
        What menus and tooltips call it.
    keys : tuple[str, ...]
        Its keys, the one to be shown first.
    checkable : bool
        Whether it is on or off.
    choice : Choice, optional
        What it changes of how things are shown, if that is all that it does.
    also : str
        Other words that the palette finds it by.
    """

    name: str
    text: str
    keys: tuple[str, ...] = ()
    checkable: bool = False
    choice: Choice | None = None
    also: str = ""


SEPARATOR = Key("", "")
LESSONS = Key("lessons", "Lessons…", ("O",))

FILE = (
    Key("open", "Open lesson…", ("Ctrl+O",)),
    Key("recent", "Open recent"),
    LESSONS,
    Key("save_lesson", "Save lesson", ("Ctrl+S",)),
    Key("save_lesson_as", "Save lesson as…", ("Ctrl+Shift+S",)),
    SEPARATOR,
    Key("image", "Choose image…", ("I",)),
    Key("input", "Input of the network…"),
    Key("draw", "Draw what goes in…", ("Ctrl+D",)),
    Key("preset", "How the picture is read…"),
    Key("data", "How the data are read…"),
    Key("label", "Label of the input…"),
    Key("expression", "Type an expression…", ("E",)),
    SEPARATOR,
    Key("save", "Save frame as picture…", ("Ctrl+E",)),
    Key("export", "Export frames…", ("Ctrl+Shift+E",)),
    Key("sheets", "Hand sheets and questions…"),
    Key("copy", "Copy frame", ("Ctrl+C",)),
    Key("paste", "Paste a picture, or a file", ("Ctrl+V",)),
    SEPARATOR,
    Key("quit", "Quit", ("Ctrl+Q",)),
)
EDIT = (
    Key("undo", "Undo", ("Ctrl+Z",)),
    Key("redo", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y")),
    SEPARATOR,
    Key("changes", "What differs from the lesson…", ("Shift+F2",), also="edits badge revert modified"),
    Key("take_back", "Take back all changes of the lesson"),
    SEPARATOR,
    Key("stop_here", "Make a stop of the lesson here…", ("Ctrl+Shift+N",)),
    Key("edit_stops", "Edit the title and the stops of the lesson…"),
)
VIEW = (
    Key("network", "Network", checkable=True),
    Key("debugger", "Listing and variables", checkable=True),
    Key("timeline", "Timeline", checkable=True),
    SEPARATOR,
    Key("theme", "Light or dark", ("T",), choice=Choice("theme")),
    Key("high_contrast", "High contrast", ("H",), True, Choice("high_contrast")),
    Key("letters", "Letters instead of numbers", ("A",), True, Choice("letters")),
    Key(
        "compare",
        "Compare with the lesson: before, after, difference",
        ("Q",),
        True,
        Choice("compare"),
        also="diff what if side by side",
    ),
    Key("glide", "Glide between steps", checkable=True),
    SEPARATOR,
    Key("scale_array", "Colour scale: each array by itself", ("7",), True, Choice("scale", "array")),
    Key("scale_layer", "Colour scale: the whole layer", ("8",), True, Choice("scale", "layer")),
    Key("scale_network", "Colour scale: the whole network", ("9",), True, Choice("scale", "network")),
    SEPARATOR,
    Key("bigger", "Bigger", ("Ctrl++", "Ctrl+="), choice=Choice("zoom", by=1)),
    Key("smaller", "Smaller", ("Ctrl+-",), choice=Choice("zoom", by=-1)),
    Key("usual", "Usual size", ("Ctrl+0",), choice=Choice("zoom", 100)),
    Key("larger_text", "Larger text", choice=Choice("text", by=1)),
    Key("smaller_text", "Smaller text", choice=Choice("text", by=-1)),
    SEPARATOR,
    Key("full", "Full screen", ("F",), checkable=True),
    Key("lecture", "Lecture view", ("Ctrl+L",), checkable=True),
    Key("presenter", "Presenter window", ("Ctrl+Shift+L",), checkable=True),
    Key("restart_time", "Restart the time of the lecture", ("R",)),
    Key("swap", "Swap screens: laptop, projector", ("S",)),
    Key("black", "Black screen", ("B", ".")),
    Key("white", "White screen", ("W",)),
)
STEP = (
    Key("next", "Step", ("PgDown", "Right")),
    Key("back", "Step back", ("PgUp", "Left")),
    Key("play", "Play, pause", ("F5", "K", "Space")),
    Key("escape", "Pause; twice: leave the lecture view", ("Esc",)),
    SEPARATOR,
    Key("into", "Into: step finer", ("F11", "D")),  # macOS keeps F11 for itself
    Key("over", "Over: step on", ("F10",)),
    Key("out", "Out: step coarser", ("Shift+F11", "U")),
    SEPARATOR,
    Key("next_layer", "Next layer", ("Shift+Right",)),
    Key("back_layer", "Previous layer", ("Shift+Left",)),
    Key("next_pass", "Next pass", ("Ctrl+Right",)),
    Key("back_pass", "Previous pass", ("Ctrl+Left",)),
    SEPARATOR,
    Key("breakpoint", "Breakpoint here", ("F9",)),
    Key("run", "Run to the next breakpoint", ("L",), also="continue go on"),
    Key("run_back", "Run back to the previous breakpoint", ("J",), also="continue reverse"),
    Key(
        "breakpoints",
        "Breakpoints: list, conditions…",
        ("Ctrl+F9",),
        also="conditional stop when ReLU clips NaN infinity prediction expression debugger",
    ),
    Key("clear", "Clear all breakpoints"),
    Key(
        "watches",
        "Watches: list, table, curve…",
        ("Ctrl+Shift+F9",),
        also="expression variable plot history debugger",
    ),
    Key("bookmark", "Bookmark here", ("Ctrl+B",)),
    SEPARATOR,
    Key("next_stop", "Next stop of the lesson", ("N",)),
    Key("back_stop", "Previous stop of the lesson", ("Shift+N",)),
    SEPARATOR,
    Key("input_gradient", "Input gradient: gathered or scattered", ("V",)),
    Key("next_sample", "Next sample of the batch", ("X",)),
    Key("back_sample", "Previous sample of the batch", ("Shift+X",)),
    Key("next_path", "Chain rule: next path from the loss", ("P",)),
    Key("back_path", "Chain rule: previous path from the loss", ("Shift+P",)),
    SEPARATOR,
    Key("start", "Go to the start", ("Home",)),
    Key("end", "Go to the end", ("End",)),
    Key("go", "Go to a step or cell…", ("Ctrl+G",)),
    Key("back_place", "Back to the place before", ("Alt+Left",), also="history"),
    Key("next_place", "Forward to the place after", ("Alt+Right",), also="history"),
    Key("next_channel", "Bring the next channel to the front", ("M",)),
    Key("back_channel", "Bring the previous channel to the front", ("Shift+M",)),
    Key("pin", "Pin the card at a number; again: take it away", ("Y",)),
    Key("look", "Look at a number: arrows, Enter; again: change it", ("F2",)),
    SEPARATOR,
    Key("line", "Step by line", ("1",), checkable=True),
    Key("term", "Step by term", ("2",), checkable=True),
    Key("cell", "Step by cell", ("3",), checkable=True),
    Key("map", "Step by map", ("4",), checkable=True),
    Key("layer", "Step by layer", ("5",), checkable=True),
    Key("pass", "Step by pass", ("6",), checkable=True),
    Key("stop", "Step by stop of the lesson", ("0",), checkable=True),
    SEPARATOR,
    Key("faster", "Play faster", ("+", "=")),
    Key("slower", "Play slower", ("-",)),
    SEPARATOR,
    Key("rate_down", "Smaller learning rate", ("[",)),
    Key("rate_up", "Larger learning rate", ("]",)),
)
NUMBER = (
    Key("menu", "What can be done with what is looked at…", ("Shift+F10", "Menu")),
    SEPARATOR,
    Key("where_from", "Go to where it was computed", ("F12",), also="origin source definition precedents"),
    Key("where_to", "Go to where it is used next", ("Shift+F12",), also="readers references dependents"),
    Key(
        "trace_back",
        "Trace back: what it is made of, to the pixels",
        ("Z",),
        also="receptive field contributions attribution precedents heatmap",
    ),
    Key(
        "trace_forward",
        "Trace forward: what it reaches, to the loss",
        ("Shift+Z",),
        also="influence reaches dependents heatmap",
    ),
    Key("run_there", "Run to here", ("Ctrl+F10",), also="continue to cursor"),
    SEPARATOR,
    Key("break_there", "Breakpoint there", ("Shift+F9",)),
    Key("break_written", "Breakpoint when it is written"),
    Key("break_read", "Breakpoint when it is read"),
    Key("break_negative", "Breakpoint when it becomes negative", also="condition"),
    Key("watch_there", "Watch it", ("Ctrl+Shift+F12",)),
    Key("bookmark_there", "Bookmark there"),
    SEPARATOR,
    Key(
        "edit",
        "Change the number…",
        ("F4",),
        also="edit weight bias pixel target label gamma learning rate value what if",
    ),
    Key("kernel", "Kernel: identity, edges, Sobel, sharpen, blur, emboss…", also="filter preset edit"),
    Key(
        "arguments",
        "Change arguments, or anything by its name…",
        ("Shift+F4",),
        also="edit stride padding dilation learning rate optimiser what if",
    ),
    Key("check", "Check the gradient…", ("Ctrl+F4",), also="finite difference numerical gradient epsilon"),
    SEPARATOR,
    Key("copy_value", "Copy the number or the text", ("Ctrl+Shift+C",)),
    Key("copy_text", "Copy the arithmetic as text"),
    Key("copy_latex", "Copy the arithmetic as LaTeX"),
    Key("table_text", "Copy the map that it is in as text, with tabs"),
    Key("table_latex", "Copy the map that it is in as LaTeX"),
    Key("table_picture", "Copy the map that it is in as a picture"),
)
TRAINING = (
    Key("train", "Train, pause", ("G",)),
    Key("cancel_training", "End the training here"),
    SEPARATOR,
    Key("next_iteration", "Next iteration", ("Alt+Down",)),
    Key("back_iteration", "Previous iteration", ("Alt+Up",)),
    SEPARATOR,
    Key("curves", "Curves and kernels", ("C",), checkable=True),
)
HELP = (
    Key("palette", "Command palette…", ("Ctrl+Shift+P",)),
    LESSONS,
    SEPARATOR,
    Key("keys", "Keys…", ("F1",)),
    Key("tour", "Tour of the window"),
    Key("about", "About cnnviz"),
)
MENUS = (
    ("File", FILE),
    ("Edit", EDIT),
    ("View", VIEW),
    ("Step", STEP),
    ("Number", NUMBER),
    ("Training", TRAINING),
    ("Help", HELP),
)
KEYS = {key.name: key for _, keys in MENUS for key in keys if key.name}

LISTED = tuple(
    (title, tuple(key for key in keys if key.name != "lessons" or title == "File")) for title, keys in MENUS
)
"""The menus with every action once, as lists of all of them have it."""

STEPPING = ("next", "back", "into", "over", "out", "next_layer", "back_layer", "next_pass", "back_pass")
"""What a held key does over and over, unless it goes by stops."""

REPEATING = (
    *STEPPING,
    *(
        "undo",
        "redo",
        "bigger",
        "smaller",
        "larger_text",
        "smaller_text",
        "faster",
        "slower",
        "rate_down",
        "rate_up",
    ),
    *("next_iteration", "back_iteration"),
)
"""What a held key does over and over; all else it does once: B would flicker, Esc leave the lecture."""


def said(action: QAction) -> str:
    """Return an action's keys as a person reads them: ``Page down, →``."""
    return ", ".join(spelt(key.toString()) for key in action.shortcuts())


def named(action: QAction) -> str:
    """Return what a sentence calls an action by: its keys; its words, where it has none."""
    return said(action) or tr("“{words}”", words=action.text())


def tip(action: QAction) -> str:
    """Return an action's tooltip: what it does, and its keys."""
    keys = said(action)
    return f"{action.text()} ({keys})" if keys else action.text()


class ActionButton(QToolButton):
    """Does what an action does, and is called as it is; a click leaves the focus where it is, Tab reaches it.

    Its tooltip names the action's keys as they are.
    """

    def __init__(self, action: QAction) -> None:
        super().__init__()
        self._action = action
        self.setObjectName("tool")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName(action.text())
        self.clicked.connect(action.trigger)
        action.changed.connect(self._say)
        self._say()

    def _say(self) -> None:
        self.setToolTip(tip(self._action))


def spelt(key: str) -> str:
    """Return a key as the system at hand writes it, ``Ctrl+L`` or ``⌘L``, with signs for arrows and minus."""
    native = QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)
    parts = re.fullmatch(r"(.*\+)?(.+)", native)
    assert parts is not None
    signs = {"Right": "→", "Left": "←", "PgDown": tr("Page down"), "PgUp": tr("Page up")}
    last = signs.get(parts[2], tr(parts[2]))
    return (parts[1] or "") + re.sub("-$", "−", last)


class Gate(QObject):
    """Decides whose a key is: the control's that has the focus, or the window's.

    Shortcuts of a window would take Space and the arrows from the buttons and sliders that use them. And
    while a key is held, its repetitions are dropped until the last step has been painted, and all of them
    where it steps by stops.

    On a busy X server, a repetition may come as a key let go and pressed anew, both at the same time.

    It listens to the widget that has the focus, and to no other: each event heard costs time.

    Parameters
    ----------
    player : Player
        Whose last step must have been painted.
    window : QWidget
        Whose controls they are.
    actions : Mapping[str, QAction]
        The window's actions by name, with their keys.

    Attributes
    ----------
    left : Signal()
        A number or a slider was left by Enter or Esc: whoever owns it takes the focus back.
    """

    left = Signal()

    def __init__(self, player: Player, window: QWidget, actions: Mapping[str, QAction]) -> None:
        super().__init__(window)
        self._player, self._window, self._actions = player, window, actions
        self._let_go = (0, 0)  # which key was, and when
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._follow)

    def _follow(self, before: QWidget | None, now: QWidget | None) -> None:
        if before is not None:
            before.removeEventFilter(self)
        if now is not None and isinstance(now.window().parent(), QComboBox):
            return  # an opened list of choices: Qt has it take Enter where shortcuts are asked for
        around: QObject | None = now
        while around is not None and around is not self._window:
            around = around.parent()
        if now is not None and around is not None:
            now.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Answer before the window's shortcuts do."""
        kind = event.type()
        if kind not in _HEARD:
            return False
        assert isinstance(event, QKeyEvent)
        if kind == QEvent.Type.KeyRelease:
            self._let_go = event.key(), event.timestamp()
            return False
        if isinstance(watched, _LEFT_BY_KEY) and event.key() in _LEAVING and not event.modifiers() & ~_KEYPAD:
            event.accept()
            if kind == QEvent.Type.KeyPress:
                if isinstance(watched, QSpinBox):
                    _take_typed(watched, event.key() != Qt.Key.Key_Escape)
                self.left.emit()
            return True
        if belongs_to(watched, event):
            if kind == QEvent.Type.ShortcutOverride:
                event.accept()
                return True
            return False
        # Keys of the numeric pad say so, and on macOS arrows do, too.
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        pressed = QKeySequence(QKeyCombination(modifiers, Qt.Key(event.key())))
        late = (event.isAutoRepeat() or self._is_held(event)) and self._is_too_much(pressed)
        if late:
            event.accept()
        return late

    def _is_held(self, event: QKeyEvent) -> bool:
        """Return whether a key was let go at the very time at which it is pressed."""
        return event.timestamp() > 0 and self._let_go == (event.key(), event.timestamp())

    def _is_too_much(self, key: QKeySequence) -> bool:
        """Return whether nothing is to be done by a key that is only held."""
        name = next((name for name, action in self._actions.items() if key in action.shortcuts()), "")
        by_stops = self._player.cursor.level is Level.STOP
        if name in STEPPING:
            return by_stops or not self._player.shown
        return bool(name) and name not in REPEATING


def _take_typed(box: QSpinBox, meant: bool) -> None:
    """Take the number that was typed, or have the one before it again."""
    if meant:
        box.interpretText()
    else:
        box.setValue(box.value())


def belongs_to(widget: QObject, event: QKeyEvent) -> bool:
    """Return whether a control itself uses a key, so that no shortcut may take it."""
    key, plain = event.key(), event.modifiers() in (_NONE, Qt.KeyboardModifier.KeypadModifier)
    if isinstance(widget, QAbstractSpinBox):
        return plain and (event.text().isdigit() or key in (*_ARROWS, *_EDITING))
    if isinstance(widget, QLineEdit):
        return (bool(event.text().strip()) or key in _EDITING) and not _is_command(event)
    if isinstance(widget, QAbstractSlider):
        return plain and key in (*_ARROWS, Qt.Key.Key_Home, Qt.Key.Key_End)
    if isinstance(widget, QAbstractButton):
        return plain and key in (*_ARROWS, Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter)
    if isinstance(widget, FramePane):
        return plain and key in widget.own_keys
    return isinstance(widget, QAbstractItemView) and plain and key not in _PAGES


def _is_command(event: QKeyEvent) -> bool:
    command = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    editing: tuple[Qt.Key, ...] = _EDITING
    if event.modifiers() != Qt.KeyboardModifier.AltModifier:  # with Alt alone, V is the menu View
        editing = (*editing, Qt.Key.Key_A, Qt.Key.Key_C, Qt.Key.Key_V, Qt.Key.Key_X, Qt.Key.Key_Z)
    return bool(event.modifiers() & command) and event.key() not in editing


_HEARD = (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress, QEvent.Type.KeyRelease)
_NONE = Qt.KeyboardModifier.NoModifier
_KEYPAD = Qt.KeyboardModifier.KeypadModifier
_LEFT_BY_KEY = (QAbstractSpinBox, QAbstractSlider)
_LEAVING = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape)
_ARROWS = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down)
_PAGES = (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
_EDITING = (
    *_ARROWS,
    Qt.Key.Key_Home,
    Qt.Key.Key_End,
    Qt.Key.Key_Space,
    Qt.Key.Key_Backspace,
    Qt.Key.Key_Delete,
)
