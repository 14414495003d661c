"""Telling frames of lessons as SVG and as PDF, drawn by others, look as the painter paints them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from cnnviz.export.frames import Shown
from cnnviz.export.pdf import write_pdf
from cnnviz.export.svg import Svg
from cnnviz.lesson.lesson import load_lesson
from cnnviz.render.image import to_image
from cnnviz.scene.frame import compose
from tests import browser
from tests.export.test_page import content_of, pixels, softened
from tests.gallery.pictures import telling

SAMPLE = (
    "chain-rule",
    "dropout",
    "image",
    "optimisers",
    "pooling",
    "receptive-field",
    "residual",
    "training",
)
SIZE = 1280, 720

MEAN, MOST = 4, 70
"""How much the pixels differ, of 255: edges are smoothed in other ways; and 8 × 8 of them, anywhere."""

pytestmark = pytest.mark.skipif(
    browser.found() is None or not shutil.which("pdftoppm"), reason="no browser, or no poppler is installed"
)


def frames(name: str, most: int) -> Iterator[tuple[Shown, int]]:
    """Yield telling frames of a lesson, spread over it."""
    lesson = load_lesson(name)
    steps = sorted(set(telling(lesson).values()))
    shown = Shown(lesson.program, replace(lesson.view, width=SIZE[0], height=SIZE[1]))
    for step in steps[:: max(1, len(steps) // most)][:most]:
        yield shown, step


def differing(seen: browser.Browser, folder, shown: Shown, step: int) -> dict[str, tuple[float, float]]:
    """Return how much a frame differs, in the mean and most, as each of both."""
    program, index, view = shown.scene(step)
    painted = pixels(to_image(compose(program, index, view)))
    (folder / "a.svg").write_bytes(Svg().encode(shown, step))
    seen.open(folder / "a.svg", "document.readyState === 'complete'")
    (folder / "a.pdf").write_bytes(content_of(write_pdf(shown, [step])))
    subprocess.run(["pdftoppm", "-r", "96", "-png", "-singlefile", "a.pdf", "a"], cwd=folder, check=True)
    drawn = {"svg": BytesIO(seen.picture()), "pdf": folder / "a.png"}
    found = {kind: np.array(Image.open(file).convert("RGB")).astype(float) for kind, file in drawn.items()}
    return {
        kind: (np.abs(image - painted).mean(), np.abs(softened(image) - softened(painted)).max())
        for kind, image in found.items()
    }


def test_telling_frames_look_alike(qapp, tmp_path):
    with browser.browser(SIZE) as seen:
        for name in SAMPLE:
            for shown, step in frames(name, 1):
                for kind, (mean, most) in differing(seen, tmp_path, shown, step).items():
                    assert mean < MEAN and most < MOST, (name, step, kind)
