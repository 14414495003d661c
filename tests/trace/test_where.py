"""Where every cell of whole programs comes from and who reads it, against what their listings really do.

Each array of a tape is filled with numbers of its own, 1, 2, 3 and so on, instead of what it holds: its cells
bear tags. The calls of the network made from such a tape say which cell of the tape each cell of an argument
is, however it was padded, spread, cut or laid out as a row; zeros that were put in have the tag 0. Then the
listings are run on their own numbers, and each read and write is noted by the tag of the cell.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from cnnviz.engine.layer import Array, Call
from cnnviz.engine.network import Network
from cnnviz.engine.tape import Tape
from cnnviz.lesson.lesson import load_lesson
from cnnviz.trace.flow import sources, targets
from cnnviz.trace.program import Program
from tests.cases import joined_network, sample, small_network
from tests.random_networks import random_network
from tests.trace.python import events
from tests.trace.test_flow import as_places, followed

Cell = tuple[str, str, tuple[int, ...]]
"""An operation, an array of it, and a cell of that."""


def same_arrays(network: Network, tape: Tape) -> dict[str, str]:
    """The names of the tape that stand for one array: what a layer reads is what another put out."""
    found = {f"{one.name}.y": f"{one.of}.y" for one in network.losses}
    for layer in network.layers:
        for own, source in zip(layer.input_names, network.inputs[layer.name], strict=True):
            found[f"{layer.name}.{own}"] = f"{source}.y"
        readers = [
            f"{other.name}.d{own}"
            for other in network.layers
            for own, source in zip(other.input_names, network.inputs[other.name], strict=True)
            if source == layer.name and f"{other.name}.d{own}" in tape
        ]
        readers += [f"{one.name}.dy" for one in network.losses if one.of == layer.name and not one.is_joined]
        if len(readers) == 1:
            found[f"{layer.name}.dy"] = readers[0]
    return found


def tagged(network: Network, tape: Tape) -> Tape:
    """The tape with a tag in every cell."""
    arrays, first = {}, 1
    for name, values in tape.items():
        arrays[name] = np.arange(first, first + values.size, dtype=float).reshape(values.shape)
        first += values.size
    arrays |= {name: arrays[other] for name, other in same_arrays(network, tape).items() if name in arrays}
    return Tape(arrays, tape.iteration, tape.of_samples, tape.samples)


@dataclass
class Recorded:
    """What all listings of a program did, cell by cell."""

    tags: dict[tuple[str, str], Array] = field(default_factory=dict)
    before: dict[tuple[str, str], Array] = field(default_factory=dict)
    made: dict[int, Cell] = field(default_factory=dict)
    read: dict[int, set[tuple[str, int]]] = field(default_factory=lambda: defaultdict(set))


def recorded(calls: list[Call], tags: list[Call], gradients: dict[str, Array]) -> Recorded:
    """Run all listings, and note by tag which step reads a cell, and which operation writes it."""
    found = Recorded()
    for call, tag in zip(calls, tags, strict=True):
        assert call.name == tag.name and call.listing is tag.listing
        own = {
            name: np.asarray(values) for name, values in (tag.given | tag.writes).items() if np.ndim(values)
        }
        own = {name: np.where(np.isneginf(values), 0, values) for name, values in own.items()}  # padding
        constants = [name for name in own if name not in call.ports]  # weights of classes: no array's cells
        own |= {name: np.zeros_like(own[name]) for name in constants}
        placement = call.placement("dx")
        if placement is not None:  # it is reckoned anew, with what comes back to the padding: no tags
            before = ((0, 0),) * (own["dx"].ndim - 2)
            own["dx"] = np.pad(gradients[call.layer], (*before, *placement.around))
        old = {name: np.asarray(values) for name, values in tag.before.items()}
        found.tags |= {(call.name, name): values.astype(int) for name, values in own.items()}
        found.before |= {(call.name, name): values.astype(int) for name, values in old.items()}
        for name in set(call.writes) & set(own):  # also cells that no window reaches, and that stay 0
            cells = np.ndindex(own[name].shape)
            found.made |= {int(own[name][index]): (call.name, name, index) for index in cells}
        found.made.pop(0, None)
        written: set[tuple[str, tuple[int, ...]]] = set()
        for offset, event in enumerate(events(call, with_arrays=False)):
            for name, index in event.touched.reads:
                adds = (name, index) in event.touched.writes and name not in old
                if not adds:
                    now = old if name in old and (name, index) not in written else own
                    found.read[int(now[name][index])].add((call.name, offset))
            for name, index in event.touched.writes:
                written.add((name, index))
                if tag_of := int(own[name][index]):
                    assert found.made[tag_of] == (call.name, name, index)
    return found


def check(network: Network, tape: Tape, form: str) -> int:
    """Hold every cell of every operation against what was recorded; return how many there are."""
    calls = network.calls(tape, form)
    program, tags = Program(calls), tagged(network, tape)
    gradients = {
        layer.name: tags[f"{layer.name}.dx"] for layer in network.layers if f"{layer.name}.dx" in tags
    }
    found, count = recorded(calls, network.calls(tags, form), gradients), 0
    for operation in program.operations:
        for array in operation.tree.arrays:
            key = operation.name, array
            cells = found.before.get(key, found.tags[key])
            for index in np.ndindex(cells.shape):
                tag, count = int(cells[index]), count + 1
                made = program.where_from(operation, array, index)
                wanted = found.made.get(tag) if tag else None
                if wanted and wanted[0] == operation.name:
                    wanted = None
                assert (made and (made.operation.name, made.array, made.index)) == wanted, (key, index)
                readings = program.where_to(operation, array, index)
                told = {(each.operation.name, int(k)) for each in readings for k in each.offsets}
                if tag:  # of what an update writes over, its own listing reads the old value and the new one
                    new = found.read[int(found.tags[key][index])] if key in found.before else set()
                    assert told == found.read[tag] | new, (key, index)
    return count


def check_within(program: Program) -> None:
    """Hold the sources and targets of every cell within its operation against what was recorded."""
    for operation in program.operations:
        happened, made = followed(operation.call)
        of_it = defaultdict(set)
        for offset, (event, read) in enumerate(zip(happened, made, strict=True)):
            if event.touched.writes:
                assert as_places(sources(operation, offset)) == read, (operation.name, offset)
            for place in read:
                of_it[place] |= set(event.touched.writes)
        for array in operation.tree.arrays:
            for index in np.ndindex(np.shape(operation.call.value(array))):
                place = array, index
                assert as_places(targets(operation, *place)) == of_it[place], (operation.name, place)


# All lessons with a network of up to 2,000 steps.
LESSONS = [
    *("backward-conv", "backward-fc", "convolution", "depth", "forward", "fully-connected", "relu"),
    *("batch", "residual", "sigmoid-softmax", "stride-padding"),
]
GRAPHS = ["residual-block", "inception-block", "two-inputs", "two-outputs"]
FILES = Path(__file__).parents[1] / "lesson" / "files"
FORMS = pytest.mark.parametrize("form", ["gathered", "scattered"])


@FORMS
@pytest.mark.parametrize("make", [small_network, joined_network, lambda: joined_network((3,))])
def test_every_cell_of_small_networks(make, form):
    network = make()
    assert check(network, network.run(*sample(network)), form) > 300


@FORMS
@pytest.mark.parametrize("name", [*LESSONS, *GRAPHS])
def test_every_cell_of_lessons(name, form):
    lesson = load_lesson(name if name in LESSONS else str(FILES / f"{name}.toml"))
    assert check(lesson.network, lesson.tape, form) >= 8
    check_within(Program(lesson.network.calls(lesson.tape, form)))


@pytest.mark.parametrize("first", range(0, 30, 10))
def test_every_cell_of_random_networks(first):
    for seed in range(first, first + 10):
        drawn = random_network(seed, layers=6, largest=16, side=4)
        form = ("gathered", "scattered")[seed % 2]
        network = drawn.network
        check(network, drawn.run(), form)
        if seed % 3 == 0:
            check_within(Program(network.calls(drawn.run(), form)))
