import numpy as np
import pytest

from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.layers.linear import Linear
from cnnviz.errors import CnnvizError, ShapeError


def test_column_n_of_the_weights_belongs_to_neuron_n():
    w, b = np.array([[1.0, 10], [2, 20], [3, 30], [4, 40]]), np.array([0.5, -0.5])
    assert Linear(4, 2).forward(np.array([[1.0, 1, 1, 2]]), w, b).tolist() == [[14.5, 139.5]]


def test_gradient_of_the_weights_is_the_outer_product():
    x, dy = np.array([[2.0, 5.0]]), np.array([[1.0, 10, 100]])
    gradients = Linear(2, 3).backward(dy, x, w=np.zeros((2, 3)))
    assert gradients["dw"].tolist() == [[2, 20, 200], [5, 50, 500]]
    assert gradients["db"].tolist() == [1, 10, 100]


def test_other_number_of_inputs_is_refused_with_both():
    layer = Linear(18, 4)
    layer.name = "fc"
    with pytest.raises(ShapeError, match=r"^fc: its weights have shape 18 × 4 .* but 20 come in"):
        layer.output_shape((20,))


def test_maps_are_refused_with_the_layer_that_is_missing():
    layer = Linear(18, 4)
    layer.name = "fc"
    with pytest.raises(
        ShapeError, match=r"^fc: .* shape 2 × 3 × 3; put a flatten layer before it, .* 18 numbers"
    ):
        layer.output_shape((2, 3, 3))


@pytest.mark.parametrize(("sizes", "word"), [((0, 1), "in_features is 0"), ((1, 0), "neurons is 0")])
def test_sizes_that_make_no_sense_are_refused(sizes, word):
    with pytest.raises(CnnvizError, match=f"linear: {word}"):
        Linear(*sizes)


def test_initialise_draws_weights_as_he_et_al_propose():
    parameters = Linear(50, 400).initial_parameters(np.random.default_rng(0))
    assert parameters["w"].std() == pytest.approx(0.2, rel=0.02)
    assert not parameters["b"].any()


def test_flatten_goes_channel_after_channel_row_after_row():
    x = np.arange(12.0).reshape(1, 2, 3, 2)
    layer = Flatten()
    assert layer.forward(x).tolist() == [list(range(12))]
    np.testing.assert_array_equal(layer.backward(layer.forward(x), x)["dx"], x)
