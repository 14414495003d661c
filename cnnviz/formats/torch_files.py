"""Reads ``.pt`` and ``.pth`` files of PyTorch, in both of its formats, and ``.pt2``; no PyTorch is needed.

Source of the formats: torch/serialization.py, torch/jit and torch/export/pt2_archive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from msgspec.structs import replace
from numpy.typing import NDArray

from cnnviz.errors import CnnvizError
from cnnviz.formats.archive import Archive, MemoryFile, is_zip
from cnnviz.formats.bounds import LONGEST_TEXT, MOST_ARRAYS, Budget
from cnnviz.formats.exported import read_exported
from cnnviz.formats.graph import CLASSES, Graph
from cnnviz.formats.modules import as_module, graph_of_module
from cnnviz.formats.pickles import Storage, Tensor, read_pickle, tensors_in
from cnnviz.formats.scripts import read_script
from cnnviz.formats.tensors import flat, strided, width_of
from cnnviz.text import short, tr
from cnnviz.working import each, tell

_TYPES = {
    **{"Float": "float32", "Double": "float64", "Half": "float16", "BFloat16": "bfloat16"},
    **{"Long": "int64", "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8", "Bool": "bool"},
}
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001

_INSIDE = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "module", "weights")
"""Under which of these a checkpoint has its parameters, the likeliest first."""

_WRAPPERS = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before all names."""

Arrays = Callable[[Tensor], NDArray[Any]]


def read_torch(data: memoryview) -> Graph:
    """Return what a file holds: a graph, or arrays alone.

    Raises
    ------
    CnnvizError
        If there is neither in it.
    """
    if is_zip(data):
        archive = Archive(data)
        if archive.has("models/model.json"):
            return _with_classes(archive, read_exported(archive))
        if archive.has("byteorder") and bytes(archive.read("byteorder", 16)).strip() != b"little":
            raise CnnvizError(
                tr("its bytes stand in the order of another machine; save it again on this one")
            )
        content = read_pickle(MemoryFile(archive.read("data.pkl", LONGEST_TEXT)), [0])
        arrays = _Storages(archive)
        if any(name.startswith("code/") for name in archive.entries):
            constants = _Storages(archive, "constants")
            return _with_classes(archive, read_script(archive, content, arrays, constants))
        return _graph(content, arrays)
    return _graph(*_older(data))


def _with_classes(archive: Archive, graph: Graph) -> Graph:
    """Add what a file that was saved along calls the classes; PyTorch names it itself, as it is asked to."""
    for name in (f"extra/{key}{ending}" for key in CLASSES for ending in ("", ".txt", ".json")):
        if archive.has(name):
            with suppress(UnicodeDecodeError):
                told = bytes(archive.read(name, LONGEST_TEXT)).decode("utf-8-sig")
                return replace(graph, metadata={**graph.metadata, "classes": told})
    return graph


class _Storages:
    """The numbers of an archive; each storage is looked up once."""

    def __init__(self, archive: Archive, folder: str = "data") -> None:
        self._archive, self._folder, self._budget = archive, folder, Budget()
        self._flat: dict[str, NDArray[Any]] = {}

    def __call__(self, tensor: Tensor) -> NDArray[Any]:
        return strided(
            self._storage(tensor.storage), tensor.offset, tensor.shape, tensor.strides, self._budget
        )

    def _storage(self, storage: Storage) -> NDArray[Any]:
        if storage.key not in self._flat:
            tell(tr("reading its numbers"), len(self._flat), len(self._archive.entries))
            dtype = _dtype(storage)
            data = self._archive.read(f"{self._folder}/{storage.key}")
            if len(data) < storage.count * width_of(dtype):
                raise ValueError("a storage that is too short")
            self._flat[storage.key] = flat(data[: storage.count * width_of(dtype)], dtype, self._budget)
        return self._flat[storage.key]


def _dtype(storage: Storage) -> str:
    return _TYPES.get(storage.kind.removesuffix("Storage"), storage.kind)


def _older(data: memoryview) -> tuple[Any, Arrays]:
    """Return what a file of the format before PyTorch 1.6 holds: four pickles, then the numbers."""
    file, parts = MemoryFile(data), [0]
    if bytes(data[:1]) not in (b"\x80", b"(", b"c", b"]", b"}"):
        raise ValueError("no pickle")
    if read_pickle(file, parts) != _MAGIC:
        raise CnnvizError(tr("it is a pickle, but not one of torch.save; save it with torch.save"))
    if read_pickle(file, parts) != _PROTOCOL:
        raise ValueError("an unknown protocol")
    read_pickle(file, parts)
    content = read_pickle(file, parts)
    keys = read_pickle(file, parts)
    if not isinstance(keys, list) or len(keys) > MOST_ARRAYS:
        raise ValueError("no list of storages")
    kinds = {tensor.storage.key: tensor.storage for tensor in tensors_in(content)}
    found: dict[str, NDArray[Any]] = {}
    at, budget = file.tell(), Budget()
    for key in each(tr("reading its numbers"), [*map(str, keys)]):
        count, at = int.from_bytes(data[at : at + 8], "little"), at + 8
        storage = kinds[key]
        length = count * width_of(_dtype(storage))
        if length > len(data) - at:
            raise ValueError("a storage that is too short")
        found[key] = flat(data[at : at + length], _dtype(storage), budget)
        at += length

    def array(tensor: Tensor) -> NDArray[Any]:
        start = tensor.storage.start + tensor.offset
        return strided(found[tensor.storage.key], start, tensor.shape, tensor.strides, budget)

    return content, array


def _graph(content: Any, arrays: Arrays) -> Graph:
    """Return the graph of a module, or the arrays of a state dictionary or a checkpoint."""
    module = as_module(content)
    if module is not None:
        return graph_of_module(module, arrays)
    found = _tensors(content)
    if not found and isinstance(content, dict):
        for key in _INSIDE:
            if key in content:
                return _graph_inside(content[key], arrays)
        inside = [key for key, value in content.items() if _tensors(value) or as_module(value) is not None]
        if len(inside) == 1:
            return _graph_inside(content[inside[0]], arrays)
    if not found:
        keys = content if isinstance(content, dict) else ()
        there = short(", ".join(key for key in keys if isinstance(key, str)), 200)
        raise CnnvizError(
            tr("it holds no network and no parameters, only {there}; save a state_dict", there=there)
            if there
            else tr("it holds no network and no parameters; save a state_dict")
        )
    return Graph(
        arrays={name: arrays(tensor) for name, tensor in _unwrapped(found).items()},
        metadata={"format": "PyTorch", "layout": "pytorch"},
    )


def _graph_inside(content: Any, arrays: Arrays) -> Graph:
    if isinstance(content, dict) and not _tensors(content):
        raise CnnvizError(tr("it holds no network and no parameters; save a state_dict"))
    return _graph(content, arrays)


def _tensors(content: Any) -> dict[str, Tensor]:
    """Return the tensors of a dictionary by their names."""
    items = content.items() if isinstance(content, dict) else ()
    found = {key: value for key, value in items if isinstance(key, str) and isinstance(value, Tensor)}
    if len(found) > MOST_ARRAYS:
        raise ValueError("too many arrays")
    return found


def _unwrapped(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if all(name.startswith(wrapper) for name in found):
            return {name.removeprefix(wrapper): tensor for name, tensor in found.items()}
    return dict(found)
