"""Pictures without a ground, to be laid on a slide of any colour."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageSequence
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

from cnnviz.app import main
from cnnviz.export.formats import DOCUMENTS, FORMATS
from cnnviz.export.frames import Shown
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.display import Display
from cnnviz.scene.theme import THEMES, rgb
from cnnviz.scene.view import View
from tests.export.test_page import content_of

SIZE = 1280, 720


def shown(theme: str, transparent: bool) -> Shown:
    view = View(*SIZE, display=Display(theme=theme, transparent=transparent))
    return Shown(load_lesson("digits").program, view)


def png(theme: str, transparent: bool, step: int) -> np.ndarray:
    file = Image.open(BytesIO(FORMATS["png"]().encode(shown(theme, transparent), step)))
    assert file.mode == ("RGBA" if transparent else "RGB")
    return np.array(file).astype(int)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_no_ground_is_the_same_and_the_rest_is_clear(theme):
    for step in (1415, 60000):
        usual, clear = png(theme, False, step), png(theme, True, step)
        through = clear[..., 3]
        grounds = np.array([rgb(THEMES[theme].color(role)) for role in ("ground", "panel")])
        is_ground = ((usual >= grounds.min(0)) & (usual <= grounds.max(0))).all(-1)  # or an edge between two
        assert 0.3 < (through == 0).mean() < 0.95
        assert is_ground[through == 0].all(), "nothing but grounds is gone"
        assert (abs(clear[..., :3] - usual)[through == 255] <= 1).all()
        # The edges of signs, laid on the ground again, are what they were.
        part = (through > 0) & (through < 255)
        share = through[part, None] / 255
        laid = [clear[part, :3] * share + ground * (1 - share) for ground in grounds]
        differing = np.min([abs(one - usual[part]).max(-1) for one in laid], axis=0)
        assert differing.mean() < 12  # Qt blends text in another way where the ground is none


def test_moving_pictures_and_vectors_are_clear_as_well():
    alpha = png("light", True, 1415)[..., 3]
    for kind in ("gif", "apng"):
        made = content_of(DOCUMENTS[kind].write(shown("light", True), [0, 1415]))
        frames = [
            np.array(frame.convert("RGBA"))[..., 3]
            for frame in ImageSequence.Iterator(Image.open(BytesIO(made)))
        ]
        assert len(frames) == 2
        assert ((frames[-1] >= 128) == (alpha >= 128)).all(), kind
    image = QImage(*SIZE, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(0)
    painter = QPainter(image)
    QSvgRenderer(FORMATS["svg"]().encode(shown("light", True), 1415)).render(painter)
    painter.end()
    drawn = np.frombuffer(image.constBits(), np.uint8).reshape(SIZE[1], SIZE[0], 4)[..., 3]
    assert abs((drawn == 0).mean() - (alpha == 0).mean()) < 0.02


def test_where_nothing_can_show_through_it_is_said(tmp_path, capsys):
    for form in ("html", "mp4"):
        file = tmp_path / f"a.{form}"
        assert main(["export", "convolution", "--format", form, "--transparent", "-o", str(file)]) != 0
        assert "has no transparent background" in capsys.readouterr().err
        assert not file.exists()
