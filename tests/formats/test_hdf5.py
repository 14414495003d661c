"""HDF5 files are read as h5py wrote them, in its older and its newest variant, and no link is followed."""

import numpy as np
import pytest

from cnnviz import CnnvizError
from cnnviz.formats.hdf5 import Hdf5
from cnnviz.formats.reader import read
from tests.formats.reference import DATA


def arrays_in(group, path=""):
    for name, child in group.children().items():
        if child.is_array:
            yield f"{path}{name}", child
        else:
            yield from arrays_in(child, f"{path}{name}/")


@pytest.mark.parametrize("name", ["plain", "pieces", "latest"])
def test_arrays_and_texts(name):
    file = Hdf5(memoryview((DATA / f"hdf5-{name}.h5").read_bytes()))
    found = {path: array.array() for path, array in arrays_in(file.root)}
    with np.load(DATA / "hdf5.npz") as wanted:
        assert found.keys() == set(wanted.files)
        for path, values in found.items():
            assert values.shape == wanted[path].shape
            assert np.array_equal(values, wanted[path]), path
    told = file.root.children()["a"].attributes()
    assert told == {"text": "a word é", "texts": ["one", "two"]}


def test_links_to_other_files_are_refused():
    with pytest.raises(CnnvizError, match=r"hdf5-linked\.h5: it leads to other files; save it whole\."):
        read(DATA / "hdf5-linked.h5")
