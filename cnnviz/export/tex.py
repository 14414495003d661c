r"""Steps as LaTeX: formula, arithmetic and picture, to be read into a paper by ``\input``."""

from __future__ import annotations

import os
from typing import BinaryIO

from cnnviz.export.frames import Shown
from cnnviz.scene.frame import moment
from cnnviz.scene.kinds.generic import drawn_in
from cnnviz.scene.latex import arithmetic_latex, escaped, formula_latex
from cnnviz.scene.marks import Box
from cnnviz.scene.moment import Moment
from cnnviz.scene.spoken import spoken
from cnnviz.scene.theme import theme_of

_END = b"\n% end\n"

_PICTURE = Box(0, 0, 480, 270)
"""As wide as the text of a page, at 0.75 pt a pixel."""

_SIZES = (12.0, 10.5, 9.0)


class Tex:
    """Writes the formula and the arithmetic of a step, under the sentence that says it."""

    suffix = ".tex"
    _head = b"% \\usepackage{amsmath,amssymb}\n"

    def encode(self, shown: Shown, index: int) -> bytes:
        """Return the file of a step."""
        at = moment(*shown.scene(index))
        parts = (
            escaped(" ".join(spoken(at).split())),
            *self._drawn(at),
            formula_latex(at),
            arithmetic_latex(at),
        )
        return self._head + "\n".join(part for part in parts if part).encode() + _END

    def is_whole(self, file: BinaryIO, shown: Shown) -> bool:
        """Return whether a file is one of these, and not cut off; it has no size."""
        head = file.read(len(self._head))
        file.seek(-min(len(_END), os.fstat(file.fileno()).st_size), os.SEEK_END)
        return head == self._head and file.read() == _END

    def _drawn(self, at: Moment) -> tuple[str, ...]:
        return ()


class Tikz(Tex):
    """Writes the picture of a step, too: its grids with the window that it is in."""

    _head = b"% \\usepackage{amsmath,amssymb,tikz}\n"

    def _drawn(self, at: Moment) -> tuple[str, ...]:
        from cnnviz.render.tikz import to_tikz

        marks = drawn_in(at.pictured, _PICTURE, _SIZES)
        picture = to_tikz(marks, theme_of(at.view.display).name) if marks else ""
        return (f"\\begin{{center}}\n{picture}\n\\end{{center}}",) if picture else ()
