"""PDF pages as readers that are not ours have them: pypdf its text and tags, poppler its looks."""

from __future__ import annotations

import shutil
import subprocess
from io import BytesIO

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image
from pypdf import PdfReader

from cnnviz.export.frames import Shown
from cnnviz.export.pdf import write_pdf
from cnnviz.lesson.lesson import load_lesson
from cnnviz.render.image import to_image
from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose, moment
from cnnviz.scene.marks import Label, flat
from cnnviz.scene.spoken import spoken
from tests.export.test_page import content_of, pixels, softened

STEPS = (0, 12_000, 30_000, 70_000)


@pytest.fixture(scope="module")
def shown(qapp):
    lesson = load_lesson("digits")
    return Shown(lesson.program, replace(lesson.view, width=1280, height=720))


def test_text_is_text_and_each_page_a_figure_with_the_sentence_of_its_step(shown):
    reader = PdfReader(BytesIO(content_of(write_pdf(shown, STEPS))), strict=True)
    assert reader.metadata.title == shown.view.title
    catalogue = reader.trailer["/Root"]
    assert catalogue["/MarkInfo"]["/Marked"] and catalogue["/Lang"] == "en"
    document = catalogue["/StructTreeRoot"]["/K"]  # of which there is one, by ISO 32000-1, 14.8.4.2
    assert document["/S"] == "/Document"
    figures = [figure.get_object() for figure in document["/K"]]
    for index, page, figure in zip(STEPS, reader.pages, figures, strict=True):
        assert figure["/S"] == "/Figure" and figure["/Pg"].get_object() == page
        assert figure["/Alt"] == spoken(moment(shown.program, index, shown.view))
        found = "".join(page.extract_text().split())
        marks = flat(compose(shown.program, index, shown.view).marks)
        words = {run.text for mark in marks if isinstance(mark, Label) for run in mark.runs}
        missing = [text for text in words if "".join(text.split()) not in found]
        assert len(words) > 40 and len(missing) < 5, missing  # but for what is elided


@pytest.mark.skipif(not shutil.which("pdfinfo"), reason="poppler is not installed")
def test_poppler_reads_the_tags_and_the_text_under_them(shown, tmp_path):
    (tmp_path / "a.pdf").write_bytes(content_of(write_pdf(shown, STEPS)))
    read = subprocess.run(["pdfinfo", "-struct-text", "a.pdf"], cwd=tmp_path, capture_output=True, text=True)
    assert not read.stderr and read.stdout.startswith("Document")
    assert read.stdout.count("Figure") == len(STEPS) and read.stdout.count("Network") >= len(STEPS)


@pytest.mark.skipif(not shutil.which("pdftoppm"), reason="poppler is not installed")
def test_a_page_looks_in_poppler_as_the_painter_paints_it(shown, tmp_path):
    for theme in ("light", "dark"):
        seen = Shown(shown.program, replace(shown.view, display=Display(theme=theme)))
        (tmp_path / "a.pdf").write_bytes(content_of(write_pdf(seen, STEPS)))
        subprocess.run(["pdftoppm", "-r", "192", "-png", "a.pdf", theme], cwd=tmp_path, check=True)
        for k, index in enumerate(STEPS, 1):
            # Twice as large, and halved: poppler puts signs on whole pixels.
            page = Image.open(tmp_path / f"{theme}-{k}.png").convert("RGB").reduce(2)
            found = np.array(page).astype(float)
            painted = pixels(to_image(compose(seen.program, index, seen.view), theme))
            assert found.shape == painted.shape
            # Rules straddle the edge of cells there; the painter has them on whole pixels beside it.
            differing = np.abs(softened(found) - softened(painted))
            assert differing.mean() < 2 and differing.max() < 80, (theme, index)
