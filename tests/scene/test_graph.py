"""The picture of an expression: nothing before its step, all numbers right, nothing on top of another."""

import random
from functools import cache
from itertools import combinations, product

import numpy as np
import pytest

from cnnviz.engine.expression import read_expression, read_typed
from cnnviz.scene import panels
from cnnviz.scene.frame import compose, moment
from cnnviz.scene.kinds.graph import picture
from cnnviz.scene.kinds.graph_layout import lay_out
from cnnviz.scene.kinds.graph_pages import SIZES, pages
from cnnviz.scene.kinds.graph_setting import drawing, placed
from cnnviz.scene.layout import Room, solve
from cnnviz.scene.marks import Box, Cells, Label, Path, Rect
from cnnviz.scene.numbers import as_formula, brief
from cnnviz.scene.view import View
from cnnviz.trace.program import Program
from tests.scene.looking import all_marks, in_pane, inside, overlap, reach, said

BOX = Box(0, 0, 1072, 548)

TYPED = [
    "(x + y) * z   x=-2 y=5 z=-4",
    "x * x + x   x=3",
    "sigmoid(w * x + b)   w=0.5 x=3 b=-1",
    "(x + y) * (x + y) - 2 * y ** 3   x=1 y=2",
    "relu(x - 4) * exp(y) / z   x=1 y=2 z=3",
    "log(x) + 1 / y   x=-1 y=0",
    "(tanh(w*x + b)*v + c - t)**2   w=0.3 x=2 b=-1 v=2 c=0.1 t=1",
    "exp(x) / (exp(x) + exp(y) + exp(z))   x=1 y=2 z=0.5",
    "max(x, y) + min(x, y) * abs(z)   x=2 y=2 z=0",
    "x ** y + 2 ** z - sqrt(x) * sin(y)   x=0 y=0.5 z=3",
]


@cache
def program(typed):
    graph, values = read_typed(typed)
    return Program(graph.calls(graph.run(values)))


def labels(typed, index):
    return said(picture(moment(program(typed), index), Room(BOX, 17, 13)))


def every_step():
    return [pytest.param(typed, k, id=f"{typed}-{k}") for typed in TYPED for k in range(len(program(typed)))]


# --------------------------------------------------------------------------------------------- what is said


def test_the_courses_example_step_by_step():
    at = lambda index: set(labels(TYPED[0], index))  # noqa: E731
    assert {"−2", "5", "−4", "q = 3", "f"} <= at(0)
    assert not any(text.startswith("∂") for text in at(1))
    assert {"f = −12"} <= at(1)
    assert {"∂f/∂f = 1", "∂f/∂f = 1, for f changes just as f does"} <= at(2)
    assert {"∂f/∂q = −4", "∂f/∂q = z = −4", "∂f/∂q = ∂f/∂f · ∂f/∂q  =  1 · (−4)  =  −4"} <= at(3)
    assert {"∂f/∂z = 3", "∂f/∂z = q = 3"} <= at(4)
    assert {"∂f/∂x = −4", "∂q/∂x = 1"} <= at(5)
    assert {"∂f/∂y = −4", "∂q/∂y = 1"} <= at(6)


def test_a_graph_that_has_been_read_anew_is_drawn_as_before():
    """Read texts are remembered for a while, and so are drawings, for another while."""
    before = labels(TYPED[0], 5)
    for k in range(1000):
        read_typed(f"x + {k}   x=1")
    program.cache_clear()
    assert labels(TYPED[0], 5) == before


def test_contributions_are_shown_as_a_sum():
    assert {"1 + …", "∂f/∂x = …"} <= set(labels(TYPED[1], 4))
    assert {"1 + 3 + …", "∂f/∂x = …", "to ∂f/∂x goes  ∂f/∂q · ∂q/∂x  =  1 · 3  =  3"} <= set(
        labels(TYPED[1], 5)
    )
    assert {"1 + 3 + 3", "∂f/∂x = 7"} <= set(labels(TYPED[1], 6))


@pytest.mark.parametrize(("typed", "index"), every_step())
def test_nothing_is_shown_before_its_step_and_all_else_is(typed, index):
    here = moment(program(typed), index)
    graph, texts = read_typed(typed)[0], labels(typed, index)
    back, held = here.operation.phase == "backward", here.state.variables
    forward = program(typed).operation("f").call
    for node in graph.nodes:
        value = f"{node.name} = {brief(float(forward.writes[node.name]))}"
        shown = back or node.name in held
        assert (value in texts) == shown
        assert (node.name in texts) != shown
    for name in graph.inputs:
        assert brief(float(forward.given[name])) in texts
    final = program(typed).operations[1].call.writes
    for name in graph.names:
        heads = [text for text in texts if text.startswith(f"∂f/∂{name} = ")]
        if back and held.keys() >= {f"d{name}"}:
            line = here.state.line
            whole = all(edge.line <= line for edge in graph.edges if edge.operand == name)
            wanted = brief(float(final[f"d{name}"])) if whole else "…"
            assert f"∂f/∂{name} = {wanted}" in heads
        elif f"∂f/∂{name}" not in {f"∂{edge.node}/∂{edge.operand}" for edge in graph.edges}:
            assert heads == []


