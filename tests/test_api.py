"""`import cnnviz` gives what README says, quickly and without Qt."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import cnnviz

ROOT = Path(__file__).resolve().parent.parent


def test_version_is_that_of_the_package():
    assert cnnviz.__version__ == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_everything_promised_is_there():
    assert all(hasattr(cnnviz, name) for name in cnnviz.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = cnnviz.nonsense


def test_the_trace():
    lesson = cnnviz.load_lesson("digits")
    program = lesson.program
    step = program[program.find("conv1", i=2, j=3)]

    assert (step.operation.name, step.line) == ("conv1", 4)
    assert {name: step.variables[name] for name in "oij"} == {"o": 0, "i": 2, "j": 3}
    with pytest.raises(cnnviz.CnnvizError, match="There is no operation conv9"):
        program.find("conv9")


def test_a_listing_runs_by_itself_and_computes_the_same():
    for operation in cnnviz.load_lesson("digits").program.operations:
        arguments = operation.arguments()
        operation.function(**arguments)
        for name, values in operation.call.writes.items():
            assert abs(arguments[name] - values).max() <= 1e-12 * max(1, abs(values).max())


def test_nothing_but_the_window_and_export_needs_qt(tmp_path):
    program = f"""
import sys
import cnnviz
assert "numpy" not in sys.modules, "import cnnviz should be quick"
from cnnviz.app import main
assert main(["lessons"]) == main(["info", "digits"]) == 0
assert main(["dump", "digits", "-o", {str(tmp_path / "d.npz")!r}, "--at", "conv1[0,0,0]"]) == 0
lesson = cnnviz.load_lesson("digits", image=3).choose(4)
lesson.program.state(100)
loaded = {{name.partition(".")[0] for name in sys.modules}}
print(*loaded & {{"PySide6", "shiboken6", "pyqtgraph"}}, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "\n")


SHOWN = """
import sys
from PySide6.QtCore import QTimer
import cnnviz

def look_and_close():
    window = next(each for each in QApplication.topLevelWidgets() if each.isVisible() and each.windowTitle())
    print(window.windowTitle(), flush=True)
    window.close()

from cnnviz.ui.launch import application_of_cnnviz
from PySide6.QtWidgets import QApplication
application_of_cnnviz()
for lesson in (cnnviz.load_lesson("digits", image=3), "relu"):
    QTimer.singleShot(300, look_and_close)
    cnnviz.show(lesson)
    print("closed", sys.excepthook is sys.__excepthook__, flush=True)
cnnviz.show("nonsense")
"""


def test_a_lesson_is_shown_until_its_window_is_closed_one_after_the_other(tmp_path):
    environment = dict(os.environ, QT_QPA_PLATFORM="offscreen", CNNVIZ_SETTINGS=str(tmp_path / "settings"))
    done = subprocess.run(
        [sys.executable, "-c", SHOWN], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    first, closed, second, again = done.stdout.splitlines()
    assert (first.partition(" ")[0], second.partition(" ")[0]) == ("Handwritten", "ReLU[*]")
    assert closed == again == "closed True"
    assert done.returncode == 1
    assert "CnnvizError: There is no lesson nonsense" in done.stderr


def test_where_there_is_no_display_show_says_so(tmp_path):
    environment = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}
    environment |= {"QT_QPA_PLATFORM": "xcb", "CNNVIZ_SETTINGS": str(tmp_path / "settings")}
    code = "import cnnviz; cnnviz.show('relu')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "CnnvizError: There is no display on which a window could be opened" in done.stderr
