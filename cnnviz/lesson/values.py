"""What the single values of a lesson file may be, each checked by one function that says what is wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NewType

import numpy as np

from cnnviz.catalogue import Range
from cnnviz.engine.expression import read_expression
from cnnviz.errors import CnnvizError
from cnnviz.files import is_reserved
from cnnviz.formats.reader import ENDINGS
from cnnviz.lesson.bounds import MOST_AXES
from cnnviz.packed import holder_of
from cnnviz.text import tr

_RESERVED = re.compile(r"at|input|loss|optimiser|picture|schedule(_\d+)?|weights")
"""Names that no layer may have: arrays in a file, or changes, begin with them."""

WEIGHTS = (".npz", *ENDINGS)
"""What files end in that parameters are read from."""

DATA = (".npz", ".csv", ".idx", "-ubyte", ".gz")
"""What files with samples end in; those without a dot are folders of pictures, or IDX."""

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
"""What files of pictures end in. Which format one has, its first bytes say."""

LAYOUTS = ("cnnviz", "pytorch", "keras")
"""Whose axes the arrays of such a file may have."""

_LONGEST_NAME = 40
_LONGEST_TEXT = 500
_LONGEST_NOTES = 5_000
_LONGEST_NAME_OF_FILE = 100

Text = NewType("Text", str)
Notes = NewType("Notes", str)
Name = NewType("Name", str)
Reference = NewType("Reference", str)
DataFile = NewType("DataFile", str)
PictureFile = NewType("PictureFile", str)
NamesFile = NewType("NamesFile", str)
WeightsFile = NewType("WeightsFile", str)
Expression = NewType("Expression", str)
Numbers = NewType("Numbers", np.ndarray)


class Fault(ValueError):  # noqa: N818 (it is what a user did, and is shown as such)
    """One thing that is wrong, said without its path; `path` is what to add to it."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path


def truth(value: Any) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise Fault(tr("must be true or false, is {value}", value=shown(value)))
    return value


def whole(value: Any) -> int:
    """Take a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise Fault(tr("must be a whole number, is {value}", value=shown(value)))
    return value


def number(value: Any) -> float:
    """Take a finite number, whole or not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Fault(tr("must be a number, is {value}", value=shown(value)))
    try:
        result = float(value)
    except OverflowError:  # whole numbers in TOML have no largest
        result = math.inf
    if not math.isfinite(result):
        raise Fault(tr("must be a finite number, is {value}", value=shown(value)))
    return result


def string(value: Any) -> str:
    """Take a text."""
    if not isinstance(value, str):
        raise Fault(tr("must be a text, is {value}", value=shown(value)))
    return value


def text(value: Any) -> Text:
    """Take one line to be shown."""
    line = string(value)
    if not line.strip():
        raise Fault(tr("must not be empty"))
    if len(line) > _LONGEST_TEXT:
        raise Fault(
            tr("must have at most {most} characters, has {count}", most=_LONGEST_TEXT, count=len(line))
        )
    if not line.isprintable():
        raise Fault(tr("must be one line without control characters, is {value}", value=shown(line)))
    return Text(line)


def notes(value: Any) -> Notes:
    """Take what only the lecturer reads, in as many lines as are wanted."""
    lines = string(value)
    if len(lines) > _LONGEST_NOTES:
        raise Fault(
            tr("must have at most {most} characters, has {count}", most=_LONGEST_NOTES, count=len(lines))
        )
    if not all(line.expandtabs().isprintable() for line in lines.splitlines()):
        raise Fault(tr("must have no control characters, is {value}", value=shown(lines)))
    return Notes(lines.strip())


def has_own_meaning(word: str) -> bool:
    """Return whether a name means something in arrays' names and in changes, so that no layer may have it."""
    return _RESERVED.fullmatch(word) is not None


def name(value: Any) -> Name:
    """Take a name for a layer."""
    word = reference(value)
    if has_own_meaning(word):
        raise Fault(tr("must not be {value}, which has a meaning of its own", value=shown(word)))
    return Name(word)


def reference(value: Any) -> Reference:
    """Take the name of a layer that there is, or of the network's input."""
    word = string(value)
    if not word.isidentifier() or len(word) > _LONGEST_NAME:
        raise Fault(
            tr(
                "must be a name of at most {most} letters, digits and _, as in conv1, is {value}",
                most=_LONGEST_NAME,
                value=shown(word),
            )
        )
    return Reference(word)


def expression(value: Any) -> Expression:
    """Take an expression such as ``(x + y) * z``."""
    word = string(value)
    try:
        read_expression(word)
    except CnnvizError as error:
        raise Fault(str(error).rstrip(".")) from error
    return Expression(word)


def data_file(value: Any) -> DataFile:
    """Take the bare name of a file with samples, or of a folder, in the lesson's own folder."""
    word = string(value)
    endings = DATA if "." in word else ("",)
    return DataFile(_file(word, endings, tr("a data file ({known}), or of a folder,", known=", ".join(DATA))))