@pytest.mark.parametrize(("typed", "index"), every_step())
def test_local_derivatives_are_those_of_the_edges_that_were_used(typed, index):
    here = moment(program(typed), index)
    graph, values = read_typed(typed)
    tape = graph.run(values)
    known = {name: float(tape[f"f.{name}"]) for name in graph.names}
    line = here.state.line if here.operation.phase == "backward" else 0
    text = "|".join(labels(typed, index))
    for edge in graph.edges:
        if edge.line <= line:
            assert brief(graph.local(edge, known)) in text
    marks = picture(here, Room(BOX, 17, 13))
    arrows = [mark for mark in marks if isinstance(mark, Path) and mark.role == "backward"]
    assert len(arrows) == sum(edge.line <= line for edge in graph.edges)


@pytest.mark.parametrize(("typed", "index"), every_step())
def test_the_node_in_work_and_its_operands_are_outlined(typed, index):
    marks = picture(moment(program(typed), index), Room(BOX, 17, 13))
    strokes = [mark.stroke for mark in marks if isinstance(mark, Rect)]
    assert strokes.count("written_line") == 2  # the node and its number
    if program(typed)[index].line > 2 or index == 0:
        assert "source_line" in strokes


# ----------------------------------------------------------------------------------------------- where it is


@pytest.mark.parametrize("unit", [2 / 3, 1.0, 1.4])
@pytest.mark.parametrize("typed", TYPED)
def test_all_stays_in_the_box(typed, unit):
    box = Box(10, 20, 1072 * unit, 548 * unit)
    for index in range(len(program(typed))):
        for mark in picture(moment(program(typed), index), Room(box, 17 * unit, 13 * unit)):
            if not isinstance(mark, Path):
                assert inside(reach(mark), box, 9 * unit), (index, mark)


@pytest.mark.parametrize("typed", TYPED)
def test_nothing_moves_from_step_to_step(typed):
    def signs(index):
        found = {}
        for mark in picture(moment(program(typed), index), Room(BOX, 17, 13)):
            if isinstance(mark, Label) and mark.box.y < BOX.bottom - 60:
                text = "".join(run.text for run in mark.runs)
                found.setdefault(text, []).append((mark.box, mark.size))
        return found

    last = signs(len(program(typed)) - 1)
    for index in range(len(program(typed))):
        for text, places in signs(index).items():
            if text in last and text not in read_typed(typed)[0].names:
                assert set(places) <= set(last[text])


@pytest.mark.parametrize("typed", TYPED[:3])
def test_numbers_lie_on_nothing_else(typed):
    marks = picture(moment(program(typed), len(program(typed)) - 1), Room(BOX, 17, 13))
    written = [mark for mark in marks if isinstance(mark, Label)]
    for one, other in combinations(written, 2):
        across, down = overlap(one.box, other.box)
        assert across <= 1 or down <= 1, (one, other)


@pytest.mark.parametrize("typed", TYPED[:3])
def test_what_stands_on_an_edge_covers_no_number_in_any_size(typed):
    """Also between the usual sizes, where there is little room."""
    (forward, back), (graph, _) = program(typed).operations, read_typed(typed)
    held = {**forward.call.given, **forward.call.writes, **back.call.writes}
    numbers = tuple((name, float(value)) for name, value in held.items())
    for width, height in product(range(500, 1900, 80), range(200, 900, 60)):
        at = set_in(graph, numbers, Box(0, 0, width, height))
        for place, name in product(at.labels.values(), graph.names):
            for taken in (at.node_box(name), at.value_box(name), at.gradient_box(name)):
                assert min(overlap(place.box, taken)) <= 1, (width, height, name)


def set_in(graph, numbers, box):
    """A graph as large as it fits a box."""
    free = drawing(graph, graph, numbers, True)
    place = solve((free.figure("graph"),), Room(box, 17, 17)).places["graph"]
    return placed(free, place.box, place.size)


