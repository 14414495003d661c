"""Which keys do what: those of the table, with what the user has changed, and whether single keys count.

A key that is a letter, a digit or a sign alone may be pressed by a slip, or by software that types what is
said (WCAG 2.1, 2.1.4): all of those can be switched off, and each can be given another. What a presenter's
remote sends stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct
from PySide6.QtCore import QKeyCombination, Qt
from PySide6.QtGui import QAction, QKeySequence

from cnnviz.text import tr
from cnnviz.ui.keys import KEYS, MENUS, spelt
from cnnviz.ui.settings import Settings

CLICKER: Mapping[str, tuple[str, ...]] = {
    "next": ("PgDown",),
    "back": ("PgUp",),
    "play": ("F5",),
    "escape": ("Esc",),
    "black": (".",),
}
"""What presenters' remotes send, which is never switched off."""

_KEPT = frozenset(key for name, keys in CLICKER.items() for key in keys if name != "black")
_SETTING = "window/keys"
MOST_KEYS = 4
"""So many keys an action may have; more are not read from a file."""


class Keymap(Struct, frozen=True):
    """What has been changed of the keys.

    Attributes
    ----------
    changed : Mapping[str, tuple[str, ...]]
        By name of an action, all its keys, in place of those of the table.
    single : bool
        Whether letters, digits and signs alone count.
    """

    changed: Mapping[str, tuple[str, ...]] = {}
    single: bool = True

    def keys(self, name: str) -> tuple[str, ...]:
        """Return an action's keys, also those that are switched off."""
        return self.changed.get(name, KEYS[name].keys)

    def working(self, name: str) -> tuple[str, ...]:
        """Return an action's keys that do something now."""
        stay = CLICKER.get(name, ())
        return tuple(key for key in self.keys(name) if self.single or key in stay or not is_single(key))

    def holder(self, key: str) -> str:
        """Return the action that has a key; empty if there is none."""
        wanted = QKeySequence(key)
        names = (name for name in KEYS if any(QKeySequence(one) == wanted for one in self.keys(name)))
        return next(names, "")

    def with_keys(self, name: str, keys: tuple[str, ...]) -> Keymap:
        """Return the keymap in which an action has these keys, which every other one loses.

        What a remote sends to step, play and leave stays where it is.
        """
        kept = tuple(key for key in KEYS[name].keys if key in _KEPT)
        keys = (*kept, *(key for key in dict.fromkeys(keys) if key not in _KEPT))
        taken = [QKeySequence(key) for key in keys]
        changed = {**self.changed, name: keys}
        for other in KEYS:
            if other != name:
                changed[other] = tuple(key for key in self.keys(other) if QKeySequence(key) not in taken)
        return Keymap({one: k for one, k in changed.items() if k != KEYS[one].keys}, self.single)

    def restored(self, name: str) -> Keymap:
        """Return the keymap in which an action has the keys of the table again."""
        return self.with_keys(name, KEYS[name].keys)


def is_single(key: str) -> bool:
    """Return whether a key is a letter, a digit or a sign, at most with Shift."""
    pressed = combination(QKeySequence(key))
    with_others = pressed.keyboardModifiers() & ~Qt.KeyboardModifier.ShiftModifier
    return not with_others and Qt.Key.Key_Space < pressed.key() < Qt.Key.Key_Escape


def combination(sequence: QKeySequence) -> QKeyCombination:
    """Return the one combination of keys that a sequence is."""
    found = sequence[0]  # type: ignore[index]  # its stubs do not say that it can
    assert isinstance(found, QKeyCombination)
    return found


def refusal(key: str) -> str:
    """Return why no action can be given a key; empty where one can."""
    pressed = QKeySequence(key)
    if any(pressed == QKeySequence(kept) for kept in _KEPT):
        return tr("{key} is what a presenter's remote sends, and stays.", key=spelt(key))
    if combination(pressed).key() in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
        return tr("{key} leads from control to control.", key=spelt(key))
    if any(pressed == QKeySequence(f"Alt+{title[0]}") for title, _ in MENUS):
        return tr("{key} opens a menu.", key=spelt(key))
    return ""


def take(actions: Mapping[str, QAction], keymap: Keymap) -> None:
    """Have the actions listen to their keys."""
    for name, action in actions.items():
        action.setShortcuts([QKeySequence(key) for key in keymap.working(name)])


def read(settings: Settings) -> Keymap:
    """Return what is remembered; a file may hold anything, and names that there are no more."""
    kept = settings.record(_SETTING, Keymap, Keymap())
    found = Keymap(single=kept.single)
    for name, keys in kept.changed.items():
        if name in KEYS:
            found = found.with_keys(name, tuple(_readable(keys))[:MOST_KEYS])
    return found


def write(settings: Settings, keymap: Keymap) -> None:
    """Remember it."""
    settings.put_record(_SETTING, keymap)


def _readable(keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        sequence = QKeySequence(key)
        if sequence.count() == 1 and combination(sequence).key() != Qt.Key.Key_unknown:
            yield sequence.toString(QKeySequence.SequenceFormat.PortableText)
