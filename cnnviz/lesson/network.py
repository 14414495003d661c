"""Makes the network that a lesson file describes; its parameters are not given yet."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from cnnviz.catalogue import LAYERS, LOSSES, OPTIMISERS
from cnnviz.engine.layer import Layer, Shape
from cnnviz.engine.network import Network
from cnnviz.errors import CnnvizError
from cnnviz.lesson.tables import LayerPart, LessonFile
from cnnviz.text import tr

# Of a network's parameters and maps together: 512 MB, of which one iteration makes a few copies.
_MOST_NUMBERS = 2**26


def build_network(described: LessonFile) -> Network:
    """Make the network that a lesson file describes; its parameters are zeros.

    Raises
    ------
    CnnvizError
        If a layer does not fit what the one before it puts out, or all of it would be too large.
    """
    loss, optimiser = described.loss, described.optimiser
    return Network(
        build_layers(described.layers, described.input.shape),
        described.input.shape,
        LOSSES[loss.kind].make(**loss.arguments) if loss else None,
        OPTIMISERS[optimiser.kind].make(**optimiser.arguments) if optimiser else None,
    )


def build_layers(parts: Iterable[LayerPart], shape: Shape) -> list[tuple[str, Layer]]:
    """Make layers, the first of which sees inputs of a shape; raise CnnvizError if one does not fit."""
    numbers = prod(shape)
    layers: list[tuple[str, Layer]] = []
    for part in parts:
        layer = _make_layer(part, shape)
        shape = layer.output_shape(shape)
        numbers += prod(shape) + sum(parameter.value.size for parameter in layer.parameters.values())
        if numbers > _MOST_NUMBERS:
            raise _too_large(part.name)
        layers.append((part.name, layer))
    return layers


def _make_layer(part: LayerPart, shape: Shape) -> Layer:
    entry = LAYERS[part.kind]
    filled = {entry.filled: shape[0]} if entry.filled and shape else {}
    try:
        layer = entry.make(**(filled | dict(part.arguments)))
    except (MemoryError, ValueError, OverflowError) as error:
        raise _too_large(part.name) from error
    layer.name = part.name
    return layer


def _too_large(layer: str) -> CnnvizError:
    return CnnvizError(
        tr(
            "{layer}: with it, the network has more than {most:,} numbers in its parameters and maps, "
            "which is the most; make it smaller.",
            layer=layer,
            most=_MOST_NUMBERS,
        )
    )
