r"""Steps as LaTeX: the formula and the arithmetic, to be read into a paper by ``\input``."""

from __future__ import annotations

import os
from typing import BinaryIO

from cnnviz.export.frames import Shown
from cnnviz.scene.frame import moment
from cnnviz.scene.latex import arithmetic_latex, escaped, formula_latex
from cnnviz.scene.spoken import spoken

_HEAD, _END = b"% \\usepackage{amsmath}\n", b"\n% end\n"


class Tex:
    """Writes the formula and the arithmetic of a step, under the sentence that says it."""

    suffix = ".tex"

    def encode(self, shown: Shown, index: int) -> bytes:
        """Return the file of a step."""
        program, step, view = shown.scene(index)
        at = moment(program, step, view)
        parts = (escaped(" ".join(spoken(at).split())), formula_latex(at), arithmetic_latex(at))
        return _HEAD + "\n".join(part for part in parts if part).encode() + _END

    def is_whole(self, file: BinaryIO, shown: Shown) -> bool:
        """Return whether a file is one of these, and not cut off; it has no size."""
        head = file.read(len(_HEAD))
        file.seek(-min(len(_END), os.fstat(file.fileno()).st_size), os.SEEK_END)
        return head == _HEAD and file.read() == _END
