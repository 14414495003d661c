"""What is shown can be reckoned again by hand: every line with its numbers put in comes to what is shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from itertools import pairwise

import numpy as np
import pytest
from msgspec.structs import replace

from cnnviz.engine.expression import read_expression
from cnnviz.engine.layer import Call, Layer, Shape
from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.lesson.lesson import lesson_names, load_lesson
from cnnviz.scene import arithmetic
from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose, moment
from cnnviz.scene.marks import Box, Label, Rect
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import full
from cnnviz.scene.provenance import origin
from cnnviz.scene.view import View
from cnnviz.trace.flow import sources
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from tests.cases import (
    CORNERS,
    LAYERS,
    LOSSES,
    OPTIMISERS,
    arrays_of,
    each_call,
    network_for,
    not_negative,
)
from tests.scene.looking import said
from tests.scene.programs import NAMES, fresh, telling_offsets
from tests.scene.reckoning import Interval, NotReckonableError, equal_sides, last_place, plus, reckon, times
from tests.trace.listings import ODD_CALLS, as_far_as_a_scalar_says
from tests.trace.python import events

MINUS_ZERO = re.compile(r"(?<![)\d])[−-]0(\.0*)?(?![.\d])")

PANEL = Box(0, 0, 1140, 170)


def panel_rows(at: Moment) -> tuple[list[list[Label]], list[Box]]:
    """The labels of the panel in its three rows, as they are read, and the box around the term in hand."""
    marks = arithmetic.draw(at, PANEL, 1.0)
    rows: list[list[Label]] = [[], [], []]
    inner = PANEL.inset(22, 12)
    for mark in marks:
        if isinstance(mark, Label):
            rows[int((mark.box.center[1] - inner.y) / (inner.h / 3))].append(mark)
    in_hand = [mark.box for mark in marks if isinstance(mark, Rect) and mark.fill == "source_fill"]
    return [sorted(row, key=lambda mark: (mark.box.y, mark.box.x)) for row in rows], in_hand


def text(mark: Label) -> str:
    return "".join(run.text for run in mark.runs)


class Shown:
    """The arithmetic of one step, as a reader takes it in."""

    def __init__(self, at: Moment) -> None:
        self.rows, in_hand = panel_rows(at)
        head, middle, last = self.rows
        self.headline = text(head[0])
        self.is_sum = bool(last) and text(last[-1]).endswith(("terms", "term"))
        self.middle, self.last = middle, last
        self.wholes_are_rounded = not at.operation.tree.arrays or any(
            at.look(name).places == 0 and not np.array_equal(values, np.round(values))
            for name, values in at.state.arrays.items()
        )
        # A scalar as large as this has no decimals, either.
        self.wholes_are_rounded |= any(
            isinstance(value, float) and abs(value) >= 1000 and value != np.round(value)
            for value in at.state.variables.values()
        )
        given = [v for v in at.operation.call.given.values() if isinstance(v, float) and np.ndim(v) == 0]
        self.exact = set(map(full, given)) if at.operation.tree.arrays else set()
        self.digits = 0 if at.operation.tree.arrays else 4
        self.in_hand = [mark for mark in middle if any(box.contains(*mark.box.center) for box in in_hand)]

    def text(self, mark: Label) -> str:
        """What a label says, with a point behind whole numbers that were rounded."""
        return "".join(
            re.sub(r"^(\(?−?\d+)(?=\)?$|·)", r"\1.", run.text)
            if self.wholes_are_rounded
            and run.role in ("source", "parameter", "written", "forward", "backward")
            else run.text
            for run in mark.runs
        )

    def reckon(self, said: str) -> Interval:
        if re.fullmatch(r"\d+ terms are 0", said):
            return Interval(0, 0)
        return reckon(said, self.exact, self.digits)

    @property
    def power(self) -> Interval:
        """The power of ten that all terms have."""
        said = text(self.last[-1])
        return self.reckon(said.partition(",")[0].removeprefix("each · ")) if said.startswith("each") else one

    @property
    def sides(self) -> list[Interval]:
        """What is said to be equal, in the last row; its name left off."""
        _, *sides = equal_sides(self.text(self.last[0]))
        return [self.reckon(side) for side in sides]

    def taken(self) -> tuple[str, str, bool]:
        """What a sum begins with, its terms so far with their signs, and whether they are all."""
        start, terms, sign, whole = "", "", "", True
        for mark in self.middle:
            said = self.text(mark)
            if said == "…":
                whole = whole and mark is not self.middle[0]
            elif said in ("+", "−", ","):
                sign = said
            elif said in ("max(", ")") or said.endswith(" terms are 0"):
                continue
            elif mark.align != "center":
                start = said
            elif any(run.role != "muted" for run in mark.runs):
                terms += f" {'' if sign == '+' and not terms else sign} {said}"
        return start, terms.strip(), whole


one = Interval(1, 1)


def equations(
    at: Moment, shown: Shown, before: Callable[[], Shown] | None
) -> Iterator[tuple[str, Interval, Interval]]:
    """What is said to be equal at a step: a name for it, and both sides."""
    if not shown.is_sum:
        if shown.last and text(shown.last[0]).startswith("= "):
            yield (
                "line",
                shown.reckon(shown.text(shown.middle[0])[2:]),
                shown.reckon(shown.text(shown.last[0])[2:]),
            )
        return
    sides = shown.sides if len(shown.last) == 2 else []
    yield from (("chain", left, right) for left, right in pairwise(sides))
    added = "+=" in shown.headline and "[" in shown.headline.partition("+=")[0]
    start, terms, whole = shown.taken()
    if added or len(sides) != 1 or not (terms or start):
        return
    name = text(shown.last[0]).partition(" = ")[0]
    name = shown.headline.rpartition(" = ")[2] if "[" in name else name  # of a cell, what is written there
    lines = [line.strip() for line in at.operation.tree.source]
    if not any(line.startswith((f"{name} += ", f"{name} -= ")) for line in lines):
        values = [
            times(shown.reckon(part), shown.power) for part in f"{start},{terms}".split(",") if part.strip()
        ]
        if whole and any(line.startswith(f"{name} = max({name}, ") for line in lines):
            yield "largest", Interval(max(v.low for v in values), max(v.high for v in values)), sides[0]
    elif whole:
        total = times(shown.reckon(terms), shown.power) if terms else Interval(0, 0)
        first = shown.reckon(start) if start else Interval(0, 0)
        yield "sum", plus(first, total), sides[0]
    elif before is not None and shown.in_hand:
        (mark,) = shown.in_hand
        previous = before()
        same = previous.is_sum and text(previous.last[0]).partition(" = ")[0] == name  # not another sum
        if same and len(previous.last) == 2 and len(previous.sides) == 1:
            own = times(shown.reckon(shown.text(mark)), shown.power)
            sign = text(previous_sign(shown.middle, mark))
            step = own if sign != "−" else Interval(-own.high, -own.low)
            yield "step of a sum", plus(previous.sides[0], step), sides[0]


def previous_sign(row: list[Label], mark: Label) -> Label:
    return row[row.index(mark) - 1] if row.index(mark) else mark


@lru_cache(4)  # what one step looks back at was shown at the step before
def shown_at(program: Program, step: int) -> Shown:
    return Shown(moment(program, step))


def assert_reckoned(program: Program) -> None:
    """Reckon telling steps of each operation again, whatever is wrong told together."""
    wrong: list[str] = []
    for operation in program.operations:
        count = 0
        for offset in telling_offsets(operation, 2):
            step = program.start(operation.name) + offset
            at, before = moment(program, step), partial(shown_at, program, step - 1) if offset else None
            shown = shown_at(program, step)
            said = [text(mark) for row in shown.rows for mark in row]
            assert not [words for words in said if MINUS_ZERO.search(words)]
            for kind, left, right in equations(at, shown, before):
                count += 1
                if not left.meets(right):
                    wrong.append(f"{operation.name}, step {offset}, {kind}: {left} is not {right}, in {said}")
        assert count, f"nothing of {operation.name} was reckoned"
    assert not wrong, "\n".join(wrong)


def test_the_calculator_takes_texts_as_they_are_read():
    """What it would not find wrong, no test below would."""
    for written, value in (
        ("(1.00·10⁻⁵)²", 1e-10),
        ("1.00·10⁻⁵²", 1e-52),
        ("1 / (2.00·10⁻⁵)", 5e4),
        ("1 / 2.00·10⁻⁵", 0.5e-5),
        ("−2²", -4),
        ("(−2)²", 4),
        ("1 − 2 − 3", -4),
        ("8 / 4 / 2", 1),
        ("max(−1, 2·3)", 6),
        ("1 if 2 == 2 else 5", 1),
        ("0.9 ^ 2", 0.81),
        ("exp(0)·log(1) + sqrt(4)", 2),
    ):
        low, high = reckon(written)
        assert low <= value <= high and high - low <= 0.6 * abs(value), written
    assert not reckon("0.50").meets(reckon("0.52"))
    assert reckon("0.50").meets(reckon("0.51"))
    assert not reckon("3·2").meets(reckon("16"))
    with pytest.raises(NotReckonableError):
        reckon("3·x")


@pytest.mark.parametrize("name", NAMES)
def test_every_line_of_every_network_can_be_reckoned_again(name):
    assert_reckoned(fresh(name))


@pytest.mark.parametrize("name", lesson_names())
def test_every_line_of_every_lesson_can_be_reckoned_again(name):
    assert_reckoned(load_lesson(name).program)


@each_call
def test_every_line_of_every_listing_can_be_reckoned_again(call):
    assert_reckoned(Program([call]))


def test_conditions_may_name_a_scalar_that_terms_to_come_do_not_have_yet():
    (call,) = (call for call in ODD_CALLS if call.listing is as_far_as_a_scalar_says)
    assert_reckoned(Program([call]))
    operation = Operation(call)
    written = [k for k, event in enumerate(events(call)) if event.touched.writes]
    read = [sources(operation, offset).get("x", np.zeros((0, 2))).tolist() for offset in written]
    assert read == [[], [[1, 0]], [[2, 0], [2, 1]]]


def test_a_pocket_calculator_comes_to_the_last_digit_that_is_shown():
    """Not 0.01·1 / sqrt(0.00) = 0.01, nor 0.42·0.002 = 0.00077: where decimals are few, there are more."""
    count = 0
    for name in (*lesson_names(), "every", "columns", "joined", "two-inputs"):
        program = load_lesson(name).program if name in lesson_names() else fresh(name)
        for operation in program.operations:
            for offset in telling_offsets(operation):
                at = moment(program, program.start(operation.name) + offset)
                (_, middle, last), _ = panel_rows(at)
                if last and middle and text(last[0]).startswith("= "):
                    line, result = text(middle[0])[2:], text(last[0])[2:]
                    left, right = reckon(line, digits=-1), reckon(result, digits=-1)
                    away = abs(left.low - right.low)
                    # No more than seven digits are ever written; of two nearly alike that is too few.
                    largest = max(map(float, re.findall(r"\d+(?:\.\d+)?", line)))
                    assert away <= 1.02 * last_place(result) + 1e-6 * largest, (name, line, result)
                    count += 1
    assert count > 500


# ---------------------------------------------------------------------------------------- awkward numbers

SCALES = [1e-9, 2e-3, 300.0, 1e12]


def awkward(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> np.ndarray:
    """Zeros, ties, whole numbers, both signs, and some that are small beside the others."""
    kinds = np.array([0.0, 0.0, 1.0, 1.0, -1.0, 2.0, -0.5, 0.125, -1e-4, 3e-7])
    drawn = np.where(rng.random(shape) < 0.6, rng.choice(kinds, shape), rng.normal(size=shape))
    return drawn * scale


def layer_calls(layer: Layer, shape: Shape, scale: float, rng: np.random.Generator) -> list[Call]:
    """The listings of a layer at work on awkward numbers."""
    parameters = {
        name: awkward(rng, shape, scale if len(shape) > 1 else 1.0)
        for name, shape in layer.parameter_shapes.items()
    }
    parameters = not_negative(parameters)
    x = awkward(rng, (1, *shape), scale if layer.kind != "softmax" else min(scale, 5.0))
    out = layer.output_shape(shape)
    dy = awkward(rng, (1, *out), 1 / scale)
    arrays = arrays_of(layer, parameters, x[0], dy[0])
    calls = [*layer.forward_calls(arrays), *layer.backward_calls(arrays)]
    if isinstance(layer, Conv2d):
        calls.append(replace(layer.scatter_call(arrays), name="scattered"))
    return calls


# Each with a small scale and a large one, of neighbours (mostly corners of one layer) not the same.
@pytest.mark.parametrize(
    "case, scale",
    [(case, scale) for k, case in enumerate([*CORNERS, *LAYERS]) for scale in SCALES[k % 2 :: 2]],
)
def test_awkward_numbers_of_layers_can_be_reckoned_again(case, scale):
    rng = np.random.default_rng(9)
    layer, shape = CORNERS[case]() if case in CORNERS else LAYERS[case](rng)
    calls = layer_calls(layer, shape, scale, rng)
    assert_reckoned(Program(calls))


# Each loss with the first optimiser, and each optimiser with the first loss.
PAIRS = [(loss, "sgd") for loss in LOSSES]
PAIRS += [("half_squared_error", own) for own in OPTIMISERS if own != "sgd"]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("loss, optimiser", PAIRS)
def test_awkward_numbers_of_losses_and_updates_can_be_reckoned_again(loss, optimiser, scale):
    kind, target = LOSSES[loss]
    network, rng = network_for(kind(), OPTIMISERS[optimiser]()), np.random.default_rng(10)
    for key, shape in network.parameter_shapes.items():
        network.parameters[key] = awkward(rng, shape, min(scale, 3.0))
    t = target(rng, 4) * (scale if loss == "half_squared_error" else 1.0)
    for _ in range(2):
        network.train_step(awkward(rng, (1, 3), min(scale, 3.0)), t[None])
    tape = network.run(awkward(rng, (3,), min(scale, 3.0)), t)
    assert_reckoned(Program(network.calls(tape)))


EXPRESSIONS = [
    "x ** 2 + 1",
    "x / y",
    "-x * y + x ** -2",
    "-x - -y",
    "x - y - (x - y)",
    "(x + y) ** 3 / (x - y)",
    "-x / -y",
    "x * x * x + y",
    "-x ** 2",
    "relu(-x) * y",
    "exp(-x) - log(y ** 2 + 1)",
    "tanh(x) * sigmoid(-y)",
    "x / 3 / y",
    "x - 2.5 * (y + -3)",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_awkward_numbers_of_expressions_can_be_reckoned_again(expression):
    graph = read_expression(expression)
    values = [-1e-5, 1e-5, 0.0, -2.0, 3.0, 0.37, 12345.678, -3e7, 4e-12]
    for x in values:
        for y in values if "y" in graph.inputs else [0.0]:
            tape = graph.run({"x": x, "y": y} if "y" in graph.inputs else {"x": x})
            assert_reckoned(Program(graph.calls(tape)))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_minus_zero_stands_nowhere_in_a_frame(expression):
    graph = read_expression(expression)
    made = Program(graph.calls(graph.run(dict.fromkeys(graph.inputs, 0.0))))
    for letters in (False, True):
        for step in range(len(made)):
            frame = compose(made, step, View(display=Display(letters=letters)))
            assert not [each for each in said(frame.marks) if MINUS_ZERO.search(each)]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_chain_rule_beside_a_graph_can_be_reckoned_again(expression):
    """∂f/∂q · ∂q/∂x  =  1 · (−2)  =  −2; and of a sum of gradients, its parts are the whole."""
    graph, count = read_expression(expression), 0
    for x, y in ((-1e-5, 2.0), (3.0, -4e-12), (0.37, -2.0), (-2.0, 0.0)):
        made = Program(graph.calls(graph.run({"x": x, "y": y} if "y" in graph.inputs else {"x": x})))
        for step in range(made.start("f.backward") + 1, len(made)):
            for each in said(compose(made, step, View()).marks):
                if each.count("  =  ") == 2:
                    _, left, right = each.split("  =  ")
                    rounded = re.compile(r"(?<![\d.⁰-⁹¹²³·])(\d+)(?![\d.])(?!⁻|·10)")
                    sides = [reckon(rounded.sub(r"\1.", side), digits=4) for side in (left, right)]
                    assert sides[0].meets(sides[1]), each
                    count += 1
    assert count


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("case", ["conv2d", "max_pool2d-overlapping", "avg_pool2d-overlapping"])
def test_what_hovering_says_was_added_can_be_reckoned_again(case, scale):
    rng = np.random.default_rng(11)
    layer, shape = CORNERS[case]() if case in CORNERS else LAYERS[case](rng)
    call = next(call for call in reversed(layer_calls(layer, shape, scale, rng)) if "dx" in call.writes)
    at, count = moment(made := Program([call]), len(made) - 1), 0
    for index in np.ndindex(*call.writes["dx"].shape):
        for line in origin(at, "dx", index).terms:
            numbers, equals, value = line.partition(":  ")[2].partition(" = ")
            if equals:
                # A whole number of an array may have been rounded, the sizes of a window were not.
                numbers, value = (re.sub(r"^(−?\d+)(?![\d.])", r"\1.", side) for side in (numbers, value))
                assert reckon(numbers).meets(reckon(value)), line
                count += 1
    assert count or case.startswith("max")
