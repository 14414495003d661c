"""How a network of another program is asked for: its file, and how it is opened, in one text.

``net.onnx?input=digit.png&label=3`` is a file with an input and a label, written as addresses on the web are.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, unquote

from msgspec import Struct
from msgspec.structs import asdict, replace

from cnnviz.errors import CnnvizError
from cnnviz.formats.reader import ENDINGS
from cnnviz.lesson.values import hint
from cnnviz.packed import ENDING
from cnnviz.text import tr


class Source(Struct, frozen=True):
    """A file of another program, and how it is opened.

    Attributes
    ----------
    path : str
        The file.
    input : str
        The file that goes in: a picture, .npy or .npz; zeros where it is empty. Of several inputs
        ``left=a.npy;right=b.npy``, by their names in the file.
    label : str
        The class that should come out, a whole number; empty where none is said.
    target : str
        A file with what should come out instead, .npy or .npz.
    up_to : str
        The layer that is to be the last one; empty for the whole network.
    """

    path: str
    input: str = ""
    label: str = ""
    target: str = ""
    up_to: str = ""

    def __str__(self) -> str:
        told = {key: value for key, value in asdict(self).items() if value and key != "path"}
        words = "&".join(f"{key}={quote(value, safe='/:.,')}" for key, value in told.items())
        return f"{self.path}?{words}" if words else self.path

    @property
    def named_inputs(self) -> dict[str, str]:
        """The files that go into several inputs, by their names; the name is empty where none is said."""
        named = {}
        for part in self.input.split(";"):
            name, is_named, file = part.partition("=")
            named[name if is_named else ""] = file if is_named else part
        return named

    def with_input(self, name: str, file: str) -> Source:
        """Return the same with another file that goes into one of several inputs."""
        named = {of: other for of, other in self.named_inputs.items() if of} | {name: file}
        return replace(self, input=";".join(f"{of}={other}" for of, other in named.items()))

    def files(self) -> list[str]:
        """Return the files that go in."""
        return [self.input, *self.named_inputs.values()] if self.input else []

    def from_anywhere(self) -> Source:
        """Return the same with the ways to its files from the root."""
        files = {"target": os.path.abspath(self.target)} if self.target else {}
        if self.input:
            named = "" in (inputs := self.named_inputs) or os.path.lexists(self.input)
            parts = (f"{name}={os.path.abspath(file)}" for name, file in inputs.items())
            files["input"] = os.path.abspath(self.input) if named else ";".join(parts)
        return Source(**{**asdict(self), **files, "path": os.path.abspath(self.path)})


class UnsteppableError(CnnvizError):
    """A network of which some nodes cannot be stepped.

    Attributes
    ----------
    source : Source or None
        How it is opened up to there; None where not even one layer can be stepped.
    """

    def __init__(self, sentence: str, source: Source | None) -> None:
        super().__init__(sentence)
        self.source = source


class WeightsOnlyError(CnnvizError):
    """A file that holds weights alone, for a lesson that has their layers."""


def file_of(source: str | os.PathLike[str]) -> str:
    """Return the file that a text asks for, without how it is opened."""
    word = os.fspath(source)
    path, _, words = word.partition("?")
    return path if words and not os.path.lexists(word.replace("\0", "")) else word


def is_one_file(source: str | os.PathLike[str]) -> bool:
    """Return whether a text, or a path, asks for a lesson that was saved as one file."""
    return Path(file_of(source)).suffix.lower() == ENDING


def is_network(source: str | os.PathLike[str]) -> bool:
    """Return whether a text, or a path, asks for a network of another program."""
    word = os.fspath(source)
    return Path(word.partition("?")[0]).suffix.lower() in ENDINGS or Path(word).suffix.lower() in ENDINGS


def read_source(source: str | os.PathLike[str]) -> Source:
    """Take a text apart.

    Raises
    ------
    CnnvizError
        If it says what is not understood.
    """
    word, path = os.fspath(source), file_of(source)
    if path == word:
        return Source(word)
    words = word[len(path) + 1 :]
    known = [name for name in Source.__struct_fields__ if name != "path"]
    told = {}
    for part in words.split("&"):
        key, _, value = part.partition("=")
        if key not in known or not value:
            raise CnnvizError(
                tr("{source}: {word} is not understood", source=path, word=part) + hint(key, known) + "."
            )
        told[key] = unquote(value)
    return Source(path, **told)
