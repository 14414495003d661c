"""Pictures and data that mean harm: one sentence each, no memory taken, nothing read that lies elsewhere."""

# ruff: noqa: E501 (one file a line)

import bz2
import gzip
import io
import os
import pickle
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from cnnviz import CnnvizError, load_lesson
from cnnviz.lesson.picture_files import read_picture

MOST_MEMORY = 48 * 2**20
HUGE = 2**31 - 1


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth=8, colour=2, rest=b"", data=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + rest + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def saved(format, **more):
    held = io.BytesIO()
    Image.fromarray(np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)).save(held, format, **more)
    return held.getvalue()


def bmp(width, height):
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


def tiff(width, height, strips=1):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in ((256, width), (257, height), (258, 8), (259, 1), (262, 1), (277, 1)):
        tags[tag] = value
    tags[273], tags[278], tags[279] = (8,) * strips, height, (width * height % 2**32,) * strips
    held = io.BytesIO()
    held.write(b"II*\0\x08\0\0\0")
    tags.save(held)
    return held.getvalue()


def pictures():
    """Yield names and contents that no picture is to come of."""
    for width, height in (
        (HUGE, HUGE),
        (HUGE, 1),
        (1, HUGE),
        (70_000, 70_000),
        (8_001, 8_000),
        (0, 9),
        (9, 0),
    ):
        yield f"png-{width}-{height}.png", png(width, height, data=bytes(2**20))
        yield f"bmp-{width}-{height}.bmp", bmp(width, height)
        yield f"tiff-{width}-{height}.tif", tiff(width, height)
        gif = b"GIF89a" + struct.pack("<HHBBB", width % 2**16, height % 2**16, 0, 0, 0)
        yield f"gif-{width}-{height}.gif", gif + b"," + bytes(9) + b"\x02\x00;"
        jpeg = bytearray(saved("JPEG"))
        at = jpeg.index(b"\xff\xc0") + 5
        jpeg[at : at + 4] = struct.pack(">HH", height % 2**16, width % 2**16)
        if (width, height) != (HUGE, HUGE):
            yield f"jpeg-{width}-{height}.jpg", bytes(jpeg[:-40])
    yield "depth.png", png(8, 8, depth=99)
    yield "colour.png", png(8, 8, colour=77)
    yield "text.png", png(8, 8, rest=chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**27))), data=b"")
    yield "profile.png", png(8, 8, rest=chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(2**27))), data=b"")
    yield "long.png", b"\x89PNG\r\n\x1a\n" + struct.pack(">I", HUGE) + b"IHDR"
    yield "empty.png", b""
    for ending, other in (
        ("svg", b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>"),
        ("eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n"),
        ("pdf", b"%PDF-1.4\n1 0 obj << /Type /Catalog >> endobj\n"),
        ("ppm", b"P6 99999 99999 255\n"),
        ("tga", bytes(2) + b"\x02" + bytes(9) + struct.pack("<HHBB", 65535, 65535, 32, 0)),
        ("ico", b"\0\0\1\0\1\0" + bytes(16)),
        ("psd", b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 300_000, 300_000, 8, 3)),
        ("fli", struct.pack("<IHHHH", 128, 0xAF11, 1, 9, 9) + bytes(116)),
        ("zip", b"PK\x03\x04" + bytes(40)),
        ("pickle", pickle.dumps([1, 2])),
        ("gz", gzip.compress(bytes(2**20))),
        ("dcx", struct.pack("<I", 0x3ADE68B1) + struct.pack("<I", 8) * 99),
    ):
        for name in ("png", "jpg", "tif"):
            yield f"{ending}-as.{name}", other
    for format, ending in (
        ("PNG", "png"),
        ("JPEG", "jpg"),
        ("GIF", "gif"),
        ("WEBP", "webp"),
        ("TIFF", "tif"),
    ):
        yield f"half.{ending}", saved(format)[:-900]


def npy(shape, descr="<f8", body=b""):
    head = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + body


def npz(arrays, compression=zipfile.ZIP_DEFLATED):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", compression) as archive:
        for name, content in arrays.items():
            archive.writestr(name, content)
    return held.getvalue()


