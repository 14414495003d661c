"""Frames as SVG: vectors, for papers and slides."""

from __future__ import annotations

import os
from typing import BinaryIO

from cnnviz.export.frames import Shown
from cnnviz.scene.frame import compose, moment
from cnnviz.scene.spoken import spoken
from cnnviz.scene.theme import theme_of

_END = b"</svg>\n"


class Svg:
    """Writes a frame as an SVG document, with the step's sentence as its description."""

    suffix = ".svg"

    def encode(self, shown: Shown, index: int) -> bytes:
        """Return the file of a step's frame."""
        from cnnviz.render.svg import to_svg

        program, step, view = shown.scene(index)
        said = spoken(moment(program, step, view))
        return to_svg(compose(program, step, view), theme_of(view.display).name, view.title, said).encode()

    def is_whole(self, file: BinaryIO, shown: Shown) -> bool:
        """Return whether a file is a document of this size, and not cut off."""
        head = file.read(400)
        file.seek(-min(len(_END), os.fstat(file.fileno()).st_size), os.SEEK_END)
        size = f'viewBox="0 0 {shown.view.width:g} {shown.view.height:g}"'.encode()
        return size in head and file.read() == _END