def weights_file(value: Any) -> WeightsFile:
    """Take the bare name of a file with parameters in the lesson's own folder."""
    return WeightsFile(_file(value, WEIGHTS, tr("an .npz file, or one of another program,")))


def picture_file(value: Any) -> PictureFile:
    """Take the bare name of a picture in the lesson's own folder."""
    return PictureFile(_file(value, PICTURES, tr("a picture, {known},", known=", ".join(PICTURES))))


def names_file(value: Any) -> NamesFile:
    """Take the bare name of a text file in the lesson's own folder."""
    return NamesFile(_file(value, (".txt",), tr("a text file, .txt,")))


def _file(value: Any, endings: tuple[str, ...], kind: str) -> str:
    word = string(value)
    if (
        not word
        or not word.lower().endswith(endings)  # as cameras and Windows write them
        or len(word) > _LONGEST_NAME_OF_FILE
        or is_reserved(word)
        or word.startswith(".")
        or not word.isprintable()
        or set(word) & set('/\\:*?"<>|')
    ):
        raise Fault(
            tr(
                "must be the name of {kind} in the lesson's own folder, is {value}",
                kind=kind,
                value=shown(word),
            )
        )
    return word


def arrays_file(value: Any) -> str:
    """Take the bare name of an .npz file in the lesson's own folder."""
    return _file(value, (".npz",), tr("an .npz file"))


def numbers(value: Any) -> Numbers:
    """Take nested lists of finite numbers that make an array."""
    _shape_of(value, "")
    return Numbers(np.array(value, dtype=np.float64))


def _shape_of(value: Any, path: str) -> tuple[int, ...]:
    """Return the shape of nested lists of numbers, or raise the first fault."""
    if not isinstance(value, list):
        if not path:
            raise Fault(tr("must be a list of numbers, is {value}", value=shown(value)))
        try:
            number(value)
        except Fault as fault:
            raise Fault(str(fault), path) from None
        return ()
    if not value:
        raise Fault(tr("must not be empty"), path)
    if path.count("[") >= MOST_AXES:
        raise Fault(tr("must be a number, is a list: {most} axes are the most", most=MOST_AXES), path)
    shapes = [_shape_of(item, f"{path}[{k}]") for k, item in enumerate(value)]
    for k, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise Fault(
                tr(
                    "must have the shape {wanted}, as the first beside it has, but has {found}",
                    wanted=shape_words(shapes[0]),
                    found=shape_words(shape),
                ),
                f"{path}[{k}]",
            )
    return (len(value), *shapes[0])


def check_range(value: float, allowed: Range) -> None:
    """Raise a Fault if a number is out of its range."""
    low = value <= allowed.least if allowed.open_least else value < allowed.least
    high = value >= allowed.most if allowed.open_most else value > allowed.most
    if low:
        words = tr("must be more than {bound}, is {value}")
        words = words if allowed.open_least else tr("must be at least {bound}, is {value}")
        raise Fault(words.format(bound=f"{allowed.least:g}", value=shown(value)))
    if high:
        words = tr("must be less than {bound}, is {value}")
        words = words if allowed.open_most else tr("must be at most {bound}, is {value}")
        raise Fault(words.format(bound=f"{allowed.most:.20g}", value=shown(value)))


def shown(value: Any) -> str:
    """Write what was found much as the file has it, but short."""
    if isinstance(value, list):
        return tr("a list")
    if isinstance(value, dict):
        return tr("a table")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) >= 10**30:
        return tr("a number of over 30 digits")
    words = repr(value) if isinstance(value, str) else str(value)
    return words if len(words) <= 60 else f"{words[:58]}…{words[-1]}"


def shape_words(shape: Sequence[int]) -> str:
    """Write a shape, of which a single number has none."""
    return " × ".join(map(str, shape)) if shape else tr("one number")


def hint(word: str, known: Sequence[str]) -> str:
    """Return what to put after a word that is not known: the nearest one that is, or all of them."""
    near = get_close_matches(word, known, n=1)
    if near:
        return tr("; did you mean {word}?", word=near[0])
    return tr("; there is {words}", words=", ".join(known)) if known else ""


_OWN = re.compile(r"(drawn|pasted|saved)-[0-9a-f]{12}\.\w+")
"""What the window calls the files that it keeps for itself."""


def file_said(path: Path) -> str:
    """Return what a person calls a file: its name, or what is in it where the program gave it one."""
    own, holder = _OWN.fullmatch(path.name), holder_of(path)
    if own:
        return {"drawn": tr("your drawing"), "pasted": tr("the pasted picture")}.get(
            own[1], tr("what was saved before")
        )
    if holder is None:
        return path.name
    inside = {
        ".png": tr("the picture in {file}", file=holder.name),
        ".txt": tr("the names in {file}", file=holder.name),
    }
    return inside.get(path.suffix, tr("the numbers in {file}", file=holder.name))


def as_sentence(words: str) -> str:
    """End words with a full stop, unless they end as a question."""
    return words if words.endswith("?") else f"{words.rstrip('.')}."
