"""One step with all that a picture may ask about it."""

from __future__ import annotations

from functools import cached_property

from msgspec import Struct

from cnnviz.engine.address import output_of
from cnnviz.engine.wiring import INPUT
from cnnviz.scene.arrays import over
from cnnviz.scene.letters import Names, names
from cnnviz.scene.look import Look, look
from cnnviz.scene.view import View
from cnnviz.text import tr
from cnnviz.trace.alone import is_shared, program_of, sample_at, state_of, step_of
from cnnviz.trace.cursor import Stop, stop_at
from cnnviz.trace.looptree import Line, Loop
from cnnviz.trace.operation import Cells, Operation
from cnnviz.trace.program import Program, Step
from cnnviz.trace.state import State


class Moment(Struct, frozen=True, eq=False, dict=True):
    """A step of a program and its state.

    Attributes
    ----------
    program : Program
        The whole iteration.
    step : Step
        The step that was last run.
    state : State
        What Python holds just after it.
    view : View
        How it is to be shown.
    whole : Moment or None
        Of one of several samples that go through together, the step of all of them.
    """

    program: Program
    step: Step
    state: State
    view: View = View()
    whole: Moment | None = None

    @property
    def alone(self) -> Moment:
        """The same of the sample in hand, as if it went alone; itself where it does.

        Of what is computed of all samples alone, the mean of their losses, it is what that is made of.
        """
        return self._alone if self.program.samples else self

    @cached_property
    def _alone(self) -> Moment:
        number = self.sample
        program = program_of(self.program, number)
        if self.operation.call.batch is None or is_shared(self.operation):
            step = step_of(self.step, program)
            return Moment(program, step, state_of(self.state, step, number), self.view, self)
        call = self.operation.call
        made = (self.program.producer(call.port(name).address) for name in call.given)
        before = next(one[0].name for one in made if one is not None)
        last = program.start(before) + len(program.operation(before)) - 1
        return Moment(program, program[last], program.state(last), self.view, self)

    @property
    def pictured(self) -> Moment:
        """What the stage draws: of several samples the one in hand, where the step is about one."""
        return self.alone if is_shared(self.operation) else self

    @cached_property
    def sample(self) -> int:
        """Which of several samples is in hand."""
        return sample_at(self.operation, self.step.offset)

    @cached_property
    def stop(self) -> Stop | None:
        """The lesson's stop at this step; None if there is none."""
        return stop_at(self.view.stops, self.step)

    @property
    def letters(self) -> bool:
        """Whether names stand in place of numbers."""
        return self.view.display.letters

    @property
    def classes(self) -> tuple[str, ...]:
        """What the network's outputs are called; empty where they have no names."""
        return self.view.classes

    @property
    def operation(self) -> Operation:
        """What is being computed."""
        return self.step.operation

    @cached_property
    def node(self) -> Line | Loop:
        """The line that was run; a loop stands for its header."""
        return self.operation.path_to(self.state.line)[1]

    @property
    def cells(self) -> Cells:
        """How the steps around the line are cut into cells."""
        return self.operation.cells_of(self.state.line)

    @cached_property
    def cell(self) -> dict[str, int]:
        """The variables of the cell in work: those of the loops around it that are bound and running."""
        nest = self.cells.nest or self.state.loops
        inside = {loop.number for loop in self.state.loops}
        return {loop.variable: self.step.variables[loop.variable] for loop in nest if loop.number in inside}

    @cached_property
    def terms_begun(self) -> bool:
        """Whether the step is inside the cell's block, not at a header of the loops around it."""
        nest = self.cells.nest
        return not nest or (len(self.state.loops) >= len(nest) and self.node not in nest)

    def variable(self, name: str, default: int = 0) -> int:
        """Return a loop variable, or a default while Python does not hold it."""
        return int(self.state.variables.get(name, default))

    def look(self, name: str) -> Look:
        """Return how an array of this operation is drawn."""
        whole = self.whole
        if (
            whole is not None and whole.operation.name == self.operation.name
        ):  # the same for all samples, so that they can be compared
            return whole.look(name)
        if name not in self._looks:
            drawn = look(self.program, self.operation, name, self.view.display)
            self._looks[name] = drawn._replace(letters=True) if self.letters else drawn
        return self._looks[name]

    def give_look(self, name: str, look: Look) -> None:
        """Have an array drawn like this, in a picture of its own."""
        self._looks[name] = look._replace(letters=True) if self.letters else look

    @cached_property
    def _looks(self) -> dict[str, Look]:
        return {}

    def came_from(self, name: str = "x") -> str:
        """Say where an array that a layer is given comes from."""
        source = self.operation.call.port(name).node
        if source == INPUT:
            return tr("the network's input")
        if self.program.is_input(source):
            return tr("the network's input {name}", name=source)
        return tr("input from {layer}", layer=source)

    def gradient_from(self, name: str = "dy") -> str:
        """Say where the gradient comes from that a layer is given."""
        return tr("from {layer}", layer=self.gradient_source(name))

    def gradient_source(self, name: str = "dy") -> str:
        """Return the layer whose gradient a layer is given, or all whose gradients were added up for it."""
        made = self.program.producer(self.operation.call.port(name).address)
        if made is None or made[0] is self.operation:
            return tr("outside")
        call = made[0].call
        if call.port(made[1]).gradient_of != output_of(call.layer):
            return call.layer
        parts = [call.ports[name] for name in call.given if name in call.ports]
        return " + ".join(port.node for port in parts)

    def called(self, name: str) -> str:
        """Return what the lesson calls an array: ``∂E/∂f`` for ``dw``; empty if it does not say."""
        port = self.operation.call.port(name)
        said = self.program.symbol(port.gradient_of or port.before or port.address)
        return f"{over(port)}{said}" if said and port.gradient_of else said

    def titled(self, name: str, text: str) -> str:
        """Return what stands over an array: the lesson's own name for it, if it has one, and what it is."""
        return ", ".join(part for part in (self.called(name), text) if part)

    def text(self, name: str, value: float) -> str:
        """Write a number of an array with the array's decimals."""
        return self.look(name).text(value)

    @property
    def names(self) -> Names:
        """What the cells of the operation's arrays are called."""
        return names(self.program, self.operation)

    def cell_text(self, name: str, index: tuple[int, ...]) -> str:
        """Write a cell of an array: its number, or in letters its name."""
        if self.letters:
            return self.names.cell(name, index)
        return self.text(name, float(self.state.arrays[name][index]))
