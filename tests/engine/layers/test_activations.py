import numpy as np
import pytest

from cnnviz.engine.layers.leaky_relu import LeakyReLU, leaky_relu_column_dx, leaky_relu_dx
from cnnviz.engine.layers.relu import ReLU, relu_column_dx, relu_dx
from cnnviz.engine.layers.sigmoid import Sigmoid
from cnnviz.engine.layers.softmax import Softmax
from cnnviz.engine.layers.tanh import Tanh
from cnnviz.engine.network import Network


def through(layer, x, dy=None):
    x = np.array(x, dtype=float)
    dy = np.ones_like(x) if dy is None else np.array(dy, dtype=float)
    tape = Network([("layer", layer)], x.shape).run(x, dy=dy)  # it says nothing of what overflows
    return tape["layer.y"], tape["layer.dx"]


def test_relu_clips_at_zero():
    y, _ = through(ReLU(), [[[-478, 494], [460, -477]]])
    assert y.tolist() == [[[0, 494], [460, 0]]]


@pytest.mark.parametrize(("layer", "slope"), [(ReLU(), 0), (LeakyReLU(0.25), 0.25)])
def test_slope_at_exactly_zero_is_that_below(layer, slope):
    assert through(layer, [-1, 0, 2])[1].tolist() == [slope, slope, 1]


@pytest.mark.parametrize(
    "listing, constants, wanted",
    [
        (relu_dx, {}, [0, 0, 0, 3]),
        (relu_column_dx, {}, [0, 0, 0, 3]),
        (leaky_relu_dx, {"alpha": 0.25}, [0.75, 0.75, 0.75, 3]),
        (leaky_relu_column_dx, {"alpha": 0.25}, [0.75, 0.75, 0.75, 3]),
    ],
)
def test_so_it_is_in_the_listings(listing, constants, wanted):
    """What PyTorch 2 gives for F.relu and F.leaky_relu, with a gradient of 3 behind them."""
    shape = (4,) if "column" in listing.__name__ else (1, 1, 4)
    sizes = {"N": 4} if len(shape) == 1 else {"C": 1, "H": 1, "W": 4}
    x, dx = np.array([-1.0, 0.0, -0.0, 2.0]).reshape(shape), np.full(shape, np.nan)
    listing(x=x, dy=np.full(shape, 3.0), dx=dx, **constants, **sizes)
    assert dx.ravel().tolist() == wanted


def test_leaky_relu_lets_a_little_through():
    assert through(LeakyReLU(0.25), [-8, 8])[0].tolist() == [-2, 8]


def test_sigmoid_of_huge_scores_is_0_or_1_without_a_warning():
    y, dx = through(Sigmoid(), [-1e4, 0, 1e4])
    assert y.tolist() == [0, 0.5, 1]
    assert dx.tolist() == [0, 0.25, 0]


def test_tanh_is_odd():
    y, _ = through(Tanh(), [-2, 2])
    assert y[0] == -y[1] == pytest.approx(-0.9640275800758169, rel=1e-15)


def test_softmax_of_huge_scores_neither_overflows_nor_warns():
    y, _ = through(Softmax(), [1e4, 1e4, -1e4])
    assert y.tolist() == [0.5, 0.5, 0]


def test_softmax_sums_to_one_and_ignores_a_common_part():
    y, dx = through(Softmax(), [1, 2, 3], [7, 7, 7])
    assert y.sum() == pytest.approx(1, abs=1e-15)
    np.testing.assert_allclose(y, through(Softmax(), [101, 102, 103])[0], rtol=1e-13)
    np.testing.assert_allclose(dx, 0, atol=1e-15)
