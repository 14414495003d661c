"""While a lecture goes on the screen stays on, and the pointer is seen only while it is moved."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QCursor, QGuiApplication

from cnnviz.ui import pointer
from tests.screen import until

HELD = """
import sys
from PySide6.QtCore import QCoreApplication
from cnnviz.ui.awake import Awake
application = QCoreApplication([])
awake = Awake()
for word in sys.stdin:
    getattr(awake, word.strip())()
    application.processEvents()
    print(word, end="", flush=True)
"""

TOOLS = ("dbus-daemon", "dbus-monitor")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have no D-Bus")
@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"it takes {', '.join(TOOLS)}")
def test_the_desktop_is_asked_to_keep_the_screen_on_and_let_go_again(tmp_path):
    """Seen from the bus: who asks has a connection of his own, and what was asked ends with it."""
    words = ["dbus-daemon", "--session", "--print-address", "--nofork", f"--address=unix:path={tmp_path}/bus"]
    heard = tmp_path / "heard"
    running = []
    try:
        bus = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        running.append(bus)
        variables = {"DBUS_SESSION_BUS_ADDRESS": bus.stdout.readline().strip(), "PATH": "/usr/bin:/bin"}
        with heard.open("w") as out:
            rules = ["type='method_call',member='Inhibit'", "type='signal',member='NameOwnerChanged'"]
            running.append(subprocess.Popen(["dbus-monitor", *rules], env=variables, stdout=out))
        until(lambda: "NameAcquired" in heard.read_text())
        asking = subprocess.Popen(
            [sys.executable, "-c", HELD],
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(asking)

        def do(word):
            asking.stdin.write(f"{word}\n")
            asking.stdin.flush()
            assert asking.stdout.readline().strip() == word

        do("hold")
        until(lambda: "member=Inhibit" in heard.read_text())
        (asked,) = [line for line in heard.read_text().splitlines() if "member=Inhibit" in line]
        assert "destination=org.freedesktop.ScreenSaver " in asked
        assert "path=/org/freedesktop/ScreenSaver;" in asked
        assert '   string "cnnviz"' in heard.read_text()
        who = asked.partition("sender=")[2].split()[0]
        gone = f'   string "{who}"\n   string "{who}"\n   string ""'
        assert gone not in heard.read_text()
        do("release")
        until(lambda: gone in heard.read_text())
        assert asking.poll() is None
        for word in ("release", "hold", "hold", "release"):
            do(word)
    finally:
        for process in reversed(running):
            process.terminate()
            process.communicate(timeout=20)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have no D-Bus")
def test_without_a_desktop_nothing_is_said():
    done = subprocess.run(
        [sys.executable, "-c", HELD],
        input="hold\nrelease\n",
        env={"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("hold\nrelease\n", "", 0)


def test_a_lecture_keeps_the_screen_on_as_long_as_it_lasts(window, monkeypatch):
    done = []
    monkeypatch.setattr(window.lecture.awake, "hold", lambda: done.append("hold"))
    monkeypatch.setattr(window.lecture.awake, "release", lambda: done.append("release"))
    for _ in range(2):
        window.actions_by_name["lecture"].trigger()
    assert done == ["hold", "release"]
    window.actions_by_name["lecture"].trigger()
    window.close()
    assert done == ["hold", "release", "hold", "release"]


def test_the_pointer_is_seen_only_while_it_is_moved(window, qtbot, monkeypatch):
    monkeypatch.setattr(pointer, "_RESTS", 300)

    def is_hidden():
        shape = QGuiApplication.overrideCursor()
        return shape is not None and shape.shape() == Qt.CursorShape.BlankCursor

    qtbot.wait(500)
    assert not is_hidden()
    window.actions_by_name["lecture"].trigger()
    qtbot.waitUntil(is_hidden)
    QCursor.setPos(QCursor.pos() + QPoint(3, 0))
    qtbot.waitUntil(lambda: not is_hidden(), timeout=400)
    qtbot.waitUntil(is_hidden)
    window.actions_by_name["lecture"].trigger()
    assert not is_hidden()
    end = time.monotonic() + 0.5
    qtbot.waitUntil(lambda: time.monotonic() > end)
    assert not is_hidden()
