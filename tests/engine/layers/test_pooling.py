import numpy as np
import pytest

from cnnviz.engine.layers.adaptive_avg_pool2d import AdaptiveAvgPool2d
from cnnviz.engine.layers.avg_pool2d import AvgPool2d
from cnnviz.engine.layers.max_pool2d import MaxPool2d
from cnnviz.errors import CnnvizError, ShapeError
from tests.cases import backward

X = np.array([[[[1.0, 2, 5, 3], [4, 0, 1, 1], [7, 7, 0, -1], [7, 7, -2, -3]]]])


def test_max_pool_keeps_the_largest():
    assert MaxPool2d(2).forward(X).tolist() == [[[[4, 5], [7, 0]]]]


def test_average_pool_keeps_the_mean():
    assert AvgPool2d(2).forward(X).tolist() == [[[[1.75, 2.5], [7, -1.5]]]]


def test_windows_of_adaptive_pooling_are_pytorchs():
    """What its adaptive_avg_pool2d gives with output_size=(2, 3), and its gradient."""
    x = np.array([[[[4.0, -2, 7, 1, 3], [0, 5, -1, 2, 8], [6, 3, -4, 9, -6]]]])
    layer, dy = AdaptiveAvgPool2d((2, 3)), 12 * np.array([[[[1.0, -2, 3], [0, 4, -1]]]])
    np.testing.assert_allclose(layer.forward(x), [[[[1.75, 2, 3.5], [3.5, 7 / 3, 3.25]]]], rtol=1e-15)
    dx = backward(layer, dy, x)["dx"]
    assert dx.tolist() == [[[[3, -1, -4, 5, 9], [3, 7, 4, 10, 6], [0, 8, 8, 5, -3]]]]


def test_tie_goes_to_the_first_in_row_order():
    layer = MaxPool2d(2)
    dx = backward(layer, np.ones((1, 1, 2, 2)), X)["dx"]
    assert layer.auxiliary(X, y=layer.forward(X))["switch"][0, 0].tolist() == [[2, 0], [0, 0]]
    assert dx[0, 0].tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]


def test_winner_of_two_windows_gets_both_gradients():
    layer = MaxPool2d((1, 2), 1)
    x, dy = np.array([[[[0.0, 9, 1]]]]), np.array([[[[2.0, 3]]]])
    assert backward(layer, dy, x)["dx"].tolist() == [[[[0, 5, 0]]]]


def test_oblong_windows_lie_side_by_side_in_both_directions():
    """What PyTorch's max_pool2d and avg_pool2d give with kernel_size=(2, 3) and no stride."""
    x = np.arange(28.0).reshape(1, 1, 4, 7)
    assert MaxPool2d((2, 3)).forward(x).tolist() == [[[[9, 12], [23, 26]]]]
    assert AvgPool2d((2, 3)).forward(x).tolist() == [[[[4.5, 7.5], [18.5, 21.5]]]]


def test_strides_differ_by_direction():
    """What PyTorch's give with kernel_size=2, stride=(2, 1)."""
    layer = MaxPool2d(2, (2, 1))
    assert layer.forward(X).tolist() == [[[[4, 5, 5], [7, 7, 0]]]]
    dx = backward(layer, np.array([[[[1.0, 2, 3], [4, 5, 6]]]]), X)["dx"]
    assert dx[0, 0].tolist() == [[0, 0, 5, 0], [1, 0, 0, 0], [4, 5, 6, 0], [0, 0, 0, 0]]
    assert AvgPool2d(2, (2, 1)).forward(X).tolist() == [[[[1.75, 2, 2.5], [7, 3, -1.5]]]]


def test_window_below_zero_keeps_its_largest():
    assert MaxPool2d(2).forward(np.full((1, 1, 2, 2), -3.0)).item() == -3


@pytest.mark.parametrize("kind", [MaxPool2d, AvgPool2d])
def test_output_shape(kind):
    assert kind(2).output_shape((32, 26, 26)) == (32, 13, 13)
    assert kind(2).output_shape((1, 5, 5)) == (1, 2, 2)
    assert kind((3, 2), 1).output_shape((1, 5, 5)) == (1, 3, 4)
    assert kind((2, 3)).output_shape((1, 4, 6)) == (1, 2, 2)
    assert kind(2, (1, 3)).output_shape((1, 4, 6)) == (1, 3, 2)


@pytest.mark.parametrize("kind", [MaxPool2d, AvgPool2d])
def test_window_that_does_not_fit_is_refused_with_both_sizes(kind):
    layer = kind((3, 2))
    layer.name = "pool2"
    with pytest.raises(ShapeError, match=r"^pool2: a window of 3 × 2 does not fit an input of 2 × 5"):
        layer.output_shape((4, 2, 5))


@pytest.mark.parametrize("kind", [MaxPool2d, AvgPool2d])
@pytest.mark.parametrize(
    "sizes", [{"kernel": 0}, {"kernel": 2, "stride": 0}, {"kernel": 2, "stride": (1, 0)}]
)
def test_sizes_that_make_no_sense_are_refused(kind, sizes):
    with pytest.raises(CnnvizError, match=r"is 0; it must be at least 1"):
        kind(**sizes)


def test_windows_of_more_cells_than_a_small_integer_counts():
    layer = MaxPool2d((1, 2**15 + 1))
    x = np.zeros((1, 1, 1, 2**15 + 1))
    x[..., -1] = 1
    assert layer.auxiliary(x, y=layer.forward(x))["switch"].item() == 2**15
