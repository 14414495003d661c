"""What .ci/run starts, in which order, on which Python; nothing of it is really run."""

import os
import shutil
import subprocess
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# What stands in for make notes what it was asked for, and ends as it was told to.
MAKE = """#!/bin/sh
echo "$1 $2 ${CNNVIZ_VENV:-.venv}" >> "$NOTES"
echo "what $1 says"
case "$1 ${CNNVIZ_VENV:-.venv}" in $FAILS) exit 1;; esac
"""

pytestmark = pytest.mark.skipif(os.name != "posix" or not shutil.which("bash"), reason="needs bash")


@pytest.fixture
def run(tmp_path):
    """Run .ci/run where there are these Pythons: (its status, what it started, what it said)."""

    def script(path, text):
        path.write_text(text)
        path.chmod(0o755)
        return path

    def run(*versions, fails="nothing"):
        checkout, programs = tmp_path / "checkout", tmp_path / "bin"
        for folder in (checkout / ".ci", checkout / ".venv", programs):
            folder.mkdir(parents=True)
        shutil.copy(ROOT / ".ci" / "run", checkout / ".ci" / "run")
        (checkout / ".venv" / "cnnviz.json").touch()
        pythons = [
            script(programs / f"python{version}", f"#!/bin/sh\necho Python {version}\n")
            for version in versions
        ]
        script(programs / "python3", "#!/bin/sh\n" + "".join(f"echo {python}\n" for python in pythons))
        script(programs / "make", MAKE)
        notes = tmp_path / "notes"
        variables = {
            "NOTES": str(notes),
            "FAILS": fails,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        }
        ours = {name: value for name, value in os.environ.items() if name != "CNNVIZ_VENV"}
        done = subprocess.run(
            ["bash", checkout / ".ci" / "run"], env=ours | variables, capture_output=True, text=True
        )
        return done.returncode, notes.read_text().replace(f"{programs}/", "").splitlines(), done.stdout

    return run


def test_the_newest_python_is_asked_first_and_the_suite_says_the_last_word_on_tests(run):
    status, started, said = run("3.11", "3.12", "3.13")
    assert status == 0
    assert started == [
        "test PYTHON=python3.13 .venv-newest",
        "test PYTHON=python3.11 .venv",
        "check PYTHON=python3.11 .venv",
    ]
    assert said.splitlines()[-2:] == ["what test says", "what check says"]


def test_with_one_python_it_is_said_and_the_rest_goes_on(run):
    status, started, said = run("3.11")
    assert status == 0
    assert started == ["test PYTHON=python3.11 .venv", "check PYTHON=python3.11 .venv"]
    assert said.startswith("There is no newer Python here than Python 3.11, which the tests are run on.\n")


@pytest.mark.parametrize("fails", ["test .venv-newest", "test .venv", "check .venv"])
def test_what_fails_is_its_status_and_the_rest_is_still_told(run, fails):
    status, started, _ = run("3.11", "3.13", fails=fails.replace(" ", "\\ "))
    assert status == 1
    assert len(started) == 3


def test_programs_of_the_package_are_there_one_with_and_one_without_a_terminal():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    programs = {**project["scripts"], **project["gui-scripts"]}
    assert set(programs) == {"cnnviz", "cnnviz-window"}
    for place in programs.values():
        module, _, name = place.partition(":")
        assert callable(getattr(import_module(module), name))
