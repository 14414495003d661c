"""Numbers as files have them: raw bytes with a type and a shape, or strides."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from cnnviz.errors import CnnvizError
from cnnviz.formats.bounds import MOST_AXES, Budget
from cnnviz.text import tr

Buffer = bytes | memoryview

NUMPY = {
    name: np.dtype(code).newbyteorder("<")
    for name, code in {
        **{"float64": "f8", "float32": "f4", "float16": "f2", "bool": "?"},
        **{f"int{8 * size}": f"i{size}" for size in (1, 2, 4, 8)},
        **{f"uint{8 * size}": f"u{size}" for size in (1, 2, 4, 8)},
    }.items()
}
"""The types that NumPy has, as they lie in files: the lowest byte first."""

_SMALL_FLOATS = {
    # Bits of the exponent, its bias, bits of the fraction; and what is no number there.
    "float8_e4m3fn": (4, 7, 3, "last"),
    "float8_e4m3fnuz": (4, 8, 3, "minus zero"),
    "float8_e5m2": (5, 15, 2, "as ever"),
    "float8_e5m2fnuz": (5, 16, 2, "minus zero"),
}

WIDTHS = {
    **{name: dtype.itemsize for name, dtype in NUMPY.items()},
    "bfloat16": 2,
    **dict.fromkeys(_SMALL_FLOATS, 1),
}
"""Bytes of a number of each type that is read."""


def checked_shape(shape: Sequence[Any]) -> tuple[int, ...]:
    """Return a shape that a file claims.

    Raises
    ------
    ValueError
        If it is none.
    """
    if len(shape) > MOST_AXES or any(type(size) is not int or not 0 <= size < 2**62 for size in shape):
        raise ValueError("no shape")
    return tuple(shape)


def dense(data: Buffer, dtype: str, shape: Sequence[Any], budget: Budget) -> NDArray[Any]:
    """Return numbers that lie one behind the other, the last axis fastest; read-only.

    Raises
    ------
    ValueError
        If there are more of them, or fewer, than the shape says.
    """
    size = checked_shape(shape)
    if prod(size) * width_of(dtype) != len(data):
        raise ValueError("another number of bytes than the shape says")
    return frozen(flat(data, dtype, budget).reshape(size))


def strided(
    storage: NDArray[Any], offset: int, shape: Sequence[Any], strides: Sequence[Any], budget: Budget
) -> NDArray[Any]:
    """Return an array that lies in a storage by strides, counted in numbers; read-only.

    Raises
    ------
    ValueError
        If it reaches beyond the storage.
    """
    size, steps = checked_shape(shape), checked_shape(strides)
    if len(size) != len(steps) or type(offset) is not int or offset < 0:
        raise ValueError("no strides")
    if prod(size) == 0:
        return frozen(np.zeros(size, storage.dtype))
    if offset + sum((count - 1) * step for count, step in zip(size, steps, strict=True)) >= len(storage):
        raise ValueError("strides that lead out of the storage")
    bytewise = tuple(step * storage.itemsize for step in steps)
    view = as_strided(storage[offset:], size, bytewise, writeable=False)
    if not view.flags.c_contiguous:  # with a stride of 0, a few bytes may claim to be any number of numbers
        budget.take(view.size * view.itemsize)
        view = np.ascontiguousarray(view)
    return frozen(view)


def flat(data: Buffer, dtype: str, budget: Budget) -> NDArray[Any]:
    """Return all numbers of some bytes in a row; those that NumPy has no type for as float32."""
    if dtype in NUMPY:
        array = np.frombuffer(data, NUMPY[dtype])
        if dtype == "bool":
            array = array.view(np.uint8) != 0
        return array if sys.byteorder == "little" else array.astype(array.dtype.newbyteorder("="))
    count = len(data) // width_of(dtype)
    budget.take(4 * count)
    if dtype == "bfloat16":
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    return _small_floats(dtype)[np.frombuffer(data, np.uint8)]


def width_of(dtype: str) -> int:
    """Return how many bytes a number takes.

    Raises
    ------
    CnnvizError
        If numbers of this type are not read.
    """
    if dtype not in WIDTHS:
        raise CnnvizError(tr("numbers of the type {type} are not read; save them as float32", type=dtype))
    return WIDTHS[dtype]


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that nothing writes to."""
    array.flags.writeable = False
    return array


def _small_floats(dtype: str) -> NDArray[np.float32]:
    """Return what each of the 256 bytes means as a number."""
    bits, bias, fraction_bits, nan = _SMALL_FLOATS[dtype]
    codes = np.arange(256)
    exponent, fraction = codes >> fraction_bits & 2**bits - 1, codes & 2**fraction_bits - 1
    part = fraction / 2**fraction_bits
    values = np.where(exponent > 0, (1 + part) * 2.0 ** (exponent - bias), part * 2.0 ** (1 - bias))
    values = np.where(codes & 128, -values, values)
    if nan == "last":
        values[[127, 255]] = np.nan
    elif nan == "minus zero":
        values[128] = np.nan
    else:
        values[exponent == 2**bits - 1] = np.nan
        values[[124, 252]] = np.inf, -np.inf
    made: NDArray[np.float32] = values.astype(np.float32)
    return made
