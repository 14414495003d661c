"""The program as the desktop sees it: its icon, the files it is given, the ways of its keyboard."""

import ctypes
import sys
from types import SimpleNamespace

from PySide6.QtCore import QCoreApplication, Qt, QUrl
from PySide6.QtGui import QFileOpenEvent, QGuiApplication
from PySide6.QtWidgets import QApplication

from cnnviz.ui.launch import application_of_cnnviz


def test_every_window_has_the_programs_icon(window):
    image = window.windowIcon().pixmap(64, 64).toImage()
    assert image.pixelColor(32, 4).name() == "#124597"
    assert image.pixelColor(49, 49).name() == "#ffb020", "a cell is being written"
    assert image.pixelColor(0, 0).alpha() == 0, "its corners are round"


def test_a_file_that_the_system_wants_opened_is_opened(window, application, tmp_path):
    """As the Finder has it done; elsewhere its name is an argument."""
    application.file_opened.connect(window.opening.open)
    path = tmp_path / "two words.toml"
    path.write_text(
        'title = "T"\nsentence = "S."\ninput = { shape = [2], values = [1, 2] }\n'
        'layers = [{ name = "act", kind = "relu" }]\n'
    )
    QCoreApplication.sendEvent(application, QFileOpenEvent(QUrl.fromLocalFile(str(path))))
    assert window.desk.source == str(path)

    QCoreApplication.sendEvent(application, QFileOpenEvent(QUrl.fromLocalFile("/no/paper.pdf")))
    assert window.message.sentence.text().startswith("paper.pdf is neither a lesson nor a network")
    assert window.desk.source == str(path)


def test_tab_goes_to_every_pane_and_button_where_the_system_would_pass_them(window, application, qtbot):
    hints = QGuiApplication.styleHints()
    hints.setTabFocusBehavior(Qt.TabFocusBehavior.TabFocusTextControls)  # as macOS has it
    application_of_cnnviz()
    reached = set()
    for _ in range(80):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        reached.add(QApplication.focusWidget())
    assert {*window.panes, window.bar.speed} <= reached


def test_windows_takes_it_for_a_program_of_its_own(application, monkeypatch):
    """Or its task bar shows Python's icon and puts its windows among Python's."""
    told = []
    shell = SimpleNamespace(SetCurrentProcessExplicitAppUserModelID=told.append)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(shell32=shell), raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    application_of_cnnviz()
    assert told == ["cnnviz"]
