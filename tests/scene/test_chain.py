"""The factors of a gradient: their names and shapes, and that their product is the gradient."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path as FilePath

import numpy as np
import pytest

from cnnviz import load_lesson
from cnnviz.engine.layer import Array
from cnnviz.engine.layers.avg_pool2d import AvgPool2d
from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.layers.joining import Add, Concat
from cnnviz.engine.layers.leaky_relu import LeakyReLU
from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.layers.max_pool2d import MaxPool2d
from cnnviz.engine.layers.relu import ReLU
from cnnviz.engine.layers.sigmoid import Sigmoid
from cnnviz.engine.layers.softmax import Softmax
from cnnviz.engine.layers.tanh import Tanh
from cnnviz.engine.losses import CrossEntropy, HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.engine.optim import SGD
from cnnviz.scene.chain import Factor, chain, has_chain, result
from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose, moment
from cnnviz.scene.look import look
from cnnviz.scene.marks import Box, Cells, Group, Hotspot, Label, Path, Rect
from cnnviz.scene.panels.chain_strip import LOW_STRIP, chain_strip
from cnnviz.scene.registry import formulas, kinds
from cnnviz.trace.program import Program
from tests.cases import assert_same
from tests.scene import programs
from tests.scene.looking import all_marks, in_pane, inside, reach, said
from tests.scene.programs import NAMES, telling_offsets, view

BOX = Box(0, 0, 1072, LOW_STRIP)


def of(program: Program, operation: str) -> tuple[Factor, ...]:
    return chain(program, program.operation(operation))


# ------------------------------------------------------------------------------------ names, as in the course


def written(program: Program, operation: str) -> str:
    """The product as it is written: every sign and name, then the gradient."""
    factors = " ".join(f"{factor.sign} {factor.name}".strip() for factor in of(program, operation))
    return f"{factors} = {result(program, program.operation(operation)).name}"


def test_the_gradient_of_the_weights_is_the_product_of_the_course():
    program = load_lesson("backward-fc").program
    assert written(program, "fc.dw") == "∂E/∂O · ∂O/∂Z₂ ⊗ ∂Z₂/∂W = ∂E/∂W"
    assert [factor.shape for factor in of(program, "fc.dw")] == [(1, 2), (1, 2), (4, 1)]
    assert [factor.note for factor in of(program, "fc.dw")] == ["", "O (1 − O)", "A₁"]
    assert written(program, "fc.db") == "∂E/∂O · ∂O/∂Z₂ · ∂Z₂/∂b = ∂E/∂b"


def test_the_gradient_of_the_kernel_is_the_product_of_the_course():
    program = load_lesson("backward-conv").program
    assert written(program, "conv.dw") == ("∂E/∂O · ∂O/∂Z₂ · ∂Z₂/∂A₁ → · ∂A₁/∂Z₁ ∗ ∂Z₁/∂f = ∂E/∂f")
    factors = of(program, "conv.dw")
    assert [factor.note for factor in factors] == ["", "O (1 − O)", "Wᵀ", "as maps", "A₁ (1 − A₁)", "X"]
    assert [factor.shape for factor in factors] == [(1, 2), (1, 2), (2, 4), (1, 2, 2), (1, 2, 2), (1, 3, 3)]
    assert written(program, "conv.dx").endswith("∗ ∂Z₁/∂X = ∂E/∂X")
    assert of(program, "conv.dx")[-1].note == "f, turned"
    assert of(load_lesson("backward-conv").in_form("scattered").program, "conv.dx")[-1].note == "f, scattered"


def test_without_symbols_arrays_are_called_after_their_layers():
    program = programs.program("digits")
    assert written(program, "softmax.dx") == " = ∂E/∂fc"
    assert written(program, "conv2.dw") == (
        "∂E/∂fc · ∂fc/∂flatten → → ∂pool2/∂relu2 · ∂relu2/∂conv2 ∗ ∂conv2/∂w = ∂E/∂w"
    )
    assert written(program, "conv1.dx").endswith("∗ ∂conv1/∂input = ∂E/∂input")


# -------------------------------------------------------------------------------------------------- numbers


def factors_multiplied(factors: tuple[Factor, ...], gradient: str) -> Array:
    """The product as NumPy takes it from left to right, and as it is slid.

    For strides of 1, no padding, and windows of 2 × 2 that lie apart.
    """
    so_far = factors[0].values
    for k, factor in enumerate(factors[1:], 1):
        last = k == len(factors) - 1
        values = factor.values
        assert values.shape == factor.shape or not values.size
        if factor.sign == "⊗":
            so_far = so_far * values  # a row and a column
        elif factor.sign == "→" and values.size:
            so_far = so_far.repeat(2, axis=1).repeat(2, axis=2) * values
        elif factor.sign == "→":
            so_far = so_far.reshape(factor.shape)
        elif factor.sign == "∗" and last and gradient == "dw":
            so_far = np.stack([[slid(channel, one) for channel in values] for one in so_far])
        elif factor.sign == "∗":
            ends = [(0, 0), *((size - 1, size - 1) for size in values.shape[2:])]
            padded = np.pad(so_far, ends)
            maps = [
                sum(slid(padded[o], values[o, c]) for o in range(len(values))) for c in range(values.shape[1])
            ]
            so_far = np.stack(maps)
        elif values.shape == so_far.shape:
            so_far = so_far * values
        else:
            so_far = so_far @ values
    if gradient == "db" and so_far.ndim == 3:
        return so_far.sum(axis=(1, 2))
    return so_far


def slid(x: Array, kernel: Array) -> Array:
    rows, columns = np.array(x.shape) - kernel.shape + 1
    return np.array(
        [
            [(x[i : i + kernel.shape[0], j : j + kernel.shape[1]] * kernel).sum() for j in range(columns)]
            for i in range(rows)
        ]
    )


def network_of(*layers, shape=(2, 6, 6), loss=None) -> Program:
    network = Network([(f"l{k}", layer) for k, layer in enumerate(layers)], shape, loss or HalfSquaredError())
    network.initialise(5)
    rng = np.random.default_rng(6)
    target = np.eye(network.output_shape[0])[0]
    return Program(network.calls(network.run(rng.normal(size=shape), target)))


NETS = {
    "lesson": lambda: load_lesson("backward-conv").program,
    "relu-max": lambda: network_of(
        Conv2d(2, 3, 3), ReLU(), MaxPool2d(2), Flatten(), Linear(12, 4), Tanh(), Linear(4, 3), Softmax()
    ),
    "leaky-mean": lambda: network_of(
        Conv2d(2, 2, 3), LeakyReLU(0.2), AvgPool2d(2), Flatten(), Linear(8, 3), Softmax(), loss=CrossEntropy()
    ),
    "two-convolutions": lambda: network_of(
        Conv2d(2, 2, (2, 3)), Sigmoid(), Conv2d(2, 3, 2), Tanh(), Flatten(), Linear(36, 2)
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_the_product_of_the_factors_is_the_gradient(name):
    program = NETS[name]()
    multiplied = 0
    for operation in program.operations:
        if has_chain(operation) and (factors := chain(program, operation)):
            array = result(program, operation).array
            made = operation.call.writes[array]
            made = made[None] if made.ndim == 1 and array != "db" else made
            product = factors_multiplied(factors, array)
            assert_same(product.reshape(made.shape) if array == "db" else product, made, 1e-12)
            multiplied += 1
    assert multiplied >= 8


def with_a_skip() -> Program:
    layers = [
        ("a", Linear(3, 2)),
        ("r", ReLU()),
        ("s", Add(), ["r", "a"]),
        ("cat", Concat(), ["s", "a"]),
        ("out", Linear(4, 2)),
    ]
    network = Network(layers, (3,), HalfSquaredError(), SGD(0.1))
    network.initialise(4)
    return Program(network.calls(network.run(np.array([1.0, -2.0, 0.5]), np.array([1.0, 0.0]))))


def test_of_a_sum_of_gradients_the_parts_are_shown():
    program = with_a_skip()
    parts = of(program, "a.dy")
    assert [(part.sign, part.note) for part in parts] == [("", "from cat"), ("+", "from s"), ("+", "from r")]
    made = program.operation("a.dy").call.writes["dy"]
    np.testing.assert_allclose(sum(part.values for part in parts), made[None])
    assert [part.operation for part in parts] == ["cat.dx", "s.dx", "r.dx"], (
        "a click goes to where it is made"
    )


def test_slopes_of_the_lesson_are_those_of_its_captions():
    factors = of(load_lesson("backward-fc").program, "fc.dw")
    assert factors[0].values[0, 0] == pytest.approx(-0.316, abs=5e-4)
    assert factors[1].values[0, 0] == pytest.approx(0.216, abs=5e-4)
    assert factors[2].values[0, 0] == pytest.approx(0.520, abs=5e-4)


def test_a_winner_of_windows_that_overlap_is_marked_once():
    mask = of(programs.program("large"), "pool.dx")[-1].values
    assert mask.shape == (2, 40, 40)
    assert set(np.unique(mask)) == {0.0, 1.0}


def test_a_layer_that_nothing_is_known_of_has_its_slopes_in_the_chain(monkeypatch):
    program = load_lesson("backward-conv").program
    known = of(program, "conv.dw")[1].values
    monkeypatch.delitem(kinds(), "sigmoid.dx")
    assert written(program, "conv.dw").count("·") == 3
    np.testing.assert_allclose(of(program, "conv.dw")[1].values, known, rtol=1e-9)
    at = moment(program, program.start("conv.dw"))
    assert "∂O/∂Z₂" in said(chain_strip(at, BOX, 1.0))


def test_the_weight_of_a_loss_is_a_factor_between_its_own_gradient_and_that_of_the_sum():
    program = load_lesson(FilePath(__file__).parents[1] / "lesson" / "files" / "two-in-two-out.toml").program
    alone, weighted = program.operation("loss_softmax.gradient"), program.operation("softmax.dx")
    y, t = alone.call.value("y"), alone.call.value("t")
    first, weight = chain(program, weighted)
    assert (first.name, weight.name, weight.note) == ("∂E⁽²⁾/∂scores", "∂E/∂E⁽²⁾", "weight 0.5")
    assert (first.values * weight.values)[0].tolist() == ((y - t) / 2).tolist()
    assert (result(program, alone).name, result(program, weighted).name) == ("∂E⁽²⁾/∂scores", "∂E/∂scores")
    assert [factor.name for factor in chain(program, program.operation("scores.dw"))][:2] == [
        first.name,
        weight.name,
    ]
    assert look(program, alone, "dx", Display()).palette == "gradient"
    assert "E^{(2)}" in formulas(alone.call, 1)[0]
    assert "E^{(2)}" not in formulas(program.operation("scores.dw").call, 1)[0]
    assert program.gradient("scores.y") == (weighted, "dx")


# ------------------------------------------------------------------------------------------------- the strip


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
@pytest.mark.parametrize("name", NAMES)
def test_every_gradient_of_a_network_has_its_chain_and_nothing_else_has(name, size):
    program = programs.program(name)
    for operation in program.operations:
        at = moment(program, program.start(operation.name) + telling_offsets(operation, 1)[0])
        frame = compose(program, at.step.index, view(program, *size))
        texts = said(in_pane(frame, "stage"))
        spots = [mark.name for mark in frame.marks if isinstance(mark, Hotspot) and mark.kind == "operation"]
        backward = operation.phase == "backward" and name not in ("chain", "statements")
        assert has_chain(operation) == backward == bool(spots), operation.name
        if not backward:
            continue
        assert spots[-1] == operation.name
        names = [factor.name for factor in chain(program, operation) if factor.name]
        assert result(program, operation).name in texts
        assert {*names[:1], *names[-1:]} <= set(texts)
        assert set(names) <= set(texts) or "…" in texts


@pytest.mark.parametrize("unit", [1.0, 2 / 3, 1.3])
@pytest.mark.parametrize("name", ["digits", "every", "deep", "scattered"])
def test_the_strip_stays_in_its_box_and_nothing_in_it_overlaps(name, unit):
    program = programs.program(name)
    box = Box(10, 20, round(1072 * unit), round(LOW_STRIP * unit))
    for operation in program.operations:
        if not has_chain(operation):
            continue
        at = moment(program, program.start(operation.name) + len(operation) // 2)
        marks = list(all_marks(chain_strip(at, box, unit)))
        for mark in marks:
            assert inside(reach(mark), box, 1.0), (operation.name, mark)
        maps = [mark.box for mark in marks if isinstance(mark, Cells)]
        assert all(one.right <= other.x for one, other in pairwise(maps))


def test_the_current_factor_is_marked_and_no_other():
    program = load_lesson("backward-conv").program
    for operation in program.operations:
        if not has_chain(operation):
            continue
        marks = list(all_marks(chain_strip(moment(program, program.start(operation.name)), BOX, 1.0)))
        (around,) = [mark.box for mark in marks if isinstance(mark, Rect) and mark.stroke == "accent"]
        assert sum(isinstance(mark, Path) and mark.filled for mark in marks) == 1
        factors = chain(program, operation)
        name = (factors[-1].name or factors[-1].note) if factors else result(program, operation).name
        marked = [mark for mark in marks if isinstance(mark, Label) and inside(mark.box, around, 1.0)]
        assert name in said(marked)


def test_the_product_is_shown_as_far_as_it_is_computed():
    program = load_lesson("backward-conv").program
    operation = program.operation("conv.dw")
    start = program.start("conv.dw")
    for offset in range(len(operation)):
        at = moment(program, start + offset)
        product = [mark for mark in chain_strip(at, BOX, 1.0) if isinstance(mark, Cells)][-1]
        there = at.state.written("dw")[0, 0]
        missing = np.zeros((2, 2), bool) if product.missing is None else product.missing
        np.testing.assert_array_equal(~missing, there)
        np.testing.assert_array_equal(product.values[there], at.state.arrays["dw"][0, 0][there])


def test_all_but_the_product_is_the_same_object_at_every_step():
    program = programs.program("digits")
    start = program.start("conv2.dw")
    first, later = (chain_strip(moment(program, start + k), BOX, 1.0)[0] for k in (0, 4000))
    assert isinstance(first, Group) and first is later


def test_of_a_deep_network_the_first_factor_and_the_last_ones_are_shown():
    program = programs.program("digits")
    narrow = Box(0, 0, 700, LOW_STRIP)
    texts = said(chain_strip(moment(program, program.start("conv1.dw")), narrow, 1.0))
    assert texts[:2] == ["∂E/∂fc", "1 × 10"] and "…" in texts
    assert "∂conv1/∂w" in texts and "∂E/∂w" in texts and "∂fc/∂flatten" not in texts


def test_of_a_matrix_with_more_columns_than_pixels_evenly_spaced_ones_are_shown():
    program = network_of(Linear(900, 3), Softmax(), shape=(900,))
    at = moment(program, program.start("l0.dx"))
    weights = [mark for mark in all_marks(chain_strip(at, BOX, 1.0)) if isinstance(mark, Cells)][-2]
    w = program.operation("l0.dx").call.given["w"]
    assert weights.values.shape[1] <= 128 and len(weights.values) == 3
    np.testing.assert_array_equal(weights.values[:, [0, -1]].T, w[[0, -1]])


def test_of_a_matrix_too_large_to_be_kept_the_size_is_told():
    size = 60_000  # its square takes 29 GB
    layers = [("a", Linear(1, size)), ("b", Softmax())]
    made = Network(layers, (1,), HalfSquaredError())
    program = Program(made.calls(made.run(np.ones(1), np.zeros(size))))
    assert of(program, "a.dw")[1].note == "matrix 60000 × 60000"
    texts = said(chain_strip(moment(program, program.start("a.dw")), BOX, 1.0))
    assert "matrix 60000 × 60000" in texts
    assert not any(text.startswith("0 ×") for text in texts)
