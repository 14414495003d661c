"""Descriptions: what a lesson was asked for by, with the file that was found and checked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from cnnviz.engine.expression import is_expression, read_typed
from cnnviz.errors import CnnvizError
from cnnviz.files import is_packed, reason_of
from cnnviz.lesson.changes import Change, Changes
from cnnviz.lesson.changes import Place as FoundPlace
from cnnviz.lesson.files import from_anywhere, lesson_name, lesson_path, read_file
from cnnviz.lesson.inputs import Given
from cnnviz.lesson.own_stops import OwnStops, Words, stops_of_file, with_words, words_of_file
from cnnviz.lesson.packing import Place, pack, saved_changes, saved_place
from cnnviz.lesson.source import Source, is_network, is_one_file, read_source
from cnnviz.lesson.subject import Choice, Subject
from cnnviz.lesson.subjects import subject_of
from cnnviz.lesson.tables import AnyFile, ExpressionFile, ExpressionPart, NetworkFile
from cnnviz.lesson.values import Expression, Text, as_sentence
from cnnviz.packed import LESSON, holder_of
from cnnviz.scene.numbers import as_formula
from cnnviz.text import tr
from cnnviz.trace.cursor import Stop
from cnnviz.trace.program import Program

_LONGEST_TITLE = 80

Known = dict[int, tuple[Change, FoundPlace, Change, bool]]
"""By their ids, changes, each with its place, as it fits, and whether it makes any difference."""


class Description(Struct, frozen=True, eq=False, dict=True):
    """A lesson as its file has it, or an expression that was typed.

    Attributes
    ----------
    source : str
        What it can be asked for by from anywhere: a built-in lesson's name, a file's whole path, or the
        expression.
    path : Path
        Its file; of an expression that was typed, a name alone.
    file : AnyFile
        What the file says, checked.
    changes : Changes
        What was changed of it when it was saved as one file.
    place : Place or None
        Where one was then; None of all others.
    """

    source: str
    path: Path
    file: AnyFile
    changes: Changes = ()
    place: Place | None = None

    @property
    def name(self) -> str:
        """What the lesson is called in files and sentences."""
        return lesson_name(self.path)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of it when it is opened."""
        return self.file.notes if isinstance(self.file, NetworkFile) else ()

    @property
    def is_network(self) -> bool:
        """Whether it is a network of another program, also one that was saved as one file."""
        return isinstance(self.file, NetworkFile)

    @property
    def label(self) -> int:
        """The class that should come out of a network of another program; 0 where none is said."""
        return (self.file.input.label or 0) if isinstance(self.file, NetworkFile) else 0

    @property
    def origins(self) -> Mapping[str, str]:
        """What the file of another program calls each layer."""
        return self.file.origins if isinstance(self.file, NetworkFile) else {}

    @cached_property
    def subject(self) -> Subject:
        """What can be stepped of it, without any changes; made once, for the data files are read for it.

        Raises
        ------
        CnnvizError
            If something in them is wrong.
        """
        with _of_one_file(self.path):
            return subject_of(self.path, self.file)

    @property
    def stops(self) -> OwnStops:
        """What its file says, and where, in the order of the file."""
        return stops_of_file(self.file)

    @property
    def words(self) -> Words:
        """All that its file says."""
        return words_of_file(self.file)

    @property
    def root(self) -> Description:
        """The same before its words were edited."""
        own: Description = self.__dict__.get("_root", self)
        return own

    def saved_again(self) -> Description:
        """Return the same with the changes that its one file holds since it was written anew."""
        made = replace(self, changes=saved_changes(self.path.parent))
        made.__dict__["subject"] = self.subject
        return made

    def with_words(self, words: Words) -> Description:
        """Return the same that says something else."""
        if words == self.words:
            return self
        made = replace(self, file=with_words(self.file, words))
        made.__dict__["_root"] = self.root
        made.__dict__["subject"] = self.subject.told(made.file)  # which need not be made again
        return made

    def pack(self, changed: Subject, changes: Changes, place: Place) -> bytes:
        """Return it as one file, with changes, which are made in another subject; see `packing`.

        Raises
        ------
        CnnvizError
            If a file that belongs to it cannot be read any more.
        """
        return pack(self.file, self.path, self.subject, changed, changes, place)

    def told(self, choice: Choice) -> tuple[Program, tuple[Stop, ...]]:
        """Return the program of a whole choice as the file has it, and what the file says there.

        The last one is kept: while something is changed step by step, each change is compared with it.
        """
        if choice not in self._told:
            computed = self.subject.compute(choice)
            program = self.subject.program(choice, computed)
            self._told.clear()
            self._told[choice] = program, self.subject.sequence(choice, computed, program)
        return self._told[choice]

    @cached_property
    def begun(self) -> dict[tuple[int, str], tuple[Subject, Changes, Known]]:
        """The subject with the last changes of all but cells, and what is known of changes of its cells."""
        return {}

    @cached_property
    def _told(self) -> dict[Choice, tuple[Program, tuple[Stop, ...]]]:
        return {}


