"""The parameters that a lesson file gives to its network, and what formulas call them."""

from __future__ import annotations

from math import prod
from pathlib import Path

from cnnviz.engine.address import address_of
from cnnviz.engine.network import Network
from cnnviz.engine.wiring import unknown
from cnnviz.errors import CnnvizError
from cnnviz.lesson.arrays import read_arrays
from cnnviz.lesson.samples import file_beside
from cnnviz.lesson.tables import LessonFile, NetworkFile
from cnnviz.lesson.values import has_own_meaning, hint
from cnnviz.lesson.weights import read_weights
from cnnviz.text import tr


def load_parameters(path: Path, described: LessonFile, network: Network) -> None:
    """Give the network the parameters that the file holds, names, or has drawn."""
    known = list(network.parameter_shapes)
    if described.seed is not None:
        network.initialise(described.seed)
    elif described.weights is not None and isinstance(described, NetworkFile):  # as its own file had them
        arrays = read_arrays(file_beside(path, described.weights), known)
        for values in arrays.values():
            values.flags.writeable = False  # or a copy would be made, with its axes in another order
        network.load(arrays, described.weights)
    elif described.weights is not None:
        fitted = read_weights(file_beside(path, described.weights), network, described.layout)
        network.load(fitted.parameters, described.weights)
    elif described.parameters:
        given = {
            address_of(name, key): values
            for name, table in described.parameters.items()
            for key, values in table.items()
        }
        for key in given:
            if key not in known:
                raise CnnvizError(tr("parameters.{key}: is not known", key=key) + hint(key, known))
        network.load(dict(given), tr("parameters"))
    elif known:
        raise CnnvizError(
            tr(
                "weights or parameters or seed: one of them must be given, for {names}",
                names=", ".join(known),
            )
        )


def check_symbols(described: LessonFile, network: Network) -> None:
    """Refuse symbols for what there is not."""
    known = [*network.input_shapes, *(layer.name for layer in network.layers)]
    known += network.parameter_shapes
    for key in described.symbols:
        if key not in known:
            raise CnnvizError(tr("symbols.{key}: is not known", key=key) + hint(key, known))


def check_sizes(described: LessonFile, network: Network) -> None:
    """Raise CnnvizError unless the gradients whose sizes are asked for are there, each of as many numbers."""
    for name, layers in described.sizes.items():
        path = f"sizes.{name}"
        if not name.isidentifier() or name in network.shapes or has_own_meaning(name):
            raise CnnvizError(tr("{path}: needs a name of its own, letters, digits and _", path=path))
        for k, layer in enumerate(layers):
            if layer not in network.gradients:
                raise CnnvizError(unknown(f"{path}[{k}]", layer, list(network.gradients)).rstrip("."))
        counts = [prod(network.shapes[layer]) for layer in layers]
        if len(set(counts)) > 1:
            told = ", ".join(map(str, counts))
            said = tr("{path}: all its layers must put out as many numbers; they put out {told}")
            raise CnnvizError(said.format(path=path, told=told))
