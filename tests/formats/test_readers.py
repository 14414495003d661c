"""Numbers of every type are read as frameworks read them; those in other files from the folder alone."""

import os
import shutil

import numpy as np
import pytest

from cnnviz import CnnvizError
from cnnviz.formats import protobuf
from cnnviz.formats.reader import read
from tests.formats.reference import DATA, files, reference


@pytest.mark.parametrize("name", files("types.pt", "types.older.pt", "types.safetensors", "types.onnx"))
def test_numbers_of_every_type(name):
    found, wanted = read(DATA / name).arrays, reference(DATA / name)
    assert len(found) >= 10
    for key, array in found.items():
        values = wanted[key.removesuffix(".typed")]
        assert array.shape == values.shape, key
        assert np.array_equal(array.astype(np.float64), values.astype(np.float64), equal_nan=True), key
        assert not array.flags.writeable or array.size == 0


@pytest.mark.parametrize(
    "name", files("lenet.state.pt", "lenet.older.pth", "lenet.checkpoint.pth", "lenet.class.pt")
)
def test_every_way_to_save_parameters_gives_the_same(name):
    found, wanted = read(DATA / name).arrays, read(DATA / "lenet.safetensors").arrays
    assert found.keys() == wanted.keys()
    assert all(np.array_equal(found[key], wanted[key]) for key in wanted)


def test_whole_numbers_of_any_width():
    numbers = [0, 1, 127, 128, 300, 2**31, 2**63 - 1, -1, -(2**63)]
    packed = b"".join(varint(number % 2**64) for number in numbers)
    assert protobuf.varints(memoryview(packed)).tolist() == numbers


def varint(number):
    made = b""
    while number > 127:
        made, number = made + bytes([number & 127 | 128]), number >> 7
    return made + bytes([number])


@pytest.fixture
def beside(tmp_path):
    """A model whose numbers lie in a file beside it."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("residual.dynamo.onnx", "residual.dynamo.onnx.data"):
        shutil.copy(DATA / name, folder)
    return folder / "residual.dynamo.onnx"


def test_a_missing_file_of_numbers_is_named(beside):
    (beside.parent / "residual.dynamo.onnx.data").unlink()
    with pytest.raises(
        CnnvizError, match=r"residual.dynamo.onnx.data, which is missing; put it beside residual"
    ):
        read(beside)


def test_a_short_file_of_numbers_is_told(beside):
    data = beside.parent / "residual.dynamo.onnx.data"
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(CnnvizError, match=r"residual\.dynamo\.onnx\.data is too short"):
        read(beside)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_numbers_are_not_read_through_a_link(beside, tmp_path):
    data = beside.parent / "residual.dynamo.onnx.data"
    data.rename(tmp_path / "secret")
    data.symlink_to(tmp_path / "secret")
    with pytest.raises(CnnvizError, match="is a link"):
        read(beside)


@pytest.mark.parametrize(
    "away", ["../residual.dynamo.onnx.dat", "/etc/dynamo/residual.dataaaa", "a/../../b/residual.dataaaaaa"]
)
def test_numbers_are_not_read_from_elsewhere(beside, away):
    content = beside.read_bytes()
    own = b"residual.dynamo.onnx.data"
    name = away.encode()[: len(own)].ljust(len(own), b"x")
    (beside.parent.parent / name.decode().rpartition("/")[2]).write_bytes(b"0" * 10_000)
    beside.write_bytes(content.replace(own, name))
    with pytest.raises(CnnvizError, match="which is not in the file's own folder"):
        read(beside)


def test_a_link_to_the_model_leads_to_its_own_folder(beside, tmp_path):
    link = tmp_path / "link.onnx"
    try:
        link.symlink_to(beside)
    except OSError:
        pytest.skip("links need rights here")
    assert read(link).nodes


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("net.txt", "files of networks end in one of .onnx, .pt2"),
        ("missing.onnx", "there is no such file"),
        ("empty.onnx", "empty.onnx is damaged, or not what its ending says; save it again."),
        ("empty.pt", "empty.pt is damaged"),
        ("empty.keras", "empty.keras is damaged"),
        ("empty.h5", "empty.h5 is damaged"),
        ("empty.safetensors", "empty.safetensors is damaged"),
    ],
)
def test_what_is_no_network_is_told(tmp_path, name, said):
    if name.startswith(("empty", "net")):
        (tmp_path / name).touch()
    with pytest.raises(CnnvizError) as told:
        read(tmp_path / name)
    assert said in str(told.value)
