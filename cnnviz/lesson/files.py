"""Finds lesson files and reads them: what cannot be read or is wrong is said in one sentence."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from errno import EFBIG
from functools import cache
from pathlib import Path

from cnnviz.errors import CnnvizError
from cnnviz.files import read_whole, reason_of
from cnnviz.lesson.bounds import DEEPEST, LARGEST_FILE, MOST_AXES
from cnnviz.lesson.check import check
from cnnviz.lesson.tables import AnyFile
from cnnviz.lesson.values import PICTURES, Fault, Numbers, arrays_file, shape_words
from cnnviz.packed import holder_of
from cnnviz.resources import resource
from cnnviz.text import tr

_MOST_FAULTS = 20
_LONGEST_REASON = 200


def lesson_names() -> list[str]:
    """Return the names of the built-in lessons in the order of the course, which ``order.txt`` lists."""
    return [name for _, names in chapters() for name in names]


def chapters() -> list[tuple[str, list[str]]]:
    """Return the chapters of the course, each with its lessons; those that it does not know come last."""
    there = _built_in()
    found: list[tuple[str, list[str]]] = [("", [])]
    for line in _content(resource("lessons", "order.txt")).splitlines():
        if line.startswith("#"):
            found.append((line.lstrip("# "), []))
        elif line.strip() in there:
            found[-1][1].append(line.strip())
    known = [name for _, names in found for name in names]
    found.append(("", sorted(there.difference(known))))
    return [(chapter, names) for chapter, names in found if names]


def lesson_beside(name: str, backwards: bool = False) -> tuple[str, str]:
    """Return the next (or previous) lesson of the course and its title; two empty words where none is."""
    names = lesson_names()
    place = names.index(name) + (-1 if backwards else 1) if name in names else -1
    return (names[place], lesson_words(names[place])[0]) if 0 <= place < len(names) else ("", "")


def _built_in() -> set[str]:
    return {path.stem for path in resource("lessons").glob("*.toml")}


@cache  # they are part of the program; the palette asks for all of them each time it opens
def lesson_words(name: str) -> tuple[str, str]:
    """Return the title and the sentence of a built-in lesson; the rest of its file is not looked at."""
    content = tomllib.loads(_content(lesson_path(name)))
    return str(content["title"]), str(content["sentence"])


def lesson_path(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the file of a built-in lesson, or the file itself if it is one.

    Raises
    ------
    CnnvizError
        If a word names neither; the sentence has the names nearest to it.
    """
    word = os.fspath(name_or_path)
    if not word.strip():
        raise CnnvizError(tr("The name of the lesson is empty; name one, or a lesson file."))
    if isinstance(name_or_path, str) and word in _built_in():
        return resource("lessons", f"{word}.toml")
    path = Path(word)
    looks_like_one = not isinstance(name_or_path, str) or path.suffix or len(path.parts) != 1
    if looks_like_one or os.path.lexists(word.replace("\0", "")):
        return path
    if any(sign in word for sign in "+*()="):
        said = tr("There is no lesson {name}; an expression is written f = x * y   x=2 y=3.", name=word)
        raise CnnvizError(said)
    names = lesson_names()
    near = get_close_matches(word, names, n=3, cutoff=0.5)
    if near:
        raise CnnvizError(
            tr("There is no lesson {name}; did you mean {near}?", name=word, near=" or ".join(near))
        )
    raise CnnvizError(
        tr(
            "There is no lesson {name}; there are {names}, and a file of your own ends in .toml or .cnnviz.",
            name=word,
            names=", ".join(names),
        )
    )


def lesson_name(path: Path) -> str:
    """Return what a lesson is called, by its file: of one that is saved as one file, by that."""
    return (holder_of(path) or path).stem


def from_anywhere(source: str) -> str:
    """Return what finds a lesson from any folder: a built-in one's name, or a file's way from the root."""
    return source if source in _built_in() else os.path.abspath(source)


def read_file(path: Path) -> AnyFile:
    """Read and check a lesson file in itself, without the data files beside it.

    Raises
    ------
    CnnvizError
        If it cannot be read or is wrong; the sentence lists all faults.
    """
    text = _content(path)
    if _has_long_keys(text):
        raise _too_deep(path)
    try:
        content = tomllib.loads(text)
    except RecursionError as error:
        raise _too_deep(path) from error
    except ValueError as error:  # TOMLDecodeError is one, and so is a number of too many digits
        raise CnnvizError(
            tr("{file} is not valid TOML: {reason}.", file=path.name, reason=_first_line(error))
        ) from error
    if _is_deep(content):
        raise _too_deep(path)
    described, faults = check(content, lambda name, place: _array_beside(path, name, place))
    if described is None:
        raise wrong(path, faults)
    return described


