"""The same frames on every Python, with its NumPy and its Qt, that has an environment in this checkout."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

# What `cnnviz export digits` writes, every 37th of it: all kinds of operations, both ways, and the update.
PAINT = """
import hashlib, sys
import cnnviz.app
from pathlib import Path
from cnnviz.lesson.lesson import load_lesson
from cnnviz.export.order import order_of
from cnnviz.export.png import picture
from cnnviz.export.writing import screenless
from cnnviz.scene.view import View
from cnnviz.trace.stops import Level

application = screenless()
lesson = load_lesson("digits")
last = len(lesson.program) - 1
order = order_of(lesson, Path("frames"), Level.MAP, 0, last, View())
shown = order.shown()
for index in order.steps(lesson)[::37]:
    image = picture(shown, index)
    print(index, hashlib.sha256(image.constBits()).hexdigest())
"""


def others() -> list[Path]:
    """The Pythons of environments that .ci/setup.py has made here for another version than this one."""
    found = []
    for stamp in sorted(ROOT.glob(".venv*/cnnviz.json")):
        held = json.loads(stamp.read_text())
        project = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
        if held["pyproject"] == project and held["python"] != "{}.{}".format(*sys.version_info):
            found.append(stamp.parent / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    return found


def painted_by(python: str | Path) -> dict[str, str]:
    words = [str(python), "-c", PAINT]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=200, check=True)
    return dict(line.split() for line in done.stdout.splitlines())


@pytest.mark.skipif(not others(), reason="there is one Python only")
def test_frames_are_the_same_to_the_last_pixel_on_another_python():
    here = painted_by(sys.executable)
    assert len(here) == 24
    assert len(set(here.values())) == 24
    for python in others():
        there = painted_by(python)
        assert [step for step in here if here[step] != there[step]] == [], python
