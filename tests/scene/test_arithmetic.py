"""The arithmetic under the picture, against what the listing does when it is walked step by step."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from msgspec.structs import replace

from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.losses import HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.engine.optim import SGD
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.arrays import symbol
from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose, moment
from cnnviz.scene.marks import Box, Cells, Frame, Label, Rect, Span
from cnnviz.scene.measure import width
from cnnviz.scene.moment import Moment
from cnnviz.scene.numbers import full, number, power_of_ten
from cnnviz.scene.view import View
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from tests.scene.looking import grids, in_pane, inside, overlap, said
from tests.scene.programs import program, view
from tests.scene.test_frame import panel, where

# Operations whose cells are sums of products or of single numbers, and the names of the sums.
SUMS = [
    ("digits", "conv1", "acc"),
    ("digits", "conv2", "acc"),
    ("digits", "conv2.db", "acc"),
    ("digits", "conv2.dw", "acc"),
    ("digits", "conv2.dx", "acc"),
    ("digits", "fc", "acc"),
    ("digits", "fc.dx", "acc"),
    ("every", "conv", "acc"),
    ("every", "conv.dx", "acc"),
    ("every", "pool", "acc"),
    ("every", "fc2", "acc"),
    ("deep", "conv", "acc"),
    ("columns", "fc1", "acc"),
    ("columns", "fc2.dx", "acc"),
    ("large", "conv1", "acc"),
    ("tiny", "conv", "acc"),
    ("tiny", "fc1", "acc"),
]
SIGNS = {"+", "−", ",", "…"}


def frame_at(name: str, operation: str, offset: int) -> tuple[Moment, Frame]:
    made = program(name)
    step = made.start(operation) + offset
    return moment(made, step), compose(made, step, view(made))


def rows(frame: Frame) -> list[list[Label]]:
    """The labels of the arithmetic in its three rows, as they are read: terms may stand in two lines."""
    box = panel(frame)
    labels = [mark for mark in frame.marks if isinstance(mark, Label) and inside(mark.box, box, 1.0)]
    found: list[list[Label]] = [[], [], []]
    for mark in labels:
        found[int((mark.box.center[1] - box.y) / (box.h / 3))].append(mark)
    return [sorted(row, key=lambda mark: (mark.box.y, mark.box.x)) for row in found]


def text(mark: Label) -> str:
    return said([mark])[0]


def terms_shown(frame: Frame) -> list[Label]:
    return [mark for mark in rows(frame)[1] if mark.align == "center" and text(mark) not in SIGNS]


def spelled_out(shown: list[Label], every: list[str], zeros: list[bool], first: int) -> list[Label]:
    """Terms as shown, each of the zeros that are drawn together by itself."""
    found: list[Label] = []
    for mark in shown:
        together = re.fullmatch(r"(\d+) terms are 0", text(mark))
        at, count = first + len(found), int(together[1]) if together else 1
        if together:
            assert count >= 3 and all(zeros[at : at + count])
            found += [replace(mark, runs=(Span(said),)) for said in every[at : at + count]]
        else:
            found.append(mark)
    return found


def current(frame: Frame) -> Box | None:
    """The box around the term in hand."""
    marked = [
        mark.box
        for mark in frame.marks
        if isinstance(mark, Rect) and mark.fill == "source_fill" and inside(mark.box, panel(frame), 1.0)
    ]
    assert len(marked) <= 1
    return marked[0] if marked else None


def cell_walked(operation: Operation, sum_name: str, middle: int) -> tuple[list[int], range]:
    """The steps that add a term to the cell in work at a step, and the cell's steps."""
    source = operation.tree.source
    adding = next(k for k, line in enumerate(source, 1) if line.strip().startswith(f"{sum_name} +="))
    begins = next(k for k, line in enumerate(source, 1) if line.strip().startswith(f"{sum_name} = "))
    start = next(k for k in range(middle, -1, -1) if operation.line_at(k) == begins)
    end = start
    while end + 1 < len(operation) and operation.line_at(end + 1) != begins:
        end += 1
    last = max(k for k in range(start, end + 1) if operation.line_at(k) in (adding, adding + 1))
    found = [k for k in range(start, end + 1) if operation.line_at(k) == adding]
    return found, range(start, max(last, found[-1]) + 1)


