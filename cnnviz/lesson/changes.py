"""Changes: what a lesson is in place of what its file says, as data and as text.

    description + changes → subject          what can be stepped
    subject + choice      → lesson           what is stepped

A **description** is a lesson file that was read and checked, or an expression that was typed. It never
changes.

A **change** says what the thing *is*: this weight is 0.5, that layer has stride 2. There are two kinds, both
plain values: a `Cell` is one number of one array, an `Argument` is what a layer, the loss, the optimiser, the
schedule or a descent was made with, or the file that a picture or all parameters are from. All changes of a
lesson are one tuple, in an order and in a form of which there is one for each lesson: of two for the same
place the last one counts, and what the file says already is no change. So the tuple is what is undone,
remembered, sent to other processes and compared.

A **choice** says where one *is*: which image or expression, which iteration, which form of the input
gradient. It alters nothing, and so it is no change; see `cnnviz.lesson.subject`.

A change is written as one word, and a tuple of them as words with blanks between::

    conv1.w[0,0,1,1]=0.5        a cell of a parameter
    input[0,2,3]=1              a cell of the picture, as the network sees it; input.7[0,2,3]=1 of image 7
    target[2]=0.5  label=4      what the network should make of it; target.7[2]=0.5, label.7=4
    left[2]=1                   a cell of one of several inputs, [inputs.left]
    loss_fc.target[2]=0.5       what one of several outputs should be, that of fc
    output_gradient[0]=1        what a network without a loss goes back with
    rgb.image[0,2,1]=255        of a picture that is read pixel by pixel
    x=-2                        an expression's value; x.1=-2 that of expression 1
    conv1.stride=2  conv1.kernel=3,5  loss.margin=2  optimiser.lr=0.1
    walk.lr=0.2  walk.starts=4,-1
    picture.file=cat.jpg        a picture in the place of the sample that is shown first
    left.picture=cat.jpg        a picture in one of several inputs
    picture.preset=torchvision  how it is made to fit: picture.fit, picture.mean, and so on
    input.images=mnist.npz      other samples, to be shown and learnt from
    input.labels=y_test         which array, column or file says what should come out
    input.classes=names.txt     what classes are called, one a line of a text file
    weights.file=net.pt         all parameters, from a file
    weights.layout=pytorch      how its axes lie, where it does not say so
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, unquote

from msgspec import Struct

from cnnviz.errors import CnnvizError
from cnnviz.lesson.values import as_sentence, file_said
from cnnviz.text import short, tr

Number = int | float
Value = bool | int | float | str | tuple[Number, ...]

_LONGEST_SHOWN = 60
_TRUTHS = {"true": True, "false": False}
_WORD = re.compile(r"([^\W\d]\w*)(\.[^\W\d]\w*)?(?:\.(\d{1,18}))?(?:\[(\d{1,18}(?:,\d{1,18})*)\])?=(\S+)")
_TEXT = re.compile(
    r"\s*((?:picture|weights)\.file|[^\W\d]\w*\.picture|input\.(?:array|classes|images|labels))\s*=\s*(.*\S)\s*",
    re.DOTALL,
)
"""Files, arrays and columns, whose names may hold anything."""
_WHOLE, _NAME = re.compile(r"[+-]?\d{1,400}"), re.compile(r"[^\W\d]\w*")


class Cell(Struct, frozen=True, tag="cell"):
    """One number of an array is another.

    Attributes
    ----------
    array : str
        The array's address, ``conv1.w``; ``target`` or ``label``; the name of an input, of a loss with its
        ``target``, or of an expression's value.
    index : tuple[int, ...]
        Which cell; empty where the array is a single number.
    value : float
        What it is.
    sample : int, optional
        Which image or expression it belongs to, of arrays that each of them has. None where there is only
        one; and where it is not said, which means the one that is shown.
    """

    array: str
    index: tuple[int, ...]
    value: float
    sample: int | None = None

    @property
    def owner(self) -> str:
        """Whose array it is: a layer's, or nobody's."""
        return self.array.rpartition(".")[0]

    def __str__(self) -> str:
        sample = "" if self.sample is None else f".{self.sample}"
        index = f"[{','.join(map(str, self.index))}]" if self.index else ""
        return f"{self.array}{sample}{index}={_written(float(self.value)).removesuffix('.0')}"


class Argument(Struct, frozen=True, tag="argument"):
    """What something is made with is another.

    Attributes
    ----------
    owner : str
        A layer's or a descent's name, ``loss``, ``optimiser``, ``schedule``, ``schedule_1``, ``picture`` or
        ``weights``.
    name : str
        What the lesson file calls it: ``stride``, ``lr``.
    value : bool, int, float, str or tuple
        What it is.
    """

    owner: str
    name: str
    value: Value

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}={_written(self.value)}"


Change = Cell | Argument
Changes = tuple[Change, ...]

Place = tuple[int, str, int, tuple[int, ...]]


def place_of(change: Change) -> Place:
    """Return what is changed, sorted as changes are made: arguments decide which cells there are."""
    match change:
        case Argument():
            return (0, f"{change.owner}.{change.name}", -1, ())
        case Cell():  # a label decides which cells a target has
            return (
                2 if change.index else 1,
                change.array,
                -1 if change.sample is None else change.sample,
                change.index,
            )


def change_said(change: Change) -> str:
    """Write a change for who reads it: of a file its name alone, or what a person calls it."""
    text = str(change)
    if not isinstance(change.value, str) or not is_file_change(text):
        return text
    return f"{text.partition('=')[0]}={file_said(Path(change.value))}"


def text_of(changes: Iterable[Change]) -> str:
    """Write changes as `read_changes` reads them."""
    return " ".join(map(str, changes))


def read_changes(words: Iterable[str]) -> Changes:
    """Read changes, one in each word.

    Raises
    ------
    CnnvizError
        If a word is none, or two of them are changes of the same place.
    """
    changes = tuple(map(read_change, words))
    seen: set[Place] = set()
    for change in changes:
        if place_of(change) in seen:
            raise CnnvizError(
                tr("{name} has two values; write one of them only.", name=str(change).partition("=")[0])
            )
        seen.add(place_of(change))
    return changes


def is_file_change(text: str) -> bool:
    """Return whether a text is one change that names a file, which may hold blanks."""
    return _TEXT.fullmatch(text) is not None


def read_change(word: str) -> Change:
    """Read one change; whether it fits a lesson, only that can say.

    Raises
    ------
    CnnvizError
        If it is not understood.
    """
    if asked := _TEXT.fullmatch(word):
        (owner, name), text = asked[1].split("."), asked[2]
        return Argument(owner, name, text if os.path.lexists(text.replace("\0", "")) else unquote(text))
    found = _WORD.fullmatch(re.sub(r"\s", "", word))
    value = _value(found[5]) if found else None
    if found is None or value is None:
        raise _not_understood(word)
    first, second, sample, index, _ = found.groups()
    if second and not index and not sample:
        return Argument(first, second[1:], value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _not_understood(word)
    cell = tuple(map(int, index.split(","))) if index else ()
    try:
        return Cell(first + (second or ""), cell, float(value), int(sample) if sample else None)
    except OverflowError as error:
        raise _not_understood(word) from error


def _value(text: str) -> Value | None:
    """Return a number, several with commas between (one of them with a comma behind it), or a word."""
    parts = text.split(",")
    if len(parts) > 1:
        numbers = [_number(part) for part in (parts if parts[-1] else parts[:-1])]
        known = tuple(number for number in numbers if number is not None)
        return known if len(known) == len(numbers) else None
    if text in _TRUTHS:
        return _TRUTHS[text]
    number = _number(text)
    return number if number is not None else text if _NAME.fullmatch(text) else None


def _number(text: str) -> Number | None:
    try:
        return int(text) if _WHOLE.fullmatch(text) and not text.startswith("-0") else float(text)
    except ValueError:
        return None


def _written(value: Value) -> str:
    match value:
        case tuple():
            return ",".join(map(repr, value)) + ("," if len(value) == 1 else "")
        case bool():
            return repr(value).lower()
        case str():
            return quote(value, safe="/:.,\\")
        case _:
            return repr(value)


def _not_understood(word: str) -> CnnvizError:
    return CnnvizError(
        tr(
            "{word} is not understood; write what is changed and its value, as in conv1.stride=2, "
            "conv1.w[0,0,1,1]=0.5, label=4 or weights.file=net.pt.",
            word=short(word, _LONGEST_SHOWN),
        )
    )


def refused(change: Change, why: str) -> CnnvizError:
    """Return the error that a change does not fit, in one sentence."""
    return CnnvizError(as_sentence(tr("{change}: {why}", change=str(change), why=why)))
