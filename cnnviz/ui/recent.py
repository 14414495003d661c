"""The files that were open last, as a menu."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QMenu, QWidget

from cnnviz.text import plain, short, tr
from cnnviz.ui.desk import Desk, RecentFile

_LONGEST_TITLE, _LONGEST_PATH = 50, 60
_FROM_TOP = 70


class RecentMenu(QMenu):
    """Lists them anew whenever it opens, numbered; one that is not there now is said to be so.

    Parameters
    ----------
    window : QWidget
        Over which it opens.
    desk : Desk
        Where the files were, and are opened.
    """

    def __init__(self, window: QWidget, desk: Desk) -> None:
        super().__init__(window)
        self._window, self._desk = window, desk
        self.setToolTipsVisible(True)
        self.aboutToShow.connect(self.fill)
        self.fill()

    def fill(self) -> None:
        """List the files."""
        self.clear()
        files = self._desk.recent
        for number, file in enumerate(files, 1):
            action = self.addAction(_words(number, file), partial(self._desk.open, file.source))
            action.setToolTip(plain(file.path))
            action.setEnabled(file.is_there)
        self.addSeparator()
        words = tr("Forget these files") if files else tr("No file was opened yet")
        self.addAction(words, self._desk.forget_recent).setEnabled(bool(files))

    def open(self) -> None:
        """Open it by itself, over the window."""
        self.popup(self._window.mapToGlobal(QPoint(self._window.width() // 4, _FROM_TOP)))


def _words(number: int, file: RecentFile) -> str:
    """Return a title and where its file is, behind the number that is the entry's key."""
    title = short(plain(file.title), _LONGEST_TITLE).replace("&", "&&")
    mark = "&" if number < 10 else ""
    return f"{mark}{number}  {title}\t{_where(file)}"


def _where(file: RecentFile) -> str:
    """Return where a file is, from the own folder on; of a long way, its end."""
    path, home = plain(file.path), f"{Path.home()}{os.sep}"
    path = f"~{os.sep}{path.removeprefix(home)}" if path.startswith(home) else path
    path = path if len(path) <= _LONGEST_PATH else f"…{path[-_LONGEST_PATH:]}"
    path = path.replace("&", "&&")
    return path if file.is_there else tr("{file} · not there", file=path)
