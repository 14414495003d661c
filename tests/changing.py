"""Changes at random that fit a subject."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import numpy as np

from cnnviz.lesson.changes import Argument, Cell, Change
from cnnviz.lesson.subject import Subject
from cnnviz.lesson.subjects.descents import RATES, Descents
from cnnviz.lesson.subjects.expressions import Expressions
from cnnviz.lesson.subjects.network import SampledNetwork
from cnnviz.lesson.subjects.pictures import Pictures

Maker = Callable[[], Change]


def some_changes(subject: Subject, rng: random.Random, count: int) -> tuple[Change, ...]:
    """Return so many changes, or as many as there are places, each of another place."""
    makers = [*_makers(subject, rng)]
    made = {}
    for _ in range(20 * count):
        change = rng.choice(makers)()
        key = (
            (change.owner, change.name)
            if isinstance(change, Argument)
            else (change.array, change.sample, change.index)
        )
        if key not in made and len(made) < count:
            made[key] = change
    return tuple(made.values())


def _makers(subject: Subject, rng: random.Random) -> Iterator[Maker]:
    match subject:
        case SampledNetwork():
            yield from _of_network(subject, rng)
        case Expressions():
            for k, example in enumerate(subject.examples):
                for name in example.graph.inputs:
                    yield lambda name=name, k=k: Cell(name, (), rng.gauss(0, 3), k)
        case Pictures():
            for picture in subject.album.pictures:
                yield lambda shown=picture: Cell(
                    f"{shown.name}.image", _index(shown.pixels, rng), float(rng.randrange(256))
                )
        case Descents():
            for part in subject.parts:
                yield lambda part=part: Argument(part.name, "lr", rng.choice(RATES))
                yield lambda part=part: Argument(
                    part.name, "starts", tuple(rng.uniform(-3, 3) for _ in part.starts)
                )


def _of_network(subject: SampledNetwork, rng: random.Random) -> Iterator[Maker]:
    samples = subject.samples
    for key, values in subject.network.parameters.items():
        yield lambda key=key, values=values: Cell(key, _index(values, rng), rng.gauss(0, 1))
    yield lambda: Cell("input", _index(samples.image(0), rng), rng.random(), rng.randrange(len(samples)))
    if samples.labels is not None:
        yield lambda: Cell(
            "label", (), float(rng.randrange(len(samples.classes))), rng.randrange(len(samples))
        )
    if subject.network.optimiser is not None:
        yield lambda: Argument("optimiser", "lr", rng.choice(RATES))


def _index(values: np.ndarray, rng: random.Random) -> tuple[int, ...]:
    return tuple(rng.randrange(size) for size in values.shape)
