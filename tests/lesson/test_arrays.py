""".npz files that are broken, odd or malicious are refused in one sentence, and take no memory."""

import io
import pickle
import random
import shutil
import tracemalloc
import zipfile

import numpy as np
import pytest

from cnnviz.errors import CnnvizError
from cnnviz.lesson import arrays
from cnnviz.lesson.arrays import read_arrays
from cnnviz.lesson.lesson import load_lesson
from cnnviz.resources import resource
from tests.lesson.conftest import IMAGES
from tests.links import link


def told(path, names=None):
    with pytest.raises(CnnvizError) as error:
        read_arrays(path, names)
    assert "\n" not in str(error.value)
    return str(error.value)


def zipped(path, **entries):
    """Write a zip of entries, each as its bytes are."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(f"{name}.npy", content)
    return path


def header(shape, dtype="<f8"):
    """The first bytes of an array of a shape."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()


def test_arrays_come_back_as_they_were(tmp_path):
    arrays = {
        "conv1.w": np.asfortranarray(np.ones((2, 3))),
        "b": np.arange(3, dtype=">i2"),
        "o": np.float16(2),
    }
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    read = read_arrays(tmp_path / "a.npz")

    assert list(read) == list(arrays)
    assert all((read[name] == arrays[name]).all() for name in arrays)
    assert list(read_arrays(tmp_path / "a.npz", ["b", "nix"])) == ["b"]


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('a pickle was run')",)


def test_a_pickle_is_never_run(tmp_path):
    np.savez(tmp_path / "a.npz", w=np.array([Bomb()], dtype=object))
    assert told(tmp_path / "a.npz") == "a.npz: w must hold numbers, but holds object."
    zipped(tmp_path / "b.npz", w=pickle.dumps(Bomb()))
    assert told(tmp_path / "b.npz") == "b.npz: w is broken, or not an array; save it again."


@pytest.mark.parametrize("values", [["a", "b"], [1j], np.array([(1, 2)], "i4,i4"), [np.datetime64("2020")]])
def test_what_is_no_number(tmp_path, values):
    np.savez(tmp_path / "a.npz", w=values)
    assert "a.npz: w must hold numbers, but holds" in told(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x09\x09" + header((2,))[8:] + bytes(16),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(1000),
        header((2,)),
        header((2,)) + bytes(15),
        header((2,)) + bytes(17),
        header((-2,)) + bytes(16),
        header((2,), "<f8 nonsense"),
        header((2,)).replace(b"(2,)", b"(2,["),
        header((2,)).replace(b"(2,)", b"True"),
        header((2,)).replace(b"(2,)", b"2   "),
        header((True,)) + bytes(8),
        header((2,)).replace(b"{", b"["),
        b"\x93NUMPY\x01\x00\x00\x02" + b"(" * 512,
        b"\x93NUMPY\x01\x00\x00\x02" + b"-" * 512,
        b"\x93NUMPY\x01\x00\x28\x23" + b"-" * 9_000,
        header((2**62, 2**62)),
    ],
)
def test_what_is_no_array(tmp_path, content):
    assert "a.npz: w is broken" in told(zipped(tmp_path / "a.npz", w=content))


def test_not_finite(tmp_path):
    np.savez(tmp_path / "a.npz", w=np.array([[0, 1], [np.nan, 2]]))
    assert told(tmp_path / "a.npz") == "a.npz: w[1, 0] is nan; all numbers must be finite."


