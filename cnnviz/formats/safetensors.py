"""Reads ``.safetensors`` files: a header in JSON, and numbers.

Source: the format's description at github.com/huggingface/safetensors.
"""

from __future__ import annotations

import json
from typing import Any

from cnnviz.errors import CnnvizError
from cnnviz.formats.bounds import LONGEST_TEXT, MOST_ARRAYS, Budget
from cnnviz.formats.graph import Graph
from cnnviz.formats.tensors import dense
from cnnviz.text import tr
from cnnviz.working import each

_TYPES = {
    **{f"F{bits}": f"float{bits}" for bits in (16, 32, 64)},
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    **{"BOOL": "bool", "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2"},
}


def read_safetensors(data: memoryview) -> Graph:
    """Return the arrays of a file: it has no nodes."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8 or length > LONGEST_TEXT:
        raise ValueError("a header longer than the file")
    header = json.loads(bytes(data[8 : 8 + length]).decode(), object_pairs_hook=_without_doubles)
    numbers, budget = data[8 + length :], Budget()
    told = header.pop("__metadata__", {})
    if len(header) > MOST_ARRAYS:
        raise CnnvizError(
            tr("it has {count:,} arrays; {most:,} are the most", count=len(header), most=MOST_ARRAYS)
        )
    arrays, end = {}, 0
    in_order = sorted(header.items(), key=lambda item: item[1]["data_offsets"])
    for name, entry in each(tr("reading its numbers"), in_order):
        start, stop = entry["data_offsets"]
        if start != end or not start <= stop <= len(numbers):
            raise ValueError("arrays that do not lie one behind the other")
        dtype = _TYPES.get(entry["dtype"], str(entry["dtype"]))
        arrays[name] = dense(numbers[start:stop], dtype, entry["shape"], budget)
        end = stop
    if end != len(numbers):
        raise ValueError("more than its arrays")
    layout = {"pt": {"layout": "pytorch"}, "keras": {"layout": "keras"}}.get(str(told.get("format")), {})
    ordered = {name: arrays[name] for name in header}
    return Graph(arrays=ordered, metadata={"format": "safetensors", **layout})


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name that stands twice")
    return dict(pairs)
