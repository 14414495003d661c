"""A lesson: a network with its samples, or expressions, or pictures; one of these is stepped through."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from cnnviz.engine.expression import Graph, is_expression, read_typed
from cnnviz.engine.layer import VIEWS
from cnnviz.engine.network import Network
from cnnviz.engine.pixels import Album
from cnnviz.engine.tape import Tape
from cnnviz.engine.training import Run
from cnnviz.errors import CnnvizError
from cnnviz.lesson.build import Samples, build, build_run, target_of
from cnnviz.lesson.descents import Descents, build_descents, changed, without_changes
from cnnviz.lesson.expressions import Example, Expressions, build_expressions
from cnnviz.lesson.files import lesson_names, lesson_path, read_file
from cnnviz.lesson.letters import read_letters
from cnnviz.lesson.pictures import build_album
from cnnviz.lesson.place import find_stops
from cnnviz.lesson.sequence import in_sequence, stop_after, turn_of
from cnnviz.lesson.tables import DescentFile, ExpressionFile, PicturesFile
from cnnviz.scene.numbers import as_formula, count
from cnnviz.text import tr
from cnnviz.trace.cursor import Cursor, Stop
from cnnviz.trace.program import Program
from cnnviz.trace.views import stops_in

__all__ = ["DEFAULT", "Lesson", "Samples", "lesson_names", "load_lesson"]

_LONGEST_TITLE = 80

DEFAULT = "digits"
"""The lesson that is opened at start."""


class Lesson(Struct, frozen=True, eq=False):
    """A network, a sample that has gone through it, and the program of all that was computed.

    Of an expression lesson the network is a graph, and each sample an expression with its values; of a
    lesson about pictures both are the album of them. A lesson of descents has no network; all its descents
    are its one sample.

    Attributes
    ----------
    name : str
        What the lesson is asked for by.
    title, sentence : str
        Its name for people, and what it shows.
    network : Network, Graph, Album or None
        A network is shared by the lessons that `choose` returns; every expression is a graph of its own, and
        every iteration of a training has a copy of its own.
    samples : Samples, Expressions, Album or Descents
        What can be chosen from.
    image : int
        The one that is shown.
    tape : Tape
        Every array of its iteration.
    program : Program
        Every step of its iteration.
    sequence : tuple[Stop, ...]
        All places at which it has something to say, in the order in which it goes through them.
    run : Run or None
        The training, if the lesson has one; shared by the lessons that `at_iteration` returns.
    iteration : int
        Which of its iterations this is; 0 without a training.
    """

    name: str
    title: str
    sentence: str
    network: Network | Graph | Album | None
    samples: Samples | Expressions | Album | Descents
    image: int
    tape: Tape
    program: Program
    sequence: tuple[Stop, ...] = ()
    run: Run | None = None
    iteration: int = 0

    def __repr__(self) -> str:
        at = f", iteration {self.iteration}" if self.run else ""
        return f"<Lesson {self.name}{at}, image {self.image}, {len(self.program):,} steps>"

    @property
    def heading(self) -> str:
        """Its title; of a training with the iteration, and with the image if that is not the iteration's."""
        if self.run is None:
            return self.title
        said = tr("{title}, iteration {iteration}", title=self.title, iteration=count(self.iteration))
        if self.image == self.run.image_of(self.iteration):
            return said
        return tr("{heading} with image {image}", heading=said, image=count(self.image))

    def choose(self, index: int) -> Lesson:
        """Return the lesson with another of its images.

        Raises
        ------
        CnnvizError
            If there is no such image.
        """
        if index == self.image:
            return self
        return replace(self, image=index, **self._run_through(self.network, index, self.program.iteration))

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
            self.network.calls(self.tape, input_gradient),
            self.program.symbols,
            self.program.names,
            self.program.iteration,
        )
        return replace(self, program=program, sequence=stops_in(self.sequence, self.program, program))

    def at_iteration(self, iteration: int, image: int | None = None) -> Lesson:
        """Return the lesson at another iteration of its training.

        The network trains up to there first, if it has not yet come so far, and every number is the one
        that training computed: what this iteration's update writes is what the next one begins with.

        Parameters
        ----------
        iteration : int
            From 0.
        image : int, optional
            Another image to let through the network as it is then; training itself is not changed by it.

        Raises
        ------
        CnnvizError
            If the lesson has no training, or it has no such iteration, or diverges before it.
        """
        run = self.run
        if run is None:
            raise CnnvizError(
                tr("{lesson} has no training, and so no iterations to choose from.", lesson=self.name)
            )
        if not 0 <= iteration < run.iterations:
            raise CnnvizError(
                tr(
                    "{lesson} has no iteration {iteration}; they are numbered 0 to {last}.",
                    lesson=self.name,
                    iteration=iteration,
                    last=run.iterations - 1,
                )
            )
        for _ in run.work(iteration):
            pass
        if iteration > run.last:
            raise CnnvizError(run.fault)
        own = run.image_of(iteration)
        made = self._run_through(run.network_at(iteration), own, iteration)
        there = replace(self, image=own, iteration=iteration, **made)
        return there if image is None else there.choose(image)

    def trained(self, run: Run, iteration: int) -> Lesson:
        """Return the lesson at an iteration of its training, done before; as it is, if that was another.

        Nothing is trained for it: of a training that has begun again meanwhile, it is the last there is.
        """
        if self.run is None or not self.run.is_same_as(run):
            return self
        return replace(self, run=run).at_iteration(min(iteration, run.last))

    def _run_through(
        self, network: Network | Graph | Album | None, index: int, iteration: int | None
    ) -> dict[str, Any]:
        """Return what `_iteration` does, shown as this lesson is."""
        program = self.program
        return _iteration(
            self.name, network, self.samples, index, program.view, program.symbols, program.names, iteration
        )

    @property
    def stops(self) -> tuple[Stop, ...]:
        """Those of its stops that speak of the iteration and the image that are shown, as the steps come."""
        own = self.run is None or self.image == self.run.image_of(self.iteration)
        here = (
            stop
            for stop in self.sequence
            if (stop.iteration is None or (own and stop.iteration == self.iteration))
            and stop.image in (None, self.image)
        )
        return tuple(sorted(here, key=lambda stop: stop.index))

    def stop_after(self, cursor: Cursor, backwards: bool = False) -> Stop | None:
        """Return its next or previous stop, wherever it is, from a cursor in its program; None at an end."""
        return stop_after(self.sequence, (self.image, self.iteration), cursor, backwards)

    def missing_iterations(self, stop: Stop) -> int:
        """Return up to which iteration must be trained before a stop can be shown; 0 if it can be at once.

        The next iteration alone is no training: to show it, one more is computed.
        """
        _, iteration = turn_of(stop, self.sequence, (self.image, self.iteration))
        return iteration if self.run is not None and iteration > self.run.last + 1 else 0

    def at_stop(self, stop: Stop) -> Lesson:
        """Return the lesson with the choice, the iteration and the view that one of its stops speaks of.

        There, too, its number says which of the sequence it is.

        Raises
        ------
        CnnvizError
            If the training diverges before it.
        """
        image, iteration = turn_of(stop, self.sequence, (self.image, self.iteration))
        there = self
        if self.run is None:
            there = self.choose(image)
        elif (self.image, self.iteration) != (self.run.image_of(iteration), iteration):
            there = self.at_iteration(iteration)
        return there.in_view(stop.view) if stop.view else there

    def with_descents(self, descents: Descents) -> Lesson:
        """Return the lesson with changed descents; as long as the number of steps is, so is its program."""
        made = _iteration(self.name, None, descents, 0)
        return replace(self, samples=descents, sequence=in_sequence(descents.stops), **made)

    @property
    def identity(self) -> str:
        """What tells its frames from those of another: its name; its expression; what was changed of it."""
        if isinstance(self.samples, Expressions):
            return f"{self.name}: {self.samples.examples[self.image].typed}"
        return self.name + (self.samples.changes if isinstance(self.samples, Descents) else "")


