"""The descents that a lesson file describes, one after the other in one program, and changes to them."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict, replace

from cnnviz.engine.descent import Descent
from cnnviz.engine.tape import Tape
from cnnviz.errors import CnnvizError
from cnnviz.lesson.files import wrong
from cnnviz.lesson.place import find_stops
from cnnviz.lesson.tables import DescentFile
from cnnviz.lesson.values import number as finite
from cnnviz.scene.numbers import as_formula, full
from cnnviz.text import tr
from cnnviz.trace.cursor import Stop
from cnnviz.trace.program import Program

RATES = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    *(1.0, 1.05, 1.1, 1.2, 1.5, 2.0, 5.0, 10.0),
)
"""The learning rates that can be chosen while a lesson is shown."""


class Descents(Struct, frozen=True, dict=True):
    """What a lesson of descents shows: the counterpart of a network and its samples.

    Attributes
    ----------
    parts : tuple[Descent, ...]
        In the order of the program.
    described : tuple[Descent, ...]
        The same as the file has them; where a part was changed, the file's captions are no longer true.
    told : tuple[Stop, ...]
        What the file says, and where.
    """

    parts: tuple[Descent, ...]
    described: tuple[Descent, ...]
    told: tuple[Stop, ...] = ()
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return 1

    def label(self, index: int) -> str:
        """Return nothing: there is no choice."""
        return ""

    @cached_property
    def program(self) -> Program:
        """All descents, one after the other."""
        return Program([part.call() for part in self.parts])

    @cached_property
    def tape(self) -> Tape:
        """Their arrays: ``slow.w``, ``slow.E``, ``slow.dw``."""
        return Tape(
            {f"{part.name}.{key}": array for part in self.parts for key, array in part.arrays.items()}
        )

    @property
    def stops(self) -> tuple[Stop, ...]:
        """What is said of the descents that are as the file has them."""
        same = {part.name for part, own in zip(self.parts, self.described, strict=True) if part == own}
        program = self.program
        return tuple(stop for stop in self.told if program[stop.index].operation.name in same)

    def part(self, name: str) -> Descent:
        """Return one descent by its name.

        Raises
        ------
        CnnvizError
            If there is none; the sentence has the names.
        """
        for part in self.parts:
            if part.name == name:
                return part
        known = ", ".join(part.name for part in self.parts)
        raise CnnvizError(tr("There is no descent {name}; there are {known}.", name=name, known=known))

    def with_rate(self, name: str, lr: float) -> Descents:
        """Return the same with another learning rate of one descent."""
        return self._with(replace(self.part(name), lr=lr))

    def with_start(self, name: str, s: int, w: float) -> Descents:
        """Return the same with another start of one descent's walk `s`."""
        part = self.part(name)
        return self._with(replace(part, starts=(*part.starts[:s], w, *part.starts[s + 1 :])))

    def as_described(self, name: str) -> Descents:
        """Return the same with one descent as the file has it."""
        return self._with(next(part for part in self.described if part.name == name))

    def _with(self, changed: Descent) -> Descents:
        parts = tuple(changed if part.name == changed.name else part for part in self.parts)
        return replace(self, parts=parts)

    @property
    def changes(self) -> str:
        """What was changed, as `changed` takes it: `` slow.lr=0.2 slow.starts=4,-1``; empty for nothing."""
        said = ""
        for part, own in zip(self.parts, self.described, strict=True):
            if part.lr != own.lr:
                said += f" {part.name}.lr={part.lr!r}"
            if part.starts != own.starts:
                said += f" {part.name}.starts={','.join(map(repr, part.starts))}"
        return said

    @property
    def text(self) -> str:
        """All descents in lines, for people."""
        return "\n".join(
            tr(
                "{name}: E = {loss}, lr = {lr}, {steps} steps from w = {starts}",
                name=part.name,
                loss=as_formula(part.formula),
                lr=full(part.lr),
                steps=part.steps,
                starts=", ".join(map(full, part.starts)),
            )
            for part in self.parts
        )


def build_descents(path: Path, described: DescentFile) -> Descents:
    """Make what a file describes; all stops that lead nowhere are told together."""
    parts = tuple(Descent(**asdict(part)) for part in described.descents)
    faults = [f"descents[{k}].{key}: {fault}" for k, part in enumerate(parts) for key, fault in part.faults()]
    if faults:
        raise wrong(path, faults)
    made = Descents(parts, parts)
    return replace(made, told=find_stops(path, described.stops, made.program))


# ---------------------------------------------------------------------------------------------- changes

_CHANGES = re.compile(r"(?:\s+\w+\.\w+=\S+)+$")


def without_changes(source: str) -> tuple[str, str]:
    """Cut what a lesson is asked for by into its name or file, and changes behind it, `` slow.lr=0.2``."""
    found = _CHANGES.search(source)
    return (source[: found.start()], found[0]) if found else (source, "")


def changed(descents: Descents, changes: str) -> Descents:
    """Return descents with changes such as `` slow.lr=0.2 slow.starts=4,-1``.

    Raises
    ------
    CnnvizError
        If there is no such descent, a value is none, or something has two values.
    """
    seen: set[str] = set()
    for word in changes.split():
        place, _, text = word.partition("=")
        if place in seen:
            raise CnnvizError(tr("{name} has two values; write one of them only.", name=place))
        seen.add(place)
        name, _, key = place.partition(".")
        part, values = descents.part(name), _values(word, text)
        if key == "lr" and len(values) == 1 and values[0] > 0:
            descents = descents.with_rate(name, values[0])
        elif key == "starts" and len(values) == len(part.starts):
            for s, w in enumerate(values):
                descents = descents.with_start(name, s, w)
        else:
            raise _not_understood(word)
    return descents


def _values(word: str, text: str) -> list[float]:
    try:
        return [finite(float(part)) for part in text.split(",")]
    except ValueError as error:  # a Fault is one
        raise _not_understood(word) from error


def _not_understood(word: str) -> CnnvizError:
    return CnnvizError(
        tr(
            "{word} is not understood; write NAME.lr= with a number above 0, or NAME.starts= with as many "
            "numbers as the descent has starts.",
            word=word[:60],
        )
    )


def rate_beside(lr: float, gears: int, rates: tuple[float, ...] = RATES) -> float:
    """Return the next larger (1) or smaller (−1) of the rates that can be chosen; the last one at the end."""
    found = [rate for rate in rates if (rate > lr if gears > 0 else rate < lr)]
    return (found[0] if gears > 0 else found[-1]) if found else lr
