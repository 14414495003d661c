"""A lesson: a network with its samples, or expressions, or pictures; one of these is stepped through."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnnviz.engine.expression import Graph, is_expression, read_typed
from cnnviz.engine.layer import VIEWS, Array
from cnnviz.engine.network import Network
from cnnviz.engine.pixels import Album
from cnnviz.engine.tape import Tape
from cnnviz.errors import CnnvizError
from cnnviz.lesson.build import Samples, build
from cnnviz.lesson.expressions import Example, Expressions, build_expressions
from cnnviz.lesson.files import lesson_names, lesson_path, read_file
from cnnviz.lesson.letters import read_letters
from cnnviz.lesson.pictures import build_album
from cnnviz.lesson.place import find_stops
from cnnviz.lesson.tables import ExpressionFile, PicturesFile
from cnnviz.scene.numbers import as_formula
from cnnviz.text import tr
from cnnviz.trace.cursor import Stop
from cnnviz.trace.program import Program
from cnnviz.trace.views import stops_in

__all__ = ["DEFAULT", "Lesson", "Samples", "lesson_names", "load_lesson"]

DEFAULT = "digits"
"""The lesson that is opened at start."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """A network, a sample that has gone through it, and the program of all that was computed.

    Of an expression lesson the network is a graph, and each sample an expression with its values; of a
    lesson about pictures both are the album of them.

    Attributes
    ----------
    name : str
        What the lesson is asked for by.
    title, sentence : str
        Its name for people, and what it shows.
    network : Network, Graph or Album
        A network is shared by the lessons that `choose` returns; every expression is a graph of its own.
    samples : Samples, Expressions or Album
        What can be chosen from.
    image : int
        The one that is shown.
    tape : Tape
        Every array of its iteration.
    program : Program
        Every step of its iteration.
    stops : tuple[Stop, ...]
        Where it has something to say, in the order of the steps.
    """

    name: str
    title: str
    sentence: str
    network: Network | Graph | Album
    samples: Samples | Expressions | Album
    image: int
    tape: Tape
    program: Program
    stops: tuple[Stop, ...] = ()

    def __repr__(self) -> str:
        return f"<Lesson {self.name}, image {self.image}, {len(self.program):,} steps>"

    def choose(self, index: int) -> Lesson:
        """Return the lesson with another of its images.

        Raises
        ------
        CnnvizError
            If there is no such image.
        """
        if index == self.image:
            return self
        program = self.program
        made = _iteration(
            self.name, self.network, self.samples, index, program.view, program.symbols, program.names
        )
        return replace(self, image=index, **made)

    def in_view(self, input_gradient: str) -> Lesson:
        """Return the lesson with the input gradients of its convolutions gathered, or scattered.

        Raises
        ------
        CnnvizError
            If it has no convolution whose input gradient is computed.
        """
        if input_gradient == self.program.view:
            return self
        if not self.program.view:
            raise CnnvizError(
                tr(
                    "{lesson} has no convolution whose input gradient is computed, so none can be {view}.",
                    lesson=self.name,
                    view=tr(input_gradient),
                )
            )
        assert isinstance(self.network, Network)
        program = Program(
            self.network.calls(self.tape, input_gradient), self.program.symbols, self.program.names
        )
        return replace(self, program=program, stops=stops_in(self.stops, self.program, program))


def load_lesson(name_or_path: str | os.PathLike[str] = DEFAULT, image: int | None = None) -> Lesson:
    """Load a built-in lesson or a lesson file.

    Parameters
    ----------
    name_or_path : str or PathLike
        A name out of `lesson_names`, or a file; or an expression, ``f = (x + y) * z   x=-2 y=5 z=-4``.
    image : int, optional
        Which of its images to step through; the one that the file says where it is not given.

    Returns
    -------
    Lesson
        Its network has run one iteration on that image.

    Raises
    ------
    CnnvizError
        If there is no such lesson, or something is wrong in its file: the sentence says all of it.
    """
    if isinstance(name_or_path, str) and is_expression(name_or_path):
        return _typed(name_or_path, image or 0)
    path = lesson_path(name_or_path)
    described = read_file(path)
    if isinstance(described, ExpressionFile):
        expressions, chosen = build_expressions(path, described), image or 0
        made = _iteration(path.stem, None, expressions, chosen)
        return Lesson(
            path.stem, described.title, described.sentence, samples=expressions, image=chosen, **made
        )
    if isinstance(described, PicturesFile):
        album, chosen = build_album(path, described), image or 0
        made = _iteration(path.stem, album, album, chosen)
        stops = find_stops(path, described.stops, made["program"])
        return Lesson(
            path.stem, described.title, described.sentence, samples=album, image=chosen, stops=stops, **made
        )
    network, samples = build(path, described)
    chosen = described.input.show if image is None else image
    letters = read_letters(path, described, network)
    made = _iteration(
        path.stem, network, samples, chosen, described.input_gradient, described.symbols, letters
    )
    program, tape = made["program"], made["tape"]
    asked = [view for view in VIEWS if any(stop.input_gradient == view for stop in described.stops)]
    views = [view for view in asked if program.view not in ("", view)]
    other = Program(network.calls(tape, views[0])) if views else None
    return Lesson(
        name=path.stem,
        title=described.title,
        sentence=described.sentence,
        samples=samples,
        image=chosen,
        stops=find_stops(path, described.stops, program, other),
        **made,
    )


def _typed(text: str, index: int) -> Lesson:
    """Return the lesson of one expression that was typed."""
    graph, values = read_typed(text)
    samples = Expressions((Example(graph, values),))
    made = _iteration("expression", None, samples, index)
    title = f"f = {as_formula(graph.text)}"
    sentence = tr("An expression that was typed: values go forward, gradients come back.")
    return Lesson("expression", title, sentence, samples=samples, image=index, **made)


def _iteration(
    name: str,
    network: Network | Graph | Album | None,
    samples: Samples | Expressions | Album,
    index: int,
    input_gradient: str = "gathered",
    symbols: Mapping[str, str] | None = None,
    letters: Mapping[str, tuple[str, ...]] | None = None,
) -> dict[str, Any]:
    """Run one sample; return what ran it, the tape and the program, and of an expression its stops."""
    if not 0 <= index < len(samples):
        said = tr("{lesson} has no image {index}; its images are numbered 0 to {last}.")
        if isinstance(samples, Expressions):
            said = tr("{lesson} has no expression {index}; they are numbered 0 to {last}.")
        raise CnnvizError(said.format(lesson=name, index=index, last=len(samples) - 1))
    if isinstance(samples, Expressions):
        example = samples.examples[index]
        tape, graph = example.graph.run(example.values), example.graph
        return {"network": graph, "tape": tape, "program": Program(graph.calls(tape)), "stops": example.stops}
    if isinstance(samples, Album):
        tape = samples.run()
        return {"network": network, "tape": tape, "program": Program(samples.calls(tape))}
    assert isinstance(network, Network)
    with np.errstate(all="ignore"):  # numbers that grow without bound are shown as what they become
        tape = network.run(samples.image(index), _target(network, samples, index))
    program = Program(network.calls(tape, input_gradient), symbols, letters)
    return {"network": network, "tape": tape, "program": program}


def _target(network: Network, samples: Samples, index: int) -> Array | None:
    if samples.labels is None or network.loss is None:
        return samples.target
    label, outputs = int(samples.labels[index]), network.shapes[-1]
    return np.full(1, float(label)) if outputs == (1,) else np.eye(outputs[0])[label]