def load_lesson(
    name_or_path: str | os.PathLike[str] = DEFAULT, image: int | None = None, iteration: int | None = None
) -> Lesson:
    """Load a built-in lesson or a lesson file.

    Parameters
    ----------
    name_or_path : str or PathLike
        A name out of `lesson_names`, or a file; or an expression, ``f = (x + y) * z   x=-2 y=5 z=-4``. Behind
        a lesson of descents, learning rates and starts of one's own: ``gradient-descent slow.lr=0.2``.
    image : int, optional
        Which of its images to step through; the one that the file says where it is not given.
    iteration : int, optional
        Which iteration of its training, from 0; as `Lesson.at_iteration`.

    Returns
    -------
    Lesson
        Its network has run one iteration on that image.

    Raises
    ------
    CnnvizError
        If there is no such lesson, or something is wrong in its file: the sentence says all of it.
    """
    lesson = _loaded(name_or_path, image)
    if iteration is None and (image is None or lesson.run is None):
        return lesson
    return lesson.at_iteration(iteration or 0, image)


def _loaded(name_or_path: str | os.PathLike[str], image: int | None) -> Lesson:
    """Return a lesson at its first image, or at the one asked for; a training has a choice of its own."""
    if isinstance(name_or_path, str) and is_expression(name_or_path):
        return _typed(name_or_path, image or 0)
    source, changes = without_changes(os.fspath(name_or_path))
    path = lesson_path(source if changes else name_or_path)
    described = read_file(path)
    if isinstance(described, DescentFile):
        descents = changed(build_descents(path, described), changes)
        made = _iteration(path.stem, None, descents, image or 0)
        told = in_sequence(descents.stops)
        return Lesson(
            path.stem, described.title, described.sentence, samples=descents, image=0, sequence=told, **made
        )
    if changes:
        raise CnnvizError(
            tr("{lesson} has no descents that{changes} could change.", lesson=path.stem, changes=changes)
        )
    if isinstance(described, ExpressionFile):
        expressions, chosen = build_expressions(path, described), image or 0
        made = _iteration(path.stem, None, expressions, chosen)
        told = in_sequence(expressions.stops)
        return Lesson(
            path.stem,
            described.title,
            described.sentence,
            samples=expressions,
            image=chosen,
            sequence=told,
            **made,
        )
    if isinstance(described, PicturesFile):
        album, chosen = build_album(path, described), image or 0
        made = _iteration(path.stem, album, album, chosen)
        told = in_sequence(find_stops(path, described.stops, made["program"]))
        return Lesson(
            path.stem, described.title, described.sentence, samples=album, image=chosen, sequence=told, **made
        )
    network, samples = build(path, described)
    run = build_run(described.training, network, samples) if described.training else None
    chosen = run.image_of(0) if run else described.input.show if image is None else image
    made = _iteration(
        path.stem,
        network,
        samples,
        chosen,
        described.input_gradient,
        described.symbols,
        read_letters(path, described, network),
        0 if run else None,
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
        sequence=in_sequence(find_stops(path, described.stops, program, other)),
        run=run,
        **made,
    )


