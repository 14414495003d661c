"""The same exercise with other numbers: small round ones, by which one can reckon by hand."""

from __future__ import annotations

from itertools import product
from random import Random

import numpy as np
from msgspec.structs import replace

from cnnviz.errors import CnnvizError
from cnnviz.lesson.changes import Cell
from cnnviz.lesson.lesson import Lesson
from cnnviz.text import tr

MOST_CELLS = 2000
"""Nobody fills in a sheet with more numbers than this."""


def variant(lesson: Lesson, seed: int, number: int) -> Lesson:
    """Return a lesson whose inputs and parameters have other numbers.

    What should come out stays, as do gradients from outside and all arguments. Numbers are halves between −2
    and 2; an array without negative ones has none, as pixels have none.

    Parameters
    ----------
    number : int
        Which variant, from 1.

    Raises
    ------
    CnnvizError
        If the lesson has none of its own, or too many of them.
    """
    draw, cells = Random(f"{seed} {number}"), list[Cell]()
    for address in _given(lesson):
        array = np.asarray(lesson.tape[address])
        numbers, shape = range(1), array.shape
        if address in lesson.tape.of_samples:
            numbers, shape = range(shape[0]), shape[1:]
        least = -4 if np.any(array < 0) else 0
        if len(cells) + array.size > MOST_CELLS:
            said = tr("{lesson} has too many numbers to be reckoned by hand; leave out --variants.")
            raise CnnvizError(said.format(lesson=lesson.name))
        for sample, index in product(numbers, np.ndindex(shape)):
            cell = lesson.subject.cell_of(address, index, lesson.choice, sample)
            if cell is None:
                break
            # A number that stands alone is divided by, or nothing comes of it: it is no zero.
            k = least + int(draw.random() * (5 - least))
            cells.append(replace(cell, value=(k or 1 if not shape else k) / 2))
    if not cells:
        raise CnnvizError(tr("{lesson} has no numbers that can be changed.", lesson=lesson.name))
    return lesson.changed(*cells)


def _given(lesson: Lesson) -> list[str]:
    """Return the addresses of what is read and not computed, but for targets, in order."""
    found: dict[str, None] = {}
    for operation in lesson.program.operations:
        call = operation.call
        for name in call.given:
            port = call.port(name)
            address = port.before or port.address
            if port.role != "target" and not port.gradient_of and address in lesson.tape:
                found.setdefault(address)
    return list(found)
