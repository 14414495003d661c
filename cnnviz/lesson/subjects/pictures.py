"""Pictures that are read pixel by pixel, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from msgspec.structs import replace

from cnnviz.engine.address import address_of
from cnnviz.engine.layer import shape_text
from cnnviz.engine.pixels import BRIGHTEST, Album, Picture
from cnnviz.engine.tape import Tape
from cnnviz.lesson.changes import Argument, Cell, Change, Changes, refused
from cnnviz.lesson.files import lesson_name, wrong
from cnnviz.lesson.place import find_stops
from cnnviz.lesson.sequence import in_sequence
from cnnviz.lesson.subject import Choice, Computed
from cnnviz.lesson.subjects.fitting import no_arguments, of_sample, only_one, require_cell
from cnnviz.lesson.subjects.plain import Plain
from cnnviz.lesson.tables import PicturesFile
from cnnviz.lesson.values import shape_words
from cnnviz.text import tr
from cnnviz.trace.cursor import Stop
from cnnviz.trace.program import Program

_MOST_PIXELS = 64  # a side


class Pictures(Plain, frozen=True, eq=False):
    """Pictures, all of them read in one program.

    Attributes
    ----------
    path : Path
        The lesson's file.
    described : PicturesFile
        What it says.
    album : Album
        The pictures.
    """

    path: Path
    described: PicturesFile
    album: Album

    def info(self, choice: Choice, tape: Tape) -> str:
        """Return the shapes of the pictures."""
        shapes = [f"{shown.name} {shape_text(shown.pixels.shape)}" for shown in self.album.pictures]
        return tr("Pictures (height × width × depth): {shapes}", shapes=", ".join(shapes))

    # ------------------------------------------------------------------------------------------- stepping

    def choice(self, asked: Choice) -> Choice:
        """Make a choice whole."""
        return only_one(lesson_name(self.path), asked)

    def compute(self, choice: Choice) -> Computed:
        """Read all pictures."""
        return Computed(self.album.run())

    def program(self, choice: Choice, computed: Computed) -> Program:
        """Return the listing for each of them."""
        return Program(self.album.calls(computed.tape))

    def sequence(
        self, choice: Choice, computed: Computed, program: Program, strict: bool = True
    ) -> tuple[Stop, ...]:
        """Find what the file says."""
        return in_sequence(find_stops(self.path, self.described.stops, program, strict=strict))

    # ------------------------------------------------------------------------------------------- changing

    def cell_of(self, address: str, index: tuple[int, ...], choice: Choice, number: int = 0) -> Cell | None:
        """Return a pixel."""
        arrays = {address_of(shown.name, "image"): shown.pixels for shown in self.album.pictures}
        return Cell(address, index, float(arrays[address][index])) if address in arrays else None

    def fitting(self, change: Change, image: int) -> Change:
        """Return a change of a pixel."""
        arrays = {address_of(shown.name, "image"): shown for shown in self.album.pictures}
        match change:
            case Argument():
                raise no_arguments(change.owner, ", ".join(arrays))
            case Cell():
                own = of_sample(change, False, image, 1)
                if own.array not in arrays:
                    there = tr("what can be changed is {names}", names=", ".join(arrays))
                    raise refused(
                        own, tr("{array} is computed, or not there; {there}", array=own.array, there=there)
                    )
                require_cell(own, arrays[own.array].pixels.shape)
                if own.value % 1 or not 0 <= own.value <= BRIGHTEST:
                    raise refused(own, tr("a pixel is a whole number from 0 to 255"))
                return own

    def value(self, change: Change) -> float:
        """Return a pixel."""
        assert isinstance(change, Cell)
        return next(
            float(shown.pixels[change.index])
            for shown in self.album.pictures
            if address_of(shown.name, "image") == change.array
        )

    def changed(self, changes: Changes) -> Pictures:
        """Return the same with other pixels."""
        arrays = {address_of(shown.name, "image"): shown.pixels.copy() for shown in self.album.pictures}
        for change in changes:
            assert isinstance(change, Cell)
            arrays[change.array][change.index] = change.value
        shown = tuple(Picture(old.name, arrays[address_of(old.name, "image")]) for old in self.album.pictures)
        return replace(self, album=Album(shown))


def build_pictures(path: Path, described: PicturesFile) -> Pictures:
    """Make the pictures that a file holds; all faults are told together.

    Raises
    ------
    CnnvizError
        If a picture is not height × width × depth, is too large, or holds what is no number of a pixel.
    """
    faults: list[str] = []
    taken: dict[str, int] = {}
    for k, part in enumerate(described.images):
        place, shape = f"images[{k}].pixels", part.pixels.shape
        if part.name in taken:
            said = tr("images[{k}].name: {name} is the name of images[{other}] already")
            faults.append(said.format(k=k, name=part.name, other=taken[part.name]))
        taken.setdefault(part.name, k)
        if len(shape) != 3 or shape[2] not in (1, 3):
            said = tr("{path}: must be height × width × depth, and 1 or 3 deep, but has the shape {shape}")
            faults.append(said.format(path=place, shape=shape_words(shape)))
        elif max(shape) > _MOST_PIXELS:
            said = tr("{path}: must have at most {most} pixels a side, but has the shape {shape}")
            faults.append(said.format(path=place, most=_MOST_PIXELS, shape=shape_words(shape)))
        odd = np.argwhere((part.pixels < 0) | (part.pixels > BRIGHTEST) | (part.pixels % 1 != 0))
        if len(odd):
            value, index = part.pixels[tuple(odd[0])], "".join(f"[{n}]" for n in odd[0])
            said = tr("{path}{index}: must be a whole number from 0 to 255, is {value}")
            faults.append(said.format(path=place, index=index, value=f"{value:g}"))
    if faults:
        raise wrong(path, faults)
    album = Album(tuple(Picture(part.name, part.pixels) for part in described.images))
    return Pictures(path, described, album)
