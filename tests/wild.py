"""Numbers as they come when something goes wrong: infinite, none, too large, zeros of both signs, ties."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnviz.engine.layer import Array, Call, Layer
from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.layers.linear import Linear
from cnnviz.engine.losses import Loss
from cnnviz.engine.network import Network
from tests.cases import LAYERS, LOSSES, OPTIMISERS, PLAIN, LayerCase, Rng, arrays_of

LARGE = (1e154, -1e154, 1e200, -1e200, 1e300, -1e300, 1.7e308, -1.7e308, 1e-200, -5e-324)
NONE = (np.inf, -np.inf, np.nan)


def wild(rng: Rng, shape: Sequence[int], *more: tuple[float, ...]) -> Array:
    """Mostly a few plain numbers, so that many are equal; now and then others, and a few of them all over."""
    values = rng.choice(PLAIN, shape)
    others = [number for each in more for number in each]
    if others:
        values = np.where(rng.random(shape) < rng.choice([0.05, 0.2, 0.8]), rng.choice(others, shape), values)
    return values


def wild_calls(case: LayerCase, rng: Rng) -> list[Call]:
    """A layer's listings on such numbers; parameters are finite, as every network's are before it runs."""
    layer, shape = case.make()
    parameters = {name: wild(rng, shape, LARGE) for name, shape in layer.parameter_shapes.items()}
    x, dy = wild(rng, (1, *shape), LARGE, NONE), wild(rng, (1, *layer.output_shape(shape)), LARGE, NONE)
    with np.errstate(all="ignore"):
        arrays = arrays_of(layer, parameters, x[0], dy[0])
        calls = [*layer.forward_calls(arrays), *layer.backward_calls(arrays)]
        return [*calls, layer.scatter_call(arrays)] if isinstance(layer, Conv2d) else calls


def wild_network(rng: Rng) -> tuple[Network, Array, Array]:
    """A network of some layers with a loss and an optimiser, a sample and a target; all large at times."""
    shape: tuple[int, ...] = (int(rng.integers(1, 3)), *(int(n) for n in rng.integers(1, 6, 2)))
    first, layers = shape, []
    for k in range(int(rng.integers(1, 5))):
        layer = _fitting(rng, shape)
        layers.append((f"{layer.kind}{k}", layer))
        shape = layer.output_shape(shape)
    if len(shape) == 3:
        layers.append(("flatten", Flatten()))
        shape = layers[-1][1].output_shape(shape)
    layers.append(("fc", Linear(shape[0], int(rng.integers(1, 5)))))
    kind, target = LOSSES[str(rng.choice(list(LOSSES)))]
    loss: Loss = kind()
    if loss.follows:
        layers.append(("last", loss.follows()))
    network = Network(layers, first, loss, OPTIMISERS[str(rng.choice(list(OPTIMISERS)))]())
    for key, shape in network.parameter_shapes.items():
        network.parameters[key] = wild(rng, shape, *[LARGE] * int(rng.integers(2)))
    t = target(rng, network.output_shape[0])
    return network, wild(rng, first, *[LARGE] * int(rng.integers(2))), t


def _fitting(rng: Rng, shape: tuple[int, ...]) -> Layer:
    """A layer that takes a shape; the drawn ones that do not are passed over."""
    while True:
        kind = str(rng.choice(list(LAYERS)))
        if kind == "conv2d":
            height, width, kernels, stride, padding = (int(n) for n in rng.integers((1, 1, 1, 1, 0), 3))
            layer: Layer = Conv2d(shape[0], kernels, (height, width), stride, padding)
        elif kind == "linear":
            layer = Linear(shape[0], int(rng.integers(1, 5)))
        else:
            layer = LAYERS[kind](rng)[0]
        try:
            layer.output_shape(shape)
        except Exception:
            continue
        return layer


def assert_as_python(found: Array, wanted: Array, where: object = "", scale: float = 0.0) -> None:
    """The same cells NaN, the same ∞, the same −∞; the finite ones equal up to a part of the largest."""
    found, wanted = np.asarray(found, float), np.asarray(wanted, float)
    assert found.shape == wanted.shape, where
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted), err_msg=str(where))
    np.testing.assert_array_equal(found[~finite], wanted[~finite], err_msg=str(where))
    largest = max(np.abs(wanted[finite]).max(initial=0), scale)
    with np.errstate(over="ignore", under="ignore"):
        error = np.abs(found[finite] / 2 - wanted[finite] / 2).max(initial=0)
    assert error <= 5e-13 * largest, where
