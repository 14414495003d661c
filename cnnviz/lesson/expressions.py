"""The expressions that a lesson file describes, each with its values and its stops."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from cnnviz.engine.expression import RESULT, Graph, is_expression, read_typed
from cnnviz.lesson.files import wrong
from cnnviz.lesson.place import stops_of
from cnnviz.lesson.tables import ExpressionFile
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


class Expressions(Struct, frozen=True):
    """What an expression lesson can show: the counterpart of a network's `Samples`.

    Attributes
    ----------
    examples : tuple[Example, ...]
        Numbered from 0, like images.
    """

    examples: tuple[Example, ...]
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def stops(self) -> tuple[Stop, ...]:
        """What the lesson says about all of them, and where."""
        return tuple(
            replace(stop, image=k) for k, example in enumerate(self.examples) for stop in example.stops
        )

    def label(self, index: int) -> str:
        """Return the text of one expression."""
        return self.examples[index].graph.text


def build_expressions(path: Path, described: ExpressionFile) -> Expressions:
    """Make what a file describes; all stops that lead nowhere are told together."""
    faults: list[str] = []
    examples: list[Example] = []
    for k, part in enumerate(described.expressions):
        graph, typed = read_typed(part.text)
        given = {**typed, **part.values}
        values = {name: given[name] for name in graph.inputs}
        program = Program(graph.calls(graph.run(values)))
        stops = stops_of(part.stops, program, faults, f"expressions[{k}].")
        examples.append(Example(graph, values, stops))
    if faults:
        raise wrong(path, faults)
    return Expressions(tuple(examples))
