"""Without a console, as pythonw and packed programs are, stdout and stderr are None: all goes on, unheard."""

import errno
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

from cnnviz import app
from cnnviz.cli import COMMANDS, output


@pytest.fixture
def unheard(monkeypatch):
    """Run the program without a console; the status that it ends with."""

    def run(*words):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", None)
            patch.setattr(sys, "stderr", None)
            status = app.main([str(word) for word in words])
            assert (sys.stdout, sys.stderr) == (None, None)
        return status

    return run


def test_commands_do_what_they_do(unheard, painted, lesson, tmp_path):
    tried = {"lessons", "info", "dump", "export", "sheet", "pack", "unpack"}
    assert set(COMMANDS) == tried, "each is tried here"
    assert unheard("lessons") == 0
    assert unheard("info", lesson) == 0
    assert unheard("dump", lesson, "-o", tmp_path / "a.npz") == 0
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["relu1.y"].shape == (2, 2, 2)
    assert unheard("export", lesson, "-o", tmp_path / "f", "--size", "640x360") == 0
    assert len(list((tmp_path / "f").glob("*.png"))) == len(painted) > 0
    assert unheard("sheet", lesson, "-o", tmp_path / "a.pdf") == 0
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert unheard("pack", lesson, "-o", tmp_path / "a.cnnviz") == 0
    assert unheard("unpack", tmp_path / "a.cnnviz") == 0
    assert (tmp_path / "a" / "lesson.toml").exists()


def test_a_training_is_trained_without_a_word(unheard, monkeypatch):
    monkeypatch.setattr(output, "PROGRESS_SECONDS", 0)
    assert unheard("info", "training", "--iteration", "2") == 0


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("export", "--help")])
def test_help_goes_nowhere(unheard, words):
    assert unheard(*words) == 0


@pytest.mark.parametrize("words", [("info", "digts"), ("export", "digits"), ("dump", "digits", "-o", ".")])
def test_a_mistake_of_a_command_is_its_status(unheard, words):
    assert unheard(*words) == 2


def test_ctrl_c_is_its_status(unheard, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("cnnviz.cli.lessons.say", stopped)
    assert unheard("lessons") == 130


def test_no_stream_is_left_open(unheard):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert unheard("lessons") == 0


# The window is looked at once it is painted.
OPEN = """
import sys
from pathlib import Path
told, missing, *words = sys.argv[1:]
import cnnviz.app
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

def painted():
    from cnnviz.ui.window import Window
    (window,) = [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, Window)]
    strip = window.message
    said = strip.sentence.text() if strip.isVisible() else ""
    Path(told).write_text(f"{window.desk.lesson.name}|{said}", encoding="utf-8")
    QTimer.singleShot(0, window.close)

open_window = cnnviz.app.open_window
cnnviz.app.open_window = lambda lesson, said, changes: open_window(lesson, painted, said, changes)
for name in missing.split():
    setattr(sys, name, None)
sys.exit(cnnviz.app.main(words))
"""


def opened(tmp_path, missing, *words, before=()):
    """What window a process without these streams opens: its status, the lesson, what is said in the bar."""
    told = tmp_path / "told"
    variables = {"QT_QPA_PLATFORM": "offscreen", "CNNVIZ_SETTINGS": str(tmp_path / "settings.ini")}
    done = subprocess.run(
        [*before, sys.executable, "-c", OPEN, told, missing, *words],
        cwd=tmp_path,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, *(told.read_text(encoding="utf-8").split("|") if told.exists() else ())


BOTH = "stdout stderr"


@pytest.mark.parametrize(
    "words, sentence",
    [
        (("broken.toml",), "broken.toml: title: must be a text, is 3"),
        (("nix.toml",), "nix.toml: there is no such file."),
        (("digts",), "There is no lesson digts; did you mean digits or edges?"),
        (("lesson",), "There is no command lesson; did you mean lessons?"),
        (("digits", "--fast"), "unrecognized arguments: --fast"),
    ],
)
def test_what_is_wrong_is_said_in_the_window_that_was_asked_for(tmp_path, words, sentence):
    (tmp_path / "broken.toml").write_text("title = 3\n")
    status, lesson, said = opened(tmp_path, BOTH, *words)
    assert (status, lesson) == (0, "digits")
    assert sentence in said


def test_where_nothing_is_wrong_nothing_is_said(tmp_path):
    assert opened(tmp_path, BOTH, "relu") == (0, "relu", "")


@pytest.mark.skipif(os.name != "posix", reason="needs sh")
def test_with_all_three_closed_what_is_opened_instead_is_not_written_to(tmp_path):
    """Qt and the trial of the display write to 1 and 2, whatever those are."""
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    assert opened(tmp_path, "", "relu", before=closed) == (0, "relu", "")
    assert not (tmp_path / "cnnviz-frames").exists()


def test_where_a_complaint_is_heard_no_window_opens(tmp_path):
    assert opened(tmp_path, "stdout", "digts") == (2,)


# ---------------------------------------------------------------------------------------- the pipe of Windows


def test_a_pipe_that_nobody_reads_any_more_is_none_on_windows_either(run, monkeypatch):
    """Windows calls it an invalid argument."""

    class Closed:
        def write(self, text):
            return len(text)

        def flush(self):
            raise OSError(errno.EINVAL, "Invalid argument")

        def fileno(self):
            raise OSError

    monkeypatch.setattr(sys, "stdout", Closed())
    status = app.main(["lessons"])
    monkeypatch.undo()
    assert status == 0