def test_a_bomb_takes_no_memory(tmp_path):
    size = 3 * 2**30
    path = tmp_path / "a.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("w.npy", "w", force_zip64=True) as w,
    ):
        w.write(header((size,), "|u1"))
        for _ in range(4):
            w.write(bytes(2**20))
    # What the archive says of the entry's size is as big a lie.
    data = path.read_bytes().replace(
        np.uint64(len(header((size,), "|u1")) + 4 * 2**20).tobytes(), np.uint64(2**33).tobytes()
    )
    path.write_bytes(data)

    tracemalloc.start()
    sentence = told(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 2**20
    assert "broken" in sentence or "would take 3,072 MB of memory; 512 MB are the most" in sentence


def patched(content, entry, at, by):
    """Write over what an archive says of its entries: their heads or the list of them."""
    content, found = bytearray(content), content.find(entry)
    while found != -1:
        content[found + at : found + at + len(by)] = by
        found = content.find(entry, found + 4)
    return bytes(content)


LISTED, HEAD, END = b"PK\1\2", b"PK\3\4", b"PK\5\6"


@pytest.mark.parametrize(
    "lies",
    [
        [(LISTED, 8, b"\1\0"), (HEAD, 6, b"\1\0")],  # encrypted
        [(LISTED, 8, b"\x41\0")],
        [(LISTED, 10, b"\x63\0"), (HEAD, 8, b"\x63\0")],  # a compression that nobody has
        [(LISTED, 16, b"abcd")],  # its checksum
        [(LISTED, 42, b"\xf0\xff\xff\x7f")],  # where it is
        [(END, 12, b"\xff\xff\xff\x7f")],  # how long the list is
        [(END, 16, b"\xff\xff\xff\x7f")],
        [(END, 8, b"\xff" * 12)],
        [(LISTED, 8, b"\0\x08"), (LISTED, 46, b"\xff\xfe")],  # a name that is no UTF-8
    ],
)
def test_an_archive_that_lies(tmp_path, lies):
    path = zipped(tmp_path / "a.npz", w=header((2,)) + bytes(16))
    content = path.read_bytes()
    for lie in lies:
        content = patched(content, *lie)
    path.write_bytes(content)
    assert "broken" in told(path)


def test_entries_are_found_by_their_names_alone(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name in ("../../w", "/etc/w", "w", "v/"):
            archive.writestr(f"{name}.npy", header((1,)) + np.float64(len(name)).tobytes())
    assert read_arrays(tmp_path / "a.npz", ["w", "v"])["w"] == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_shapes_are_looked_at_before_numbers_are_read(write, content, tmp_path, monkeypatch):
    """66 million zeros are half a megabyte in a file; they were read before they were found not to fit."""
    read, really_read = [], arrays._read

    def noted(path, archive, name):
        read.append((path.name, name))
        return really_read(path, archive, name)

    monkeypatch.setattr(arrays, "_read", noted)
    path = write(content, np.zeros((20, 1, 4, 5)))
    del content["seed"]
    with pytest.raises(CnnvizError, match=r"images\[0\]: has shape 1 × 4 × 5, but must have 1 × 4 × 4"):
        load_lesson(path)
    np.savez(tmp_path / "w.npz", **{"fc.w": np.zeros((8, 4))})
    with pytest.raises(CnnvizError, match="fc: w has shape 8 × 4, but the layer needs 8 × 3"):
        load_lesson(write(content | {"weights": "w.npz"}))
    assert read == [("images.npz", "images"), ("images.npz", "labels")]


def test_a_list_of_entries_without_end(tmp_path):
    """The end of an archive says how long the list of its entries is; as much would be read at once."""
    np.savez(tmp_path / "a.npz", **{f"array_{k:0100}": np.zeros(1) for k in range(4_000)})
    assert "is not an .npz file, or a broken one" in told(tmp_path / "a.npz")


def test_many_arrays_are_counted_together(tmp_path, monkeypatch):
    monkeypatch.setattr("cnnviz.lesson.arrays.MOST_BYTES", 2**20)
    np.savez(tmp_path / "a.npz", v=np.zeros(2**16), w=np.zeros(2**17))
    assert told(tmp_path / "a.npz") == "a.npz: its arrays would take 1 MB of memory; 1 MB are the most."
    assert list(read_arrays(tmp_path / "a.npz", ["v"])) == ["v"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"hello", bytes(1000)])
def test_no_zip(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    assert told(tmp_path / "a.npz") == "a.npz is not an .npz file, or a broken one; save it again."


def test_bytes_spoilt_at_random_are_refused_or_do_no_harm(tmp_path):
    rng = random.Random(0)
    for name in ("digits.toml", "digits-images.npz", "digits-weights.npz"):
        shutil.copy(resource("lessons", name), tmp_path)
    for name in ("digits-images.npz", "digits-weights.npz"):
        right = (tmp_path / name).read_bytes()
        for _ in range(60):
            wrong = bytearray(right)
            wrong[rng.randrange(len(wrong))] ^= 1 << rng.randrange(8)
            (tmp_path / name).write_bytes(wrong)
            try:
                load_lesson(tmp_path / "digits.toml")
            except CnnvizError as error:
                assert name in str(error)
        (tmp_path / name).write_bytes(right)


@pytest.mark.parametrize(
    "images, labels, fault",
    [
        (np.zeros((2, 4, 5)), (0, 1), "images.npz: images[0]: has shape 4 × 5, but must have 1 × 4 × 4"),
        (np.zeros((0, 1, 4, 4)), (), "images.npz: has no images in it"),
        (np.float64(3), (0, 1), "images.npz: has no images in it"),
        (IMAGES, (0, 1, 2), "images.npz: labels: has shape 3, but must have 2"),
        (IMAGES, (0.0, 1.0), "images.npz: labels must be whole numbers, but are float64"),
        (IMAGES, (0, 3), "images.npz: a label is 3, but the network's classes are numbered 0 to 2"),
        (IMAGES, (-1, 0), "images.npz: a label is -1, but the network's classes are numbered 0 to 2"),
        (np.full((2, 1, 4, 4), np.inf), (0, 1), "images.npz: images[0, 0, 0, 0] is inf"),
    ],
)
def test_images(write, content, images, labels, fault):
    with pytest.raises(CnnvizError, match=r"^lesson\.toml: ") as error:
        load_lesson(write(content, images, labels))
    assert fault in str(error.value)


def test_images_without_labels(write, content, tmp_path):
    path = write(content)
    np.savez(tmp_path / "images.npz", images=IMAGES)
    with pytest.raises(CnnvizError, match=r"images\.npz: has no array labels"):
        load_lesson(path)


def test_weights(write, content, tmp_path):
    lesson = load_lesson(write(content))
    weights = lesson.network.parameters
    del content["seed"]
    content["weights"] = "w.npz"
    path = write(content)

    np.savez(
        tmp_path / "w.npz", **{k: v.astype(np.float32) for k, v in weights.items()}, other=np.array(["kept"])
    )
    loaded = load_lesson(path)
    assert loaded.tape["conv1.w"].dtype == np.float64
    assert np.allclose(loaded.tape["softmax.y"], lesson.tape["softmax.y"], atol=1e-6)

    for key, value, fault in (
        ("fc.b", None, "w.npz: fc.b (3) is missing"),
        ("fc.b", np.zeros(4), "fc: b has shape 4, but the layer needs 3"),
        ("fc.b", np.full(3, np.nan), "w.npz: fc.b[0] is nan"),
    ):
        np.savez(tmp_path / "w.npz", **{k: v for k, v in (weights | {key: value}).items() if v is not None})
        with pytest.raises(CnnvizError) as error:
            load_lesson(path)
        assert fault in str(error.value)


def test_a_link_must_not_lead_out(write, content, tmp_path):
    path = write(content)
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.move(tmp_path / "images.npz", outside / "images.npz")
    link(tmp_path / "images.npz", outside / "images.npz")

    with pytest.raises(CnnvizError, match=r"images\.npz: leads out of the lesson's own folder"):
        load_lesson(path)


def test_a_folder_without_pictures_is_no_data(write, content, tmp_path):
    path = write(content)
    (tmp_path / "images.npz").unlink()
    (tmp_path / "images.npz").mkdir()
    with pytest.raises(CnnvizError, match=r"images\.npz: has no pictures in it"):
        load_lesson(path)
