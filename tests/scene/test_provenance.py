"""Where numbers come from, over the whole program of digits."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.losses import HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.frame import moment
from cnnviz.scene.marks import Box, Cells, Frame, Label, Rect
from cnnviz.scene.numbers import full
from cnnviz.scene.provenance import Origin, explain, origin, producer, sources
from cnnviz.trace.additions import offsets_writing
from cnnviz.trace.program import Program
from tests.scene import programs


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
            for flat in rng.integers(0, array.size, 8):
                index = tuple(int(k) for k in np.unravel_index(flat, array.shape))
                made = producer(program, operation, name, index)
                if made:
                    maker, result, place = made
                    assert maker.call.writes[result][place] == array[index], (operation.name, name, index)
                    found += 1
    assert found > 150


def test_arrays_without_a_producer_are_input_parameters_target_and_padding(program):
    lost = set()
    for operation in program.operations:
        for name in operation.tree.arrays & operation.call.given.keys():
            array = np.asarray(operation.call.given[name])
            middle = tuple(size // 2 for size in array.shape)
            if producer(program, operation, name, middle) is None:
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
        at = moment(made, step, letters=letters)
        told = [origin(at, array, (k,)) for array, k in cells]
        assert [found.name for found in told] == names
        assert told[1].value == full(before["w"][6]) and told[0].value != full(before["w"][5])


def test_padding_is_called_what_it_is(program):
    shown = origin(moment(program, 100), "x", (0, 0, 0))
    assert (shown.step, shown.said) == (None, "a zero that was put in")


def test_a_convolution_reads_window_kernel_and_bias(program):
    conv = program.operation("conv2")
    offset = conv.step_writing("y", (5, 1, 2))
    found = sources(conv, offset)
    assert {name: len(cells) for name, cells in found.items()} == {"b": 1, "w": 4 * 9, "x": 4 * 9}
    assert found["b"].tolist() == [[5]]
    assert found["x"].min(0).tolist() == [0, 1, 2]
    assert found["x"].max(0).tolist() == [3, 3, 4]


def test_what_sources_name_is_what_python_reads(program):
    """For each operation: the reads of all steps of one cell are among its sources, and are all of them."""
    for operation in program.operations:
        nest = operation.cells.nest
        if not nest or operation.call.linear is not None:
            continue
        name, array = next(iter(operation.call.writes.items()))
        index = tuple(size // 2 for size in array.shape)
        offset = operation.step_writing(name, index)
        start = program.start(operation.name)
        read = set()
        block = operation.cells.block.steps
        for step in range(offset - block + 1, offset + 1):
            read |= {place for place in program.state(start + step).reads}
        found = {
            (name, tuple(cell))
            for name, cells in sources(operation, offset).items()
            for cell in cells.tolist()
        }
        given = {place for place in read if place[0] in operation.call.given}
        assert given <= found, operation.name


def test_a_window_is_outlined_as_one_and_scattered_cells_one_by_one():
    grid = Cells(Box(0, 0, 50, 50), np.zeros((5, 5)), "x")
    frame = Frame(200, 200, (grid,))
    window = np.array([(r, c) for r in (1, 2) for c in (2, 3)])
    apart = np.array([(0, 0), (4, 4)])
    for cells, count in ((window, 1), (apart, 2)):
        marks = explain(frame, Origin("x", "1", "", 0, {"x": cells}), {"x": "source_line"}, 60, 60, 1.0)
        outlines = [mark for mark in marks if isinstance(mark, Rect) and mark.dashed]
        assert len(outlines) == count
    assert outlines[0].box == Box(0, 0, 10, 10)


# ------------------------------------------------------------- cells that are added to again and again


def test_every_addition_so_far_is_listed_and_the_cells_they_were_made_of_are_outlined():
    lesson = load_lesson("backward-conv").in_view("scattered")
    program, index = lesson.program, (0, 1, 1)  # the middle of X, which all four windows hold
    start = program.start("conv.dx")
    steps = [start + int(offset) for offset in offsets_writing(program.operation("conv.dx"), "dx", index)]
    before = origin(moment(program, steps[0] - 1), "dx", index)
    assert before.terms == () and before.step == steps[0] and "nothing is added yet" in before.said
    for count, step in enumerate(steps, 1):
        shown = origin(moment(program, step), "dx", index)
        assert f"the sum of {count} of 4 additions by conv.dx" in shown.said
        assert [term.partition(":")[0] for term in shown.terms] == [f"step {step}" for step in steps[:count]]
        assert shown.step == step
        assert shown.value == full(program.state(step).arrays["dx"][index])
        assert {name: len(cells) for name, cells in shown.sources.items()} == {
            "dy": count,
            "w": count,
        }
    added = [float(term.rpartition("= ")[2].replace("−", "-")) for term in shown.terms]
    assert sum(added) == pytest.approx(lesson.tape["conv.dx"][index], abs=0.002)
    said = [
        text
        for mark in explain(Frame(900, 700), shown, {}, 10, 10, 1.0)
        if isinstance(mark, Label)
        for text in ["".join(run.text for run in mark.runs)]
    ]
    assert said[2:] == list(shown.terms)


def test_where_pooling_windows_overlap_every_addition_is_listed():
    made = programs.program("large")  # 3 × 3 windows, two cells apart
    at = moment(made, made.start("pool.dx") + len(made.operation("pool.dx")) - 1)
    shown = origin(at, "dx", (1, 2, 2))
    assert "the sum of 4 of 4 additions by pool.dx" in shown.said
    assert len(shown.terms) == 4
    assert origin(at, "dx", (1, 1, 1)).said == "the sum of 1 of 1 additions by pool.dx"
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
    program = load_lesson("digits").in_view("scattered").program
    after = program.operation("pool1.dx")
    maker, result, place = producer(program, after, "dy", (2, 0, 3))
    assert (maker.name, result, place) == ("conv2.dx", "dx", (2, 1, 4))
    assert maker.call.writes[result][place] == pytest.approx(after.call.given["dy"][2, 0, 3], abs=1e-15)


@pytest.mark.parametrize("point", [(1, 1), (499, 399), (499, 1), (1, 399)])
def test_the_bubble_stays_in_the_frame(point):
    shown = Origin("y[1, 2, 3]", "0.1234567", "written by conv1 at step 2,558", 2558, {})
    box = explain(Frame(500, 400), shown, {}, *point, 1.0)[0].box
    assert box.x >= 0 and box.y >= 0 and box.right <= 500 and box.bottom <= 400
