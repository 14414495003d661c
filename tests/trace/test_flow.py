"""What a cell is made of, and who reads it, against the reads and writes of listings that are really run."""

from __future__ import annotations

import ast
from collections import defaultdict

import numpy as np
import pytest

from cnnviz.engine.layer import Call
from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.losses import HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.engine.optim import Adam
from cnnviz.trace.flow import offsets_reading, producer, readers, sources, targets
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from tests.cases import each_call, sample, small_network
from tests.trace.python import Event, Place, events


def followed(call: Call) -> tuple[list[Event], list[set[Place]]]:
    """All steps as Python runs them, and what each one's result was made of, scalars looked through."""
    happened, made = events(call), []
    source = Operation(call).tree.source
    scalars: dict[str, set[Place]] = {}
    for event in happened:
        text = source[event.line - 1].strip()
        if text.startswith("for "):
            made.append(set())
            continue
        statement = ast.parse(text).body[0]
        read = set(event.touched.reads)
        if isinstance(statement, ast.AugAssign):
            read -= set(event.touched.writes)  # what it adds to
        named = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
        if not event.touched.writes and isinstance(statement, ast.Assign):
            named -= {node.id for node in statement.targets if isinstance(node, ast.Name)} - {
                node.id for node in ast.walk(statement.value) if isinstance(node, ast.Name)
            }
        for name in named:
            read |= scalars.get(name, set())
        if not event.touched.writes:
            target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
            scalars[target.id] = read
        made.append(read)
    return happened, made


def as_places(cells: dict[str, np.ndarray]) -> set[Place]:
    return {(name, tuple(cell)) for name, found in cells.items() for cell in found.tolist()}


def all_places(call: Call) -> list[Place]:
    arrays = {name: np.shape(values) for name, values in (call.given | call.writes).items()}
    return [(name, index) for name, shape in arrays.items() if shape for index in np.ndindex(*shape)]


@each_call
def test_the_sources_of_a_cell_are_what_was_read_for_it(call):
    operation = Operation(call)
    happened, made = followed(call)
    for offset, (event, read) in enumerate(zip(happened, made, strict=True)):
        if event.touched.writes:
            assert as_places(sources(operation, offset)) == read, (event.touched.writes, offset)


@each_call
def test_the_readers_of_a_cell_are_the_steps_that_read_it(call):
    operation = Operation(call)
    read_at = defaultdict(list)
    for offset, event in enumerate(events(call)):
        adds = "+=" in operation.tree.source[event.line - 1]
        for place in set(event.touched.reads) - (set(event.touched.writes) if adds else set()):
            read_at[place].append(offset)
    for name, index in all_places(call):
        assert offsets_reading(operation, name, index).tolist() == read_at[name, index], (name, index)


@each_call
def test_the_targets_of_a_cell_are_those_that_are_made_of_it(call):
    operation = Operation(call)
    made_of_it = defaultdict(set)
    for event, read in zip(*followed(call), strict=True):
        for place in read:
            made_of_it[place] |= set(event.touched.writes)
    for name, index in all_places(call):
        assert as_places(targets(operation, name, index)) == made_of_it[name, index], (name, index)


# ---------------------------------------------------------------------------- from one operation to another

# What the small network's operations call the arrays of its tape; written down by hand.
TAPE_KEYS = {
    "conv1": {"x": "conv1.x", "w": "conv1.w", "b": "conv1.b", "y": "conv1.y"},
    "relu1": {"x": "conv1.y", "y": "relu1.y"},
    "pool1": {"x": "relu1.y", "y": "pool1.y", "switch": "pool1.switch"},
    "flatten": {"x": "pool1.y", "y": "flatten.y"},
    "fc": {"x": "flatten.y", "w": "fc.w", "b": "fc.b", "y": "fc.y"},
    "softmax": {"x": "fc.y", "e": "softmax.e", "y": "softmax.y"},
    "loss": {"y": "softmax.y", "t": "loss.t", "E": "loss.value"},
    "softmax.dx": {"y": "softmax.y", "t": "loss.t", "dx": "softmax.dx"},
    "fc.db": {"dy": "softmax.dx", "db": "fc.db"},
    "fc.dw": {"x": "flatten.y", "dy": "softmax.dx", "dw": "fc.dw"},
    "fc.dx": {"w": "fc.w", "dy": "softmax.dx", "dx": "fc.dx"},
    "flatten.dx": {"dy": "fc.dx", "dx": "flatten.dx"},
    "pool1.dx": {"dy": "flatten.dx", "switch": "pool1.switch", "dx": "pool1.dx"},
    "relu1.dx": {"x": "conv1.y", "dy": "pool1.dx", "dx": "relu1.dx"},
    "conv1.db": {"dy": "relu1.dx", "db": "conv1.db"},
    "conv1.dw": {"x": "conv1.x", "dy": "relu1.dx", "dw": "conv1.dw"},
    "conv1.dx": {"w": "conv1.w", "dy": "relu1.dx", "dx": "conv1.dx"},
    "conv1.w": {"w": "conv1.w", "dw": "conv1.dw", "v": "conv1.w_v"},
    "conv1.b": {"w": "conv1.b", "dw": "conv1.db", "v": "conv1.b_v"},
    "fc.w": {"w": "fc.w", "dw": "fc.dw", "v": "fc.w_v"},
    "fc.b": {"w": "fc.b", "dw": "fc.db", "v": "fc.b_v"},
}