def _typed(text: str, index: int) -> Lesson:
    """Return the lesson of one expression that was typed."""
    graph, values = read_typed(text)
    samples = Expressions((Example(graph, values),))
    made = _iteration("expression", None, samples, index)
    title = as_formula(graph.text if is_expression(graph.text) else f"{graph.result} = {graph.text}")
    title = title if len(title) <= _LONGEST_TITLE else f"{title[:_LONGEST_TITLE]}…"
    sentence = tr("An expression that was typed: values go forward, gradients come back.")
    return Lesson("expression", title, sentence, samples=samples, image=index, **made)


def _iteration(
    name: str,
    network: Network | Graph | Album | None,
    samples: Samples | Expressions | Album | Descents,
    index: int,
    input_gradient: str = "gathered",
    symbols: Mapping[str, str] | None = None,
    letters: Mapping[str, tuple[str, ...]] | None = None,
    iteration: int | None = None,
) -> dict[str, Any]:
    """Run one sample; return what ran it, the tape and the program."""
    if not 0 <= index < len(samples):
        said = tr("{lesson} has no image {index}; its images are numbered 0 to {last}.")
        if isinstance(samples, Expressions):
            said = tr("{lesson} has no expression {index}; they are numbered 0 to {last}.")
        raise CnnvizError(said.format(lesson=name, index=index, last=len(samples) - 1))
    if isinstance(samples, Expressions):
        example = samples.examples[index]
        tape, graph = example.graph.run(example.values), example.graph
        return {"network": graph, "tape": tape, "program": Program(graph.calls(tape))}
    if isinstance(samples, Album):
        tape = samples.run()
        return {"network": network, "tape": tape, "program": Program(samples.calls(tape))}
    if isinstance(samples, Descents):
        return {"network": None, "tape": samples.tape, "program": samples.program}
    assert isinstance(network, Network)
    with np.errstate(all="ignore"):  # numbers that grow without bound are shown as what they become
        target = target_of(network, samples, index)
        tape = network.run(samples.image(index), target, samples.output_gradient)
    program = Program(network.calls(tape, input_gradient), symbols, letters, iteration)
    return {"network": network, "tape": tape, "program": program}
