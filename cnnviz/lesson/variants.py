"""The same exercise with other numbers: small round ones, by which one can reckon by hand."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.errors import CnnvizError
from cnnviz.lesson.changes import Cell
from cnnviz.lesson.lesson import Lesson
from cnnviz.text import tr

_BYTES = 100  # whole numbers as large as this are those of a picture

MOST_CELLS = 2000
"""Nobody fills in a sheet with more numbers than this."""


def variant(lesson: Lesson, seed: int, number: int) -> Lesson:
    """Return a lesson whose inputs and parameters have other numbers.

    What should come out stays, as do gradients from outside and all arguments. Numbers are of the kind that
    the lesson has; see `_numbers`.

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
        least, most, unit = _numbers(array)
        if len(cells) + array.size > MOST_CELLS:
            said = tr("{lesson} has too many numbers to be reckoned by hand; leave out --variants.")
            raise CnnvizError(said.format(lesson=lesson.name))
        for sample, index in product(numbers, np.ndindex(shape)):
            cell = lesson.subject.cell_of(address, index, lesson.choice, sample)
            if cell is None:
                break
            # A number that stands alone is divided by, or nothing comes of it: it is no zero.
            k = least + int(draw.random() * (most + 1 - least))
            cells.append(replace(cell, value=round((k or 1 if not shape else k) * unit, 1)))
    if not cells:
        raise CnnvizError(tr("{lesson} has no numbers that can be changed.", lesson=lesson.name))
    return lesson.changed(*cells)


def _numbers(array: NDArray[Any]) -> tuple[int, int, float]:
    """Return the least and the largest number that may stand in an array, and the unit that both count.

    Whole numbers stay whole and about as large, fractions become halves, and those of pixels from 0 to 1
    tenths; bytes become fifths of 255. An array without negative numbers has none, and one without zeros and
    these has no zero; a bias that is 0 becomes a small number.
    """
    if not array.any():
        return -2, 2, 1.0
    least, largest = float(array.min(initial=0)), float(array.max(initial=0))
    whole = bool(np.all(array == np.round(array)))
    begin = 1 if np.all(array > 0) else 0
    if least < 0:
        size = int(min(4, max(2, largest, -least)))
        return (-size, size, 1.0) if whole else (-4, 4, 0.5)
    if whole:
        return (begin, int(min(9, max(4, largest))), 1.0) if largest < _BYTES else (begin, 5, 51.0)
    return (begin, 10, 0.1) if largest <= 1 else (begin, 4, 0.5)


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