def laid(call: Call, name: str, values: np.ndarray) -> np.ndarray:
    """The numbers of cells of the tape's array, as NumPy puts them among −1 where the listing has zeros."""
    array = np.asarray(call.given[name] if name in call.given else call.writes[name])
    cells = np.arange(values.size).reshape(values.shape)
    if array.size == values.size:
        return cells.reshape(array.shape)
    around = [(0, 0)] + [(extra // 2, extra // 2) for extra in np.subtract(array.shape, values.shape)[1:]]
    return np.pad(cells, around, constant_values=-1)


def test_all_readers_of_every_cell_of_a_network():
    network = small_network()
    tape = network.run(*sample(network))
    program = Program(network.calls(tape))
    assert [operation.name for operation in program.operations] == list(TAPE_KEYS)
    cells = {
        (operation.name, name): laid(operation.call, name, np.asarray(tape[key]))
        for operation in program.operations
        for name, key in TAPE_KEYS[operation.name].items()
    }
    read_at = defaultdict(set)  # by tape key and cell: operation and step
    for operation in program.operations:
        for offset, event in enumerate(events(operation.call)):
            for name, index in event.touched.reads:
                key, cell = TAPE_KEYS[operation.name][name], int(cells[operation.name, name][index])
                if cell >= 0:
                    read_at[key, cell].add((operation.name, offset))
    for operation in program.operations:
        if operation.phase == "update":
            continue  # they read and write the same cells: told apart where the bubble tells old from new
        for name, key in TAPE_KEYS[operation.name].items():
            for index in np.ndindex(*cells[operation.name, name].shape):
                cell = int(cells[operation.name, name][index])
                found = readers(program, operation, name, index)
                told = {(each.operation.name, int(offset)) for each in found for offset in each.offsets}
                if cell >= 0:
                    assert told - adds(program) == read_at[key, cell] - adds(program), (operation.name, name)


def adds(program: Program) -> set[tuple[str, int]]:
    """The steps at which pooling adds to its own gradient, which counts as writing it."""
    return {("pool1.dx", offset) for offset in range(len(program.operation("pool1.dx")))}


@pytest.mark.parametrize("view", ["gathered", "scattered"])
@pytest.mark.parametrize(
    ("shape", "kernel", "stride", "padding"),
    [((1, 1, 2), 1, 1, 1), ((1, 1, 1), 1, 2, 1), ((2, 3, 4), (2, 3), 2, 3), ((1, 5, 4), 3, 1, 1)],
)
def test_whatever_the_padding_a_gradient_is_found_where_it_was_made(view, shape, kernel, stride, padding):
    """Padding as large as the kernel cuts gradients off; what is left is found where it lies."""
    layers = [
        ("conv1", Conv2d(shape[0], 2, 1)),
        ("conv2", Conv2d(2, 2, kernel, stride, padding)),
        ("flatten", Flatten()),
    ]
    network = Network(layers, shape, HalfSquaredError(), Adam(0.1))
    network.initialise(2)
    rng = np.random.default_rng(3)
    tape = network.run(rng.normal(size=shape), rng.normal(size=network.output_shape))
    program = Program(network.calls(tape, view))
    makers = {
        ("conv2.dx", "dy"): "flatten.dx",
        ("conv2", "x"): "conv1",
        ("conv1.dx", "dy"): "conv2.dx",
        ("conv1.dw", "dy"): "conv2.dx",
    }
    for name, array in makers:
        operation, found = program.operation(name), 0
        values = np.asarray(operation.call.given[array])
        for index in np.ndindex(*values.shape):
            made = producer(program, operation, array, index)
            if made is None:
                assert values[index] == 0
                continue
            maker, result, place = made
            assert maker.name == makers[name, array]
            assert maker.call.writes[result][place] == pytest.approx(values[index], abs=1e-12)
            found += 1
        shown = np.count_nonzero(values)  # all numbers are drawn at random: zeros are those that were put in
        assert found >= shown