def data():
    """Yield names and contents that no samples are to come of."""
    good = npy((2, 1, 4, 5), "|u1", bytes(40))
    labels = npy((2,), "|u1", bytes(2))
    for k, shape in enumerate(
        ((2**62, 1, 4, 5), (2**33, 1, 4, 5), (-1, 1, 4, 5), (10**6, 1, 4, 5), (2,) * 40)
    ):
        yield f"shape{k}.npz", npz({"images.npy": npy(shape), "labels.npy": labels})
    for descr in ("|O", "<U9999999", "|V8", "<c16", "<M8[s]"):
        yield (
            f"type{ord(descr[1])}.npz",
            npz({"images.npy": npy((2, 1, 4, 5), descr, b"\x80\x04." * 99), "labels.npy": labels}),
        )
    bomb = npy((2**27, 1, 4, 5), "|u1") + bytes(2**22)
    yield "bomb.npz", npz({"images.npy": bomb, "labels.npy": labels})
    yield "paths.npz", npz({"../images.npy": good, "/etc/labels.npy": labels})
    yield (
        "code.npz",
        npz(
            {
                "images.npy": b"\x93NUMPY\x01\x00"
                + struct.pack("<H", 40)
                + b"__import__('os').system('true')  \n",
                "labels.npy": labels,
            }
        ),
    )
    yield "pickle.npz", pickle.dumps(os.getcwd)
    for kind in (8, 0x0E, 0x99):
        for sizes in ((HUGE,), (HUGE, 4, 5), (2**32 - 1,) * 4):
            head = struct.pack(f">HBB{len(sizes)}I", 0, kind, len(sizes), *sizes)
            yield f"{kind}-{len(sizes)}-images-idx3-ubyte", head + bytes(99)
            yield f"{kind}-{len(sizes)}-images-idx3-ubyte.gz", gzip.compress(head + bytes(2**22))
    yield "axes-images-idx3-ubyte", struct.pack(">HBB", 0, 8, 255) + bytes(1020)
    yield "bz-images-idx3-ubyte.gz", bz2.compress(bytes(2**20))
    for name, content in (
        ("wide", b"1," * 2**20), ("quote", b'"' + b"1," * 2**19), ("nul", b"1,\0,3\n" * 99), ("bytes", bytes(range(256))),
        ("formula", b"=cmd|' /C calc'!A0," * 21 + b"\n"), ("big", b"1e999," * 20 + b"1\n"), ("digits", b"9" * 10**6),
        ("utf16", "1,2\n".encode("utf-16")), ("cell", b"1," * 20 + b'"' + b"a" * 10**6 + b'"\n'),
    ):  # fmt: skip
        yield f"{name}.csv", content


def refused(work):
    """Return the sentence; no more memory than for a picture of some size."""
    tracemalloc.start()
    try:
        with pytest.raises(CnnvizError) as told:
            work()
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()
    return str(told.value)


LESSON = """
title = "Data"
sentence = "It is learnt from."
seed = 1
layers = [{ name = "flatten", kind = "flatten" }, { name = "fc", kind = "linear", neurons = 3 }]
loss = { kind = "cross_entropy_with_logits" }
[input]
shape = [1, 4, 5]
images = "%s"
"""


def test_pictures_that_mean_harm_are_refused_in_a_sentence(tmp_path, capfd):
    every = list(pictures())
    assert len(every) >= 60
    for name, content in every:
        path = tmp_path / name
        path.write_bytes(content)
        said = refused(lambda path=path: read_picture(path, (28, 28)))
        assert name in said and "\n" not in said and len(said) < 200, name
        path.unlink()
    assert capfd.readouterr() == ("", "")


def test_data_that_mean_harm_are_refused_in_a_sentence(tmp_path, capfd):
    every = list(data())
    assert len(every) >= 35
    for name, content in every:
        (tmp_path / name).write_bytes(content)
        labels = name.replace("images", "labels").replace("idx3", "idx1")
        if labels != name:
            (tmp_path / labels).write_bytes(struct.pack(">HBBI", 0, 8, 1, 2) + bytes(2))
        (tmp_path / "lesson.toml").write_text(LESSON % name)
        said = refused(lambda: load_lesson(tmp_path / "lesson.toml"))
        assert name in said and len(said) < 300, (name, said)
    assert capfd.readouterr() == ("", "")


def test_links_devices_and_paths_are_not_followed(tmp_path):
    outside, inside = tmp_path / "secret.csv", tmp_path / "own"
    outside.write_text("\n".join(",".join(["1"] * 20 + [str(k)]) for k in range(3)))
    (inside / "pets" / "a").mkdir(parents=True)
    (inside / "link.csv").symlink_to(outside)
    (inside / "loop.csv").symlink_to(inside / "loop.csv")
    (inside / "linked").symlink_to(tmp_path)
    os.mkfifo(inside / "pipe.csv")
    os.mkfifo(inside / "pets" / "a" / "pipe.png")
    for name in (
        "link.csv",
        "loop.csv",
        "linked",
        "pipe.csv",
        "pets",
        "../secret.csv",
        str(outside),
        "sub/../../secret.csv",
    ):
        (inside / "lesson.toml").write_text(LESSON % name)
        refused(lambda: load_lesson(inside / "lesson.toml"))
    for name in ("pipe.png", "zero.png", "none.png", "folder.png"):
        path = inside / name
        if name == "pipe.png":
            os.mkfifo(path)
        elif name == "zero.png":
            path.symlink_to("/dev/zero")
        elif name == "folder.png":
            path.mkdir()
        assert name in refused(lambda path=path: read_picture(path, (8, 8)))
