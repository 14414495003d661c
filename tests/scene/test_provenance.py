"""Where numbers come from, over the whole program of digits."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.layers.relu import ReLU
from cnnviz.engine.layers.softmax import Softmax
from cnnviz.engine.losses import CrossEntropy, HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.engine.optim import SGD
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.chain import chain
from cnnviz.scene.display import Display
from cnnviz.scene.frame import moment, stage
from cnnviz.scene.marks import Box, Cells, Frame, Hotspot, Label, Mark, Rect, flat
from cnnviz.scene.numbers import count, full, last_digit, read
from cnnviz.scene.provenance import (
    Origin,
    explain,
    origin,
    origin_of_colour,
    origin_of_terms,
    origin_of_variable,
)
from cnnviz.scene.view import View
from cnnviz.trace.flow import sources
from cnnviz.trace.program import Program
from cnnviz.trace.writes import offsets_writing
from tests.scene import programs
from tests.scene.looking import inside, overlap

FILES = Path(__file__).parent.parent / "lesson" / "files"


@pytest.fixture(scope="module")
def program():
    return load_lesson("digits").program


def at_end(program, name):
    return moment(program, program.start(name) + len(program.operation(name)) - 1)


def test_every_cell_given_to_an_operation_is_equal_in_its_producer(program):
    """Whatever array and place is looked up: the two numbers are the same."""
    rng = np.random.default_rng(0)
    found = 0
    for operation in program.operations:
        for name in operation.tree.arrays & operation.call.given.keys():
            array = np.asarray(operation.call.given[name])
            for number in rng.integers(0, array.size, 8):
                index = tuple(int(k) for k in np.unravel_index(number, array.shape))
                made = program.where_from(operation, name, index)
                if made:
                    written = made.operation.call.writes[made.array][made.index]
                    assert written == array[index], (operation.name, name, index)
                    found += 1
    assert found > 150


def test_arrays_without_a_producer_are_input_parameters_target_and_padding(program):
    lost = set()
    for operation in program.operations:
        for name in operation.tree.arrays & operation.call.given.keys():
            array = np.asarray(operation.call.given[name])
            middle = tuple(size // 2 for size in array.shape)
            if program.where_from(operation, name, middle) is None:
                lost.add((operation.layer if name == "x" else "", name))
    assert lost <= {("conv1", "x"), ("", "w"), ("", "b"), ("", "t")}


def test_a_written_cell_names_its_step(program):
    now = at_end(program, "conv1")
    shown = origin(now, "y", (1, 2, 3))
    assert shown.name == "y[1, 2, 3]"
    assert shown.value == full(now.state.arrays["y"][1, 2, 3])
    assert program.state(shown.step).writes == (("y", (1, 2, 3)),)
    assert "written by conv1" in shown.said
    assert bubble(shown) == f"y[1, 2, 3] = {shown.value}"


def test_a_cell_to_come_shows_no_value(program):
    shown = origin(moment(program, 100), "y", (3, 7, 7))
    assert shown.value == "not computed yet"
    assert "will write it" in shown.said
    assert bubble(shown) == "y[3, 7, 7]: not computed yet"


def bubble(shown: Origin) -> str:
    marks = explain(Frame(500, 400), shown, {}, 10, 10, 1.0)
    return next("".join(run.text for run in mark.runs) for mark in marks if isinstance(mark, Label))


def test_of_what_an_update_replaces_the_old_is_told_from_the_new():
    """Its listing calls both w; before the step that writes a cell, Python holds the old one there."""
    made = programs.program("large")
    step, before = made.find("fc.w", line=4, n=5), made.operation("fc.w").call.before
    cells = [("w", 5), ("w", 6), ("v", 5), ("v", 6)]
    for letters, names in (
        (False, ["new w[5]", "old w[6]", "new v[5]", "old v[6]"]),
        (True, ["w₁,₂′ = new w[5]", "w₂,₀ = old w[6]", "v₁,₂′ = new v[5]", "v₂,₀ = old v[6]"]),
    ):
        at = moment(made, step, View(display=Display(letters=letters)))
        told = [origin(at, array, (k,)) for array, k in cells]
        assert [found.name for found in told] == names
        assert told[1].value == full(before["w"][6]) and told[0].value != full(before["w"][5])


def test_padding_is_called_what_it_is(program):
    shown = origin(moment(program, 100), "x", (0, 0, 0))
    assert (shown.step, shown.said) == (None, "zero padding")


def test_a_zero_between_gradients_is_not_called_padding():
    made = programs.program("scattered")  # 3 × 3 gradients, two apart, in 7 × 7
    at = moment(made, made.start("conv.dx"))
    said = {place: origin(at, "dy", (0, *place)).said for place in [(0, 3), (6, 6), (3, 0), (2, 3), (4, 4)]}
    between = "a zero between the gradients, as the stride asks"
    assert said == dict.fromkeys(said, "zero padding") | {(2, 3): between, (4, 4): between}
    assert origin(at, "dy", (0, 3, 5)).said not in ("zero padding", between)


def test_a_convolution_reads_window_kernel_and_bias(program):
    conv = program.operation("conv2")
    offset = conv.step_writing("y", (5, 1, 2))
    found = sources(conv, offset)
    assert {name: len(cells) for name, cells in found.items()} == {"b": 1, "w": 4 * 9, "x": 4 * 9}
    assert found["b"].tolist() == [[5]]
    assert found["x"].min(0).tolist() == [0, 1, 2]
    assert found["x"].max(0).tolist() == [3, 3, 4]


@pytest.mark.parametrize("name", ["every", "one", "columns", "scattered", "descents"])
def test_the_cell_just_written_is_written(name):
    """At its own step, whichever it is; one step before, it is yet to come."""
    made = programs.program(name)
    for operation in made.operations:
        for offset in random.Random(name).sample(range(len(operation)), min(len(operation), 300)):
            step = made.start(operation.name) + offset
            at = moment(made, step)
            for array, index in at.state.writes:
                shown = origin(at, array, index)
                assert shown.known and shown.step == step, (operation.name, offset, array, index)
                assert shown.said.startswith(("written by", "the sum of", "the one addition by")), shown.said
                if array not in operation.call.before and operation.call.linear is None:
                    earlier = origin(moment(made, step - 1), array, index) if step else shown
                    assert earlier is shown or (not earlier.known and "will write it" in earlier.said)


def test_a_variable_just_written_is_written_though_more_is_added_to_it_later():
    """∂f/∂x of x·x + x: three lines add to it."""
    made = load_lesson("f = x*x + x   x=3").program
    backward = made.operation("f.backward")
    at = [moment(made, made.start("f.backward") + offset) for offset in range(len(backward))]
    writing = [each for each in at if each.state.line in [line.number for line in backward.writers("dx")]]
    assert len(writing) == 3
    for each in writing:
        shown = origin_of_variable(each, "dx")
        assert shown.step == each.step.index and shown.said.startswith("written by"), shown.said


def test_a_gradient_that_a_relu_stopped_was_not_read():
    """dx = dy if x > 0 else 0: of the cells that ReLU clipped, x alone is outlined; at exactly 0, too."""
    x = np.array([[[2.0, -1.0, 0.0]]])
    network = Network([("relu", ReLU()), ("flatten", Flatten())], (1, 1, 3), HalfSquaredError())
    made = Program(network.calls(network.run(x, np.zeros(3))))
    at = at_end(made, "relu.dx")
    assert [sorted(origin(at, "dx", (0, 0, k)).sources) for k in range(3)] == [["dy", "x"], ["x"], ["x"]]
    assert [origin(at, "dy", (0, 0, k)).readers for k in range(3)] == [
        (f"read by relu.dx at step {count(made.start('relu.dx') + 3)}",),
        ("no step reads it",),
        ("no step reads it",),
    ]


def test_the_loss_was_made_of_all_outputs_and_targets_that_it_read():
    """Cross-entropy reads an output only where the target is not 0."""
    network = Network([("fc", Linear(1, 3)), ("softmax", Softmax())], (1,), CrossEntropy())
    network.initialise(1)
    made = Program(network.calls(network.run(np.ones(1), np.array([0.0, 1.0, 0.0]))))
    shown = origin(at_end(made, "loss"), "E", (0,))
    assert {name: cells.tolist() for name, cells in shown.sources.items()} == {
        "t": [[0], [1], [2]],
        "y": [[1]],
    }
    shown = origin(at_end(made, "softmax"), "e", (1,))
    assert {name: cells.tolist() for name, cells in shown.sources.items()} == {"x": [[0], [1], [2]]}
    assert {name: cells.tolist() for name, cells in shown.targets.items()} == {"y": [[0], [1], [2]]}


def test_an_input_says_who_reads_it_and_shows_what_is_made_of_it():
    """The middle of X in a 2 × 2 convolution of 3 × 3 cells: all four windows hold it."""
    made = load_lesson("backward-conv").program
    at = at_end(made, "conv")
    shown = origin(at, "x", (0, 1, 1))
    first = next(k for k in range(len(made)) if ("x", (0, 1, 1)) in made.state(k).reads)
    times = {
        name: [
            made.start(name) + k
            for k in range(len(made.operation(name)))
            if ("x", (0, 1, 1)) in made.state(made.start(name) + k).reads
        ]
        for name in ("conv", "conv.dw")
    }
    assert first == times["conv"][0]
    assert shown.readers == tuple(
        f"read {len(steps)} times by {name}, first at step {count(steps[0])}" for name, steps in times.items()
    )
    assert {name: cells.tolist() for name, cells in shown.targets.items()} == {
        "y": [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1]]
    }
    assert shown.readers[0] in [
        text
        for mark in explain(Frame(900, 700), shown, {}, 10, 10, 1.0)
        if isinstance(mark, Label)
        for text in ["".join(run.text for run in mark.runs)]
    ]


def test_after_an_update_nobody_reads_the_new_weight_and_before_it_all_its_readers_are_told():
    made = load_lesson("backward-fc").program
    name = next(operation.name for operation in made.operations if operation.name.endswith(".w"))
    operation, start = made.operation(name), made.start(name)
    line = operation.step_writing("w", (0,))
    before, after = (origin(moment(made, start + line + k), "w", (0,)) for k in (-1, 0))
    layer = operation.layer
    assert [told.split(" by ")[1].split(" ")[0].rstrip(",") for told in before.readers] == [
        layer,
        *([f"{layer}.dx"] if f"{layer}.dx" in [other.name for other in made.operations] else []),
        name,
    ]
    assert after.readers == ("no step reads it",)


def test_a_window_is_outlined_as_one_and_scattered_cells_one_by_one():
    grid = Cells(Box(0, 0, 50, 50), np.zeros((5, 5)), "x")
    frame = Frame(200, 200, (grid,))
    window = np.array([(r, c) for r in (1, 2) for c in (2, 3)])
    apart = np.array([(0, 0), (4, 4)])
    for cells, many in ((window, 1), (apart, 2)):
        marks = explain(frame, Origin("x", "1", "", 0, {"x": cells}), {"x": "source_line"}, 60, 60, 1.0)
        outlines = [mark for mark in marks if isinstance(mark, Rect) and mark.dashed]
        assert len(outlines) == many
    assert outlines[0].box == Box(0, 0, 10, 10)


# ------------------------------------------------------------- cells that are added to again and again


def test_every_addition_so_far_is_listed_and_the_cells_they_were_made_of_are_outlined():
    lesson = load_lesson("backward-conv").in_form("scattered")
    program, index = lesson.program, (0, 1, 1)  # the middle of X, which all four windows hold
    start = program.start("conv.dx")
    steps = [start + int(offset) for offset in offsets_writing(program.operation("conv.dx"), "dx", index)]
    before = origin(moment(program, steps[0] - 1), "dx", index)
    assert before.terms == () and before.step == steps[0] and "nothing added yet" in before.said
    for number, step in enumerate(steps, 1):
        shown = origin(moment(program, step), "dx", index)
        assert f"the sum of {number} of 4 additions by conv.dx" in shown.said
        assert [term.partition(":")[0] for term in shown.terms] == [f"step {step}" for step in steps[:number]]
        assert shown.step == step
        assert shown.value == full(program.state(step).arrays["dx"][index])
        assert {name: len(cells) for name, cells in shown.sources.items()} == {
            "dy": number,
            "w": number,
        }
    added = [float(term.rpartition("= ")[2].replace("−", "-")) for term in shown.terms]
    assert sum(added) == pytest.approx(lesson.tape["conv.dx"][index], abs=0.002)
    said = [
        text
        for mark in explain(Frame(900, 700), shown, {}, 10, 10, 1.0)
        if isinstance(mark, Label)
        for text in ["".join(run.text for run in mark.runs)]
    ]
    assert said[2:] == [*shown.terms, *shown.readers]


def test_where_pooling_windows_overlap_every_addition_is_listed():
    made = programs.program("large")  # 3 × 3 windows, two cells apart
    at = moment(made, made.start("pool.dx") + len(made.operation("pool.dx")) - 1)
    shown = origin(at, "dx", (1, 2, 2))
    assert "the sum of 4 of 4 additions by pool.dx" in shown.said
    assert len(shown.terms) == 4
    assert origin(at, "dx", (1, 1, 1)).said == "the one addition by pool.dx"
    assert origin(at, "dx", (0, 39, 39)).said == "nothing is added to it"


def test_of_many_additions_the_last_are_listed_and_the_others_counted():
    conv = Conv2d(1, 10, 3, padding=1)
    network = Network([("conv", conv), ("flatten", Flatten())], (1, 5, 9), HalfSquaredError())
    network.initialise(1)
    tape = network.run(np.ones((1, 5, 9)), np.zeros(450))
    made = Program(network.calls(tape, "scattered"))
    at = moment(made, made.start("conv.dx") + len(made.operation("conv.dx")) - 1)
    shown = origin(at, "dx", (0, 3, 4))
    assert "the sum of 90 of 90 additions" in shown.said  # ten kernels of 3 × 3
    assert shown.terms[0] == "… and 82 before" and len(shown.terms) == 9


def test_a_gradient_made_in_the_scattered_view_is_found_past_its_padding():
    program = load_lesson("digits").in_form("scattered").program
    after = program.operation("pool1.dx")
    made = program.where_from(after, "dy", (2, 0, 3))
    assert (made.operation.name, made.array, made.index) == ("conv2.dx", "dx", (2, 1, 4))
    assert made.operation.call.writes["dx"][made.index] == pytest.approx(
        after.call.given["dy"][2, 0, 3], abs=1e-15
    )


@pytest.mark.parametrize("point", [(1, 1), (499, 399), (499, 1), (1, 399)])
def test_the_bubble_stays_in_the_frame(point):
    shown = Origin("y[1, 2, 3]", "0.1234567", "written by conv1 at step 2,558", 2558, {})
    box = explain(Frame(500, 400), shown, {}, *point, 1.0)[0].box
    assert box.x >= 0 and box.y >= 0 and box.right <= 500 and box.bottom <= 400


@pytest.mark.parametrize("file", ["certain-and-wrong", "sure-and-wrong"])
def test_the_scores_that_a_loss_starts_from_are_those_of_the_layer_before_the_last(file):
    program = load_lesson(str(FILES / f"{file}.toml")).program
    made = program.where_from(program.operation("loss"), "x", (1,))
    assert (made.operation.name, made.array, made.index) == ("fc", "y", (1,))
    shown = origin(at_end(program, "loss"), "E", (0,))
    assert {name: cells.tolist() for name, cells in shown.sources.items()} == {
        "x": [[0], [1]],
        "t": [[0], [1]],
    }


def test_a_gradient_that_is_given_says_so_and_goes_back_like_a_losss():
    network = Network([("fc", Linear(2, 2)), ("relu", ReLU())], (2,))
    network.load({"fc.w": np.array([[1.0, 2.0], [3.0, 4.0]]), "fc.b": np.zeros(2)}, "test")
    program = Program(network.calls(network.run(np.array([1.0, 2.0]), dy=np.array([5.0, -1.0]))))
    found = origin(at_end(program, "relu.dx"), "dy", (0,))
    assert (found.said, found.step) == ("the gradient of the output, given in place of a loss", None)
    assert found.readers
    factors = chain(program, program.operation("fc.dw"))
    assert [factor.name for factor in factors] == ["∂E/∂relu", "∂relu/∂fc", "∂fc/∂w"]
    assert factors[0].values.tolist() == [[5, -1]]
    assert len(chain(program, program.operation("relu.dx"))) == 2


def test_a_parameter_that_is_fixed_is_not_said_to_move():
    network = Network([("fc", Linear(2, 1))], (2,), HalfSquaredError(), SGD(0.1), fixed=["fc.b"])
    network.initialise(1)
    program = Program(network.calls(network.run(np.ones(2), np.zeros(1))))
    at = at_end(program, "fc")
    assert origin(at, "w", (0, 0)).said == "a parameter, updated by training"
    assert origin(at, "b", (0,)).said == "a parameter, kept fixed"


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_the_card_covers_neither_the_number_nor_those_around_it(size):
    made, unit, checked = programs.program("digits"), size[1] / 1080, 0
    for operation in ("conv1", "pool1", "softmax", "conv2.dx"):
        step = made.start(operation) + len(made.operation(operation)) - 1
        at = moment(made, step)
        frame = Frame(*size, tuple(stage(at, Box(0, 0, *size), unit)))
        for grid in (mark for mark in flat(frame.marks) if isinstance(mark, Cells) and mark.array):
            rows, columns = grid.values.shape
            for row, column in ((0, 0), (rows - 1, columns - 1), (rows // 2, columns // 2)):
                cell = grid.box_of(row, column)
                found = frame.at(*cell.center)
                if found is None or not any(map(any, found[0].texts)):
                    continue
                shown = origin(at, found[0].array, found[1])
                if shown is None:
                    continue
                marks = explain(frame, shown, Anything(), *cell.center, unit)
                card = next(mark.box for mark in marks if is_card(mark))
                assert inside(card, Box(0, 0, *size), 0)
                around = Box(cell.x - cell.w, cell.y - cell.h, 3 * cell.w, 3 * cell.h)
                assert min(overlap(card, around)) <= 0.01
                checked += 1
    assert checked > 20


class Anything(dict[str, str]):
    """A colour for each array."""

    def __missing__(self, name: str) -> str:
        return "source_line"


def is_card(mark: Mark) -> bool:
    return isinstance(mark, Rect) and mark.fill == "panel"


@pytest.mark.parametrize("name", ["digits", "every", "sequences", "residual-block", "given"])
def test_each_number_of_the_arithmetic_is_the_one_that_its_card_tells(name):
    """To the last digit that is written; a power of ten may be said elsewhere, once for all."""
    seen: Counter[bool] = Counter()
    for at in programs.moments(name, 1):
        frame = Frame(1140, 878, tuple(stage(at, Box(0, 0, 1140, 878), 1.0)))
        for mark in (mark for mark in flat(frame.marks) if isinstance(mark, Label)):
            known = [run for run in mark.runs if run.number]
            for run, spot in zip(known, mark.spots(), strict=True):
                assert frame.spot_at(*spot.box.center) == spot
                array, index = run.number
                shown = origin(at, array, index) if index else origin_of_variable(at, array)
                if shown.known:
                    text = run.text.strip("()")
                    powers = {1.0, 10.0 ** at.look(array).power} if index else {1.0}
                    exact = read(shown.value)
                    far = min(abs(read(text) * power - exact) / power for power in powers)
                    assert text == shown.value or far <= 0.51 * last_digit(text), (
                        at.operation.name,
                        run,
                        shown.value,
                    )
                    seen[bool(index)] += 1
    assert seen[True] > 20


@pytest.mark.parametrize("name", ["digits", "every", "sequences", "scattered"])
def test_a_product_and_the_sum_of_a_channel_are_what_their_cells_come_to(name):
    """The picture computes them with whole arrays, the card from the cells of the terms."""
    products, sums = 0, 0
    for at in programs.moments(name, 2):
        frame = Frame(1140, 878, tuple(stage(at, Box(0, 0, 1140, 878), 1.0)))
        spots = [mark for mark in flat(frame.marks) if isinstance(mark, Hotspot) and mark.kind == "terms"]
        grids = [mark for mark in flat(frame.marks) if isinstance(mark, Cells) and not mark.array]
        total = 0.0
        for spot in spots:
            shown = origin_of_terms(at, spot.line, spot.count)
            assert shown is not None and shown.step <= at.step.index
            (x, y), value = spot.box.center, read(shown.value)
            grid = next((grid for grid in grids if grid.box.contains(x, y)), None)
            if grid is None:
                total += value
                continue
            place = int((y - grid.box.y) / grid.cell[1]), int((x - grid.box.x) / grid.cell[0])
            assert value == pytest.approx(grid.values[place], rel=1e-4, abs=1e-6)
            products += 1
        if total and "acc" in at.state.variables:
            bias = at.state.arrays["b"][at.variable("o")] if "b" in at.state.arrays else 0.0
            assert total + bias == pytest.approx(at.state.variables["acc"], rel=1e-4, abs=1e-5)
            sums += 1
    assert products > 5


def test_a_scale_tells_the_cell_nearest_to_a_colour_and_the_smallest_and_largest(program):
    at = moment(program, program.start("conv1") + 4000)
    written, values = at.state.written("y"), at.state.arrays["y"]
    done = values[written]
    for value in (-1.0, 0.0, 0.3, 9.0):
        shown = origin_of_colour(at, "y", value)
        assert read(shown.value) == pytest.approx(done[np.abs(done - value).argmin()], rel=1e-6)
        ends = [read(text.split(" = ")[1]) for text in shown.terms[1:]]
        assert ends == pytest.approx([done.max(), done.min()], rel=1e-6)
    assert origin_of_colour(moment(program, program.start("conv1")), "y", 0.0) is None
