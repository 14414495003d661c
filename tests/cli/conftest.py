"""Running the program on a small lesson; what it paints is painted quickly."""

import re

import pytest
from PySide6.QtGui import QImage

from cnnviz import app
from cnnviz.export import png

LESSON = """
title = "Two layers"
sentence = "A convolution and a ReLU."
seed = 1
input = { shape = [1, 3, 3], values = [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]] }
layers = [
    { name = "conv1", kind = "conv2d", out_channels = 2, kernel = 2 },
    { name = "relu1", kind = "relu" },
]
"""


@pytest.fixture
def lesson(tmp_path):
    path = tmp_path / "lesson.toml"
    path.write_text(LESSON)
    return str(path)


@pytest.fixture
def run(qapp, capsys):
    """Run the program: (status, what it said, what it complained of).

    There is the one application of all tests: an export would else start another.
    """

    def run(*words):
        status = app.main([str(word) for word in words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def mistake(run):
    """Run the program on a mistake: status 2, nothing said, one sentence of complaint, which is returned."""

    def mistake(*words):
        status, out, err = run(*words)
        assert (status, out) == (2, "")
        assert re.fullmatch(r"cnnviz: [^\n]+[.?]\n", err)
        return err.removeprefix("cnnviz: ").rstrip("\n")

    return mistake


@pytest.fixture
def painted(qapp, monkeypatch):
    """Paint quickly, and note the steps that were painted."""
    steps = []

    def picture(shown, index, on=None):
        steps.append(index)
        image = QImage(shown.view.width, shown.view.height, QImage.Format.Format_RGB32)
        image.fill(index)
        return image

    monkeypatch.setattr(png, "picture", picture)
    return steps
