"""Walks down the curve of a loss, one after the other in one program."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import asdict, replace

from cnnviz.catalogue import OPTIMISERS
from cnnviz.engine.address import address_of
from cnnviz.engine.descent import Descent
from cnnviz.engine.tape import Tape
from cnnviz.errors import CnnvizError
from cnnviz.lesson.changes import Argument, Cell, Change, Changes, Value, refused
from cnnviz.lesson.files import lesson_name, wrong
from cnnviz.lesson.network import build_schedule
from cnnviz.lesson.place import find_stops
from cnnviz.lesson.reader import kind_of, read_value
from cnnviz.lesson.sequence import in_sequence
from cnnviz.lesson.subject import Choice, Computed
from cnnviz.lesson.subjects.fitting import only_one
from cnnviz.lesson.subjects.plain import Plain
from cnnviz.lesson.tables import DescentFile, DescentPart
from cnnviz.lesson.values import as_sentence, hint
from cnnviz.scene.numbers import as_formula, full
from cnnviz.text import tr
from cnnviz.trace.cursor import Stop
from cnnviz.trace.program import Program

RATES = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    *(1.0, 1.05, 1.1, 1.2, 1.5, 2.0, 5.0, 10.0),
)
"""The learning rates that can be chosen while a lesson is shown."""

_CHANGEABLE = ("lr", "starts")


class Descents(Plain, frozen=True, eq=False):
    """Walks down curves, all of them in one program.

    Attributes
    ----------
    path : Path
        The lesson's file.
    described : DescentFile
        What it says.
    parts : tuple[Descent, ...]
        In the order of the program.
    """

    path: Path
    described: DescentFile
    parts: tuple[Descent, ...]

    def descent(self, operation: str) -> Descent | None:
        """Return the descent that is an operation."""
        return next((part for part in self.parts if part.name == operation), None)

    def info(self, choice: Choice, tape: Tape) -> str:
        """Return all descents in lines."""
        return "\n".join(
            tr(
                "{name}: E = {loss}, lr = {lr}, {steps} steps from w = {starts}"
                if part.rule.rule == "sgd"
                else "{name}: E = {loss}, {rule} with lr = {lr}, {steps} steps from w = {starts}",
                rule=part.rule.rule,
                name=part.name,
                loss=as_formula(part.formula),
                lr=full(part.lr),
                steps=part.steps,
                starts=", ".join(map(full, part.starts)),
            )
            for part in self.parts
        )

    # ------------------------------------------------------------------------------------------- stepping

    def choice(self, asked: Choice) -> Choice:
        """Make a choice whole."""
        return only_one(lesson_name(self.path), asked)

    def compute(self, choice: Choice) -> Computed:
        """Walk all of them: ``slow.w``, ``slow.E``, ``slow.dw``."""
        made = {
            address_of(part.name, name): array for part in self.parts for name, array in part.arrays.items()
        }
        return Computed(Tape(made))

    def program(self, choice: Choice, computed: Computed) -> Program:
        """Return all descents, one after the other."""
        return Program([part.call() for part in self.parts])

    def sequence(
        self, choice: Choice, computed: Computed, program: Program, strict: bool = True
    ) -> tuple[Stop, ...]:
        """Find what the file says."""
        return in_sequence(find_stops(self.path, self.described.stops, program, strict=strict))

    # ------------------------------------------------------------------------------------------- changing

    def arguments(self, owner: str) -> tuple[Argument, ...]:
        """Return the learning rate and the starts of a descent."""
        part = self.descent(owner)
        if part is None:
            return ()
        return Argument(owner, "lr", part.lr), Argument(owner, "starts", part.starts)

    def fitting(self, change: Change, image: int) -> Change:
        """Return a change of a learning rate, or of the starts."""
        names = [part.name for part in self.parts]
        match change:
            case Cell():
                there = tr("what can be changed is the lr and the starts of {names}", names=", ".join(names))
                raise refused(
                    change, tr("{array} is computed, or not there; {there}", array=change.array, there=there)
                )
            case Argument():
                return self._fitting(change, names)

    def _fitting(self, change: Argument, names: list[str]) -> Argument:
        part = self.descent(change.owner)
        if part is None:
            known = ", ".join(names)
            raise refused(
                change, tr("there is no descent {name}; there are {known}", name=change.owner, known=known)
            )
        if change.name not in _CHANGEABLE:
            known = hint(change.name, _CHANGEABLE)
            raise CnnvizError(
                as_sentence(tr("{owner}.{name}: is not known", owner=change.owner, name=change.name) + known)
            )
        given = change.value
        if change.name == "starts" and not isinstance(given, tuple | str):
            given = (given,)
        place = f"{change.owner}.{change.name}"
        value = read_value(given, kind_of(DescentPart, change.name), place)
        if change.name == "starts" and len(value) != len(part.starts):
            raise CnnvizError(
                tr(
                    "{place}: must be {count} numbers, as many as the descent has starts, are {found}.",
                    place=place,
                    count=len(part.starts),
                    found=len(value),
                )
            )
        return replace(change, value=value)

    def value(self, change: Change) -> Value:
        """Return a learning rate, or the starts."""
        assert isinstance(change, Argument)
        part = self.descent(change.owner)
        assert part is not None
        return part.lr if change.name == "lr" else part.starts

    def changed(self, changes: Changes) -> Descents:
        """Return the same with other learning rates and starts."""
        parts = {part.name: part for part in self.parts}
        for change in changes:
            assert isinstance(change, Argument)
            parts[change.owner] = replace(parts[change.owner], **{change.name: change.value})
        return replace(self, parts=tuple(parts.values()))


def build_descents(path: Path, described: DescentFile) -> Descents:
    """Make what a file describes; all that is wrong with its curves is told together."""
    try:
        parts = tuple(_descent(part) for part in described.descents)
    except CnnvizError as error:  # schedules that do not follow each other
        raise wrong(path, [f"descents: {error}".rstrip(".")]) from error
    faults = [f"descents[{k}].{key}: {fault}" for k, part in enumerate(parts) for key, fault in part.faults()]
    if faults:
        raise wrong(path, faults)
    return Descents(path, described, parts)


def _descent(part: DescentPart) -> Descent:
    given = {**asdict(part), "optimiser": None}
    del given["schedule"], given["schedules"]
    schedule = build_schedule(part)
    if part.optimiser or schedule:
        kind, arguments = (part.optimiser.kind, part.optimiser.arguments) if part.optimiser else ("sgd", {})
        given["optimiser"] = rule = OPTIMISERS[kind].make(lr=part.lr, **arguments)
        rule.schedule = schedule
    return Descent(**given)


def rate_beside(lr: float, gears: int, rates: tuple[float, ...] = RATES) -> float:
    """Return the next larger (1) or smaller (−1) of the rates that can be chosen; the last one at the end."""
    found = [rate for rate in rates if (rate > lr if gears > 0 else rate < lr)]
    return (found[0] if gears > 0 else found[-1]) if found else lr
