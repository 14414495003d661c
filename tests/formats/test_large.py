"""Large networks go forward alone, with numbers in the precision of their file."""

import random

import numpy as np
import pytest

from cnnviz import CnnvizError, load_lesson
from cnnviz.engine.product import product
from cnnviz.lesson.network import build_layers
from cnnviz.lesson.tables import LayerPart
from tests.formats.reference import DATA, reference

NAME = "lenet.legacy.onnx"


def test_parameters_that_are_only_read_stay_as_the_file_has_them():
    lesson = load_lesson(DATA / NAME, input=reference(DATA / NAME)["x"])
    for key, values in lesson.network.parameters.items():
        assert values.dtype == lesson.tape[key].dtype == np.float32
        assert values.base is not None, f"{key} was copied"
    assert lesson.tape["fc2.y"].dtype == np.float64
    assert load_lesson(f"{DATA / NAME}?label=1").tape["conv1.w"].dtype == np.float64


def test_every_state_is_that_of_the_same_numbers_in_double_precision():
    x = reference(DATA / NAME)["x"]
    single, double = (load_lesson(DATA / name, input=x) for name in (NAME, "lenet.double.onnx"))
    assert double.network.parameters["conv1.w"].dtype == np.float64
    steps = random.Random(1).sample(range(len(single.program)), 300)
    for step in steps:
        one, other = single.program.state(step), double.program.state(step)
        assert one.variables == other.variables
        assert one.reads == other.reads
    for operation in single.program.operations:
        arguments = operation.arguments()
        operation.function(**arguments)
        assert np.allclose(arguments["y"], single.tape[f"{operation.name}.y"], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("order", "CF")
def test_a_product_of_two_precisions_is_that_of_the_higher(order):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 1_500)), np.asarray(rng.normal(size=(1_500, 1_000)), np.float32, order=order)
    assert product(a, b).dtype == np.float64
    assert np.allclose(product(a, b), a @ b.astype(np.float64), rtol=1e-12, atol=1e-12)


def test_more_fits_going_forward_than_there_and_back():
    wide = [LayerPart("conv2d", {"out_channels": 64, "kernel": 3, "padding": 1}, "conv", ())]
    shapes = {"input": (64, 128, 128)}
    with pytest.raises(CnnvizError, match=r"conv: with it, an iteration takes .* million multiply-adds"):
        build_layers(wide, shapes)
    assert build_layers(wide, shapes, is_found=True)
    huge = [LayerPart("linear", {"neurons": 65_536}, "fc", ())]
    with pytest.raises(CnnvizError, match=r"fc: with it, an iteration takes .* MB; 1,600 MB are the most"):
        build_layers(huge, {"input": (65_536,)}, with_gradients=False, is_found=True)


def test_where_gradients_do_not_fit_a_label_still_gives_the_loss(monkeypatch, tmp_path):
    target = tmp_path / "target.npy"
    np.save(target, np.arange(5.0))
    asked = [
        f"{DATA / NAME}?label=1",
        f"{DATA / NAME}?target={target}",
        f"{DATA / 'vgg.traced.pt'}?label=2",
    ]
    for source in asked:
        whole = load_lesson(source)
        monkeypatch.setattr("cnnviz.lesson.network.MOST_FOUND_NUMBERS", 10_000)
        lesson = load_lesson(source)
        monkeypatch.undo()
        assert lesson.tape.loss == pytest.approx(whole.tape.loss, rel=1e-12)
        assert [operation.phase for operation in lesson.program.operations][-1] == "loss"
        assert not any("_new" in key or key.partition(".")[2].startswith("d") for key in lesson.tape)
        (note,) = (note for note in lesson.notes if "without gradients" in note)
        assert "MB are the most" in note and "up to an earlier layer" in note
        last = lesson.program.state(len(lesson.program) - 1)
        assert last.arrays["E"][0] == pytest.approx(whole.tape.loss, rel=1e-9)