def describe(name_or_path: str | os.PathLike[str], array: Given | None = None) -> Description:
    """Find a lesson, and read and check its file.

    Parameters
    ----------
    name_or_path : str or PathLike
        A name out of `lesson_names`, or a file; or an expression, ``f = (x + y) * z   x=-2 y=5 z=-4``; or a
        file of another program, and how it is opened: ``net.onnx?input=digit.png&label=3``.
    array : NDArray or Mapping[str, NDArray], optional
        What goes into a network of another program; of several inputs each by its name.

    Raises
    ------
    CnnvizError
        If there is no such lesson, or something is wrong in its file: the sentence says all of it.
    """
    if isinstance(name_or_path, str) and is_expression(name_or_path):
        return Description(name_or_path, Path("expression"), _typed(name_or_path))
    if is_network(name_or_path):
        from cnnviz.lesson.opened import read_network  # few lessons need it, and it takes some milliseconds

        source = read_source(name_or_path)
        described = read_network(source, array)
        return Description(str(source.from_anywhere()), Path(source.path), described)
    saved = read_source(name_or_path) if is_one_file(name_or_path) else None
    path = lesson_path(name_or_path if saved is None else saved.path)
    if saved is not None and holder_of(path / LESSON) is not None:
        return _given(_one_file(path), saved, array)
    if array is not None:
        raise _no_input()
    return Description(from_anywhere(os.fspath(name_or_path)), path, read_file(path))


def _no_input() -> CnnvizError:
    return CnnvizError(
        tr("An input goes with a network of another program; lessons have inputs of their own.")
    )


def _given(description: Description, source: Source, array: Given | None) -> Description:
    """Return a network that was saved as one file, opened with something else that goes in or comes out."""
    if array is None and str(source) == source.path:
        return description
    if not isinstance(description.file, NetworkFile):
        raise _no_input()
    from cnnviz.lesson.opened import with_given

    with _of_one_file(description.path):
        file = with_given(description.file, source, array)
    return replace(description, source=str(source.from_anywhere()), file=file)


def _one_file(holder: Path) -> Description:
    """Return what an archive holds; only what is in it is read."""
    source = os.path.abspath(holder)
    path = Path(source) / LESSON
    try:
        if not is_packed(path):  # or it says why not
            raise AssertionError
    except OSError as error:
        said = tr("{file} cannot be opened ({reason}).", file=holder, reason=reason_of(error))
        raise CnnvizError(said) from error
    with _of_one_file(path):
        return Description(
            source, path, read_file(path), saved_changes(path.parent), saved_place(path.parent)
        )


@contextmanager
def _of_one_file(path: Path) -> Iterator[None]:
    """Name the archive, too, where something in one is wrong."""
    try:
        yield
    except CnnvizError as error:
        holder = holder_of(path)
        if holder is None:
            raise
        said = tr("{file}: {fault}", file=holder.name, fault=str(error))
        raise CnnvizError(as_sentence(said)) from error


def _typed(text: str) -> ExpressionFile:
    """Return the lesson of one expression that was typed."""
    graph, _ = read_typed(text)
    title = as_formula(graph.text if is_expression(graph.text) else f"{graph.result} = {graph.text}")
    title = title if len(title) <= _LONGEST_TITLE else f"{title[:_LONGEST_TITLE]}…"
    sentence = tr("An expression that was typed: values go forward, gradients come back.")
    return ExpressionFile(Text(title), Text(sentence), (ExpressionPart(Expression(text)),))
