"""Expressions, each with its values and its stops: those of a lesson file, or one that was typed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from cnnviz.engine.address import name_of
from cnnviz.engine.expression import RESULT, Graph, is_expression, read_typed
from cnnviz.engine.tape import Tape
from cnnviz.errors import CnnvizError
from cnnviz.lesson.changes import Argument, Cell, Change, Changes, refused
from cnnviz.lesson.files import lesson_name, wrong
from cnnviz.lesson.place import stops_of
from cnnviz.lesson.sequence import in_sequence
from cnnviz.lesson.subject import Choice, Computed
from cnnviz.lesson.subjects.fitting import (
    no_arguments,
    no_iterations,
    of_sample,
    require_cell,
    require_finite_value,
)
from cnnviz.lesson.subjects.plain import Plain
from cnnviz.lesson.tables import ExpressionFile
from cnnviz.text import tr
from cnnviz.trace.cursor import Stop
from cnnviz.trace.program import Program


class Example(Struct, frozen=True):
    """One expression with the values that go into it.

    Attributes
    ----------
    graph : Graph
        The expression.
    values : Mapping[str, float]
        A number for each of its inputs.
    stops : tuple[Stop, ...]
        What the lesson says about it, and where.
    """

    graph: Graph
    values: Mapping[str, float]
    stops: tuple[Stop, ...] = ()

    @property
    def typed(self) -> str:
        """The expression and its values as they are typed: ``(x + y) * z   x=-2 y=5 z=-4``."""
        values = (f"{name}={str(float(value)).removesuffix('.0')}" for name, value in self.values.items())
        return f"{self.graph.text}   {' '.join(values)}"

    @property
    def source(self) -> str:
        """The same as a lesson is asked for by it: with a name for the result."""
        return self.typed if is_expression(self.typed) else f"{RESULT} = {self.typed}"


class Expressions(Plain, frozen=True, eq=False):
    """Expressions, one of which is stepped at a time.

    Attributes
    ----------
    name : str
        The lesson's.
    examples : tuple[Example, ...]
        Numbered from 0, like images.
    """

    name: str
    examples: tuple[Example, ...]

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def choose_words(self) -> str:
        """What a menu says that lets one be chosen."""
        return tr("Choose expression…")

    def label(self, image: int) -> str:
        """Return the text of one expression."""
        return self.examples[image].graph.text

    def typed(self, image: int) -> str:
        """Return one expression with its values."""
        return self.examples[image].typed

    def info(self, choice: Choice, tape: Tape) -> str:
        """Return all of them with their values, the one chosen marked."""
        return "\n".join(
            f"{'→' if k == choice.image else ' '} {k}  {example.typed}"
            for k, example in enumerate(self.examples)
        )

    # ------------------------------------------------------------------------------------------- stepping

    def choice(self, asked: Choice) -> Choice:
        """Make a choice whole: the first expression is shown first."""
        no_iterations(self.name, asked.iteration)
        image = asked.image or 0
        if not 0 <= image < len(self):
            said = tr("{lesson} has no expression {index}; they are numbered 0 to {last}.")
            raise CnnvizError(said.format(lesson=self.name, index=image, last=len(self) - 1))
        return Choice(image)

    def compute(self, choice: Choice) -> Computed:
        """Go forward and back through one expression."""
        example = self.examples[choice.image or 0]
        return Computed(example.graph.run(example.values))

    def program(self, choice: Choice, computed: Computed) -> Program:
        """Return its two listings."""
        return Program(self.examples[choice.image or 0].graph.calls(computed.tape))

    def sequence(
        self, choice: Choice, computed: Computed, program: Program, strict: bool = True
    ) -> tuple[Stop, ...]:
        """Return what the lesson says about all of them."""
        return in_sequence(
            replace(stop, image=k) for k, example in enumerate(self.examples) for stop in example.stops
        )

    def told(self, described: Any) -> Expressions:
        """Return the same with what its file says of stops."""
        return build_expressions(Path(f"{self.name}.toml"), described)

    # ------------------------------------------------------------------------------------------- changing

    def cell_of(self, address: str, index: tuple[int, ...], choice: Choice, number: int = 0) -> Cell | None:
        """Return a value of the expression at hand."""
        image, name = choice.image or 0, name_of(address)
        values = self.examples[image].values
        return Cell(name, (), values[name], image) if name in self.examples[image].graph.inputs else None

    def fitting(self, change: Change, image: int) -> Change:
        """Return a change of a value, with the expression that it belongs to."""
        match change:
            case Argument():
                raise no_arguments(change.owner, ", ".join(self.examples[image].graph.inputs))
            case Cell():
                own = of_sample(change, True, image, len(self))
                inputs = self.examples[own.sample or 0].graph.inputs
                if own.array not in inputs:
                    names = ", ".join(inputs)
                    raise refused(
                        change,
                        tr("{name} is not in the expression; there is {names}", name=own.array, names=names),
                    )
                require_cell(change, ())
                require_finite_value(change)
                return own

    def value(self, change: Change) -> float:
        """Return a value of an expression."""
        assert isinstance(change, Cell)
        return float(np.float64(self.examples[change.sample or 0].values[change.array]))

    def changed(self, changes: Changes) -> Expressions:
        """Return the same with other values."""
        examples = list(self.examples)
        for change in changes:
            assert isinstance(change, Cell)
            example = examples[change.sample or 0]
            examples[change.sample or 0] = replace(
                example, values={**example.values, change.array: change.value}
            )
        return replace(self, examples=tuple(examples))


def build_expressions(path: Path, described: ExpressionFile) -> Expressions:
    """Make what a file describes; all stops that lead nowhere are told together.

    Raises
    ------
    CnnvizError
        If there are such stops, or a value is missing, or is for nothing.
    """
    faults: list[str] = []
    examples: list[Example] = []
    for k, part in enumerate(described.expressions):
        graph, typed = read_typed(part.text)
        given = {**typed, **part.values}
        values = {name: given[name] for name in (*graph.inputs, *given) if name in given}
        program = Program(graph.calls(graph.run(values)))
        stops = stops_of(part.stops, program, faults, f"expressions[{k}].")
        examples.append(Example(graph, values, stops))
    if faults:
        raise wrong(path, faults)
    return Expressions(lesson_name(path), tuple(examples))
