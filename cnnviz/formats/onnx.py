"""Reads ``.onnx`` files, and the files with numbers that lie beside them.

Source of the numbers of the fields: onnx.proto of github.com/onnx/onnx.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.errors import CnnvizError
from cnnviz.files import open_regular, reason_of
from cnnviz.formats.bounds import MOST_ARRAYS, MOST_NODES, Budget
from cnnviz.formats.graph import CLASSES, Attribute, Graph, Node
from cnnviz.formats.protobuf import Message
from cnnviz.formats.tensors import checked_shape, dense, frozen, width_of
from cnnviz.text import tr
from cnnviz.working import each

_TYPES = {
    **{1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string"},
    **{9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 14: "complex64"},
    **{15: "complex128", 16: "bfloat16", 17: "float8_e4m3fn", 18: "float8_e4m3fnuz", 19: "float8_e5m2"},
    **{20: "float8_e5m2fnuz", 21: "uint4", 22: "int4", 23: "float4"},
}
_SOFTMAX_ALONG_ONE_AXIS = 13
"""Since this version, a softmax goes along one axis, the last one if none is named."""

_FROM_INT32 = {"float16": "u2", "bfloat16": "u2", "bool": "u1"}
"""What the lower bytes of a field of int32 mean for types that have no field of their own."""


def read_onnx(data: memoryview, path: Path) -> Graph:
    """Return the graph of a model.

    Parameters
    ----------
    data : memoryview
        The file.
    path : pathlib.Path
        Where it lies: numbers kept in other files are read from its folder, and from nowhere else.
    """
    budget, external = Budget(), _External(path)
    model = Message(data, [0])
    if not model.has(7):
        raise ValueError("no graph")
    graph = model.messages(7)[-1]
    tensors = graph.messages(5)
    if len(graph.parts(1)) > MOST_NODES or len(tensors) > MOST_ARRAYS:
        raise _too_many(len(graph.parts(1)))
    if graph.has(15):
        raise CnnvizError(tr("it has sparse arrays; save it with dense ones"))
    arrays = {}
    for tensor in each(tr("reading its numbers"), tensors):
        arrays[tensor.text(8)] = _tensor(tensor, budget, external)
    inputs = {info.text(1): _shape(info) for info in graph.messages(11)}
    opset = _opset(model.messages(8))
    functions = {_called(part, 10, 1, 13): part for part in model.messages(25)}
    nodes = _Calls(functions, budget, external).nodes(graph.messages(1), opset)
    return Graph(
        nodes=tuple(nodes),
        arrays=arrays,
        inputs={name: shape for name, shape in inputs.items() if name not in arrays},
        outputs=tuple(info.text(1) for info in graph.messages(12)),
        metadata={
            "format": "ONNX",
            "producer": f"{model.text(2)} {model.text(3)}".strip(),
            "opset": str(opset),
            **_classes(model),
        },
    )


def _classes(model: Message) -> dict[str, str]:
    """Return what its own notes call its classes, where it has such; they are free text."""
    notes = {part.text(1).lower(): part.text(2) for part in model.messages(14)}
    return next(({"classes": notes[key]} for key in CLASSES if notes.get(key)), {})


def _too_many(count: int) -> CnnvizError:
    return CnnvizError(tr("it has {count:,} nodes; {most:,} are the most", count=count, most=MOST_NODES))


def _opset(imports: list[Message]) -> int:
    return max((part.integer(2) for part in imports if part.text(1) in ("", "ai.onnx")), default=0)


def _called(part: Message, domain: int, name: int, overload: int) -> str:
    """Return what a function is called, or what a node calls, with domain and overload where it has one."""
    kind = (
        part.text(name) if part.text(domain) in ("", "ai.onnx") else f"{part.text(domain)}.{part.text(name)}"
    )
    return f"{kind}:{part.text(overload)}" if part.has(overload) else kind


class _Calls:
    """Puts the nodes of a model's own functions where these are called.

    Parameters
    ----------
    functions : Mapping[str, Message]
        By what nodes call them.
    """

    def __init__(self, functions: Mapping[str, Message], budget: Budget, external: _External) -> None:
        self._functions, self._budget, self._external = functions, budget, external
        self._count = 0

    def nodes(
        self,
        messages: list[Message],
        opset: int,
        attributes: Mapping[str, Attribute] | None = None,
        around: tuple[str, ...] = (),
    ) -> Iterator[Node]:
        """Yield nodes as they compute.

        Parameters
        ----------
        attributes : Mapping[str, Attribute], optional
            Those of the call, which nodes of a function refer to.
        around : tuple[str, ...]
            The functions that they are in.
        """
        for message in messages:
            self._count += 1
            if self._count > MOST_NODES:
                raise _too_many(self._count)
            kind = _called(message, 7, 4, 8)
            node = _node(message, kind, self._budget, self._external)
            refers = {part.text(1): part.text(21) for part in message.messages(5) if part.has(21)}
            if refers:
                known, own = attributes or {}, {**node.attributes}
                for name, of in refers.items():
                    own.pop(name, None)
                    if of in known:
                        own[name] = known[of]
                node = replace(node, attributes=own)
            if kind in self._functions:
                if kind in around:
                    raise CnnvizError(tr("its function {name} calls itself", name=kind))
                yield from self._inside(node, self._functions[kind], (*around, kind))
            else:
                yield _of_version(node, opset)

    def _inside(self, call: Node, function: Message, around: tuple[str, ...]) -> Iterator[Node]:
        """Yield the nodes of a function, its values named as the call names them, or with its name before."""
        given, made = function.texts(4), function.texts(5)
        if len(call.inputs) > len(given) or len(call.outputs) > len(made):
            raise ValueError("a call with more values than its function has")
        names = dict.fromkeys(given, "") | dict(zip(given, call.inputs, strict=False))
        names |= {name: own for name, own in zip(made, call.outputs, strict=False) if own}
        attributes = {
            part.text(1): _attribute(part, self._budget, self._external) for part in function.messages(11)
        }
        attributes |= call.attributes
        before = f"{call.name}/{self._count}"  # calls may be called alike

        def renamed(name: str) -> str:
            return names.get(name, f"{before}/{name}") if name else ""

        opset = _opset(function.messages(9))
        for node in self.nodes(function.messages(7), opset, attributes, around):
            yield replace(
                node,
                name=f"{call.name}/{node.name}",
                inputs=tuple(map(renamed, node.inputs)),
                outputs=tuple(map(renamed, node.outputs)),
            )


def _shape(info: Message) -> tuple[int | None, ...]:
    types = info.messages(2)
    tensors = types[-1].messages(1) if types else []
    shapes = tensors[-1].messages(2) if tensors else []
    sizes = shapes[-1].messages(1) if shapes else []
    return tuple(size.integer(1) if size.has(1) and size.integer(1) > 0 else None for size in sizes)


def _node(node: Message, kind: str, budget: Budget, external: _External) -> Node:
    return Node(
        kind=kind,
        name=node.text(3) or (node.texts(2) or [""])[0],
        inputs=tuple(node.texts(1)),
        outputs=tuple(node.texts(2)),
        attributes={part.text(1): _attribute(part, budget, external) for part in node.messages(5)},
    )


def _of_version(node: Node, opset: int) -> Node:
    """Return a node as later versions of ONNX mean it."""
    if (
        node.kind in ("Softmax", "LogSoftmax")
        and opset < _SOFTMAX_ALONG_ONE_AXIS
        and "axis" not in node.attributes
    ):
        return replace(node, attributes={**node.attributes, "axis": 1})
    return node


def _attribute(part: Message, budget: Budget, external: _External) -> Attribute:
    readers: dict[int, Callable[[], Attribute]] = {
        1: lambda: float(part.floats(2)[-1]) if part.has(2) else 0.0,
        2: lambda: part.integer(3),
        3: lambda: bytes(part.data(4)).decode(errors="replace"),
        4: lambda: _tensor(part.messages(5)[-1], budget, external),
        6: lambda: tuple(part.floats(7).tolist()),
        7: lambda: tuple(part.integers(8)),
        8: lambda: tuple(bytes(text).decode(errors="replace") for text in part.parts(9)),
    }
    kind = part.integer(20)
    if not kind:  # files of the first version do not say it
        fields = {2: 1, 3: 2, 4: 3, 5: 4, 7: 6, 8: 7, 9: 8}
        kind = next((kind for number, kind in fields.items() if part.has(number)), 0)
    return readers[kind]() if kind in readers else None  # graphs, and what else no layer is told


def _tensor(tensor: Message, budget: Budget, external: _External) -> NDArray[Any]:
    name, dtype = tensor.text(8), _TYPES.get(tensor.integer(2), str(tensor.integer(2)))
    try:
        shape = checked_shape(tensor.integers(1))
        if tensor.integer(14):
            return dense(external.read(tensor, budget), dtype, shape, budget)
        if tensor.has(9):
            return dense(tensor.data(9), dtype, shape, budget)
        return _typed(tensor, dtype, shape, budget)
    except CnnvizError as error:
        raise CnnvizError(tr("{name}: {fault}", name=name or dtype, fault=error)) from error


def _typed(tensor: Message, dtype: str, shape: tuple[int, ...], budget: Budget) -> NDArray[Any]:
    """Return numbers that have a field of their own type, each of them written out."""
    if dtype == "string":
        return frozen(np.zeros(0, np.uint8))
    width_of(dtype)
    if dtype == "float32":
        values = tensor.floats(4)
    elif dtype == "float64":
        values = tensor.floats(10, "<f8")
    else:
        budget.take(64 * sum(map(len, tensor.parts(5) + tensor.parts(7) + tensor.parts(11))))
        whole = np.array(tensor.integers({"int64": 7, "uint64": 11, "uint32": 11}.get(dtype, 5)), np.int64)
        values = whole.astype(_FROM_INT32.get(dtype, dtype if dtype in np.sctypeDict else "u1"))
        if dtype not in np.sctypeDict or dtype in _FROM_INT32:
            return dense(values.astype(values.dtype.newbyteorder("<")).tobytes(), dtype, shape, budget)
    if len(values) != prod(shape):
        raise ValueError("another number of values than the shape says")
    return frozen(values.reshape(shape))


class _External:
    """The files with numbers beside a model.

    Parameters
    ----------
    path : pathlib.Path
        The model.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, tensor: Message, budget: Budget) -> bytes:
        """Return the bytes of a tensor that says in which file they lie.

        Raises
        ------
        CnnvizError
            If that is no file in the model's own folder, or is too short.
        """
        told = {entry.text(1): entry.text(2) for entry in tensor.messages(13)}
        name = told.get("location", "")
        offset, length = int(told.get("offset", "0")), int(told.get("length", "-1"))
        if offset < 0 or length < -1:
            raise ValueError("a negative place")
        beside = self._beside(name.removeprefix("./"))
        try:
            with open_regular(beside) as file:
                size = file.seek(0, os.SEEK_END)
                length = size - offset if length < 0 else length
                if length < 0 or offset + length > size:
                    raise CnnvizError(
                        tr("{file} is too short; save it again, with the model beside it", file=name)
                    )
                budget.take(length)
                file.seek(offset)
                return file.read(length)
        except OSError as error:
            said = tr("{file} cannot be read ({reason})", file=name, reason=reason_of(error))
            raise CnnvizError(said) from error

    def _beside(self, name: str) -> Path:
        if not name or name in (".", "..") or set(name) & set('/\\:\0*?"<>|') or len(name) > 255:
            raise CnnvizError(
                tr("its numbers lie in {file}, which is not in the file's own folder", file=name)
            )
        folder = Path(os.path.realpath(self._path)).parent
        beside = folder / name
        if not os.path.lexists(beside):
            raise CnnvizError(
                tr(
                    "its numbers lie in {file}, which is missing; put it beside {model}",
                    file=name,
                    model=self._path.name,
                )
            )
        if beside.is_symlink():
            raise CnnvizError(tr("{file} is a link; put the file itself there", file=name))
        return beside
