"""Frames as slides for PowerPoint and what reads its files, with their words as titles and notes."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from io import BytesIO
from typing import Any

from cnnviz.errors import CnnvizError
from cnnviz.export.frames import Shown
from cnnviz.export.png import Png
from cnnviz.scene.frame import moment
from cnnviz.scene.moment import Moment
from cnnviz.scene.spoken import spoken
from cnnviz.text import plain, tr

_INCH = 914_400  # of the units in which slides are measured
_WIDTH = 13.333 * _INCH
_TITLE_ONLY = 5  # of the layouts that every new file has


def write_pptx(shown: Shown, steps: Sequence[int]) -> Generator[int, None, bytes]:
    """Yield how many slides there are, and return the file.

    Raises
    ------
    CnnvizError
        If python-pptx is not installed.
    """
    try:
        from pptx import Presentation
        from pptx.util import Emu
    except ImportError as error:
        raise CnnvizError(
            tr("Slides need python-pptx, which is not installed: pip install 'cnnviz[slides]'.")
        ) from error
    file, painter = Presentation(), Png()
    file.slide_width = Emu(round(_WIDTH))
    file.slide_height = Emu(round(_WIDTH * shown.view.height / shown.view.width))
    file.core_properties.title = plain(shown.scene(steps[0])[2].title)
    for done, index in enumerate(steps, 1):
        at = moment(*shown.scene(index))
        _add_slide(file, at, painter.encode(shown, index))
        yield done
    content = BytesIO()
    file.save(content)
    return content.getvalue()


def _add_slide(file: Any, at: Moment, picture: bytes) -> None:
    """Add a slide; its title, which is listed and read aloud, lies above it: the picture has its own."""
    slide = file.slides.add_slide(file.slide_layouts[_TITLE_ONLY])
    said, stop = spoken(at), at.stop
    title = slide.shapes.title
    title.text = plain(stop.caption if stop else said)
    title.left, title.width = 0, file.slide_width
    title.top, title.height = -_INCH, _INCH
    drawn = slide.shapes.add_picture(BytesIO(picture), 0, 0, file.slide_width, file.slide_height)
    drawn._element.nvPicPr.cNvPr.set("descr", plain(said))
    notes = (stop.notes if stop else "", said)
    slide.notes_slide.notes_text_frame.text = plain("\n\n".join(part for part in notes if part)).replace(
        "\\n", "\n"
    )