@pytest.mark.parametrize("typed", TYPED)
def test_what_stands_on_edges_covers_nothing_in_dense_graphs(typed):
    """Where there is no place, it is left out; but of most edges it is there, and large enough."""
    for width, height, em in ((716, 370, 11.3), (1072, 500, 17), (1820, 620, 22)):
        marks = picture(
            moment(program(typed), len(program(typed)) - 1), Room(Box(0, 0, width, height), em, em)
        )
        written = [mark for mark in marks if isinstance(mark, Label)]
        assert min(mark.size for mark in written) >= 9
        for one, other in combinations(written, 2):
            across, down = overlap(one.box, other.box)
            assert min(across, down) <= 0.15 * min(one.box.h, other.box.h), (said([one]), said([other]))
        arrows = [mark for mark in marks if isinstance(mark, Path) and mark.role == "backward"]
        grounds = [mark.box for mark in marks if isinstance(mark, Rect) and mark.fill == "ground"]
        on_edges = [
            mark
            for mark in written
            if any(inside(mark.box, box) and box.w < mark.box.w + 5 for box in grounds)
        ]
        assert len(on_edges) >= 0.8 * len(arrows)


def random_texts():
    rng = random.Random(3)

    def part(depth):
        if depth == 0:
            return rng.choice("xyzwb")
        return rng.choice([
            lambda: f"({part(depth - 1)} {rng.choice('+-*/')} {part(depth - 1)})",
            lambda: f"{rng.choice(['exp', 'tanh', 'relu'])}({part(depth - 1)})",
            lambda: f"({part(depth - 1)} * {rng.randint(2, 9)})",
        ])()  # fmt: skip

    return [part(rng.randint(1, 3)) for _ in range(60)]


@pytest.mark.parametrize("inputs_left", [True, False])
@pytest.mark.parametrize("text", random_texts())
def test_nodes_stand_apart_and_edges_go_right(text, inputs_left):
    graph = read_expression(text)
    layout = lay_out(graph, inputs_left)
    spots = list(layout.spots.values())
    for (c, r), (other_c, other_r) in combinations(spots, 2):
        assert c != other_c or abs(r - other_r) > 0.6
    assert min(r for _, r in spots) >= 0
    assert max(r for _, r in spots) <= layout.rows - 0.999
    for node in graph.nodes:
        for slot, operand in enumerate(node.operands):
            way = layout.ways[node.name, slot]
            assert way[-1] == layout.spots[node.name]
            assert [column for column, _ in way] == list(range(way[0][0], way[-1][0] + 1))
            if isinstance(operand, str):
                assert way[0] == layout.spots[operand]
    if inputs_left:
        assert {layout.spots[name][0] for name in graph.inputs} == {0}


@pytest.mark.parametrize("text", random_texts())
def test_nodes_never_overlap(text):
    graph = read_expression(text)
    with np.errstate(all="ignore"):
        tape = graph.run(dict.fromkeys(graph.inputs, 1.5))
    numbers = tuple((name.removeprefix("f."), float(value)) for name, value in tape.items())
    at = set_in(graph, numbers, BOX)
    boxes = [at.node_box(name) for name in at.layout.spots]
    for one, other in combinations(boxes, 2):
        across, down = overlap(one, other)
        assert across <= 0 or down <= 0
    assert all(inside(box, BOX) for box in boxes)


# ------------------------------------------------------------------------------------------- the other panes


def test_the_pane_at_the_left_has_a_row_for_every_node():
    whole = program(TYPED[0])
    assert list(panels.network_outline(whole).names) == ["x", "y", "z", "q", "f"]
    for name, value, gradient in (("x", -2, -4), ("q", 3, -4), ("f", -12, 1)):
        values, gradients, _ = panels.arrays_of(whole, name)
        assert (float(values.values), float(gradients.values)) == (value, gradient)


@pytest.mark.parametrize("index", range(7))
def test_rows_fill_as_the_numbers_come(index):
    marks = in_pane(compose(program(TYPED[0]), index, View()), "network")
    tiles = [mark for mark in marks if isinstance(mark, Cells)]
    shown = [mark.texts[0][0] for mark in tiles if mark.missing is None]
    held = program(TYPED[0]).state(index).variables
    expected = ["−2", "5", "−4", *(["3", "−12"] if index >= 2 else [])]
    assert sorted(shown) == sorted([*expected, *(brief(float(value)) for value in held.values())])


def test_arithmetic_has_the_numbers_in_brackets():
    def last_lines(typed, index):
        return said(in_pane(compose(program(typed), index, View()), "stage"))[-3:]

    assert last_lines(TYPED[0], 0) == ["q = x + y", "= −2 + 5", "= 3"]
    assert last_lines(TYPED[0], 3) == ["dq = df·z", "= 1·(−4)", "= −4"]
    assert last_lines(TYPED[1], 6) == ["dx += dq·x", "= 4 + 1·3", "= 7"]


@pytest.mark.parametrize("typed", TYPED)
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080)])
def test_whole_frames_are_made_without_a_warning(typed, width, height):
    for index in range(len(program(typed))):
        frame = compose(program(typed), index, View(width, height))
        assert all(np.isfinite(tuple(reach(mark))).all() for mark in all_marks(frame.marks))


