"""What goes into a network: arrays and pictures, as its file has them."""

import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image
from PySide6.QtGui import QColor, QImage

from cnnviz import CnnvizError, load_lesson
from tests.formats.reference import DATA
from tests.screen import MAIN


@pytest.fixture
def picture(tmp_path):
    """A picture of two colours, twice as wide as the network's input."""
    image = QImage(32, 16, QImage.Format.Format_ARGB32)
    image.fill(QColor(255, 0, 51))
    for x in range(16):
        for y in range(16):
            image.setPixelColor(x, y, QColor(0, 102, 255))
    image.setPixelColor(31, 15, QColor(0, 0, 0, 0))
    path = tmp_path / "two colours & more.png"
    assert image.save(str(path))
    return path


def shown(name, path, up_to=""):
    from cnnviz.lesson.source import Source

    return load_lesson(str(Source(str(DATA / name), input=str(path), up_to=up_to))).tape["input.y"]


def test_a_coloured_picture_is_read_by_channels(picture):
    x = shown("vgg.legacy.onnx", picture)
    assert x.shape == (3, 16, 16)
    assert np.allclose(x[:, 8, 2], [0, 0.4, 1])
    assert np.allclose(x[:, 8, 13], [1, 0, 0.2])


def test_a_grey_network_sees_it_grey(picture):
    x = shown("lenet.legacy.onnx", picture)
    assert x.shape == (1, 12, 12)
    assert 0.2 < x[0, 6, 2] < 0.6 and x[0, 6, 2] != x[0, 6, 10]


def test_what_is_transparent_is_white(tmp_path):
    image = QImage(16, 16, QImage.Format.Format_ARGB32)
    image.fill(QColor(0, 0, 0, 0))
    image.save(str(tmp_path / "clear.png"))
    assert (shown("vgg.legacy.onnx", tmp_path / "clear.png") == 1).all()


def test_a_network_that_scales_its_input_is_given_it_as_it_wants_it(tmp_path):
    """The layer Rescaling of this one takes x / 2 − 1/4: what was said of numbers from 0 to 1 holds."""
    np.save(tmp_path / "x.npy", np.full((1, 10, 10, 2), 0.5))
    assert (shown("keras-sequential.keras", tmp_path / "x.npy", "max_pooling2d") == 0).all()


@pytest.mark.parametrize("shape", [(1, 12, 12), (1, 1, 12, 12), (3, 1, 12, 12)])
def test_arrays_with_and_without_the_axis_of_samples(tmp_path, shape):
    np.save(tmp_path / "x.npy", np.arange(np.prod(shape), dtype=np.float32).reshape(shape))
    np.savez(tmp_path / "x.npz", x=np.load(tmp_path / "x.npy"), other=np.zeros(3))
    for name in ("x.npy", "x.npz"):
        assert shown("lenet.legacy.onnx", tmp_path / name).ravel().tolist() == list(range(144))


def test_of_a_damaged_picture_only_the_program_speaks(tmp_path):
    """The library that reads pictures wrote a line of its own on the terminal before our sentence."""
    pixels = b"".join(b"\0" + bytes(range(8)) for _ in range(8))
    parts = (b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(pixels)[:-9])
    cut = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (*parts, (b"IEND", b""))
    )
    (tmp_path / "cut.png").write_bytes(cut)
    file = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(noise).save(file, "tiff", compression="tiff_lzw")
    (tmp_path / "cut.tif").write_bytes(file.getvalue()[:300] + b"\xff" * 40 + file.getvalue()[340:])
    for name in ("cut.png", "cut.tif"):
        done = subprocess.run(
            [sys.executable, MAIN, "info", DATA / "vgg.legacy.onnx", "--input", name],
            cwd=tmp_path,
            env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
            capture_output=True,
            text=True,
        )
        assert done.stderr.splitlines() == [f"cnnviz: {name} is damaged, or no picture; save it again."]


def test_what_is_no_input_is_told(tmp_path):
    for name, content, said in (
        ("a.jpg", b"\xff\xd8\xff\xe0 and no more", "a.jpg is damaged, or no picture"),
        ("a.svg", b"<svg/>", "a.svg: pictures end in one of .png"),
        ("a.npy", b"\x93NUMPY", "a.npy is broken, or not an .npy file"),
        ("a.npz", b"PK", "a.npz is not an .npz file"),
        ("a.png", b"", "a.png is damaged"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CnnvizError) as told:
            shown("vgg.legacy.onnx", tmp_path / name)
        assert str(told.value).startswith(said)
        assert str(told.value).endswith("; numbers in .npy or .npz.") == (name == "a.svg")
    np.save(tmp_path / "code.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(CnnvizError, match=r"code\.npy: the array must hold numbers, but holds object"):
        shown("vgg.legacy.onnx", tmp_path / "code.npy")
    np.savez(tmp_path / "two.npz", a=np.zeros(3), b=np.zeros(3))
    with pytest.raises(CnnvizError, match=r"two\.npz: has a, b; call the one that is meant input"):
        shown("vgg.legacy.onnx", tmp_path / "two.npz")
    with pytest.raises(CnnvizError, match="An input goes with a network of another program"):
        load_lesson("digits", input=np.zeros((1, 8, 8)))
