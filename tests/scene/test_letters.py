"""Letters mode: names in the cells and in the arithmetic, no number of a value anywhere on the stage."""

from __future__ import annotations

import random
import re
from functools import cache, lru_cache
from itertools import product

import numpy as np
import pytest

from cnnviz import lesson_names, load_lesson
from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.losses import HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose, moment
from cnnviz.scene.letters import name_width, names
from cnnviz.scene.marks import Cells, Frame, Label, Span
from cnnviz.scene.numbers import full
from cnnviz.scene.provenance import origin
from cnnviz.scene.registry import kind_of
from cnnviz.scene.view import View
from cnnviz.trace.program import Program
from tests.scene.looking import all_marks, described, grids, in_pane, inside, said
from tests.scene.programs import NAMES, program, telling_offsets, view
from tests.scene.test_frame import panel

lesson = cache(load_lesson)

EVERY = [*lesson_names(), *(f"programs.{name}" for name in NAMES)]
NUMBER = re.compile(r"[0-9]")
each_program = pytest.mark.parametrize("name", EVERY, scope="module")
IN_LETTERS = View(display=Display(letters=True))


def program_of(name: str) -> Program:
    return program(name.removeprefix("programs.")) if "." in name else lesson(name).program


def sample_of(made: Program, runs: int = 2) -> list[int]:
    """Telling steps of every operation; of a long program some of them."""
    steps = [made.start(op.name) + offset for op in made.operations for offset in telling_offsets(op, runs)]
    return sorted(random.Random(4).sample(steps, min(len(steps), 40)))


@lru_cache(256)  # the tests of a program look at the same frames, one after the other
def lettered(made: Program, step: int, width: float = 1920, height: float = 1080) -> Frame:
    return compose(made, step, View(width, height, display=Display(letters=True)))


@each_program
def test_no_cell_holds_a_number(name):
    """But for padding, which is 0."""
    made = program_of(name)
    for step, size in product(sample_of(made), [(1920, 1080), (1280, 720)]):
        for mark in all_marks(lettered(made, step, *size).marks):
            if isinstance(mark, Cells):
                for text in (text for row in mark.texts for text in row):
                    pieces = re.split(r"[·\n]+", text)
                    assert not any(NUMBER.search(piece) for piece in pieces if piece not in ("0", "∂0")), (
                        step,
                        text,
                    )


@each_program
def test_names_are_read_and_fit_their_cells(name):
    made = program_of(name)
    for step in sample_of(made):
        for mark in all_marks(lettered(made, step, 1280, 720).marks):
            if isinstance(mark, Cells) and any(map(any, mark.texts)) and mark.palette == "plain":
                lines = [line for row in mark.texts for text in row for line in text.split("\n")]
                assert mark.size >= 10
                assert max(len(line) for line in lines) * 0.3 * mark.size < mark.cell[0]


@pytest.mark.parametrize("name", lesson_names(), scope="module")
def test_products_of_long_names_are_read_on_a_small_screen(name):
    """In the cells where they are formed, and in the sum under the picture."""
    made = program_of(name)
    for step in sample_of(made):
        frame = lettered(made, step, 1280, 720)
        for mark in all_marks(frame.marks):
            if isinstance(mark, Cells) and not mark.array and any(map(any, mark.texts)):
                assert mark.size >= 11, (step, mark.texts)
        for mark in in_pane(frame, "stage"):
            if isinstance(mark, Label) and "·" in said([mark])[0] and inside(mark.box, panel(frame), 1.0):
                fitting = mark.box.w / sum(name_width(run.text) for run in mark.runs)
                assert mark.family == "mono" or min(mark.size, fitting) >= 12, (step, said([mark]))


