import numpy as np
import pytest

from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.errors import CnnvizError, ShapeError
from tests.cases import CORNERS, LayerCase, assert_same, backward


def test_textbook_convolution_does_not_flip_the_kernel():
    # Goodfellow, Bengio and Courville, fig. 9.1: the first output is aw + bx + ey + fz.
    w = np.array([[[[1.0, 10], [100, 1000]]]])
    y = Conv2d(1, 1, 2).forward(np.arange(12.0).reshape(1, 1, 3, 4), w, np.zeros(1))
    assert y.tolist() == [[[[5410, 6521, 7632], [9854, 10965, 12076]]]]


def test_bias_belongs_to_the_kernel():
    layer, b = Conv2d(1, 2, 1), np.array([3.0, -4])
    assert layer.forward(np.zeros((1, 1, 1, 2)), np.zeros((2, 1, 1, 1)), b).tolist() == [
        [[[3, 3]], [[-4, -4]]]
    ]


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (Conv2d(3, 2, 3), (3, 6, 6), (2, 4, 4)),
        (Conv2d(1, 1, 3, stride=2), (1, 6, 7), (1, 2, 3)),  # 6 − 3 is odd: floor, as PyTorch
        (Conv2d(1, 1, 5, padding=2), (1, 5, 8), (1, 5, 8)),
        (Conv2d(1, 1, (2, 3), stride=3, padding=1), (1, 2, 2), (1, 1, 1)),
    ],
)
def test_output_shape(layer, shape, expected):
    assert layer.output_shape(shape) == expected


def test_kernels_of_another_depth_are_refused_with_both_depths():
    layer = Conv2d(3, 8, 3)
    layer.name = "conv2"
    with pytest.raises(ShapeError, match=r"^conv2: its kernels are 3 deep, but its input has 4 channels"):
        layer.output_shape((4, 8, 8))


def test_kernel_that_does_not_fit_is_refused_with_what_would():
    layer = Conv2d(1, 1, (7, 2), padding=1)
    layer.name = "conv2"
    with pytest.raises(
        ShapeError, match=r"^conv2: a kernel of 7 × 2 .* 4 × 3 with padding 1; .* at most 6 × 5"
    ):
        layer.output_shape((1, 4, 3))


@pytest.mark.parametrize(
    ("sizes", "word"),
    [
        ({"in_channels": 0}, "in_channels is 0"),
        ({"out_channels": -1}, "out_channels is -1"),
        ({"kernel": (3, 0)}, "kernel is 0"),
        ({"stride": 0}, "stride is 0"),
        ({"padding": -1}, "padding is -1"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(sizes, word):
    with pytest.raises(CnnvizError, match=f"conv2d: {word}"):
        Conv2d(**{"in_channels": 1, "out_channels": 1, "kernel": 3, **sizes})


@pytest.mark.parametrize("kernel", [(3, 3), (2, 3), (1, 1)])
@pytest.mark.parametrize("stride", [1, 2])
def test_batch_of_many_megabytes_is_its_halves(kernel, stride):
    rng = np.random.default_rng(0)
    layer = Conv2d(3, 5, kernel, stride, padding=1)
    parameters = layer.initial_parameters(rng)
    x = rng.normal(size=(24, 3, 40, 40))
    y = layer.forward(x, **parameters)
    dy = rng.normal(size=y.shape)
    whole = backward(layer, dy, x, **parameters)
    sums = {name: np.zeros_like(whole[name]) for name in ("dw", "db")}
    for half in (slice(0, 11), slice(11, 24)):
        assert_same(layer.forward(x[half], **parameters), y[half])
        part = backward(layer, dy[half], x[half], **parameters)
        assert_same(part["dx"], whole["dx"][half])
        for name in sums:
            sums[name] += part[name]
    for name, total in sums.items():
        assert_same(total, whole[name])


def test_input_need_not_lie_in_one_piece():
    layer = Conv2d(2, 2, 2)
    parameters = layer.initial_parameters(np.random.default_rng(0))
    x = np.random.default_rng(1).normal(size=(3, 5, 4, 2)).transpose(0, 3, 1, 2)
    assert_same(layer.forward(x, **parameters), layer.forward(x.copy(), **parameters))


@pytest.mark.parametrize("label", [label for label in CORNERS if label.startswith("conv2d")])
def test_scattered_and_gathered_gradient_of_the_input_agree(label):
    case = LayerCase(label, CORNERS[label])
    layer, arrays = case.layer(), case.arrays()
    (height, width), (above, _, left, _) = arrays["x"].shape[1:], layer.padding
    scattered = layer.scatter_call(arrays).writes["dx"]
    assert_same(scattered[:, above : above + height, left : left + width], arrays["dx"])


def test_only_the_input_gradient_has_two_views_and_the_scattered_one_shows_the_padding():
    case = LayerCase("", lambda: (Conv2d(2, 3, 2, stride=2, padding=1), (2, 4, 5)))
    layer, arrays = case.layer(), case.arrays()
    gathered, scattered = layer.backward_calls(arrays), layer.scattered_calls(arrays)
    assert [call.name for call in gathered] == [call.name for call in scattered]
    assert [call.form for call in gathered] == ["", "", "gathered"]
    assert [call.form for call in scattered] == ["", "", "scattered"]
    dx = scattered[-1].writes["dx"]
    assert dx.shape == (2, 6, 7)
    assert_same(scattered[-1].unpadded("dx", dx), arrays["dx"])
    assert scattered[-1].ports["dx"].placement.zeros.sum() == 6 * 7 - 4 * 5


def test_placements_tell_the_padding_and_the_zeros_between_gradients():
    layer = Conv2d(1, 1, 2, stride=2, padding=1)
    case = LayerCase("", lambda: (layer, (1, 3, 3)))
    forward, _, dw, dx = case.calls()[:4]
    inside = np.pad(np.zeros((3, 3), bool), 1, constant_values=True)
    np.testing.assert_array_equal(forward.ports["x"].placement.zeros, inside)
    np.testing.assert_array_equal(dw.ports["x"].placement.zeros, inside)
    np.testing.assert_array_equal(dx.ports["dy"].placement.zeros, dx.given["dy"][0] == 0)


def test_initialise_draws_kernels_as_he_et_al_propose():
    parameters = Conv2d(8, 500, 3).initial_parameters(np.random.default_rng(0))
    w = parameters["w"]
    assert w.std() == pytest.approx(np.sqrt(2 / 72), rel=0.02)
    assert abs(w.mean()) < 0.003
    assert not parameters["b"].any()
