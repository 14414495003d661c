"""How arguments lie in arrays, against NumPy's own padding and slices."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cnnviz.engine.placement import Placement

SIZES = [
    (size, stride, before, after)
    for size, stride, before, after in itertools.product((1, 2, 4), (1, 2, 3), (-3, -1, 0, 2), (-2, 0, 1))
    if (size - 1) * stride + 1 + before + after > 0
]


@pytest.mark.parametrize(("rows", "columns"), list(zip(SIZES, [*SIZES[7:], *SIZES[:7]], strict=True)))
def test_an_array_lies_where_numpy_puts_it(rows, columns):
    array = np.arange(1.0, 1 + 2 * rows[0] * columns[0]).reshape(2, rows[0], columns[0])
    wide = np.zeros((2, (rows[0] - 1) * rows[1] + 1, (columns[0] - 1) * columns[1] + 1))
    wide[:, :: rows[1], :: columns[1]] = array
    wide = np.pad(wide, ((0, 0), *((max(0, side[2]), max(0, side[3])) for side in (rows, columns))))
    (top, bottom), (left, right) = ((max(0, -side[2]), max(0, -side[3])) for side in (rows, columns))
    wide = wide[:, top : wide.shape[1] - bottom, left : wide.shape[2] - right]
    placement = Placement(array.shape[1:], wide.shape[1:], (rows[2], columns[2]), (rows[1], columns[1]))
    placed = placement.place(array)
    np.testing.assert_array_equal(placed, wide)
    np.testing.assert_array_equal(placement.zeros, wide[0] == 0)
    for index in np.ndindex(*wide.shape):
        source = placement.source(index)
        assert wide[index] == (0 if source is None else array[source])
        assert source is None or placement.target(source) == index
    for index in np.ndindex(*array.shape):
        target = placement.target(index)
        assert (target is None) == (array[index] not in wide)
    inside = wide[0] != 0
    span = [np.flatnonzero(inside.any(axis)) for axis in (1, 0)]
    core = inside[tuple(slice(at[0], at[-1] + 1) if len(at) else slice(0) for at in span)]
    assert placement.surrounds == (core.shape != inside.shape)
    assert placement.spreads == (not core.all())
