"""What a lesson file says, as words that can be edited: title, sentence, and stops, of any kind of lesson."""

from __future__ import annotations

import json

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from cnnviz.errors import CnnvizError
from cnnviz.lesson.bounds import MOST_EXPRESSIONS, MOST_STOPS
from cnnviz.lesson.place import result_of, step_at
from cnnviz.lesson.reader import read_value
from cnnviz.lesson.tables import AnyFile, Count, ExpressionFile, StopPart
from cnnviz.lesson.values import Text, as_sentence
from cnnviz.lesson.written import plain_table
from cnnviz.text import tr
from cnnviz.trace.cursor import Stop
from cnnviz.trace.program import Program


class OwnStop(Struct, frozen=True):
    """A stop, and the expression that it speaks of.

    Attributes
    ----------
    part : StopPart
        What the file says.
    image : int, optional
        The number of the expression, in a lesson of several; None in all other lessons.
    """

    part: StopPart
    image: Count | None = None


OwnStops = tuple[OwnStop, ...]


class Words(Struct, frozen=True):
    """What a lesson says, which can be edited.

    Attributes
    ----------
    title, sentence : str
        What it is called, and what it shows.
    stops : OwnStops
        What it says at which steps, in the order of its file.
    """

    title: Text
    sentence: Text
    stops: OwnStops = ()


def stops_of_file(described: AnyFile) -> OwnStops:
    """Return all stops that a file describes, in its order."""
    if isinstance(described, ExpressionFile):
        return tuple(OwnStop(part, k) for k, one in enumerate(described.expressions) for part in one.stops)
    return tuple(map(OwnStop, described.stops))


def with_stops(described: AnyFile, stops: OwnStops) -> AnyFile:
    """Return a file with other stops."""
    if isinstance(described, ExpressionFile):
        expressions = tuple(
            replace(one, stops=tuple(stop.part for stop in stops if stop.image == k))
            for k, one in enumerate(described.expressions)
        )
        return replace(described, expressions=expressions)
    return replace(described, stops=tuple(stop.part for stop in stops))


def words_of_file(described: AnyFile) -> Words:
    """Return what a file says."""
    return Words(described.title, described.sentence, stops_of_file(described))


def with_words(described: AnyFile, words: Words) -> AnyFile:
    """Return a file that says something else."""
    return with_stops(replace(described, title=words.title, sentence=words.sentence), words.stops)


def number_of(stops: OwnStops, stop: Stop) -> int:
    """Return which of the stops of a file a stop is."""
    own = [k for k, one in enumerate(stops) if one.image == stop.image]
    return own[stop.part]


def stop_here(program: Program, index: int, caption: str, form: str = "", **told: object) -> StopPart:
    """Return a stop at a step, which is named as a person would.

    Parameters
    ----------
    form : str
        The form of input gradients that the lesson begins with: where it is meant, it need not be said.
    **told : object
        What else the stop says.

    Raises
    ------
    CnnvizError
        If the caption is empty, or too long.
    """
    while _has_ended(program, index):  # a loop, which the step before is still in
        index -= 1
    operation = program[index].operation
    own, loops = operation.call.form, operation.iterations_at(program[index].offset)
    where = {loop.variable: at for loop, at in loops.items()}
    place: dict[str, object] = {"at": operation.name, "line": program[index].line, "where": where}
    for words in (operation.name, _cell_written(program, index)):
        if words and step_at(program, words) == index:
            place = {"at": words}
            break
    if own and own != form:
        place["input_gradient"] = own
    return read_stop({**place, "caption": caption, **{key: own for key, own in told.items() if own}})


def _has_ended(program: Program, index: int) -> bool:
    """Return whether a step is the one at which a loop finds that it is at its end."""
    step = program[index]
    loops = step.operation.iterations_at(step.offset)
    return step.offset > 0 and any(at >= loop.count for loop, at in loops.items())


def _cell_written(program: Program, index: int) -> str:
    """Return the cell of its result that a step writes, ``conv1[0,1,2]``; empty where it writes none."""
    operation, offset = program[index].operation, program[index].offset
    name, shape = result_of(program, operation)
    line = next((one for one in operation.writers(name) if one.number == program[index].line), None)
    if line is None or not shape:
        return ""
    loops = operation.iterations_at(offset)
    run = np.ravel_multi_index(list(loops.values()), [loop.count for loop in loops]) if loops else 0
    cell = np.unravel_index(int(operation.write_order(line)[run]), shape)
    return f"{operation.name}[{','.join(str(int(k)) for k in cell)}]"


def read_stop(table: dict[str, object]) -> StopPart:
    """Return a stop as its table says it.

    Raises
    ------
    CnnvizError
        If something in it is wrong.
    """
    made: StopPart = read_value(table, StopPart, "")
    return made


def checked(part: StopPart) -> StopPart:
    """Return a stop as a lesson file would have it.

    Raises
    ------
    CnnvizError
        If what it says is empty, too long, or no text.
    """
    return read_stop(plain_table(part) | {"caption": part.caption, "notes": part.notes})


def checked_words(title: str, sentence: str, stops: OwnStops) -> Words:
    """Return what a lesson is to say, as its file would have it.

    Raises
    ------
    CnnvizError
        If the title or the sentence is empty, or too long.
    """
    made: Words = read_value({"title": title, "sentence": sentence}, Words, "")
    return replace(made, stops=stops)


def as_text(words: Words) -> str:
    """Return what a lesson says as it is remembered."""
    return json.dumps(plain_table(words))


def from_text(text: str) -> Words:
    """Return what was remembered of what a lesson says.

    Raises
    ------
    CnnvizError
        If they are damaged.
    """
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged() from error
    words: Words = read_value(told, Words, "words")
    if len(words.stops) > MOST_STOPS * MOST_EXPRESSIONS:
        raise _damaged()
    return words


def _damaged() -> CnnvizError:
    return CnnvizError(as_sentence(tr("What is remembered of the lesson's words is damaged")))
