"""Reads ``.pt2``: a program that ``torch.export`` has traced, a graph in JSON with its weights beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from cnnviz.errors import CnnvizError
from cnnviz.formats.archive import Archive
from cnnviz.formats.aten import Calls, Value
from cnnviz.formats.bounds import LONGEST_TEXT, MOST_ARRAYS, Budget
from cnnviz.formats.graph import Graph
from cnnviz.formats.tensors import flat, strided, width_of
from cnnviz.text import tr
from cnnviz.working import each

_TYPES = {
    **{1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64"},
    **{12: "bool", 13: "bfloat16"},
}
"""Numbers of types, from torch/_export/serde/schema.py."""


def read_exported(archive: Archive) -> Graph:
    """Return the graph of an exported program."""
    program = _json(archive, "models/model.json")
    module = program["graph_module"]
    graph, specs = module["graph"], module["signature"]["input_specs"]
    calls = Calls()
    values: dict[str, Any] = {}
    weights = _weights(archive)
    for spec in specs:
        for kind, key in (("parameter", "parameter_name"), ("buffer", "buffer_name")):
            if kind in spec and spec[kind][key] in weights:
                name = spec[kind][key]
                values[spec[kind]["arg"]["name"]] = calls.array(name, weights[name])
    inputs = {}
    for spec in specs:
        if "user_input" in spec:
            told = spec["user_input"]["arg"].get("as_tensor")
            if told is not None:
                values[told["name"]] = calls.reserve(told["name"])
                inputs[told["name"]] = _shape(graph["tensor_values"][told["name"]])
    for node in graph["nodes"]:
        _call(calls, node, values)
    specs_out = module["signature"]["output_specs"]
    outputs = [values.get(spec["user_output"]["arg"].get("as_tensor", {}).get("name"))
               for spec in specs_out if "user_output" in spec]  # fmt: skip
    return calls.graph(inputs, outputs, "PyTorch")


def _call(calls: Calls, node: Mapping[str, Any], values: dict[str, Any]) -> None:
    target = node["target"]
    operation = target.removeprefix("torch.ops.aten.")
    given = {
        _NAMES.get(part["name"], part["name"]): _argument(part["arg"], values) for part in node["inputs"]
    }
    name = _name(node)
    outputs = [part["as_tensor"]["name"] for part in node["outputs"] if "as_tensor" in part]
    if operation.startswith("sym_size"):
        return  # of the samples' axis; where it is read, it stands for a size that stays as it is
    if "getitem" in target:
        made = (given["a"] if "a" in given else given["x"])[given["b"]]
    elif operation == target:
        made = calls.emit(target[:200], name, [value for value in given.values() if isinstance(value, Value)])
    else:
        made = calls.call(operation, name, **given)
    values.update(zip(outputs, made if isinstance(made, tuple) else (made,), strict=False))
    if isinstance(made, tuple) and node["outputs"] and "as_tensors" in node["outputs"][0]:
        names = [part["name"] for part in node["outputs"][0]["as_tensors"]]
        values.update(zip(names, made, strict=False))


_NAMES = {"self": "x", "input": "x", "size": "shape"}


def _name(node: Mapping[str, Any]) -> str:
    """Return the path of the module that calls it, if that does nothing else; else its own name."""
    stack = str(node.get("metadata", {}).get("nn_module_stack", "")).split(";")[-1].split(",")
    own = str(node.get("name") or (node["outputs"] or [{}])[0].get("as_tensor", {}).get("name", "node"))
    is_single = len(stack) == 3 and stack[2].startswith("torch.nn.modules.") and "container" not in stack[2]
    return stack[1] if is_single and stack[1] else own


def _argument(told: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    """Return a number, a text, a value or a list of them."""
    kind, content = next(iter(told.items()))
    if kind == "as_none":
        return None
    if kind == "as_tensor":
        return values[content["name"]]
    if kind in ("as_tensors", "as_optional_tensors"):
        return [_argument(part, values) if "name" not in part else values[part["name"]] for part in content]
    if kind == "as_sym_int":
        return _size(content)
    if kind == "as_sym_ints":
        return [_size(part) for part in content]
    return content


def _size(told: Mapping[str, Any]) -> int:
    """Return a size; one that is free is that of the samples, and stays as it is: 0 in a new shape."""
    return int(told["as_int"]) if "as_int" in told else 0


def _shape(told: Mapping[str, Any]) -> tuple[int | None, ...]:
    return tuple(size.get("as_int") for size in told["sizes"])


def _weights(archive: Archive) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    budget = Budget()
    for folder in ("weights", "constants"):
        place = f"data/{folder}/model_{folder}_config.json"
        config = _json(archive, place)["config"] if archive.has(place) else {}
        if len(config) > MOST_ARRAYS:
            raise ValueError("too many arrays")
        for name, entry in each(tr("reading its numbers"), config.items()):
            if entry.get("use_pickle"):
                raise CnnvizError(tr("{name}: it is kept as a pickle of its own; export it again", name=name))
            told = entry["tensor_meta"]
            dtype = _TYPES.get(told["dtype"], str(told["dtype"]))
            data = archive.read(f"data/{folder}/{entry['path_name']}")
            storage = flat(data[: len(data) // width_of(dtype) * width_of(dtype)], dtype, budget)
            sizes, strides = ([part["as_int"] for part in told[key]] for key in ("sizes", "strides"))
            found[name] = strided(storage, told["storage_offset"]["as_int"], sizes, strides, budget)
    return found


def _json(archive: Archive, name: str) -> Any:
    return json.loads(bytes(archive.read(name, LONGEST_TEXT)).decode())
