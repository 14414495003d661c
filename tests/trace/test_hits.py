"""Breakpoints stop a run where plain stepping with Python's numbers finds what they wait for, both ways."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.layers.max_pool2d import MaxPool2d
from cnnviz.engine.layers.relu import ReLU
from cnnviz.engine.losses import HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.engine.optim import SGD
from cnnviz.errors import CnnvizError
from cnnviz.trace import hits
from cnnviz.trace.breakpoint import Breakpoint, Kind
from cnnviz.trace.cursor import Cursor
from cnnviz.trace.hits import check, hit
from cnnviz.trace.program import Program
from cnnviz.trace.watch import read_watch, value_at
from tests.trace.python import events


@cache
def program(nan: bool = False, form: str = "gathered") -> Program:
    """Whole numbers, so that sums are exact in any order: with zeros, ties, padding, and NaN if wanted."""
    layers = [
        ("conv", Conv2d(1, 2, 2)),
        ("relu", ReLU()),
        ("pool", MaxPool2d(3, 2, padding=1)),
        ("flatten", Flatten()),
        ("fc", Linear(8, 2)),
    ]
    network = Network(layers, (1, 5, 5), HalfSquaredError(), SGD(0.5, momentum=0.5))
    network.initialise(1)
    rng = np.random.default_rng(3)
    network.parameters = {
        k: rng.integers(-2, 3, v.shape).astype(float) for k, v in network.parameters.items()
    }
    image = rng.integers(-1, 3, (1, 5, 5)).astype(float)
    if nan:
        image[0, 2, 2] = 1.5e308  # twice that is infinite, and times 0 it is NaN
    with np.errstate(all="ignore"):
        return Program(network.calls(network.run(image, np.array([1.0, -1.0])), form))


class UnknownError(Exception):
    """Something is not there yet."""


class Cells:
    """An array of which some cells are not there yet."""

    def __init__(self, array, written):
        self.array, self.written = array, written

    def __getitem__(self, place):
        if np.ndim(self.array[place]):
            return Cells(self.array[place], self.written[place])
        if not np.all(self.written[place]):
            raise UnknownError
        return self.array[place]

    def known(self):
        if not self.written.any():
            raise UnknownError
        return self.array[self.written]

    def max(self):
        return self.known().max()

    def min(self):
        return self.known().min()

    def sum(self):
        return self.known().sum()

    def mean(self):
        return self.known().mean()

    def std(self):
        return self.known().std()

    def any(self):
        return self.known().any()

    def all(self):
        return self.known().all()

    def __abs__(self):
        return Cells(abs(self.array), self.written)

    def __lt__(self, other):
        return Cells(self.array < other, self.written)


@cache
def plain(nan: bool = False, form: str = "gathered"):
    """All steps: operation, offset, line, names, cells touched; by running every listing."""
    found = []
    for operation in program(nan, form).operations:
        call = operation.call
        written = {name: np.full(v.shape, name in call.before) for name, v in call.writes.items()}
        if call.linear:  # zeros that are added to are there
            written = {name: np.ones(v.shape, bool) for name, v in call.writes.items()}
        with np.errstate(all="ignore"):
            seen = events(call)
        for offset, event in enumerate(seen):
            for name, place in event.touched.writes:
                written[name][place] = True
            scope = {n: v for n, v in call.given.items() if not np.ndim(v)} | event.variables
            for name, array in event.arrays.items():
                scope[name] = Cells(
                    array, written[name].copy() if name in written else np.ones(array.shape, bool)
                )
            found.append((operation, offset, event.line, scope, event.touched))
    return found


def holds(text, scope):
    try:
        with np.errstate(all="ignore"):
            return bool(eval(text, {"abs": abs}, dict(scope)))
    except (UnknownError, NameError, IndexError, TypeError):
        return False


def becomes(truths):
    return [k for k, now in enumerate(truths) if now and not (k and truths[k - 1])]


def forwards(program, point):
    found, at = [], -1
    while (at := hit(program, point, at, len(program) - 1)) is not None:
        found.append(at)
    return found


def backwards(program, point):
    found, at = [], len(program)
    while (at := hit(program, point, at, 0, backwards=True)) is not None:
        found.append(at)
    return found[::-1]


CONDITIONS = (
    "acc < 0 and i == j",
    "y[o, i, j] > 2",
    "y[o, i, j-1] == 0",
    "0 <= acc < 3",
    "not acc",
    "y[c, i, j] == x[c, i, j]",
    "best == 0",
    "k != 0 and v == 1",
    "y.sum() > 10",
    "y[o].max() > 3",
    "y[c].min() < 0 and y.max() > 2",
    "dx[c, 1, 1] != 0",
    "not dx[c, i+u, j+v] >= -2",
    "acc != acc",
    "w[k] < 0",
    "E[0] > 0",
    "y[o].mean() > 1",
    "abs(y).sum() > 12",
    "y.std() > 1.5",
    "(y[c] < -1).any() and not (y < 2).all()",
    "w.sum() < 0",
    "w.max() > 2 or w.mean() < -0.5",
)

NARROWED = (  # loop variables alone say where it cannot be; left-over ones, too
    "i == 3 and j == 2",
    "acc > -9 and i == j",
    "i == j and j >= 2 and acc == acc",
    "v == 1 and dx[c, i, j] < 9",
    "c == 0 and u == 0 and acc <= 0",
    "k != 0 and i == 1",
    "y[o, i, j] > -9 and o == 1 and 0 < i < 3",
    "best >= 0 and j == 1",
)


@pytest.mark.parametrize(("nan", "form"), [(False, "gathered"), (True, "scattered")])
def test_conditions(nan, form):
    made, steps = program(nan, form), plain(nan, form)
    some = 0
    for text in (*CONDITIONS, *NARROWED):
        truths = [holds(text, scope) for _, _, _, scope, _ in steps]
        expected = becomes(truths)
        some += bool(expected)
        point = Breakpoint("", 0, kind=Kind.CONDITION, what=text)
        assert forwards(made, point) == expected, text
        assert backwards(made, point) == expected, text
        for name, line in (("conv", 7), ("relu", 5), ("pool", 9)):
            operation = made.operation(name)
            there = [
                k for k, step in enumerate(steps) if step[0] is operation and step[2] == line and truths[k]
            ]
            point = Breakpoint(name, line, kind=Kind.CONDITION, what=text)
            assert forwards(made, point) == there == backwards(made, point), (text, name)
    assert some >= len(CONDITIONS) + len(NARROWED) - 2


def test_conditions_slice_by_slice(monkeypatch):
    monkeypatch.setattr(hits, "_FIRST", 61)
    monkeypatch.setattr(hits, "_MOST", 61)
    for text in NARROWED:
        expected = becomes([holds(text, scope) for _, _, _, scope, _ in plain()])
        point = Breakpoint("", 0, kind=Kind.CONDITION, what=text)
        assert expected and forwards(program(), point) == expected == backwards(program(), point), text


@pytest.mark.parametrize("nan", [False, True])
def test_what_whole_arrays_say(nan):
    made, steps = program(nan), plain(nan)

    def where(wanted):
        return [k for k, step in enumerate(steps) if wanted(*step)]

    def clips(operation, offset, line, scope, touched):
        return operation.name == "relu" and any(scope["x"].array[place] < 0 for _, place in touched.writes)

    def winner(operation, offset, line, scope, touched):
        if operation.name != "pool":
            return False
        for name, (c, i, j) in touched.writes:
            if name == "switch":
                inside = [u * 3 + v for u in range(3) for v in range(3) if 2 * i + u > 0 and 2 * j + v > 0]
                return scope["switch"].array[c, i, j] != inside[0]
        return False

    def begins(operation, offset, line, scope, touched):
        return offset == 0

    def w_read(operation, offset, line, scope, touched):
        name = {"conv": "w", "conv.dx": "w"}.get(operation.name, "")
        row = operation.name == "conv.w"  # an update sees it as one row
        return (name, (1, 0, 0, 1)) in touched.reads or (row and ("w", (5,)) in touched.reads)

    def y_written(operation, offset, line, scope, touched):
        return operation.name == "conv" and ("y", (0, 1, 2)) in touched.writes

    cases = [
        (Kind.CLIPS, "", clips), (Kind.WINNER, "", winner), (Kind.OPERATION, "", begins),
        (Kind.READ, "conv.w[1,0,0,1]", w_read), (Kind.WRITTEN, "conv.y[0,1,2]", y_written),
    ]  # fmt: skip
    for kind, what, wanted in cases:
        point = Breakpoint("", 0, kind=kind, what=what)
        expected = where(wanted)
        assert expected and forwards(made, point) == expected == backwards(made, point), kind


def test_a_gradient_is_large_where_it_is_through():
    made, steps = program(), plain()
    last = {}
    for k, (operation, _, _, scope, touched) in enumerate(steps):
        for name, place in touched.writes:
            if operation.call.port(name).gradient_of:
                last[operation.name, name, place] = k, scope[name].array
    padded = made.operation("pool.dx").call

    def own(operation, name, place):
        return operation != "pool.dx" or padded.own_place(name, place) is not None

    expected = sorted({k for (n, a, p), (k, array) in last.items() if abs(array[p]) > 3 and own(n, a, p)})
    point = Breakpoint("", 0, kind=Kind.GRADIENT, what="3")
    assert expected and forwards(made, point) == expected == backwards(made, point)


def test_the_first_number_that_is_none():
    made = program(nan=True)
    (found,) = forwards(made, Breakpoint("", 0, kind=Kind.NONFINITE))
    numbers = ((k, scope[name].array[place]) for k, (_, _, _, scope, touched) in enumerate(plain(True))
               for name, place in touched.writes)  # fmt: skip
    assert found == next(k for k, number in numbers if not np.isfinite(number))
    assert not forwards(program(), Breakpoint("", 0, kind=Kind.NONFINITE))


def test_what_never_can_be_is_refused_in_one_sentence():
    made = program()
    refused = {
        Breakpoint("", 0, kind=Kind.CONDITION, what="zzz > 1"): "no listing has zzz",
        Breakpoint("", 0, kind=Kind.CONDITION, what="conv.q > 1"): "There is no array conv.q: there are",
        Breakpoint("", 0, kind=Kind.CONDITION, what="conv9.w > 1"): "no layer has that name",
        Breakpoint("", 0, kind=Kind.CONDITION, what="fc.w > 1"): "a condition is one: add .any()",
        Breakpoint("", 0, kind=Kind.CONDITION, what="acc[0] > 1"): "acc is one number and has no cells",
        Breakpoint("", 0, kind=Kind.CONDITION, what="y[0, 0, 0, 0] > 1"): "y has 3 axes and not 4",
        Breakpoint("", 0, kind=Kind.CONDITION, what="acc < 0 and p > v and E == 2"): "no listing has all of",
        Breakpoint("", 0, kind=Kind.CONDITION, what=""): "Nothing is asked",
        Breakpoint("", 0, kind=Kind.CONDITION, what="acc <"): "Character 6: something is missing at the end",
        Breakpoint("", 0, kind=Kind.CONDITION, what="acc.__class__"): "There is no array",
        Breakpoint("", 0, kind=Kind.CONDITION, what="exec('1')"): "there is no function exec",
        Breakpoint("", 0, kind=Kind.CONDITION, what="(lambda: 1)()"): "is not allowed",
        Breakpoint("", 0, kind=Kind.CONDITION, what="[x for x in y]"): "is not allowed",
        Breakpoint("", 0, kind=Kind.CONDITION, what="y[::2].max() > 1"): "a range of cells has no step",
        Breakpoint("", 0, kind=Kind.CONDITION, what="max(acc) > 1"): "max takes two operands",
        Breakpoint("", 0, kind=Kind.CONDITION, what="1e999 > acc"): "too large",
        Breakpoint("", 0, kind=Kind.CONDITION, what="(" * 90 + "acc" + ")" * 90): "",
        Breakpoint("", 0, kind=Kind.CONDITION, what="-" * 90 + "acc"): "nested at most 60 deep",
        Breakpoint("", 0, kind=Kind.GRADIENT, what="large"): "no size of a gradient",
        Breakpoint("", 0, kind=Kind.WRITTEN, what="conv.y[9,9,9]"): "There is no cell",
        Breakpoint("", 0, kind=Kind.READ, what="conv.w"): "is no cell",
    }
    for point, words in refused.items():
        if not words:
            continue
        with pytest.raises(CnnvizError) as told:
            check(made, point)
        assert words in str(told.value) and "\n" not in str(told.value), point.what


def test_values_over_the_whole_network():
    made, steps = program(), plain()
    network_w = made.operation("conv").call.given["w"]
    end = len(made) - 1
    at = made.start("conv.w") + 1
    for index in (0, 200, at - 2):
        assert value_at(made, read_watch("conv.w[1, 0, 0, 1]"), index) == network_w[1, 0, 0, 1]
    new = made.operation("conv.w").call.writes["w"].reshape(network_w.shape)
    assert value_at(made, read_watch("conv.w[1,0,0,1]"), end) == new[1, 0, 0, 1]
    for k in range(0, len(steps), 7):
        _, _, _, scope, _ = steps[k]
        if "y" in scope and "x" in scope:
            try:
                expected = scope["y"].max()
            except UnknownError:
                expected = None
            assert value_at(made, read_watch("y.max()"), k) == expected
    dw = made.operation("fc.dw").call.writes["dw"]
    assert value_at(made, read_watch("abs(fc.dw).mean()"), end) == np.abs(dw).mean()
    assert value_at(made, read_watch("fc.dw"), 0) is None


def test_a_run_stops_at_the_nearest_of_several_and_not_at_one_that_is_off():
    made = program()
    points = (
        Breakpoint("", 0, kind=Kind.CLIPS),
        Breakpoint("", 0, kind=Kind.CONDITION, what="acc < 0"),
        Breakpoint("conv", 7, on=False),
        Breakpoint("fc", 4),
    )
    each = sorted({k for point in points for k in (forwards(made, point) if point.on else [])})
    cursor, seen = Cursor(made), []
    while (cursor := cursor.run_to(points)).index < len(made) - 1:
        seen.append(cursor.index)
    assert seen == [k for k in each if 0 < k < len(made) - 1]
    back, seen = Cursor(made, len(made) - 1), []
    while (back := back.run_to(points, backwards=True)).index > 0:
        seen.append(back.index)
    assert seen[::-1] == [k for k in each if 0 < k < len(made) - 1]
