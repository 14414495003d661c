"""Reads the parameters of a lesson's network from a file beside it, also from those of other programs.

Which array belongs where is said by its name: ``conv1.w``, or ``conv1.weight`` as PyTorch has it, or
``conv1.kernel`` as Keras has. Where no name is that of a layer, as in a Sequential, they are taken in order.
How an array's axes lie is said by the program that wrote it; where that is not known and both would fit, it
is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.engine.address import address_of, name_of, node_of, split
from cnnviz.engine.layer import Shape, require_shape, shape_text
from cnnviz.engine.network import Network
from cnnviz.errors import CnnvizError
from cnnviz.lesson.arrays import Header, read_arrays
from cnnviz.text import plain, tr

_WRITTEN = {
    "w": ("w", "weight", "kernel"),
    "b": ("b", "bias"),
    "gamma": ("gamma", "weight"),
    "beta": ("beta", "bias"),
    "mean": ("mean", "running_mean", "moving_mean"),
    "var": ("var", "running_var", "moving_variance"),
}
_CONVENTIONS = {"w": "cnnviz", "kernel": "keras", "weight": "pytorch"}

_MOST_TOLD = 12
_LONGEST_NAME = 60

Arrays = Mapping[str, NDArray[Any]]


class UnknownLayoutError(CnnvizError):
    """Weights may lie either way round, and nothing says which."""


class Fitted(Struct, frozen=True, eq=False):
    """What of a file is which parameter.

    Attributes
    ----------
    file : str
        The file's name.
    parameters : Mapping[str, NDArray]
        All parameters of the network, by their addresses.
    names : Mapping[str, str]
        What the file calls each of them.
    unused : tuple[str, ...]
        What there is in the file besides.
    """

    file: str
    parameters: Mapping[str, NDArray[np.floating]]
    names: Mapping[str, str]
    unused: tuple[str, ...] = ()

    def __str__(self) -> str:
        pairs = [
            key if key == name else tr("{name} is {key}", name=name, key=key)
            for key, name in self.names.items()
        ]
        said = tr("Weights of {file}: {pairs}", file=plain(self.file), pairs=_list(pairs))
        if self.unused:
            said = tr("{said}; no layer takes {names}", said=said, names=_list(self.unused))
        return f"{said}."


class _Stored(Struct, frozen=True, eq=False):
    """The arrays of a file, and whose layout they have, as far as the file itself says it."""

    arrays: Arrays
    layout: str = ""


def read_weights(path: Path, network: Network, layout: str | None) -> Fitted:
    """Return all parameters of a network, and what the file calls them.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    layout : str, optional
        Whose axes the arrays have, a `Layout` of the tables, where the lesson says it.

    Raises
    ------
    CnnvizError
        If one is missing, has another shape, or may lie either way round.
    """
    shapes = network.parameter_shapes
    stored = _read(path, network, layout)
    names = _names(path.name, stored.arrays, shapes)
    parameters = {key: _laid(path.name, network, key, names[key], stored, layout) for key in shapes}
    used = set(names.values())
    unused = (name for name, values in stored.arrays.items() if name not in used and np.ndim(values))
    return Fitted(path.name, parameters, names, tuple(unused))


def has_weights(path: Path, network: Network) -> bool:
    """Return whether an .npz file has an array whose name is that of a parameter."""
    try:
        arrays = read_arrays(path)
    except CnnvizError:
        return False
    return bool(_by_name(arrays, network.parameter_shapes))


def _read(path: Path, network: Network, layout: str | None) -> _Stored:
    """Read all arrays; of a file with a graph, those of the layers that it has."""
    if path.suffix.lower() == ".npz":
        shapes = network.parameter_shapes

        def check(headers: Mapping[str, Header]) -> None:
            for key in shapes.keys() & headers.keys() if layout in (None, "cnnviz") else ():
                layer, name = split(key)
                require_shape(layer, name, headers[key], shapes[key])

        arrays = read_arrays(path, shapes, check)
        return _Stored(arrays if len(arrays) == len(shapes) else read_arrays(path))
    from cnnviz.formats.reader import read
    from cnnviz.formats.rewrite import as_the_file_has_it, rewrite
    from cnnviz.lesson.opened import Known

    graph = read(path)
    if graph.nodes:
        try:
            found = rewrite(graph, Known(), as_the_file_has_it(graph, network.input_shape))
        except CnnvizError as error:
            raise CnnvizError(tr("{file}: {fault}", file=path.name, fault=str(error))) from error
        arrays = {
            address_of(part.name, name): values
            for part in found.layers
            for name, values in part.arrays.items()
        }
        return _Stored(arrays, "cnnviz")
    return _Stored(graph.arrays, graph.metadata.get("layout", ""))


def _names(file: str, arrays: Arrays, shapes: Mapping[str, Shape]) -> dict[str, str]:
    """Return which array is which parameter: by names, or in order where no name is known."""
    found = _by_name(arrays, shapes) or _in_order(arrays, shapes)
    for key, shape in shapes.items():
        if key not in found:
            many = {name: values.shape for name, values in arrays.items() if np.ndim(values)}
            fitting = [name for name in many if sorted(many[name]) == sorted(shape)]
            there = [f"{name} ({shape_text(many[name])})" for name in fitting or many]
            needed = {"file": file, "key": key, "shape": shape_text(shape)}
            raise CnnvizError(
                tr("{file}: {key} ({shape}) is missing; what fits is {there}", **needed, there=_list(there))
                if fitting
                else tr(
                    "{file}: {key} ({shape}) is missing, and nothing has its size; there is {there}",
                    **needed,
                    there=_list(there) or tr("nothing"),
                )
            )
    return found


def _by_name(arrays: Arrays, shapes: Mapping[str, Shape]) -> dict[str, str]:
    """Return the arrays whose names are those of parameters, as one of the programs writes them."""
    by_name = {(_identifier(module), kind): name for name in arrays for module, kind in [_split(name)]}
    found: dict[str, str] = {}
    for key in shapes:
        layer, own = split(key)
        for kind in _WRITTEN.get(own, (own,)):
            if (layer, kind) in by_name:
                found[key] = by_name[layer, kind]
                break
    return found


def _in_order(arrays: Arrays, shapes: Mapping[str, Shape]) -> dict[str, str]:
    """Return the arrays of modules in their order for layers in theirs, if there are as many of each."""
    known = {kind for kinds in _WRITTEN.values() for kind in kinds}
    modules: dict[str, dict[str, str]] = {}
    for name in arrays:
        module, kind = _split(name)
        if kind in known:
            modules.setdefault(module, {})[kind] = name
    layers: dict[str, list[str]] = {}
    for key in shapes:
        layers.setdefault(node_of(key), []).append(key)
    if len(modules) != len(layers):
        return {}
    pairs = zip(layers.values(), modules.values(), strict=True)
    return {
        key: module[kind]
        for keys, module in pairs
        for key in keys
        for kind in _WRITTEN.get(name_of(key), ())
        if kind in module
    }


def _list(words: Sequence[str]) -> str:
    """Return a list that does not get too long."""
    said = ", ".join(plain(word[:_LONGEST_NAME]) for word in words[:_MOST_TOLD])
    more = len(words) - _MOST_TOLD
    return tr("{said} and {more} more", said=said, more=more) if more > 0 else said


def _split(name: str) -> tuple[str, str]:
    module, _, kind = name.rpartition(".")
    return module, kind


def _identifier(module: str) -> str:
    return re.sub(r"\W+", "_", module)


def _laid(
    file: str, network: Network, key: str, name: str, stored: _Stored, asked: str | None
) -> NDArray[np.floating]:
    """Return an array with its axes as the network has them."""
    values, shape = np.asarray(stored.arrays[name]), network.parameter_shapes[key]
    kind = _split(name)[1]
    # That weights are called so says that PyTorch wrote them only where a program did, and no person.
    told = "" if kind == "weight" and file.endswith(".npz") else _CONVENTIONS.get(kind, "")
    layout = asked or stored.layout or told
    if values.ndim == 2 and len(shape) == 2:
        if not layout and shape[0] == shape[1]:
            raise UnknownLayoutError(
                tr(
                    "{file}: {name} is square, and nothing says which of its axes the neurons are; "
                    'write layout = "pytorch" or "keras" beside weights in a lesson file, '
                    "?layout=pytorch or ?layout=keras behind the file elsewhere",
                    file=file,
                    name=name,
                )
            )
        if layout == "pytorch" or (not layout and values.shape == shape[::-1]):
            values = values.T
        if layout == "keras":
            values = _channels_first(network, node_of(key), values)
    elif values.ndim == 4 and layout == "keras":
        values = values.transpose(3, 2, 0, 1)
    elif values.ndim == 3 and layout == "keras":
        values = values.transpose(2, 1, 0)
    layer, own = split(key)
    require_shape(layer, f"{own} ({name})", values, shape)
    return np.ascontiguousarray(values, np.float64)


def _channels_first(network: Network, layer: str, values: NDArray[Any]) -> NDArray[Any]:
    """Return weights behind a flatten, which Keras counts channel last, in the order of channels first."""
    source = network.inputs[layer][0]
    while source != "input" and network.layer(source).kind != "flatten":
        if len(network.shapes[source]) != 1 or network.shapes[source] != network.shapes.get(
            network.inputs[source][0]
        ):
            return values
        source = network.inputs[source][0]
    if source == "input":
        return values
    channels, height, width = network.shapes[network.inputs[source][0]]
    if len(values) != channels * height * width:
        return values
    return values.reshape(height, width, channels, -1).transpose(2, 0, 1, 3).reshape(len(values), -1)
