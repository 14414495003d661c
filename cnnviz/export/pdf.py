"""Frames as the pages of one PDF: hand-outs and slides."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from cnnviz.export.frames import Shown
from cnnviz.scene.frame import compose, moment
from cnnviz.scene.spoken import spoken
from cnnviz.scene.theme import theme_of


def write_pdf(shown: Shown, steps: Sequence[int]) -> Generator[int, None, bytes]:
    """Yield how many pages there are, and return the document."""
    from cnnviz.render.pdf import Pdf

    pdf = Pdf(shown.scene(steps[0])[2].title)
    for done, index in enumerate(steps, 1):
        program, step, view = shown.scene(index)
        said = spoken(moment(program, step, view))
        pdf.add(compose(program, step, view), theme_of(view.display).name, said)
        yield done
    return pdf.document()
