"""Products and sums that overflow where those of the listings do, and nowhere else.

NumPy and BLAS add the terms of a sum in an order of their own, and a mask is quickest multiplied. Both make
no difference but in the last digits, until a number is infinite, none, or so large that a sum of some terms
is no float any more: a listing, which adds one term after the other to where it starts, may then hold ∞ where
BLAS found a number, NaN or the other ∞. So where that can be, it is done as the listings do it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.engine.layer import Array

_AT_ONCE = 1 << 20


def tame(*arrays: Array) -> bool:
    """Return whether all sums of products of some of their numbers stay far from overflow, in any order.

    By Cauchy and Schwarz, Σ |aₖ bₖ| ≤ ‖a‖ ‖b‖; what holds an infinity or NaN has no such norm.
    """
    limit = _limit(arrays[0].dtype)
    for array in arrays:
        flat = array.ravel("K")  # as it lies in memory, which is mostly no copy
        if not float(np.vdot(flat, flat)) < limit:  # neither tells of an overflow
            return False
    return True


@cache
def _limit(dtype: np.dtype[Any]) -> float:
    return float(np.finfo(dtype).max / 8)


def product(a: Array, b: Array, start: Array | None = None) -> Array:
    """Return start + a @ b; no start is 0."""
    if tame(a, b) and (start is None or tame(start)):
        result = _multiplied(a, b)
        if start is not None:
            result += start
        return result
    with np.errstate(all="ignore"):
        total = np.zeros((len(a), b.shape[1]), np.result_type(a, b))
        if start is not None:
            total += start
        for k in range(a.shape[1]):
            total += a[:, k, None] * b[k]
        return total


def _multiplied(a: Array, b: Array) -> Array:
    """Return a @ b; of two precisions the lower one is raised part by part: NumPy would take long.

    Numbers as they lie in another program's file may be anywhere. NumPy copies such ones each time, and may
    then add in another order than it does where they come from a file of ours.
    """
    if a.dtype == b.dtype:
        whole: Array = _aligned(a) @ _aligned(b)
        return whole
    dtype = np.result_type(a, b)
    width = max(1, _AT_ONCE // len(b))
    parts = (b[:, k : k + width].astype(dtype) for k in range(0, b.shape[1], width))
    return np.concatenate([a.astype(dtype, copy=False) @ part for part in parts], axis=1)


def _aligned(array: Array) -> Array:
    return array if array.flags.aligned else array.copy("A")


def added(terms: Array, start: Array | None = None) -> Array:
    """Return the sum of each row of numbers, added to where it starts."""
    if start is not None:
        terms = np.concatenate((start[:, None], terms), axis=1)
    if tame(terms):
        return np.asarray(np.add.reduce(terms, axis=1))
    with np.errstate(all="ignore"):
        return np.asarray(np.add.accumulate(terms, axis=1)[:, -1])


def masked(mask: NDArray[np.bool_], numbers: Array, is_tame: bool | None = None) -> Array:
    """Return numbers where a mask is true, else 0.

    Parameters
    ----------
    is_tame : bool, optional
        Whether they are tame, where that is known.
    """
    if tame(numbers) if is_tame is None else is_tame:
        return numbers * mask
    return np.where(mask, numbers, numbers.dtype.type(0))