def written_term(at: Moment) -> str:
    """A product as the panel writes it: the numbers read, without their powers of ten."""
    first, *others = (at.look(name).bare(at.state.arrays[name][index]) for name, index in at.state.reads)
    return "·".join([first, *map(behind_a_sign, others)])


def behind_a_sign(said_number: str) -> str:
    """A number as it is written behind a ·: one that is negative, or a product itself, in brackets."""
    return f"({said_number})" if said_number.startswith("−") or "·" in said_number else said_number


@pytest.mark.parametrize(
    "name, operation, total", SUMS, ids=[f"{name}-{operation}" for name, operation, _ in SUMS]
)
@pytest.mark.parametrize("part", [0.0, 0.45, 0.999])
def test_terms_are_those_of_the_cell_in_order_the_current_one_marked(name, operation, total, part):
    made = program(name).operation(operation)
    adding, steps = cell_walked(made, total, max(first_of(made, total), int(part * (len(made) - 1))))
    start = program(name).start(operation)
    taking = [moment(program(name), start + k) for k in adding]
    every = [written_term(at) for at in taking]
    zeros = [any(at.state.arrays[array][index] == 0 for array, index in at.state.reads) for at in taking]
    for offset in sorted({*steps[:4], *steps[len(steps) // 2 :][:6], *steps[-3:]}):
        if offset < adding[0] - 1:
            continue
        at, frame = frame_at(name, operation, offset)
        done = sum(k <= offset for k in adding)
        first = page_start(at, done, len(adding))
        shown = spelled_out(terms_shown(frame), every, zeros, first)
        texts = [text(mark) for mark in shown]
        assert texts == every[first : first + len(shown)], where(at)
        for mark, k in zip(shown, range(first, len(every)), strict=False):
            roles = {run.role for run in mark.runs}
            assert (roles == {"muted"}) == (k >= done), "what is still to come is grey"
        in_hand = current(frame)
        assert (in_hand is not None) == (offset in adding), where(at)
        if in_hand is not None:
            inner = [k for k, mark in enumerate(shown, first) if in_hand.contains(*mark.box.center)]
            assert inner == [done - 1], where(at)
        assert f"after {done} of {len(adding)} terms" in text(rows(frame)[2][-1]), where(at)


def first_of(operation: Operation, total: str) -> int:
    begins = next(
        k for k, line in enumerate(operation.tree.source, 1) if line.strip().startswith(f"{total} = ")
    )
    return next(k for k in range(len(operation)) if operation.line_at(k) == begins)


def page_start(at: Moment, done: int, count: int) -> int:
    """The first term of the page: pages hold whole rows of the window, or 8, and stand still."""
    inner = [loop for loop in at.operation.path_to(adding_line(at.operation))[0]][-1].count
    length = inner * max(1, 9 // inner) if inner <= 10 else 8
    in_hand = max(0, done - 1) if at.state.line == adding_line(at.operation) or done == count else done
    return min(in_hand, count - 1) // length * length


def adding_line(operation: Operation) -> int:
    return next(k for k, line in enumerate(operation.tree.source, 1) if re.match(r"\s*(acc|total) \+=", line))


@pytest.mark.parametrize(
    "name, operation, total", SUMS, ids=[f"{name}-{operation}" for name, operation, _ in SUMS]
)
def test_the_sum_so_far_is_the_listings_scalar(name, operation, total):
    made = program(name).operation(operation)
    adding, steps = cell_walked(made, total, len(made) // 2)
    for offset in sorted({adding[0], adding[len(adding) // 2], adding[-1], steps[-1]}):
        at, frame = frame_at(name, operation, offset)
        sum_label = rows(frame)[2][0]
        value, shown_as = at.state.variables[total], f"{total} = "
        if at.state.writes:  # the sum's own cell, or what is made of the sum
            ((array, index),) = at.state.writes
            value = at.state.arrays[array][index]
            shown_as = f"{symbol(at.operation, array)}[{', '.join(map(str, index))}] = "
        assert text(sum_label).startswith(shown_as), where(at)
        assert number_in(sum_label.runs[-1].text) == pytest.approx(
            value, abs=half_a_digit(sum_label.runs[-1].text)
        ), where(at)
        complete = offset >= adding[-1]
        assert sum_label.runs[-1].role == ("written" if complete else "ink")


def number_in(said_number: str) -> float:
    mantissa, _, exponent = said_number.replace("−", "-").partition("·10")
    return float(mantissa) * 10.0 ** int(exponent.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")) or 0)


def half_a_digit(said_number: str) -> float:
    mantissa, _, exponent = said_number.partition("·10")
    places = len(mantissa.partition(".")[2])
    power = int(exponent.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")) or 0)
    return 0.501 * 10.0 ** (power - places)


@pytest.mark.parametrize("operation", ["conv1", "conv2", "conv2.dw", "conv2.dx", "fc", "fc.dx"])
@pytest.mark.parametrize("size, least", [((1920, 1080), 16), ((1280, 720), 10.5)])
def test_terms_are_read_however_many_there_are(operation, size, least):
    """In two rows where one would make them small, none of them beyond the panel."""
    made = program("digits")
    adding, _ = cell_walked(made.operation(operation), "acc", len(made.operation(operation)) // 2)
    frame = compose(made, made.start(operation) + adding[4], View(*size))
    shown = rows(frame)[1]
    for mark in shown:
        assert inside(mark.box, panel(frame), -4), text(mark)
        wide = 0.56 * mark.size * len(text(mark))
        assert text(mark) in SIGNS or min(mark.size, mark.size * mark.box.w / wide) >= least, text(mark)
    assert len({mark.size for mark in shown if mark.align == "center" and text(mark) not in SIGNS}) == 1


def test_a_sum_begins_with_the_bias():
    at, frame = frame_at("digits", "fc", program("digits").operation("fc").find(5, n=2))
    assert text(rows(frame)[1][0]) == at.look("b").bare(at.state.arrays["b"][2])
    assert text(rows(frame)[1][1]) == "+"


def test_a_sum_of_one_term_says_what_the_term_is_added_to():
    """10 + 3 · 2 = 16."""
    network = Network([("fc", Linear(1, 1))], (1,))
    network.load({"fc.w": np.array([[3.0]]), "fc.b": np.array([10.0])}, "here")
    made = Program(network.calls(network.run(np.array([2.0]))))
    frame = compose(made, made.find("fc", line=5), view(made))
    assert [text(mark) for mark in rows(frame)[1]] == ["10", "+", "3·2"]
    assert [text(mark) for mark in rows(frame)[2]] == ["acc = 16", "after 1 of 1 term"]


def test_lines_that_add_to_one_sum_take_its_terms_in_turn():
    made = program("shared_sum").operation("sum")
    _, frame = frame_at("shared_sum", "sum", made.find(5, n=1))
    assert [text(mark) for mark in rows(frame)[1]][:9] == [
        *("−", "1.50", "+", "1.50·2.00", "−", "(−2.00)", "+", "−2.00·0.50", "−")
    ]
    assert text(terms_shown(frame)[3]) == "−2.00·0.50"
    assert current(frame).contains(*terms_shown(frame)[3].box.center)
    assert [text(mark) for mark in rows(frame)[2]] == ["total = 2.50", "after 4 of 14 terms"]
    _, frame = frame_at("shared_sum", "sum", made.find(4, n=4))
    carried, sign = [text(mark) for mark in rows(frame)[1]][:2]
    assert sign == "−", "on a later page, too, the first term has its sign"
    x, y = made.call.given["x"][:4], made.call.given["y"][:4]  # on the page before
    assert float(carried.replace("−", "-")) == pytest.approx((x * y - x).sum(), abs=0.005)


def test_a_page_on_which_all_terms_are_0_does_not_hide_what_the_sum_is():
    network = Network([("fc", Linear(16, 1))], (16,))
    network.load({"fc.w": np.full((16, 1), 0.5), "fc.b": np.array([10.0])}, "here")
    made = Program(network.calls(network.run(np.array([1.0] * 8 + [0.0] * 8))))
    frame = compose(made, made.find("fc", line=6), view(made))
    assert [text(mark) for mark in rows(frame)[1]] == ["14", "+", "8 terms are 0"]
    assert text(rows(frame)[2][0]) == "y[0] = 14"


def test_numbers_of_unlike_powers_say_theirs():
    """The bias stands before products of another power: it may not look as if it had the same."""
    at, frame = frame_at("tiny", "fc1", program("tiny").operation("fc1").find(5, n=2))
    powers = {name: at.look(name).power for name in ("w", "x", "b")}
    assert powers["b"] != powers["w"] + powers["x"]
    assert text(rows(frame)[1][0]) == at.text("b", at.state.arrays["b"][2])
    assert f"each · {power_of_ten(powers['w'] + powers['x'])}" in text(rows(frame)[2][-1])


# -------------------------------------------------------------------------------------------------- choices


def test_of_a_choice_the_branch_taken_is_shown_among_terms():
    """Going back through a max-pool, only the winner's term is the gradient."""
    made = program("digits").operation("pool2.dx")
    for i, j in ((0, 0), (1, 0), (1, 1)):
        offset = made.find(7, c=3, i=i, j=j, u=1, v=1)
        at, frame = frame_at("digits", "pool2.dx", offset)
        winner = int(at.state.arrays["switch"][3, i, j])
        gradient = at.look("dy").bare(at.state.arrays["dy"][3, i, j])
        assert [text(mark) for mark in terms_shown(frame)] == [
            gradient if k == winner else "0.0" for k in range(4)
        ]


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_line_with_a_choice_shows_its_numbers_and_what_was_taken(sign):
    made = program("every").operation("leaky")
    x = made.call.given["x"]
    c, i, j = next(tuple(map(int, k)) for k in zip(*((x * sign) > 0.2).nonzero(), strict=True))
    at, frame = frame_at("every", "leaky", made.find(5, c=c, i=i, j=j))
    value = at.text("x", x[c, i, j])
    assert text(rows(frame)[1][0]) == f"= {value} if {value} > 0 else 0.1·{behind_a_sign(value)}"
    assert text(rows(frame)[2][0]) == f"= {at.text('y', x[c, i, j] * (1 if sign > 0 else 0.1))}"


def test_a_relu_shows_what_is_compared_and_what_is_larger():
    made = program("digits").operation("relu1")
    for c, i, j in ((0, 0, 0), (1, 2, 3), (3, 7, 7)):
        at, frame = frame_at("digits", "relu1", made.find(5, c=c, i=i, j=j))
        x = made.call.given["x"][c, i, j]
        assert text(rows(frame)[1][0]) == f"= max({at.text('x', x)}, 0.0)"
        assert text(rows(frame)[2][0]) == f"= {at.text('y', max(x, 0.0))}"


def test_of_a_maximum_what_is_compared_is_shown():
    made = program("digits").operation("pool1")
    offset = made.find(10, c=1, i=1, j=2, u=1, v=0)
    at, frame = frame_at("digits", "pool1", offset)
    window = at.state.arrays["x"][1, 2:4, 4:6].ravel()
    assert [text(mark) for mark in terms_shown(frame)] == [at.look("x").bare(value) for value in window]
    assert [text(mark) for mark in rows(frame)[1] if text(mark) in SIGNS] == [","] * 3
    # What is only ever chosen among cells is written as they are.
    assert rows(frame)[2][0].runs[-1].text == at.look("x").text(window[:3].max())


def test_terms_taken_off_have_their_sign():
    """The loss of the right class is −log y, whichever place it has."""
    at, frame = frame_at("digits", "loss", program("digits").operation("loss").find(4, n=3))
    signs = [mark for mark in rows(frame)[1] if text(mark) == "−"]
    shown = terms_shown(frame)
    assert len(signs) == len(shown) == 8  # of the other classes three have been taken
    assert text(shown[0]) == "3 terms are 0"
    assert all(sign.box.x < term.box.center[0] for sign, term in zip(signs, shown, strict=True))
    assert text(shown[1]).endswith(f"log({at.look('y').bare(at.state.arrays['y'][3])})")


def test_a_term_of_what_is_not_computed_yet_has_a_name_and_no_number():
    at, frame = frame_at("digits", "softmax", program("digits").operation("softmax").find(7, n=2))
    shown = [text(mark) for mark in terms_shown(frame)]
    e = at.state.arrays["e"]
    assert shown[:3] == [*(at.look("e").bare(e[k]) for k in range(3))]
    assert shown[3:] == [f"e[{k}]" for k in range(3, 10)]
    _, frame = frame_at("digits", "softmax", at.step.offset + 1)
    assert [text(mark) for mark in terms_shown(frame)] == shown
    assert text(rows(frame)[2][-1]) == "after 3 of 10 terms"
    assert rows(frame)[2][0].runs[-1].text == number(e[:3].sum(), at.look("e").places)


# ------------------------------------------------------------------------------------------- single lines


@pytest.mark.parametrize("operation", ["conv1.w", "conv1.b", "fc.w"])
def test_an_update_shows_the_weight_before_its_step_and_after(operation):
    made = program("digits").operation(operation)
    for n in (0, len(made.call.writes["w"]) - 1):
        at, frame = frame_at("digits", operation, made.find(3, n=n))
        before, after = made.call.before["w"][n], made.call.writes["w"][n]
        lr = made.call.given["lr"]
        gradient = at.text("dw", made.call.given["dw"][n])
        assert text(rows(frame)[1][0]) == f"= {at.text('w', before)} − {full(lr)}·{behind_a_sign(gradient)}"
        assert text(rows(frame)[2][0]) == f"= {at.text('w', after)}"
        if abs(before - after) > 2e-3:
            assert text(rows(frame)[1][0]).split()[1] != text(rows(frame)[2][0]).split()[1]


def test_an_update_is_seen_however_small_the_learning_rate():
    network = Network([("fc", Linear(2, 1))], (2,), HalfSquaredError(), SGD(1e-4))
    network.load({"fc.w": np.array([[-0.5], [0.0625]]), "fc.b": np.zeros(1)}, "here")
    made = Program(network.calls(network.run(np.array([1.0, 0.5]), np.array([1.0]))))
    update = made.operation("fc.w")
    at = moment(made, made.start("fc.w") + update.find(3, n=0))
    before, after = update.call.before["w"], update.call.writes["w"]
    assert 0 < abs(before - after).max() < 2e-4
    assert at.text("w", before[0]) == "−0.5000"
    assert at.text("w", after[0]) == "−0.4999"


@pytest.mark.parametrize(
    ("name", "operation", "line", "n", "headline", "variables"),
    [
        ("digits", "conv2.w", 3, 104, "new w = old w − lr·∂E/∂w", ["old w", "∂E/∂w", "new w"]),
        ("large", "fc.w", 3, 5, "new v = momentum·old v + ∂E/∂w", ["old v", "∂E/∂w", "new v"]),
        ("large", "fc.w", 4, 5, "new w = old w − lr·new v", ["old w", "new v", "new w"]),
    ],
)
def test_an_update_tells_old_from_new(name, operation, line, n, headline, variables):
    """Both are w in the listing; in words and colours they are two numbers."""
    made = program(name).operation(operation)
    at, frame = frame_at(name, operation, made.find(line, n=n))
    assert text(rows(frame)[0][0]).replace(f"[{n}]", "") == headline
    told = said(in_pane(frame, "stage"))
    assert all(any(line.startswith(name) for line in told) for name in ("old w", "new w"))
    labels = [mark for mark in in_pane(frame, "debugger") if isinstance(mark, Label)]
    named = [mark for mark in labels if text(mark).endswith(f"[{n}]") and " = " not in text(mark)]
    assert {text(mark).removesuffix(f"[{n}]") for mark in named} == set(variables)
    old = next(mark for mark in named if text(mark).startswith("old"))
    letter = variables[0][-1]
    written = [value_beside(frame, f"{age} {letter}[{n}]") for age in ("old", "new")]
    assert written == [
        at.text(letter, array[n]) for array in (made.call.before[letter], made.call.writes[letter])
    ]
    roles = {run.text.strip(): run.role for run in (*rows(frame)[0][0].runs, *old.runs)}
    assert roles[f"old {letter}[{n}]"] == "parameter" and roles[f"new {letter}[{n}]"] == "written"
    assert next(run.role for run in rows(frame)[1][0].runs if written[0] in run.text) == "parameter"


def test_momentum_shows_the_speed_before_and_after():
    made = program("large").operation("fc.w")
    at, frame = frame_at("large", "fc.w", made.find(3, n=5))
    v, dw = made.call.before["v"][5], made.call.given["dw"][5]
    moved = f"{behind_a_sign(at.text('v', v))} + {behind_a_sign(at.text('dw', dw))}"
    assert text(rows(frame)[1][0]) == f"= 0.9·{moved}"
    assert text(rows(frame)[2][0]) == f"= {at.text('v', made.call.writes['v'][5])}"


def test_a_line_is_written_with_its_places_put_in():
    made = program("digits").operation("conv2")
    _, frame = frame_at("digits", "conv2", made.find(10, o=1, i=2, j=3))
    assert text(rows(frame)[0][0]) == "y[1, 2, 3] = acc"
    _, frame = frame_at("digits", "conv2", made.find(9, o=1, i=2, j=3, c=1, u=0, v=2))
    assert text(rows(frame)[0][0]) == "acc += w[1, 1, 0, 2]·x[1, 2, 5]"


def test_the_first_step_says_in_words_what_is_to_come_and_no_value():
    _, frame = frame_at("digits", "conv2.dx", 0)
    header, ahead, last = rows(frame)
    assert [text(mark) for mark in header] == ["for c: now c = 0, of 0 to 3"]
    (mark,) = ahead
    assert text(mark) == (
        "Each ∂E/∂x will be a sum of products w · ∂E/∂y, the kernel turned by 180°: 72 of them."
    )
    roles = {run.text: run.role for run in mark.runs}
    assert [roles[name] for name in ("∂E/∂x", "w", "∂E/∂y")] == ["written", "parameter", "source"]
    assert not last


def test_at_a_header_the_next_line_is_named_without_its_result():
    made = program("digits").operation("conv2")
    _, frame = frame_at("digits", "conv2", made.find(j=3, o=1, i=2))
    assert text(rows(frame)[0][0]) == "for j: now j = 3, of 0 to 3"
    assert text(rows(frame)[1][0]) == (
        "Each cell of y will be the bias b plus a sum of products w · x: 36 of them for each cell."
    )
    assert text(rows(frame)[2][0]) == "next:  acc = b[1]"
    ended = made.find(j=3, o=1, i=2) + made.path_to(4)[1].period
    _, frame = frame_at("digits", "conv2", ended)
    assert text(rows(frame)[0][0]) == "for j: all 4 done"
    assert not rows(frame)[1] and not rows(frame)[2]


def test_terms_of_a_row_do_not_overlap_and_stand_still():
    made = program("digits").operation("conv2")
    first = made.find(9, o=1, i=2, j=3, c=1)
    boxes = []
    for offset in range(first, first + 10):
        _, frame = frame_at("digits", "conv2", offset)
        shown = terms_shown(frame)
        assert all(overlap(one.box, other.box)[0] <= 0 for one, other in pairwise(shown))
        assert len({mark.size for mark in shown}) == 1
        boxes.append([mark.box for mark in shown])
    assert all(each == boxes[0] for each in boxes)


def test_scalars_of_another_size_than_the_array_are_written_plainly():
    """Adam's mean is no number of 10⁻⁴, though the speeds beside it are."""
    made = program("every").operation("fc1.w")
    assert made.call.writes["v"].max() < 1e-3
    at, frame = frame_at("every", "fc1.w", made.find(7, n=31))
    mean, spread = (at.state.variables[name] for name in ("mean", "spread"))
    line = text(rows(frame)[1][0])
    assert line.endswith("+ 1·10⁻⁸)")
    parts = [part for part in re.findall(r"−?\d+\.\d+(?:·10[⁻⁰-⁹]+)?", line)][2:4]
    assert [number_in(part) for part in parts] == pytest.approx([mean, spread], rel=2e-3)
    assert all(len(part) <= 8 for part in parts), parts


@pytest.mark.parametrize(
    "name, operation, total", SUMS, ids=[f"{name}-{operation}" for name, operation, _ in SUMS]
)
def test_a_number_is_written_alike_in_its_map_the_arithmetic_and_the_variables(name, operation, total):
    """So that it is found again: 0.40, 0.3997 and 0.400 look like three numbers."""
    made = program(name).operation(operation)
    adding, _ = cell_walked(made, total, len(made) // 2)
    at, frame = frame_at(name, operation, adding[-1])
    summed = rows(frame)[2][0].runs[-1].text
    assert value_beside(frame, total) == summed, where(at)
    while not at.state.writes:
        at, frame = frame_at(name, operation, at.step.offset + 1)
    ((array, index),) = at.state.writes
    result = rows(frame)[2][0].runs[-1].text
    assert value_beside(frame, f"{symbol(at.operation, array)}[{', '.join(map(str, index))}]") == result, (
        where(at)
    )
    on_map = [grid.texts[row][column] for grid, row, column in cells_of(frame, array, index)]
    told = result.partition("·10")[0]  # the heading of a map says its power of ten
    assert on_map and all(text == told or not text.strip("−0.") for text in on_map), where(at)
    if at.state.arrays[array][index] == at.state.variables[total]:
        assert result == summed, where(at)


ROLES = ("ink", "source", "parameter", "written")


def value_beside(frame: Frame, name: str) -> str:
    """What the pane of variables says that one is now."""
    labels = [mark for mark in in_pane(frame, "debugger") if isinstance(mark, Label)]
    (row,) = {mark.box.y for mark in labels if mark.runs[0] in {Span(name, role, True) for role in ROLES}}
    (value,) = (mark for mark in labels if mark.box.y == row and mark.align == "right")
    return text(value).rpartition("→ ")[2]


def cells_of(frame: Frame, array: str, index: tuple[int, ...]) -> Iterator[tuple[Cells, int, int]]:
    """Where a frame shows a cell with its number."""
    for grid in grids(frame):
        place = grid.cell_of(index) if grid.array == array else None
        if place is not None:
            yield grid, *place


def test_a_small_bias_is_not_written_as_0():
    made = program("digits")
    assert round(float(made.operation("conv1").call.given["b"][0]), 4) == 0.0014
    frame = compose(made, made.find("conv1", 9), view(made))
    texts = said(in_pane(frame, "stage"))
    assert {"0.0014", "acc = 0.0014"} <= set(texts)  # and what it is copied to is made of it


def test_what_is_compared_is_listed_with_commas_close_by():
    made = program("digits")
    frame = compose(made, made.find("pool1", 10, c=1, i=1, j=2, u=1, v=1), view(made))
    labels = [mark for mark in in_pane(frame, "stage") if isinstance(mark, Label)]
    commas = [mark for mark in labels if mark.runs[0].text == ","]
    assert len(commas) == 3
    for comma in commas:
        numbers = [
            mark.box for mark in labels if mark.box.y == comma.box.y and abs(mark.box.right - comma.box.x) < 1
        ]
        assert len(numbers) == 1 and numbers[0].w < 120


def test_a_long_last_line_leaves_room_for_how_many_terms_there_were():
    """It ran into that where a result, or what it is made of, has many digits."""
    for name in ("vanishing", "batch-norm", "backward-conv", "sigmoid-softmax"):
        shown = load_lesson(name)
        for stop in shown.stops:
            for letters in (False, True):
                view = View(width=800, height=600, display=Display(letters=letters))
                labels = [m for m in compose(shown.program, stop.index, view).marks if isinstance(m, Label)]
                for told in (mark for mark in labels if said([mark])[0].endswith((" terms", " 1 term"))):
                    begins = told.box.right - width(said([told])[0]) * told.size
                    beside = [m for m in labels if m is not told and min(overlap(m.box, told.box)) > 0.5]
                    assert all(mark.box.right <= begins for mark in beside), (name, stop.number, said(beside))
