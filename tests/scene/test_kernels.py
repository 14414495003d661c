"""Kernels before training and now: the right numbers, on one scale, within their box."""

import numpy as np
import pytest

from cnnviz.scene.marks import Box, Cells, Label
from cnnviz.scene.panels.kernels import kernels
from tests.scene.looking import inside, overlap

BOX = Box(10, 20, 700, 200)


def drawn(shape, box=BOX):
    rng = np.random.default_rng(0)
    first, now = rng.normal(size=shape), 3 * rng.normal(size=shape)
    marks = kernels("conv1", first, now, 1234, box, 14)
    grids = [mark for mark in marks if isinstance(mark, Cells)]
    texts = ["".join(run.text for run in mark.runs) for mark in marks if isinstance(mark, Label)]
    return first, now, marks, grids, texts


def test_both_are_shown_on_one_scale():
    first, now, _, grids, texts = drawn((4, 1, 3, 3))
    assert np.array_equal([grid.values for grid in grids], [*first[:, 0], *now[:, 0]])
    assert {grid.limit for grid in grids} == {max(abs(first).max(), abs(now).max())}
    assert texts[0] == "Kernels of conv1"
    assert texts[1].startswith("scale: −")
    assert texts[2:] == ["iteration 0", "iteration 1,234"]


def test_what_is_left_out_is_said():
    first, _, _, grids, texts = drawn((20, 3, 5, 5))
    assert np.array_equal(grids[7].values, first[7, 0])
    assert len(grids) == 16
    assert texts[0] == "Kernels of conv1, channel 0, the first 8"


def test_weights_of_a_column_are_one_grid_with_a_row_for_each_neuron():
    first, now, _, grids, texts = drawn((64, 10))
    assert np.array_equal(grids[0].values, first.T)
    assert np.array_equal(grids[1].values, now.T)
    assert texts[0] == "Weights of conv1"


@pytest.mark.parametrize("shape", [(8, 1, 3, 3), (1, 1, 5, 5), (32, 3, 7, 7), (64, 10), (2, 1)])
@pytest.mark.parametrize("size", [(300, 120), (700, 200), (1900, 420)])
def test_nothing_leaves_the_box_and_nothing_lies_on_another(shape, size):
    box = Box(5, 5, *size)
    _, _, marks, grids, _ = drawn(shape, box)
    for grid in grids:
        assert inside(grid.box, box, 1e-9)
    for k, one in enumerate(marks):
        for other in marks[k + 1 :]:
            assert min(overlap(one.box, other.box)) <= 1e-9


def test_weights_that_are_all_zero_have_a_scale_too():
    grids = kernels("fc", np.zeros((2, 2)), np.zeros((2, 2)), 0, BOX, 14)
    assert all(mark.limit > 0 for mark in grids if isinstance(mark, Cells))