# -------------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, "3"), (-12.0, "−12"), (-0.0, "0"), (0.19661193, "0.1966"), (2.5, "2.5"), (1 / 3, "0.3333"),
        (12345.678, "12346"), (0.000123, "1.23·10⁻⁴"), (1e9, "1.00·10⁹"), (np.nan, "NaN"), (-np.inf, "−∞"),
        (999999.0, "999999"), (0.1, "0.1"), (99.999, "100"),
    ],
)  # fmt: skip
def test_a_number_by_itself_is_short(value, text):
    assert brief(value) == text


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("2*x ** 3", "2 · x³"), ("x ** (-2) - y", "x⁻² − y"), ("x**-1", "x⁻¹"), ("a / b", "a / b"),
        ("q *= z; L = q * z", "q ·= z; L = q · z"), ("q **= 2", "q ^= 2"), ("q -= z", "q −= z"),
    ],
)  # fmt: skip
def test_python_is_written_as_in_a_book(text, formula):
    assert as_formula(text) == formula


# ------------------------------------------------------------------------------------------- large ones

MICROGRAD = (
    "c = a + b; d = a * b + b**3; c += c + 1; c += 1 + c - a; d += d * 2 + relu(b + a); "
    "d += 3 * d + relu(b - a); e = c - d; f = e**2; g = f / 2; g += 10 / f   a=-4 b=2"
)
CHAIN = "f = sin(x) * y; " + "f += cos(f) * x; " * 60 + "f *= y   x=1 y=0.5"
WIDE = "f = " + " + ".join(f"x{k} ** 2" for k in range(40)) + "   " + " ".join(f"x{k}={k}" for k in range(40))
LARGE = [MICROGRAD, CHAIN, WIDE]


@pytest.mark.parametrize("typed", LARGE, ids=["micrograd", "chain", "wide"])
def test_a_large_graph_is_shown_in_pages_that_can_be_read(typed):
    """At every step what it writes, and what it reads, is on the page at a size that can be read."""
    whole = program(typed)
    for index in range(0, len(whole), 1 if len(whole) < 100 else 7):
        here = moment(whole, index)
        marks = picture(here, Room(BOX, 17, 13))
        texts = said(marks)
        line = whole[index].operation.tree.source[whole[index].line - 1].strip()
        target = line.split()[0]
        graph = read_expression(whole.operations[0].call.expression)
        back = whole[index].operation.phase == "backward"
        if back:
            assert any(text.startswith(f"∂{graph.result}/∂{target[1:]} = ") for text in texts)
        else:
            assert f"{target} = {brief(float(here.state.variables[target]))}" in texts
        assert min(mark.size for mark in marks if isinstance(mark, Label)) > 9
        for mark in marks:
            if isinstance(mark, Label | Rect):
                assert inside(mark.box, BOX.inset(-40))


@pytest.mark.parametrize("typed", LARGE, ids=["micrograd", "chain", "wide"])
def test_pages_have_every_operation_and_every_way_back_once(typed):
    graph, _ = read_typed(typed)
    found = pages(graph, SIZES[0])
    assert len(found) > 1
    assert max(page.size for page in found) <= SIZES[0]
    assert [node for page in found for node in page.nodes] == list(graph.nodes)
    assert sorted(edge.line for page in found for edge in page.edges) == [edge.line for edge in graph.edges]
    for page in found:  # what is read there is there
        assert {o for node in page.nodes for o in node.operands if isinstance(o, str)} <= set(page.names)


def test_a_page_says_which_operations_it_has_and_what_is_done():
    at = lambda index: picture(moment(program(MICROGRAD), index), Room(BOX, 17, 13))  # noqa: E731
    assert "c1 to c: operations 1 to 9 of 24" in said(at(0)) or "c1 to " in "".join(said(at(0)))
    fills = [mark.fill for mark in at(9) if isinstance(mark, Rect)][:26]
    assert fills.count("forward_fill") == 2 + 10
    fills = [mark.fill for mark in at(24) if isinstance(mark, Rect)]
    assert fills.count("backward_fill") >= 1


def test_ties_and_kinks_are_said_on_their_edges():
    texts = set(labels("max(x, y)   x=2 y=2", 3))
    assert {"∂f/∂x = 0.5  (x = y)", "∂f/∂y = 0.5  (x = y)"} <= texts
    assert "∂f/∂x = 0  (x < y)" in labels("max(x, y)   x=1 y=2", 3)
    assert "∂f/∂y = 1  (y < x)" not in labels("max(x, y)   x=1 y=2", 3)
    assert "∂f/∂x = sign(x) = 0" in "|".join(labels("abs(x)   x=0", 2))
    assert "x = 0, y ≥ 0" in "|".join(labels("x ** y   x=0 y=2", 3))
