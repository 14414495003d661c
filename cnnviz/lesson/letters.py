"""The names that a lesson file gives to the cells of a layer's arrays, checked against their shapes."""

from __future__ import annotations

from math import prod
from pathlib import Path

from cnnviz.engine.address import address_of
from cnnviz.engine.layer import Layer, Shape
from cnnviz.engine.network import Network
from cnnviz.lesson.files import wrong
from cnnviz.lesson.tables import LessonFile
from cnnviz.lesson.values import hint, shown
from cnnviz.scene.letters import ZERO
from cnnviz.text import tr

_LONGEST = 4


def read_letters(path: Path, described: LessonFile, network: Network) -> dict[str, tuple[str, ...]]:
    """Return the names that a lesson file gives, keyed as in a tape: ``conv.x``.

    Raises
    ------
    CnnvizError
        If a layer has no such array, or there is not one name for each of its cells; the sentence has all
        faults.
    """
    faults: list[str] = []
    found: dict[str, tuple[str, ...]] = {}
    for layer in network.layers:
        shapes = _shapes_of(layer, network)
        taken: dict[str, str] = {}
        for array, text in described.letters.get(layer.name, {}).items():
            place, row = f"letters.{layer.name}.{array}", tuple(text.split())
            if array not in shapes:
                faults.append(tr("{path}: is not known", path=place) + hint(array, list(shapes)))
                continue
            count = prod(shapes[array])
            if len(row) != count:
                said = tr(
                    "{path}: must be {count} names with blanks between, one for each cell, but are {found}"
                )
                faults.append(said.format(path=place, count=count, found=len(row)))
            for name in row:
                if len(name) > _LONGEST:
                    said = tr("{path}: a name has at most {most} letters, unlike {name}")
                    faults.append(said.format(path=place, most=_LONGEST, name=shown(name)))
                elif name in taken and name != ZERO:
                    said = tr("{path}: {name} is the name of another cell already, in {array}")
                    faults.append(said.format(path=place, name=name, array=taken[name]))
                taken.setdefault(name, array)
            found[address_of(layer.name, array)] = row
    if faults:
        raise wrong(path, faults)
    return found


def array_shapes(network: Network) -> dict[str, Shape]:
    """Return the shape of every array whose cells may have names, keyed as in a tape."""
    return {
        address_of(layer.name, array): shape
        for layer in network.layers
        for array, shape in _shapes_of(layer, network).items()
    }


def _shapes_of(layer: Layer, network: Network) -> dict[str, Shape]:
    inputs = zip(layer.input_names, network.inputs[layer.name], strict=True)
    shapes = {name: network.shapes[source] for name, source in inputs}
    return shapes | {**layer.parameter_shapes, "y": network.shapes[layer.name]}
