"""Networks that are no chain, as lesson files: a residual and an inception block, two inputs, two outputs.

Frames of them are also looked at in all other tests of frames, through `tests.scene.programs`. What is
expected here is read off the lesson files themselves.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from cnnviz import load_lesson
from cnnviz.lesson.lesson import Lesson
from cnnviz.scene import paths
from cnnviz.scene.arrays import role, symbol
from cnnviz.scene.chain import chain, has_chain, result
from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose, moment
from cnnviz.scene.local import as_row
from cnnviz.scene.marks import Box, Label
from cnnviz.scene.view import View
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from tests.scene.looking import all_marks, grids, in_pane, inside, overlap, panes, reach
from tests.scene.programs import GRAPHS
from tests.scene.test_chain import factors_multiplied

FILES = Path(__file__).parents[1] / "lesson" / "files"
PARAMETERS = ("w", "b")

each_graph = pytest.mark.parametrize("name", GRAPHS)


@cache
def lesson(name: str) -> Lesson:
    return load_lesson(str(FILES / f"{name}.toml"))


@cache
def described(name: str) -> dict[str, Any]:
    return tomllib.loads((FILES / f"{name}.toml").read_text(encoding="utf-8"))


def reads(name: str) -> dict[str, tuple[str, ...]]:
    """Which layers each layer reads, as the file says it."""
    found: dict[str, tuple[str, ...]] = {}
    before = "input"
    for layer in described(name)["layers"]:
        found[layer["name"]] = tuple(layer.get("inputs", [before]))
        before = layer["name"]
    return found


def own_inputs(sources: tuple[str, ...]) -> list[str]:
    return ["x"] if len(sources) == 1 else [f"x{k}" for k in range(1, len(sources) + 1)]


# ---------------------------------------------------------------------------------------------- every step


@each_graph
@pytest.mark.parametrize("letters", [False, True], ids=["numbers", "letters"])
def test_every_step_is_composed_and_nothing_lies_on_anything_else(name, letters):
    program, view = lesson(name).program, View(1280, 720, display=Display(letters=letters))
    for step in range(len(program)):
        frame = compose(program, step, view)
        if step % 5:
            continue
        boxes = list(panes(frame).values())
        marks = list(all_marks(frame.marks))
        assert all(any(inside(reach(mark), box, 1.0) for box in boxes) for mark in marks), step
        shown = grids(frame)
        for k, one in enumerate(shown):
            assert all(min(overlap(one.box, other.box)) <= 0.5 for other in shown[k + 1 :]), step
        texts = [
            (mark, ink(mark)) for mark in in_pane(frame, "stage") if isinstance(mark, Label) and mark.runs
        ]
        for k, (text, here) in enumerate(texts):
            assert all(min(overlap(here, other)) <= 1.0 for _, other in texts[k + 1 :]), (step, text)


def ink(text: Label) -> Box:
    """What a text covers at least: a character is half as wide as it is high, or wider."""
    size = min(text.size, text.box.h)
    wide = min(text.box.w, 0.5 * size * sum(len(run.text) for run in text.runs))
    left = {"left": 0.0, "center": (text.box.w - wide) / 2, "right": text.box.w - wide}[text.align]
    return Box(text.box.x + left, text.box.center[1] - 0.3 * size, wide, 0.6 * size)


# ------------------------------------------------------------------------------------------ roles and symbols


@each_graph
def test_every_array_is_called_what_the_file_makes_of_it(name):
    """A layer reads what another put out; gradients go to what they are of; sums are of all readers."""
    program, wired = lesson(name).program, reads(name)
    for layer, sources in wired.items():
        forward = program.operation(layer).call
        for own, source in zip(own_inputs(sources), sources, strict=True):
            assert forward.port(own).address == f"{source}.y"
        for operation in program.operations:
            if operation.layer == layer and operation.phase == "backward":
                check_gradients(operation, layer, sources)
    for node in {source for sources in wired.values() for source in sources}:
        check_sum(program, name, node)
    for operation in program.operations:
        for array in operation.tree.arrays:
            port = operation.call.port(array)
            if operation.phase != "update":
                assert (port.role == "parameter") == (array in PARAMETERS)
                assert (role(operation, array) == "written") == (array in operation.call.writes)
            assert (port.role == "target") == (array == "t")


def check_gradients(operation: Operation, layer: str, sources: tuple[str, ...]) -> None:
    """Each gradient that an operation writes is of the input or parameter that its name says."""
    of = {f"d{own}": f"{source}.y" for own, source in zip(own_inputs(sources), sources, strict=True)}
    of |= {f"d{own}": f"{layer}.{own}" for own in PARAMETERS} | {"dy": f"{layer}.y"}
    for array in operation.call.writes:
        assert operation.call.port(array).gradient_of == of[array], (operation.name, array)
        letter = array[1:2] + {"": "", "1": "⁽¹⁾", "2": "⁽²⁾", "3": "⁽³⁾"}[array[2:]]
        assert symbol(operation, array) == f"∂E/∂{letter}"


def check_sum(program: Program, name: str, node: str) -> None:
    """Where several gradients come back to one output, all of them are added, once each."""
    wanted = {
        f"{layer}.d{own}"
        for layer, sources in reads(name).items()
        for own, source in zip(own_inputs(sources), sources, strict=True)
        if source == node
    }
    added = next((each for each in program.operations if each.name == f"{node}.dy"), None)
    assert (added is not None) == (len(wanted) > 1)
    if added is not None:
        ports = [added.call.port(array).address for array in added.call.given if array.startswith("dy")]
        assert sorted(ports) == sorted(wanted)
        total = sum(lesson(name).tape[address] for address in wanted)
        np.testing.assert_allclose(added.call.writes["dy"], total, rtol=1e-14)


# ------------------------------------------------------------------------------------------------ the chain


def products(name: str, operation: Operation) -> Iterator[Any]:
    """The product of the factors on each path; behind a concatenation, of what it has handed back."""
    program, array = lesson(name).program, result(lesson(name).program, operation).array
    chosen: paths.Chosen = ()
    for _ in range(paths.count(program, operation)):
        links, factors = paths.way(program, operation, chosen).links, chain(program, operation, chosen)
        for k, (link, factor) in enumerate(zip(links, factors, strict=True)):
            if factor.note == "its own maps":
                values = as_row(lesson(name).tape[link.address])
                factors = (replace(factor, sign="", values=values, shape=values.shape), *factors[k + 1 :])
        yield factors_multiplied(factors, array)
        chosen = paths.another(program, operation, chosen)


@each_graph
def test_the_products_on_all_paths_add_up_to_the_gradient(name):
    program, count = lesson(name).program, 0
    for operation in program.operations:
        padded = any(
            link.operation.layer == "wide" for way in every_way(program, operation) for link in way.links
        )
        first = operation.layer.startswith(("softmax", "loss", "maps"))
        if not has_chain(operation) or operation.name.endswith(".dy") or first or padded:
            continue
        made = operation.call.writes[result(program, operation).array]
        total = sum(products(name, operation))
        np.testing.assert_allclose(np.reshape(total, made.shape), made, atol=1e-12, err_msg=operation.name)
        count += 1
    assert count >= 7


def every_way(program: Program, operation: Operation) -> Iterator[paths.Way]:
    chosen: paths.Chosen = ()
    for _ in range(paths.count(program, operation) if has_chain(operation) else 0):
        yield paths.way(program, operation, chosen)
        chosen = paths.another(program, operation, chosen)


# --------------------------------------------------------------------------------------- colours and numbers


@each_graph
def test_what_is_added_or_copied_is_written_and_coloured_alike(name):
    """A number that only changes its place looks the same there; and its sum is compared with it."""
    program = lesson(name).program
    for operation in program.operations:
        if operation.call.kind in ("add", "add.dx", "concat", "concat.dx", "sum_of_gradients"):
            at = moment(program, program.start(operation.name))
            looks = [at.look(array) for array in operation.tree.arrays]
            assert len({(look.limit, look.places, look.power, look.palette) for look in looks}) == 1


def test_gradients_of_an_input_are_never_taken_for_pixels():
    """Also where they happen to lie between 0 and 1, as grey values do."""
    program = lesson("inception-block").program
    gradient = program.operation("input.dy")
    assert gradient.call.writes["dy"].min() >= 0 and gradient.call.writes["dy"].max() <= 1
    assert moment(program, program.start("input.dy")).look("dy").palette == "gradient"
