import math
import re

import numpy as np
import pytest

from cnnviz.engine.layers.leaky_relu import LeakyReLU
from cnnviz.engine.layers.softmax import Softmax
from cnnviz.engine.logits import BCEWithLogits, CrossEntropyWithLogits, LossOfScores
from cnnviz.engine.losses import (
    NLL,
    BinaryCrossEntropy,
    CrossEntropy,
    HalfSquaredError,
    Hinge,
    MeanSquaredError,
)
from cnnviz.engine.network import Network
from tests.cases import LOSSES, each_loss, map_target, network_for


def value(loss, y, t):
    return float(loss.value(np.array([y], float), np.array([t], float))[0])


def test_half_squared_error_is_half_the_squared_differences():
    assert value(HalfSquaredError(), [1, 5], [3, 2]) == 6.5


def test_mean_squared_error_is_the_mean_over_all_outputs():
    """As PyTorch's mse_loss."""
    loss, y, t = MeanSquaredError(), np.array([[0.7, 0.2]]), np.array([[1.0, 0.0]])
    assert loss.value(y, t)[0] == pytest.approx(0.065, rel=1e-14)
    np.testing.assert_allclose(loss.gradient(y, t), [[-0.3, 0.2]], rtol=1e-14)
    maps, wanted = np.arange(12.0).reshape(1, 2, 3, 2), np.zeros((1, 2, 3, 2))
    assert loss.value(maps, wanted)[0] == 506 / 12
    assert loss.gradient(maps, wanted)[0, 1, 2, 1] == 2 * 11 / 12
    assert HalfSquaredError().value(maps, wanted)[0] == 253


@pytest.mark.parametrize(
    ("y", "c", "margin", "expected", "slopes"),
    [
        ((-2.85, 0.86, 0.28), 2, 1.0, 1.58, (0, 1, -1)),
        ((3.2, 5.1, -1.7), 0, 1.0, 2.9, (-1, 1, 0)),
        ((0, 0, 0), 1, 1.0, 2, (1, -2, 1)),
        ((0, 1, 0), 1, 1.0, 0, (0, 0, 0)),  # the margin is just kept
        ((0, 1, 0.5), 1, 2.5, 1.5 + 2, (1, -2, 1)),
        ((np.inf, 0, 0), 1, 1.0, np.inf, (1, -2, 1)),
    ],
)
def test_hinge_is_by_how_much_wrong_classes_come_near(y, c, margin, expected, slopes):
    loss, t = Hinge(margin), np.eye(3)[[c]]
    assert loss.value(np.array([y], float), t)[0] == pytest.approx(expected, rel=1e-14)
    assert loss.gradient(np.array([y], float), t).tolist() == [list(slopes)]


def test_cross_entropy_is_the_surprise_at_the_target():
    assert value(CrossEntropy(), [0.2, 0.8], [0, 1]) == pytest.approx(-np.log(0.8), rel=1e-15)


def test_binary_cross_entropy_asks_each_output_by_itself():
    expected = -np.log(0.2) - np.log(1 - 0.9)
    assert value(BinaryCrossEntropy(), [0.2, 0.9], [1, 0]) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("loss", [CrossEntropy(), BinaryCrossEntropy()])
def test_certain_and_right_costs_nothing_and_warns_of_nothing(loss):
    assert value(loss, [0, 1], [0, 1]) == 0


def test_certain_and_wrong_costs_without_bound():
    assert value(CrossEntropy(), [0, 1], [1, 0]) == np.inf


