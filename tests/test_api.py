"""`import cnnviz` gives what README says, quickly and without Qt."""

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
