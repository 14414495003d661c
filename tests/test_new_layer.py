"""ARCHITECTURE's recipe for a new layer: maths, listings, a line in the catalogue, and all of it is right."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cnnviz.app import main
from cnnviz.catalogue import LAYERS, Entry
from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.layers.softmax import Softmax
from cnnviz.engine.losses import HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.engine.objective import OutputLoss
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.arrays import role, symbol
from cnnviz.scene.chain import chain, in_hand, result
from cnnviz.scene.display import Display
from cnnviz.scene.frame import View, compose, moment
from cnnviz.scene.kind import Kind
from cnnviz.scene.local import Local, as_row
from cnnviz.scene.marks import label
from cnnviz.scene.provenance import origin
from cnnviz.scene.registry import formulas, kinds
from cnnviz.trace.operation import Operation
from cnnviz.trace.program import Program
from cnnviz.trace.state import state
from tests.new_layers import Affine, Swish
from tests.scene.looking import in_pane, said
from tests.trace.python import events

LESSON = """
title = "New layers"
sentence = "A residual block."
seed = 2
layers = [
    {name = "conv", kind = "conv2d", out_channels = 2, kernel = 2},
    {name = "affine", kind = "affine"},
    {name = "swish", kind = "swish"},
    {name = "conv2", kind = "conv2d", out_channels = 2, kernel = 1},
    {name = "add", kind = "add", inputs = ["conv2", "affine"]},
    {name = "flatten", kind = "flatten"},
    {name = "fc", kind = "linear", neurons = 2},
]
loss = {kind = "half_squared_error"}
optimiser = {kind = "sgd", lr = 0.1}
[input]
shape = [1, 3, 3]
values = [[[0.5, -1, 2], [1, 0.25, -0.5], [-2, 1.5, 0.75]]]
target = [1, -1]
"""
NEW = ("affine", "affine.dgamma", "affine.dbeta", "affine.dx", "swish", "swish.dgamma", "swish.dx")


@pytest.fixture
def lesson(monkeypatch, tmp_path):
    """The two layers in the catalogue, a line for each, and a lesson with them."""
    monkeypatch.setitem(LAYERS, "swish", Entry(Swish, "Swish"))
    monkeypatch.setitem(LAYERS, "affine", Entry(Affine, "Scale and shift", inferred="channels"))
    path = tmp_path / "new.toml"
    path.write_text(LESSON, encoding="utf-8")
    return path


@pytest.fixture
def program(lesson):
    return load_lesson(str(lesson)).program


def last(program, name):
    """The step after which an operation is through."""
    return program.start(name) + len(program.operation(name)) - 1


def stage(program, step, **view):
    return said(in_pane(compose(program, step, View(**view)), "stage"))


def test_every_step_is_pythons(program):
    for operation in program.operations:
        for offset, event in enumerate(events(operation.call)):
            held = state(operation, offset)
            assert (held.line, held.variables) == (event.line, event.variables)
            assert held.reads == tuple(dict.fromkeys(event.touched.reads))
            for name, values in event.arrays.items():
                np.testing.assert_allclose(held.arrays[name], values, rtol=1e-12, atol=1e-12)


def test_parameters_are_parameters_and_gradients_are_those_of_their_letters(program):
    forward, back = program.operation("affine"), program.operation("affine.dgamma")
    assert [role(forward, name) for name in ("x", "gamma", "beta", "y")] == [
        "source",
        "parameter",
        "parameter",
        "written",
    ]
    assert [symbol(forward, name) for name in ("gamma", "beta")] == ["γ", "β"]
    assert symbol(back, "dgamma") == "∂E/∂γ"
    assert moment(program, last(program, "affine")).names.cell("gamma", (1,)) == "γ₁"
    assert moment(program, last(program, "affine.dbeta")).names.cell("dbeta", (1,)) == "∂β₁"


def test_headings_say_what_arrays_are_and_where_they_come_from(program):
    texts = " ".join(stage(program, last(program, "affine")))
    assert "affine computes y from x, γ and β." in texts
    assert "x[1]  from conv" in texts and "γ" in texts and "y[1]  result" in texts
    texts = " ".join(stage(program, last(program, "affine.dgamma")))
    assert "gradient of γ: channel 1" in texts and "∂E/∂y[1]  from add + swish" in texts
    assert "gradient of the input" in " ".join(stage(program, last(program, "swish.dx")))
    for name in NEW:
        assert not re.search("gamma|beta", " ".join(stage(program, last(program, name))))


def test_a_loss_without_a_record_says_of_each_of_several_outputs_that_it_is_one():
    class UnknownError(HalfSquaredError):
        kind = "other"

    network = Network(
        [("fc", Linear(2, 3)), ("left", Linear(3, 2), ["fc"]), ("right", Linear(3, 2), ["fc"])],
        (2,),
        [OutputLoss("left", UnknownError()), OutputLoss("right", UnknownError())],
    )
    network.initialise(seed=3)
    targets = {"left": np.array([1.0, 0]), "right": np.array([0, 1.0])}
    two = Program(network.calls(network.run(np.array([0.5, -1]), targets)))
    for name in ("loss_left", "loss_right", "loss_left.dy", "loss_right.dy"):
        assert "y  output" in " ".join(stage(two, last(two, name))), name


def test_in_the_chain_every_factor_says_what_it_is(program):
    for operation in program.operations:
        if operation.phase == "backward":
            for factor in (*chain(program, operation), result(program, operation)):
                assert factor.values.size or factor.note, (operation.name, factor.name)
    *_, local = chain(program, program.operation("swish.dgamma"))
    assert (local.name, local.note) == ("∂swish/∂γ", "∂y/∂γ of swish")
    assert "∂y/∂x of affine" in stage(program, last(program, "conv.dw"))
    assert result(program, program.operation("swish.dgamma")).name == "∂E/∂γ"


def test_the_chain_has_the_slopes_of_a_function_of_each_number_and_no_others(program):
    x, gamma = (program.operation("swish").call.given[name] for name in ("x", "gamma"))
    s = 1 / (1 + np.exp(-gamma[0] * x))
    *_, local = chain(program, program.operation("swish.dx"))
    np.testing.assert_allclose(local.values, s + gamma[0] * x * s * (1 - s), rtol=1e-12)
    *_, local = chain(program, program.operation("affine.dx"))
    by_channel = program.operation("affine").call.given["gamma"][:, None, None]
    np.testing.assert_allclose(local.values, by_channel * np.ones((2, 2, 2)), rtol=1e-12)
    *_, local = chain(program, program.operation("swish.dgamma"))
    assert local.values.size == 0 and local.note, "it is a sum over all cells"


def test_no_slopes_are_made_of_what_mixes_cells():
    class Mixing(Softmax):
        kind = "mixing"

    network = Network(
        [("fc", Linear(2, 3)), ("mixing", Mixing()), ("last", Linear(3, 2))], (2,), HalfSquaredError()
    )
    network.initialise(seed=3)
    mixed = Program(network.calls(network.run(np.array([0.5, -1]), np.array([1.0, 0]))))
    *_, local = chain(mixed, mixed.operation("mixing.dx"))
    assert local.values.size == 0 and local.note == "∂y/∂x of mixing"


def test_the_chain_is_that_of_the_gradient_that_is_being_computed(program):
    at = program.start("add.dx")
    shown = {in_hand(program.state(at + k)) for k in range(len(program.operation("add.dx")))}
    assert shown == {"dx1", "dx2"}
    for array, layer in (("dx1", "conv2"), ("dx2", "affine")):
        made = result(program, program.operation("add.dx"), array)
        assert (made.name, made.note) == (f"∂E/∂{layer}", f"to {layer}")
        step = next(at + k for k in range(40) if in_hand(program.state(at + k)) == array)
        texts = stage(program, step)
        assert f"∂E/∂{layer}" in texts and f"to {layer}" in texts
        assert {"to conv2", "to affine"} <= {text.rpartition("  ")[2] for text in texts}


def test_gradients_that_are_added_up_have_one_scale_and_are_written_alike(program):
    at = moment(program, program.start("affine.dy"))
    looks = [at.look(name) for name in ("dy1", "dy2", "dy")]
    assert len({(look.limit, look.places, look.power, look.width) for look in looks}) == 1
    largest = max(abs(at.operation.call.value(name)).max() for name in ("dy1", "dy2", "dy"))
    assert largest <= looks[0].limit < 2.5 * largest  # the next round number


def test_hover_says_who_writes_and_who_reads(program):
    shown = origin(moment(program, last(program, "swish")), "gamma", (0,))
    assert shown.said == "a parameter, updated by training" and "γ[0]" in shown.name
    assert [reader.partition(", first")[0] for reader in shown.readers] == [
        "read 8 times by swish",
        "read 8 times by swish.dgamma",
        "read 16 times by swish.dx",
        f"read by swish.gamma at step {program.start('swish.gamma') + 1:,}",
    ]
    at = moment(program, last(program, "affine.gamma"))
    assert "written by affine.dgamma" in origin(at, "dw", (1,)).said
    made = origin(moment(program, last(program, "affine")), "y", (1, 0, 1))
    assert made.sources["gamma"].tolist() == [[1]] and made.sources["x"].tolist() == [[1, 0, 1]]


def test_updates_move_them(program):
    for key in ("affine.gamma", "affine.beta", "swish.gamma"):
        call = program.operation(key).call
        layer, _, name = key.partition(".")
        gradient = program.operation(f"{layer}.d{name}").call.writes[f"d{name}"]
        np.testing.assert_array_equal(call.writes["w"], call.before["w"] - 0.1 * gradient)
        assert any("γ" in text or "β" in text for text in stage(program, last(program, key)))


def test_letters_stand_in_place_of_all_numbers(program):
    for name in NEW:
        for step in range(program.start(name), last(program, name) + 1):
            texts = stage(program, step, display=Display(letters=True))
            assert not [
                text for text in texts if re.search(r"\d\.\d", text) and not text.endswith("acc = 0.0")
            ]


def test_each_term_of_a_sum_has_the_scalars_of_its_own_step(program):
    operation = program.operation("swish.dgamma")
    (line,) = (line for line in range(2, 9) if "acc +=" in operation.tree.source[line - 1])
    texts = stage(program, program.find("swish.dgamma", line=line, c=0, i=1, j=0))
    x, gamma = operation.call.given["x"], operation.call.given["gamma"][0]
    gates = [f"{1 / (1 + np.exp(-gamma * x[0, i, j])):.3f}" for i, j in ((0, 0), (0, 1), (1, 0))]
    found = [re.search(r"·([\d.]+)·\(1 − \1\)", text) for text in texts]
    assert [match[1] for match in found if match] == gates
    to_come = [text for text in texts if "·s·(1 − s)" in text and "acc" not in text]
    assert len(to_come) == 5, "it is told by its name"


def test_formulas_are_read_off_the_listing(program):
    (shown,) = formulas(program.operation("affine").call, 2)
    assert shown == r"\y{c,i,j} = \part{gamma}{\gamma_{c}} \cdot \x{c,i,j} + \part{beta}{\beta_{c}}"
    assert r"\sum_{i,j}" in formulas(program.operation("affine.dgamma").call, 2)[0]


def test_the_command_line_knows_them(lesson, tmp_path, capsys):
    assert main(["info", str(lesson)]) == 0
    assert "swish_dgamma" in capsys.readouterr().out
    assert main(["dump", str(lesson), "-o", str(tmp_path / "new.npz"), "--at", "swish.dx[1,0,0]"]) == 0
    with np.load(tmp_path / "new.npz") as dumped:
        assert {"affine.gamma", "affine.dbeta", "swish.gamma_new", "at.gamma"} <= set(dumped)


def test_a_record_says_it_better(program, monkeypatch):
    """A file in scene/kinds would hold these two."""

    def slope(back):
        s = 1 / (1 + np.exp(-back.value("gamma")[0] * back.value("x")))
        return Local("·", as_row(s), back.called("gamma"))

    def picture(at, room):
        return [label(room.box.top(30), f"drawn at {at.step.index}", 20)]

    own = Kind(sentence="It lets through what its own gate opens.", picture=picture, formula=(r"\y{@} = 1",))
    monkeypatch.setitem(kinds(), "swish", own)
    monkeypatch.setitem(kinds(), "swish.dx", Kind(title="what comes back", sentence="Back.", local=slope))
    texts = stage(program, last(program, "swish"))
    assert own.sentence in texts and f"drawn at {last(program, 'swish')}" in texts
    assert formulas(program.operation("swish").call, 2) == (r"\y{c,i,j} = 1",)
    *_, local = chain(program, program.operation("swish.dx"))
    assert local.note == "γ" and local.values.shape == (2, 2, 2)
    assert any("what comes back" in text for text in stage(program, last(program, "swish.dx")))


def test_a_listing_by_itself_is_enough(program):
    for name in NEW:
        call = program.operation(name).call
        arguments = Operation(call).arguments()
        call.listing(**arguments)
        for written, values in call.writes.items():
            np.testing.assert_allclose(arguments[written], values, rtol=1e-12)