@each_loss
def test_gradient_is_the_slope(label):
    kind, target = LOSSES[label]
    loss, rng = kind(), np.random.default_rng(0)
    last = network_for(loss).layers[-1]
    x, t = rng.normal(size=(1, 4)), target(rng, 4)[None]
    through = last.forward if loss.follows else lambda x: x

    def energy(x):
        return loss.value(through(x), t)[0]

    gradient = loss.gradient(through(x), t)[0]
    for k, step in enumerate(1e-6 * np.eye(4)):
        slope = (energy(x + step) - energy(x - step)) / 2e-6
        assert gradient[k] == pytest.approx(slope, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("label", [label for label in LOSSES if "weighted-mean" not in label])
def test_each_sample_has_its_own_loss(label):
    kind, target = LOSSES[label]
    loss, rng = kind(), np.random.default_rng(1)
    y, t = rng.random((3, 4)), np.array([target(rng, 4) for _ in range(3)])
    apart = [float(loss.value(y[k : k + 1], t[k : k + 1])[0]) for k in range(3)]
    np.testing.assert_allclose(loss.value(y, t), apart, rtol=1e-14)


def of_scores(loss, x, t):
    """The loss through its last layer, which rounds probabilities as it must."""
    x, t = np.array([x], float), np.array([t], float)
    with np.errstate(all="ignore"):
        return float(loss.value(loss.follows().forward(x), t, x)[0])


@pytest.mark.parametrize(
    "x, t, expected",
    [  # worked out to 40 digits; what PyTorch's cross_entropy gives for the same scores
        ((0, 1000), (1, 0), 1000),
        ((0, 1000, -1000), (0.25, 0.25, 0.5), 1250),
        ((-800, 0, 1), (1, 0, 0), 801.3132616875182),
        ((0, 1000), (0, 1), 0),
        ((1, 2, 0.5), (0, 0, 1), 1.964368784107945),
    ],
)
def test_cross_entropy_of_scores_is_right_where_a_probability_has_vanished(x, t, expected):
    assert of_scores(CrossEntropy(), x, t) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(
    "x, t, expected",
    [  # as with PyTorch's binary_cross_entropy_with_logits
        ((800,), (0,), 800),
        ((-800,), (1,), 800),
        ((800, -800), (1, 0), 0),
        ((30, 1), (0, 1), 30.313261687518317),
        ((-40, 36), (0.5, 0.25), 47),
        ((0.5,), (0,), 0.9740769841801067),
    ],
)
def test_binary_cross_entropy_of_scores_is_right_where_an_output_is_0_or_1(x, t, expected):
    assert of_scores(BinaryCrossEntropy(), x, t) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("x, listing", [((0, 1000), "cross_entropy_of_scores"), ((0, 700), "cross_entropy")])
def test_its_listing_reads_the_scores_only_where_that_is_better(x, listing):
    network = Network([("softmax", Softmax())], (2,), CrossEntropy())
    calls = network.calls(network.run(np.array(x, float), np.array([1.0, 0.0])))
    loss = next(call for call in calls if call.phase == "loss")
    assert loss.listing.__name__ == listing
    np.testing.assert_allclose(loss.writes["E"], x[1])
    gradient = next(call for call in calls if call.name == "softmax.dx")
    np.testing.assert_allclose(gradient.writes["dx"], [-1, 1])


@pytest.mark.parametrize("x, expected", [((np.inf, 0), np.nan), ((-np.inf, 0), np.inf)])
def test_scores_that_are_no_numbers_give_what_probabilities_give(x, expected):
    np.testing.assert_equal(of_scores(CrossEntropy(), x, (1, 0)), expected)


@pytest.mark.parametrize("loss", [CrossEntropy(), BinaryCrossEntropy()])
def test_the_loss_of_a_certain_truth_is_0_and_not_minus_0(loss):
    certain = np.array([[1.0, 0.0]])
    value = loss.value(certain, certain)
    assert value == 0 and not np.signbit(value)


def of_column(loss, x, t):
    """What a column's scores cost, in plain Python."""
    if isinstance(loss, CrossEntropy):
        m = max(x)
        log_sum = m + math.log(math.fsum(math.exp(a - m) for a in x))
        return math.fsum(b * (log_sum - a) for a, b in zip(x, t, strict=True))
    if isinstance(loss, BinaryCrossEntropy):
        return math.fsum(max(a, 0) - a * b + math.log1p(math.exp(-abs(a))) for a, b in zip(x, t, strict=True))
    if isinstance(loss, LossOfScores):
        weights = loss.weight_of(np.zeros((1, len(x)))).tolist()
        if isinstance(loss, CrossEntropyWithLogits):
            return of_column(CrossEntropy(), x, [a * b for a, b in zip(weights, t, strict=True)])
        parts = zip(weights, x, t, strict=True)
        return math.fsum(
            w * b * (max(-a, 0) + math.log1p(math.exp(-abs(a))))
            + (1 - b) * (max(a, 0) + math.log1p(math.exp(-abs(a))))
            for w, a, b in parts
        ) / len(x)
    if isinstance(loss, NLL):
        return -math.fsum(a * b for a, b in zip(x, t, strict=True))
    right = t.index(1)
    return math.fsum(max(0, 1 + a - x[right]) for k, a in enumerate(x) if k != right)


@pytest.mark.parametrize(("size", "shape"), [(1.0, (3, 2, 4)), (1000.0, (3, 2, 4)), (1000.0, (3, 8))])
@pytest.mark.parametrize("label", [label for label in LOSSES if not re.search("squared|absolute", label)])
def test_behind_maps_it_is_the_mean_over_all_places_of_that_of_their_channels(label, size, shape):
    """As PyTorch's cross_entropy of (N, C, H, W), or of (N, C, L); slopes by differences."""
    rng = np.random.default_rng(3)
    loss = LOSSES[label][0]()
    network = Network([("last", loss.follows() if loss.follows else LeakyReLU(1.0))], shape, loss)
    x, t = size * rng.normal(size=shape), map_target(label, rng, shape)
    by_weight = getattr(loss, "weighted_mean", False)
    weight = math.fsum(t.reshape(3, 8).sum(axis=1) * loss.weights) if by_weight else 8

    def mean(x):
        places = zip(x.reshape(3, 8).T.tolist(), t.reshape(3, 8).T.tolist(), strict=True)
        return math.fsum(of_column(loss, *place) for place in places) / weight

    tape = network.run(x, t)
    assert float(tape["loss.value"]) == pytest.approx(mean(x), rel=1e-12)
    slopes = tape["last.dx"]
    for cell in np.ndindex(shape):
        step = np.zeros(shape)
        step[cell] = 1e-6 * size
        slope = (mean(x + step) - mean(x - step)) / (2e-6 * size)
        assert slopes[cell] == pytest.approx(slope, rel=1e-5, abs=1e-7)


def test_softmax_of_maps_is_over_the_channels_of_each_place():
    rng, shape = np.random.default_rng(3), (3, 2, 4)
    x, dy = rng.normal(size=(2, *shape)), rng.normal(size=(2, *shape))
    maps = Softmax()
    y = maps.forward(x)
    dx = maps.backward(dy, x, y=y)["dx"]
    for n, i, j in np.ndindex(2, 2, 4):
        total = math.fsum(math.exp(a) for a in x[n, :, i, j])
        here = [math.exp(a) / total for a in x[n, :, i, j]]
        np.testing.assert_allclose(y[n, :, i, j], here, rtol=1e-12)
        dot = math.fsum(a * b for a, b in zip(dy[n, :, i, j], here, strict=True))
        np.testing.assert_allclose(
            dx[n, :, i, j], [a * (b - dot) for a, b in zip(here, dy[n, :, i, j], strict=True)], rtol=1e-10
        )


SCORES = np.array([[[0.3, -800], [2, 30]], [[-1.5, 0], [2, -40]], [[0.7, 900], [0, 0]]])[None]


@pytest.mark.parametrize("label", ["ce", "ce-weighted", "bce", "bce-weighted"])
def test_losses_of_scores_are_those_of_pytorch(label):
    """Values and gradients that PyTorch's CrossEntropyLoss and BCEWithLogitsLoss give; large scores, maps."""
    targets = np.array([[[1, 0.25], [0, 0]], [[0, 0.25], [0.5, 0]], [[0, 0.5], [0.5, 1]]])[None]
    weights = (0.5, 2.0, 3.0) if label.endswith("weighted") else None
    loss = (BCEWithLogits if label.startswith("bce") else CrossEntropyWithLogits)(weights)
    value, slopes = OF_PYTORCH[label]
    np.testing.assert_allclose(loss.value(SCORES, targets), value, rtol=1e-14)
    found = loss.gradient(SCORES, targets)
    np.testing.assert_allclose(found.ravel(), slopes, rtol=1e-12, atol=1e-16)
    assert loss.misfit((3, 2, 2)) == ""
    if weights:
        said = "must be 2 numbers, one for each class, but there are 3"
        assert loss.misfit((2, 2, 2)) == f"{loss.weight_name} {said}"


@pytest.mark.parametrize("shape", [(3,), (3, 4), (3, 2, 2)])
def test_with_labels_the_mean_of_samples_is_by_weight(shape):
    """PyTorch's CrossEntropyLoss(weight=(0.5, 2, 3)) of four samples with labels, as it is documented."""
    weights, rng = np.array([0.5, 2, 3]), np.random.default_rng(1)
    network = Network([("last", LeakyReLU(1.0))], shape, CrossEntropyWithLogits((0.5, 2, 3), True))
    x, labels = rng.normal(size=(4, *shape)), rng.integers(3, size=(4, *shape[1:]))
    tape = network.run(x, np.moveaxis(np.eye(3)[labels], -1, 1), samples=4)
    columns, wanted = np.moveaxis(x, 1, -1).reshape(-1, 3), labels.ravel()
    e = np.exp(columns)
    p, w = e / e.sum(axis=1, keepdims=True), weights[wanted]
    assert tape["loss.mean"] == pytest.approx(
        -(w * np.log(p[range(len(p)), wanted])).sum() / w.sum(), rel=1e-13
    )
    slopes = (w[:, None] * (p - np.eye(3)[wanted])) / w.sum()
    np.testing.assert_allclose(np.moveaxis(tape["last.dx"], 1, -1).reshape(-1, 3), slopes, rtol=1e-12)
    alone = network.run(x[0], np.moveaxis(np.eye(3)[labels[0]], -1, 0))["loss.value"]
    own = slice(0, len(p) // 4)
    assert alone == pytest.approx(
        np.average(-np.log(p[range(len(p)), wanted])[own], weights=w[own]), rel=1e-13
    )


def test_a_small_loss_keeps_its_digits():
    """Of scores that are all but certain, a loss is as small as it is, and not 0."""
    certain = BCEWithLogits().value(np.array([[-40.0]]), np.array([[0.0]]))
    assert certain[0] == pytest.approx(math.exp(-40), rel=1e-12)


OF_PYTORCH = {
    "ce": (
        170.68396696367122,
        [
            *(-0.15591329611836002, -0.0625, 0.1170776327083703, 0.24999999999997663),
            *(0.015552427548068714, -0.0625, -0.007922367291629706, 9.938624339770627e-32),
            *(0.1403608685702913, 0.125, -0.10915526541674059, -0.2499999999999766),
        ],
    ),
    "ce-weighted": (
        189.47129531967545,
        [
            *(-0.07795664805918001, -0.03125, 0.2926940817709257, 0.7499999999999298),
            *(0.007776213774034357, -0.125, 0.042694081770925735, 2.981587301931188e-31),
            *(0.07018043428514564, 0.15625, -0.33538816354185147, -0.7499999999999298),
        ],
    ),
    "bce": (
        57.266021011258545,
        [
            *(-0.035463123599028416, -0.020833333333333332, 0.07339975649815686, 0.08333333333332554),
            *(0.015202126983863029, 0.020833333333333332, 0.031733089831490195, 3.5402952127429907e-19),
            *(0.05568231434734718, 0.041666666666666664, 0.0, -0.041666666666666664),
        ],
    ),
    "bce-weighted": (
        49.102605571267475,
        [
            *(-0.017731561799514208, -0.010416666666666666, 0.07339975649815686, 0.08333333333332554),
            *(0.015202126983863029, 0.010416666666666666, 0.02676630141390196, 3.5402952127429907e-19),
            *(0.05568231434734718, 0.041666666666666664, -0.041666666666666664, -0.125),
        ],
    ),
}