def _array_beside(path: Path, name: str, place: str) -> Numbers:
    """Return an array of a file beside a lesson; there it is called as its place in the lesson file is."""
    from cnnviz.lesson.arrays import read_arrays  # few lessons have such a file
    from cnnviz.lesson.samples import file_beside

    try:
        found = read_arrays(file_beside(path, arrays_file(name)), [place]).get(place)
    except CnnvizError as error:
        raise Fault(str(error).rstrip(".")) from error
    if found is None:
        raise Fault(tr("{file} has no array of this name", file=name))
    if not 1 <= found.ndim <= MOST_AXES + 1 or not found.size:
        raise Fault(
            tr("{file} has an array of shape {shape} there", file=name, shape=shape_words(found.shape))
        )
    return Numbers(found.astype(float))


def _too_deep(path: Path) -> CnnvizError:
    return CnnvizError(
        tr(
            "{file}: its tables and lists are nested too deeply; {most} levels are the most.",
            file=path.name,
            most=DEEPEST,
        )
    )


# What stands beside keys, from where it opens: texts and comments. Each is read once, so `*+` and `++`.
_BESIDE_KEYS = {
    "#": re.compile(r"[^\n]*+"),
    "'": re.compile(r"[^'\n]*+'"),
    '"': re.compile(r'(?:[^"\\\n]++|\\.)*+"'),
    "'''": re.compile(r"(?:[^']++|'(?!''))*+'''"),
    '"""': re.compile(r'(?:[^"\\]++|\\.|"(?!""))*+"""', re.DOTALL),
}
_OPENS = re.compile("|".join(sorted(_BESIDE_KEYS, reverse=True)))
_LONG_KEY = re.compile(rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{DEEPEST}}}")


def _has_long_keys(text: str) -> bool:
    """Return whether there is a key of too many parts, a.b.c…, over which `tomllib` takes ever longer."""
    bare, at = [], 0
    while (opened := _OPENS.search(text, at)) is not None:
        closed = _BESIDE_KEYS[opened[0]].match(text, opened.end())
        bare.append(text[at : opened.start()] + ("" if opened[0] == "#" else "_"))  # a part may be a text
        at = closed.end() if closed else len(text)  # there, reading ends with a fault
    bare.append(text[at:])
    return _LONG_KEY.search("".join(bare)) is not None


def _is_deep(content: object) -> bool:
    level = [content]
    for _ in range(DEEPEST):
        level = [inner for part in level for inner in _inside(part)]
    return any(isinstance(part, dict | list) for part in level)


def _inside(part: object) -> Iterable[object]:
    return part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()


def _content(path: Path) -> str:
    try:
        content = read_whole(path, LARGEST_FILE)
    except FileNotFoundError as error:
        raise CnnvizError(tr("{file}: there is no such file.", file=path)) from error
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == EFBIG:
            raise CnnvizError(
                tr(
                    "{file} is larger than {most} MB, which is the most for a lesson file; "
                    "put its numbers into an .npz file beside it.",
                    file=path.name,
                    most=LARGEST_FILE >> 20,
                )
            ) from error
        raise CnnvizError(
            tr("{file} cannot be read ({reason}).", file=path, reason=reason_of(error))
        ) from error
    try:
        return content.decode("utf-8-sig")  # some editors begin a file with a mark
    except UnicodeDecodeError as error:
        said = tr("{file} is not a lesson file: it is not text in UTF-8.", file=path.name)
        if path.suffix.lower() in PICTURES:
            said = tr(
                "{file} is a picture and no lesson; it goes into a network: File, Input of the network…, "
                "or cnnviz digits --set picture.file={file}.",
                file=path.name,
            )
        raise CnnvizError(said) from error


def _first_line(error: Exception) -> str:
    line = (str(error).splitlines() or [""])[0].rstrip(".")
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}…"


def wrong(path: Path, faults: Iterable[str]) -> CnnvizError:
    """Return the error whose one sentence names a file and all that is wrong with it."""
    told = [fault.rstrip(".") for fault in faults]
    more = len(told) - _MOST_FAULTS
    if more > 0:
        told[_MOST_FAULTS:] = [tr("and {count} more", count=more)]
    return CnnvizError(tr("{file}: {faults}.", file=path.name, faults="; ".join(told)).replace("?.", "?"))
