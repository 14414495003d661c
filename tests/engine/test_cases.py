"""That nothing is left out of the table that the other tests go through."""

import pkgutil
from importlib import import_module
from inspect import getmembers, isabstract, isclass

import pytest

from cnnviz.engine import layers, logits, losses, optim
from cnnviz.engine.layer import Layer
from cnnviz.engine.layers.conv2d import Conv2d
from tests.cases import LAYER_CASES, LAYERS, LOSSES, OPTIMISERS


def kinds_of(base, *modules):
    found = (member for module in modules for _, member in getmembers(module, isclass))
    return {
        kind.kind
        for kind in found
        if issubclass(kind, base) and hasattr(kind, "kind") and not isabstract(kind)
    }


def test_every_layer_is_in_the_table():
    modules = [
        import_module(f"{layers.__name__}.{entry.name}") for entry in pkgutil.iter_modules(layers.__path__)
    ]
    several = {"add", "concat", "multiply"}  # `joined_network` and `product_network` have these
    assert kinds_of(Layer, *modules) == {*LAYERS, *several}


def test_every_loss_is_in_the_table():
    assert kinds_of(losses.Loss, losses, logits) == {kind.kind for kind, _ in LOSSES.values()}


def test_every_optimiser_is_in_the_table():
    assert kinds_of(optim.Optimiser, optim) == {make().kind for make in OPTIMISERS.values()}


@pytest.mark.parametrize(
    "trait",
    [
        lambda layer: max(layer.stride) > 1 and max(layer.padding) > 0,
        lambda layer: layer.kernel[0] > layer.kernel[1],
        lambda layer: layer.kernel[0] < layer.kernel[1],
        lambda layer: layer.padding[0] >= layer.kernel[0],
        lambda layer: layer.stride[0] > layer.kernel[0],
        lambda layer: layer.in_channels > 1 and layer.out_channels > 1,
        lambda layer: len(set(layer.padding)) > 2,
        lambda layer: layer.dilation[0] > layer.dilation[1] and max(layer.stride) > 1,
        lambda layer: layer.groups > 1 and layer.out_channels > layer.in_channels > layer.groups,
        lambda layer: layer.groups > 1 and max(layer.dilation) > 1 and not layer.bias,
    ],
)
def test_convolutions_of_every_sort_are_drawn(trait):
    assert any(trait(layer) for case in LAYER_CASES if isinstance(layer := case.layer(), Conv2d))