@each_program
def test_no_pane_tells_a_value(name):
    """Numbers with a point are literals of the listing, and whole ones are indices, sizes or steps."""
    made = program_of(name)
    for step in sample_of(made):
        at, frame = moment(made, step, IN_LETTERS), lettered(made, step)
        source = " ".join(at.operation.tree.source)
        for text in (
            text for pane in ("network", "stage", "debugger") for text in said(in_pane(frame, pane))
        ):
            told = text.replace(kind_of(at.operation.call).sentence, "")
            if "inf" in source or at.operation.call.kind.startswith("max_pool"):
                told = told.replace("−∞", "")  # what a largest number begins with, and padding
            # The slope of a difference, whatever its values.
            told = re.sub(r"^(∂\w+/∂\w+ = )?−1$|\(−1\)$", "", told)
            for found in re.findall(r"\d+\.\d+", told):
                assert found in source, (text, step)
            assert not re.search(r"(?<![\w\]] )(?<![\w)\]])−\d|NaN|∞|10[⁰¹²³⁴-⁹⁻]", told), (text, step)


def test_names_are_those_of_array_and_index():
    made = program("digits")
    of = names(made, made.operation("conv2"))
    padded = np.shape(made.operation("conv2").call.given["x"])
    assert of.cell("x", (1, 0, 0)) == of.cell("x", (1, padded[1] - 1, 2)) == "0"
    assert of.cell("x", (1, 1, 3)) == "x₁₀₂", "without the padding"
    assert of.cell("w", (3, 1, 0, 2)) == "w₃₁₀₂"
    assert of.cell("b", (4,)) == "b₄"
    assert names(made, made.operation("conv2.dw")).cell("dw", (0, 1, 2, 2)) == "∂w₀₁₂₂"
    assert names(made, made.operation("conv1")).cell("w", (2, 0, 1, 1)) == "w₂₁₁", "one channel goes unsaid"
    assert names(made, made.operation("fc")).cell("w", (12, 3)) == "w₁₂,₃", "two figures are set apart"
    assert names(made, made.operation("conv2.w")).cell("dw", (40,)) == "∂w₁₀₁₁", "as in its layer"
    assert names(made, made.operation("conv2.b")).cell("w", (4,)) == "b₄"
    assert names(made, made.operation("loss")).cell("E", (0,)) == "E"


def test_indices_on_one_screen_are_set_apart_alike():
    """Beside w₁,₁₀, E₁₀ might be E[1, 0] or E[10]."""
    made = lesson("gradient-descent").program
    of = names(made, made.operation("valleys"))
    assert np.shape(made.operation("valleys").call.writes["w"])[1] == 11
    assert of.cell("w", (1, 10)) == "w₁,₁₀"
    assert of.cell("dw", (1, 0)) == "∂w₁,₀"
    made = program("digits")
    assert names(made, made.operation("flatten")).cell("x", (7, 1, 0)) == "x₇,₁,₀", "y has 32"


def test_the_zeros_between_strided_gradients_are_zeros():
    made = program("every")
    operation = made.operation("conv.dx")
    filler = operation.call.ports["dy"].placement.zeros
    of = names(made, operation)
    row, column = (int(k) for k in np.argwhere(~filler)[-1])
    height, width = made.operation("conv").call.writes["y"].shape[1:]
    assert of.cell("dy", (2, row, column)) == f"∂y₂{'₀₁₂₃₄₅₆₇₈₉'[height - 1]}{'₀₁₂₃₄₅₆₇₈₉'[width - 1]}"
    assert of.cell("dy", (2, *(int(k) for k in np.argwhere(filler)[0]))) == "0"


def test_padding_as_large_as_the_kernel_cuts_off_the_first_gradients():
    """A kernel of 1 × 1 with padding 1 on an input of 1 × 2: what comes back to it is ∂E/∂y₁₁ and ∂E/∂y₁₂."""
    network = Network(
        [("conv", Conv2d(1, 1, 1, padding=1)), ("flatten", Flatten())], (1, 1, 2), HalfSquaredError()
    )
    made = Program(network.calls(network.run(np.array([[[1.0, 2.0]]]), np.arange(12.0))))
    of = names(made, made.operation("conv.dx"))
    assert [of.cell("dy", (0, 0, k)) for k in (0, 1)] == ["∂y₁₁", "∂y₁₂"]
    at = moment(made, made.start("conv.dx"))
    assert [origin(at, "dy", (0, 0, k)).value for k in (0, 1)] == [
        full(made.operation("flatten.dx").call.writes["dx"][0, 1, k]) for k in (1, 2)
    ]


