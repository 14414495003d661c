"""A lesson: a network with its samples, one of which is stepped through."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnnviz.engine.layer import Array
from cnnviz.engine.network import Network
from cnnviz.engine.tape import Tape
from cnnviz.errors import CnnvizError
from cnnviz.lesson.build import Samples, build
from cnnviz.lesson.files import lesson_names, lesson_path, read_file
from cnnviz.lesson.place import find_stops
from cnnviz.text import tr
from cnnviz.trace.cursor import Stop
from cnnviz.trace.program import Program

__all__ = ["DEFAULT", "Lesson", "Samples", "lesson_names", "load_lesson"]

DEFAULT = "digits"
"""The lesson that is opened at start."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """A network, a sample that has gone through it, and the program of all that was computed.

    Attributes
    ----------
    name : str
        What the lesson is asked for by.
    title, sentence : str
        Its name for people, and what it shows.
    network : Network
        Shared by the lessons that `choose` returns.
    samples : Samples
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
    network: Network
    samples: Samples
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
        return replace(self, image=index, **_iteration(self.name, self.network, self.samples, index))


def load_lesson(name_or_path: str | os.PathLike[str] = DEFAULT, image: int | None = None) -> Lesson:
    """Load a built-in lesson or a lesson file.

    Parameters
    ----------
    name_or_path : str or PathLike
        A name out of `lesson_names`, or a file.
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
    path = lesson_path(name_or_path)
    described = read_file(path)
    network, samples = build(path, described)
    chosen = described.input.show if image is None else image
    made = _iteration(path.stem, network, samples, chosen)
    return Lesson(
        name=path.stem,
        title=described.title,
        sentence=described.sentence,
        network=network,
        samples=samples,
        image=chosen,
        stops=find_stops(path, described.stops, made["program"]),
        **made,
    )


def _iteration(name: str, network: Network, samples: Samples, index: int) -> dict[str, Any]:
    """Run the network on one sample; return the tape and the program."""
    if not 0 <= index < len(samples):
        raise CnnvizError(
            tr(
                "{lesson} has no image {index}; its images are numbered 0 to {last}.",
                lesson=name,
                index=index,
                last=len(samples) - 1,
            )
        )
    with np.errstate(all="ignore"):  # numbers that grow without bound are shown as what they become
        tape = network.run(samples.image(index), _target(network, samples, index))
    return {"tape": tape, "program": Program(network.calls(tape))}


def _target(network: Network, samples: Samples, index: int) -> Array | None:
    if samples.labels is None or network.loss is None:
        return samples.target
    label, outputs = int(samples.labels[index]), network.shapes[-1]
    return np.full(1, float(label)) if outputs == (1,) else np.eye(outputs[0])[label]