def test_a_lesson_names_cells_and_their_gradients(tmp_path):
    path = tmp_path / "named.toml"
    path.write_text(
        'title = "T"\nsentence = "S."\n'
        "input = { shape = [2], values = [1, 2], target = [1] }\n"
        'layers = [{ name = "fc", kind = "linear", neurons = 1 }]\n'
        'loss = { kind = "half_squared_error" }\noptimiser = { kind = "sgd", lr = 0.1 }\nseed = 1\n'
        'letters = { fc = { x = "p q", w = "u v", b = "c" } }\n'
    )
    made = load_lesson(path).program
    assert names(made, made.operation("fc")).cell("x", (1,)) == "q"
    assert names(made, made.operation("fc.dw")).cell("dw", (1, 0)) == "∂v"
    assert names(made, made.operation("fc.w")).cell("w", (0,)) == "u"
    assert names(made, made.operation("fc.b")).cell("dw", (0,)) == "∂c"
    assert load_lesson(path).choose(0).program.names == made.names
    last = made.start("fc") + len(made.operation("fc")) - 2
    assert "y[0] = c + pu + qv" in said(in_pane(lettered(made, last), "stage"))


def test_a_bias_called_zero_is_left_out_of_sums_but_keeps_its_gradient(tmp_path):
    path = tmp_path / "named.toml"
    path.write_text(
        'title = "T"\nsentence = "S."\n'
        "input = { shape = [2], values = [1, 2], target = [1, 0] }\n"
        'layers = [{ name = "fc", kind = "linear", neurons = 2 }]\n'
        'loss = { kind = "half_squared_error" }\nseed = 1\nletters = { fc = { b = "0 0" } }\n'
    )
    made = load_lesson(path).program
    assert names(made, made.operation("fc")).cell("b", (1,)) == "0"
    assert names(made, made.operation("fc.db")).cell("db", (1,)) == "∂b₁"
    told = said(in_pane(lettered(made, made.find("fc", line=5, n=1, m=1)), "stage"))
    assert "acc = w₀₁·x₀ + w₁₁·x₁" in told


def test_the_sum_so_far_is_told_in_letters():
    made = lesson("convolution").program
    step = made.find("conv", line=9, u=1)
    told = said(in_pane(lettered(made, step), "stage"))
    assert "acc = aw + bx + ey" in told
    assert {"aw", "bx", "ey", "fz"} <= set(told)
    assert "aw + bx + ey" in said(in_pane(lettered(made, step), "debugger"))


def test_the_term_in_hand_is_marked_and_in_its_colours():
    made = lesson("convolution").program
    frame = lettered(made, made.find("conv", line=9, u=1))
    terms = {text: mark for mark in frame.marks if isinstance(mark, Label) for text in said([mark])}
    cells = ("x", (0, 1, 0)), ("w", (0, 0, 1, 0))
    assert terms["ey"].runs == (
        Span("e", "source", number=cells[0]),
        Span("y", "parameter", number=cells[1]),
    )
    assert {run.role for run in terms["fz"].runs} == {"muted"}, "it is yet to come"


def test_long_sums_keep_their_ends():
    made = program("digits")
    step = made.find("conv2", line=9, o=3, i=1, j=1, c=2, u=1, v=2)
    told = said(in_pane(lettered(made, step), "stage"))
    assert "acc = b₃ + w₃₀₀₀·x₀₀₀ + … + w₃₂₁₂·x₂₁₂" in told


def test_the_largest_so_far_is_told_in_letters():
    made = program("digits")
    step = made.find("pool1", line=10, c=1, i=1, j=2, u=1)
    told = said(in_pane(lettered(made, step), "stage"))
    assert "best = max(x₁₂₄, x₁₂₅, x₁₃₄)" in told


def test_what_is_taken_off_is_told_as_taken_off():
    made = program("digits")
    told = said(in_pane(lettered(made, made.find("loss", line=4, n=1)), "stage"))
    assert "total = −t₀·log(y₀) − t₁·log(y₁)" in told


def test_an_update_tells_the_old_weight_from_the_new():
    made = program("digits")
    step = made.find("conv2.w", line=3, n=2)
    shown = {
        text
        for mark in all_marks(lettered(made, step).marks)
        if isinstance(mark, Cells)
        for row in mark.texts
        for text in row
    }
    assert {"w₀₀₀₂", "w₀₀₀₂′", "∂w₀₀₀₂"} <= shown
    assert "w₀₀₀₃′" not in shown, "it is not computed yet"


def test_an_update_tells_the_old_speeds_from_the_new():
    """They stand in one row, for the listing writes each over the one before."""
    made = program("large")
    for line, new in ((2, 5), (3, 6), (4, 6)):
        step = made.find("fc.w", line=line, n=5)
        (row,) = (mark for mark in grids(compose(made, step, IN_LETTERS)) if mark.array == "v")
        count = len(row.texts[0])
        assert [name.endswith("′") for name in row.texts[0]] == [True] * new + [False] * (count - new)
        (row,) = (mark for mark in grids(compose(made, step, View())) if mark.array == "v")
        assert row.faint.tolist() == [[False] * new + [True] * (count - new)]


def test_a_graph_has_names_for_its_values():
    made = program("chain")
    step = len(made) - 1
    told = said(in_pane(lettered(made, step), "stage"))
    assert not [text for text in told if "12" in text or "−4" in text]
    assert "∂f/∂q" in told
    assert "∂f/∂q = z" in told


@pytest.mark.parametrize("name", ["digits", "chain", "every", "large"])
def test_both_modes_are_kept_apart(name):
    """Frames of one are the same whatever was composed in the other meanwhile."""
    made = program(name)
    steps = sample_of(made)[::5]
    looks = [View(960, 540, display=Display(letters=letters)) for letters in (False, True)]
    first = {(step, look): described(compose(made, step, look)) for step in steps for look in looks}
    for step in reversed(steps):
        for look in (*reversed(looks), *looks):
            assert described(compose(made, step, look)) == first[step, look]
        assert first[step, looks[0]] != first[step, looks[1]]


def test_nothing_moves_when_letters_come():
    made = program("digits")
    for step in sample_of(made, 1):
        before, after = compose(made, step, view(made)), lettered(made, step)
        boxes = {(mark.array, mark.prefix, mark.box) for mark in grids(before)}
        assert {(mark.array, mark.prefix, mark.box) for mark in grids(after)} <= boxes


def test_the_bubble_has_the_name_and_the_number():
    made = lesson("convolution").program
    step = made.find("conv", line=9)
    assert origin(moment(made, step, IN_LETTERS), "x", (0, 1, 2)).name == "g = x[0, 1, 2]"
    assert origin(moment(made, step, IN_LETTERS), "x", (0, 1, 2)).value == "7"
    assert origin(moment(made, step), "x", (0, 1, 2)).name == "x[0, 1, 2]"


def test_a_lesson_names_the_cells_of_each_of_several_inputs(tmp_path):
    file = tmp_path / "sum.toml"
    file.write_text(
        """
title = "Sum"
sentence = "Two branches are added."
[input]
shape = [2]
values = [1.0, -2.0]
[[layers]]
name = "a"
kind = "relu"
[[layers]]
name = "s"
kind = "add"
inputs = ["a", "input"]
[letters.s]
x1 = "p q"
""",
        encoding="utf-8",
    )
    made = load_lesson(file).program
    called = names(made, made.operation("s"))
    assert [called.cell("x1", (k,)) for k in range(2)] == ["p", "q"]
    assert called.cell("x2", (1,)) == "x⁽²⁾₁"
