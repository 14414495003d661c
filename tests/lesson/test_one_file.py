"""A lesson as one file: what was saved is what is opened, and nothing else is."""

import io
import json
import os
import shutil
import stat
import struct
import tomllib
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnviz.cli import run
from cnnviz.errors import CnnvizError
from cnnviz.lesson.lesson import load_lesson
from cnnviz.lesson.made import files_as_made
from cnnviz.lesson.packing import Place
from cnnviz.trace.breakpoint import Breakpoint
from cnnviz.trace.cursor import Bookmark
from cnnviz.trace.stops import Level
from tests.killed import killed

DATA = Path(__file__).parents[1] / "formats" / "data"


@pytest.fixture
def photo(tmp_path):
    """A picture as a telephone writes it: held sideways, with the place where it was taken."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.25)
    exif[0x010F] = "Telephone of Ada"
    y, x = np.mgrid[:60, :80]
    image = Image.fromarray(np.stack([x * 3, y * 4, x + y], 2).astype(np.uint8))
    image.save(tmp_path / "photo.jpg", exif=exif)
    return tmp_path / "photo.jpg"


def assert_same(one, other):
    """The same steps on the same numbers to the last bit, with the same said."""
    assert [operation.tree.source for operation in one.program.operations] == [
        operation.tree.source for operation in other.program.operations
    ]
    assert dict(one.tape).keys() == dict(other.tape).keys()
    for name, values in dict(one.tape).items():
        assert np.asarray(values).tobytes() == np.asarray(other.tape[name]).tobytes(), name
    assert one.sequence == other.sequence
    assert one.view.classes == other.view.classes
    assert one.choice == other.choice
    assert len(one.subject) == len(other.subject)


def saved(lesson, path, place=None):
    path.write_bytes(lesson.packed(place))
    return load_lesson(path)


def test_what_is_saved_is_opened_and_saved_again_the_same(tmp_path, photo):
    weights = tmp_path / "w.npz"
    np.savez(weights, **{f"{k}": v * 2 for k, v in load_lesson("digits").network.parameters.items()})
    for source, changes, image in (
        ("lenet", [f"picture.file={photo}", "picture.preset=mnist", "c1.w[0,0,0,0]=-0"], 5),
        ("digits", [f"weights.file={weights}", "conv1.w[0,0,0,0]=0.25", "label=4"], 7),
        ("training", ["optimiser.lr=0.3"], None),
        ("chain-rule", ["x=7"], 1),
        ("image", ["rgb.image[0,0,0]=5"], None),
        ("gradient-descent", [], None),
        ("backward-conv", [], None),
        ("f = x * y   x=2 y=-0.0", [], None),
        (str(DATA / "unet.legacy.onnx"), [], None),
        (f"{DATA / 'vgg.pt2'}?label=1&input={photo}", [], None),
        (str(DATA / "gates.dynamo.onnx"), [], None),
        (str(DATA / "lenet.double.onnx"), [], None),  # whose numbers begin anywhere in the file
    ):
        lesson = load_lesson(source, image, changes=changes)
        one = saved(lesson, tmp_path / "one.cnnviz")
        assert_same(lesson, one)
        assert len(one.changes) == len(lesson.changes)
        assert one.name == "one" and one.packed() == lesson.packed()
        assert_same(load_lesson(source), saved(load_lesson(source), tmp_path / "two.cnnviz"))


def test_a_network_that_was_saved_takes_labels_and_inputs_as_its_file_does(tmp_path, photo):
    """Channels last or first, in batches or alone; again of what was saved with them."""
    one, two, x = tmp_path / "one.cnnviz", tmp_path / "two.cnnviz", tmp_path / "x.npy"
    for name, labels in (
        ("keras-sequential.keras", "1"),
        ("keras-functional.h5", ""),
        ("keras-sequence.keras", ""),
        ("unet.legacy.onnx", ""),
        ("lenet.pt2", "1,4"),
        ("lenet.pt2", ""),
    ):
        file, count = DATA / name, 1 + labels.count(",")
        with np.load(DATA / f"{name.split('.')[0]}.npz") as arrays:
            sample = arrays["x"][0] if name.startswith("lenet") else arrays["x"]
        np.save(x, np.stack([sample * (k + 1) for k in range(count)]) if count > 1 else sample)
        one.write_bytes(load_lesson(file).packed())
        words = f"?input={x}" + (f"&label={labels}" if labels else "")
        wanted, found = load_lesson(f"{file}{words}"), load_lesson(f"{one}{words}")
        assert_same(wanted, found)
        assert wanted.notes == found.notes
        assert_same(wanted, saved(found, two))
        if count > 1:
            np.save(x, sample)
            with pytest.raises(CnnvizError, match=r"two.cnnviz: .*give --label"):
                load_lesson(f"{two}?input={x}")
    one.write_bytes(load_lesson(DATA / "vgg.pt2").packed())
    words = f"?input={photo}&label=1"
    assert_same(load_lesson(f"{DATA / 'vgg.pt2'}{words}"), load_lesson(f"{one}{words}"))
    for words, said in (
        ("?label=99999", "label must be"),
        ("?up_to=fc", "--up-to"),
        ("?label=1&input=nothing.npy", "nothing.npy cannot be read"),
    ):
        with pytest.raises(CnnvizError, match=said):
            load_lesson(f"{one}{words}")
    digits = saved(load_lesson("digits"), tmp_path / "digits.cnnviz").description.source
    with pytest.raises(CnnvizError, match="inputs of their own"):
        load_lesson(f"{digits}?label=1")


def test_others_can_read_it(tmp_path, photo):
    """A zip archive, TOML, NumPy's arrays, a PNG with no more than pixels."""
    lesson = load_lesson("lenet", changes=[f"picture.file={photo}"])
    place = Place(12, 3, None, "gathered", Level.MAP, (Breakpoint("c1", 3),), (), (Bookmark("c1", 4),))
    again = saved(lesson, tmp_path / "a.cnnviz", place)
    assert again.description.place == place
    with zipfile.ZipFile(tmp_path / "a.cnnviz") as archive:
        assert archive.testzip() is None
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
        said = tomllib.loads(archive.read("lesson.toml").decode())
        assert said["title"] == lesson.title and said["weights"] == "weights.npz"
        with np.load(io.BytesIO(archive.read("weights.npz"))) as arrays:
            assert np.array_equal(arrays["c1.w"], lesson.network.parameters["c1.w"])
        picture = Image.open(io.BytesIO(archive.read("changed-picture.png")))
        assert picture.size == (60, 80) and not picture.getexif() and set(picture.info) == set()
        assert json.loads(archive.read("place.json"))["bookmarks"][0]["offset"] == 4
    content = (tmp_path / "a.cnnviz").read_bytes()
    assert b"Ada" not in content and b"Exif" not in content and str(tmp_path).encode() not in content
    photo.unlink()
    assert_same(lesson, load_lesson(tmp_path / "a.cnnviz", 273))


def test_a_lesson_file_is_written_as_a_person_would(tmp_path, photo):
    """TOML says it with its changes made: the numbers are those that were seen; long arrays lie beside."""
    for source, changes, image, files in (
        ("convolution", ["conv.w[0,0,0,0]=0.5", "conv.stride=1"], None, 0),
        ("digits", ["conv1.w[0,0,0,0]=0.25", "label=3", "input[0,2,3]=1"], 182, 2),
        ("lenet", [f"picture.file={photo}", "picture.preset=mnist"], 273, 3),
        ("training", ["optimiser.lr=0.3"], None, 1),
        ("chain-rule", ["x=7"], 1, 0),
        ("gradient-descent", ["walk.lr=0.05"], None, 0),
        ("image", ["rgb.image[0,0,0]=5"], None, 0),
        ("batch", ["input.0[1]=3"], None, 0),
        ("g = x * y   x=2 y=-0.0", ["x=4"], None, 0),
        (str(DATA / "unet.legacy.onnx"), [], None, 1),
    ):
        lesson, folder = load_lesson(source, image, changes=changes), tmp_path / "own"
        folder.mkdir()
        for name, content in files_as_made(lesson, "own").items():
            (folder / name).write_bytes(content)
        text = (folder / "lesson.toml").read_text("utf-8")
        assert max(map(len, text.splitlines())) < 600 and text.count("\n") < 400
        made = load_lesson(folder / "lesson.toml", image)
        assert not made.changes and len(os.listdir(folder)) == files + 1
        for name, values in dict(lesson.tape).items():
            assert np.asarray(values).tobytes() == np.asarray(made.tape[name]).tobytes(), name
        assert [stop.caption for stop in made.sequence] == [stop.caption for stop in lesson.sequence]
        shutil.rmtree(folder)


def test_whatever_can_be_changed_is_saved_as_one_file_and_as_a_lesson_file(tmp_path, photo):
    """Each kind of change once, for every image that is shown; neither names a file of this machine."""
    made, data, weights = np.random.default_rng(1), tmp_path / "mine.npz", tmp_path / "w.npz"
    (tmp_path / "names.txt").write_text("".join(f"n{k}\n" for k in range(10)))
    pictures = made.integers(0, 255, (2, 6, 8, 8)).astype(np.uint8)
    labels = made.integers(0, 10, (2, 6))
    np.savez(data, x_train=pictures[0], y_train=labels[0], x_test=pictures[1], y_test=labels[1])
    np.savez(weights, **{key: 2 * values for key, values in load_lesson("digits").network.parameters.items()})
    several = Path(__file__).parent / "files" / "two-in-two-out.toml"
    for source, *changes in (
        ("digits", f"input.images={data}", "label.1=4", "input.2[0,3,3]=0.5", f"weights.file={weights}"),
        ("digits", f"input.images={data}", "input.array=x_test", "input.labels=y_test", "conv1.b[0]=-0.0"),
        ("digits", f"input.classes={tmp_path / 'names.txt'}", "optimiser.lr=0.5", "label.7=4"),
        ("digits", f"picture.file={photo}", "picture.fit=stretch", "picture.sample=2", "label.2=9"),
        ("convolution", "input[0,1,1]=9", "conv.padding=2"),
        ("training", "input.3[0,0,0]=0.5"),
        ("batch", "target.0[0]=0.3"),
        ("dropout", "dropout.p=0.25"),
        ("gradient-descent", "walk.starts=1,2", "walk.lr=0.3"),
        ("chain-rule", "x.1=-2", "x.0=3"),
        (str(several), "seen[0,0,0]=2", "loss_size.target[0]=3"),
    ):
        lesson = load_lesson(source, changes=changes)
        files = files_as_made(lesson, "own")
        (tmp_path / "own").mkdir()
        for name, content in files.items():
            (tmp_path / "own" / name).write_bytes(content)
        one = saved(lesson, tmp_path / "one.cnnviz")
        assert one.packed() == lesson.packed()
        for content in (lesson.packed(), *files.values()):
            assert str(tmp_path).encode() not in content
        for image in range(min(3, len(lesson.subject))) if lesson.run is None else (None,):
            was = load_lesson(source, image, changes=changes)
            assert_same(was, load_lesson(tmp_path / "one.cnnviz", image))
            now = load_lesson(tmp_path / "own" / "lesson.toml", image)
            assert not now.changes and now.view.classes == was.view.classes
            for name, values in dict(was.tape).items():
                assert np.asarray(values).tobytes() == np.asarray(now.tape[name]).tobytes(), (changes, name)
        now = load_lesson(tmp_path / "own" / "lesson.toml", None if lesson.run else lesson.image)
        assert [stop.caption for stop in now.sequence] == [stop.caption for stop in lesson.sequence]
        shutil.rmtree(tmp_path / "own")


def test_pack_and_unpack(tmp_path, capsys):
    file, folder = tmp_path / "m.cnnviz", tmp_path / "out"
    assert run(["pack", "vanishing", "-o", str(file), "--at", "5"], None) == 0
    assert run(["unpack", str(file), "-o", str(folder)], None) == 0
    assert_same(load_lesson("vanishing"), load_lesson(folder / "lesson.toml"))
    assert run(["unpack", str(file), "-o", str(folder)], None) == 2
    assert run(["pack", "vanishing", "-o", str(tmp_path / "m.zip")], None) == 2
    assert capsys.readouterr().err.count("\n") == 2
    assert load_lesson(file).description.place.step == 5


# ------------------------------------------------------------------------------------------------- hostile

RIGHT = {"version.txt": b"1\n", "lesson.toml": b""}


def test_a_lesson_that_was_saved_is_given_fewer_samples(tmp_path):
    """Which image was shown says nothing of them."""
    digits = np.random.default_rng(4).integers(0, 255, (5, 28, 28), np.uint8)
    np.savez(tmp_path / "few.npz", x_train=digits, y_train=np.arange(5))
    file = tmp_path / "mine.cnnviz"
    file.write_bytes(load_lesson("lenet", image=300).packed())
    assert load_lesson(file).image == 300
    few = load_lesson(file, changes=[f"input.images={tmp_path / 'few.npz'}"])
    assert few.image == 0 and np.array_equal(few.tape["input.y"][0], digits[0] / 255)
    file.write_bytes(few.choose(3).packed())
    assert load_lesson(file).image == 3


def test_a_folder_of_pictures_is_saved_as_what_goes_in(tmp_path):
    """To the last bit, into a lesson whose own samples are divided by 255."""
    rng = np.random.default_rng(3)
    for k in range(10):
        (tmp_path / "pets" / str(k)).mkdir(parents=True)
        Image.fromarray(rng.integers(0, 256, (28, 28), np.uint8)).save(tmp_path / "pets" / str(k) / "a.png")
    lesson = load_lesson("lenet", image=4, changes=[f"input.images={tmp_path / 'pets'}"])
    saved(lesson, tmp_path / "pets.cnnviz")
    shutil.rmtree(tmp_path / "pets")
    again = load_lesson(tmp_path / "pets.cnnviz", image=4)
    assert np.array_equal(again.tape["input.y"], lesson.tape["input.y"])
    assert lesson.tape["input.y"].max() == 1


def archive_of(entries, kind=zipfile.ZIP_STORED, **attributes):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", kind) as archive:
        for name, content in entries:
            info = zipfile.ZipInfo(name)
            info.compress_type = kind
            for key, value in attributes.items():
                setattr(info, key, value)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of names that come twice
                archive.writestr(info, content)
    return made.getvalue()


def hostile(right):
    """Return archives that nobody saved, each with a word of what is said of it."""
    entries = dict(right)
    names = (
        "../lesson.toml",
        "/etc/passwd",
        "a/lesson.toml",
        "LESSON.TOML",
        "x.py",
        "",
        "weights.pkl",
        "C:\\a.npz",
        "inner.cnnviz",
        "weights.npz/",
        "lesson.toml ",
        "\u202etxt.noisrev",
    )
    for name in names:
        yield archive_of([*right, (name, b"x")]), "no lesson has"
    yield archive_of([*right, ("lesson.toml", b"twice")]), "stored as it is"
    yield archive_of([*right, ("images.npz", bytes(10**7))], zipfile.ZIP_DEFLATED), "stored as it is"
    for way in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield archive_of(right, way), "stored as it is"
    for mode in (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFDIR, stat.S_IFBLK):
        yield archive_of(right, external_attr=(mode | 0o777) << 16), "stored as it is"
    yield archive_of([("version.txt", b"2\n"), ("lesson.toml", entries["lesson.toml"])]), "newer"
    yield archive_of([("version.txt", b"1" * 10**6), ("lesson.toml", b"")]), "newer"
    yield archive_of([("version.txt", b"1\n")]), "no lesson"
    yield archive_of([("lesson.toml", entries["lesson.toml"])]), "no lesson"
    content = archive_of(right)
    listed = content.index(b"PK\x01\x02")
    for at, size in ((20, 4), (24, 4), (42, 4), (16, 4), (28, 2), (8, 2)):
        for value in (1, 9, 2**31, 2**32 - 1):
            forged = bytearray(content)
            forged[listed + at : listed + at + size] = struct.pack("<Q", value)[:size]
            yield bytes(forged), ""
    second = content.index(b"PK\x01\x02", listed + 4)
    forged = bytearray(content)  # the second entry lies where the first one does
    forged[second + 42 : second + 46] = forged[listed + 42 : listed + 46]
    yield bytes(forged), "not where it should be"
    for cut in range(0, len(content), max(1, len(content) // 12)):
        yield content[:cut], "cannot be opened"
    yield bytes(listed) + content[listed:], ""
    for change in (
        "weights.file=/etc/passwd",
        "picture.file=../../cat.png",
        "left.picture=/etc/cat.png",
        "input.classes=/etc/passwd",
        "input.images=/dev/zero",
        "weights.file=weights.npz",
        "x",
        "picture.file=changed-picture.png",
    ):
        yield archive_of([*right, ("changes.txt", change.encode())]), ""
    yield archive_of([*right, ("changes.txt", b"\xff\xfe")]), "UTF-8"
    for place in (b"[", b'{"step": "a"}', b"[" * 10**5, b'{"level": "sideways"}'):
        yield archive_of([*right, ("place.json", place)]), "damaged"
    lesson = entries["lesson.toml"].decode()
    for name in ("/etc/passwd", "../w.npz", "other.npz", "weights.pkl", "a.cnnviz/weights.npz"):
        own = lesson.replace("seed = 1", f'weights = "{name}"')
        yield archive_of([("version.txt", b"1\n"), ("lesson.toml", own.encode())]), ""
    own = lesson.replace("values = [1, 2]", 'values = "arrays.npz"')
    for arrays in (
        {"input.value": np.zeros(2)},
        {"input.values": np.zeros(3)},
        {"input.values": np.array(["a"])},
        {"input.values": np.array([1, np.nan])},
        {"input.values": np.array(3.0)},
    ):
        file = io.BytesIO()
        np.savez(file, **arrays)
        parts = [("version.txt", b"1\n"), ("lesson.toml", own.encode()), ("arrays.npz", file.getvalue())]
        yield archive_of(parts), ""
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as inner:
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            head, {"descr": "<f8", "fortran_order": False, "shape": (10**9,)}
        )
        inner.writestr("input.values.npy", head.getvalue() + bytes(10**7))
    yield (
        archive_of([("version.txt", b"1\n"), ("lesson.toml", own.encode()), ("arrays.npz", bomb.getvalue())]),
        "",
    )
    huge = ("arrays.npz", own.encode().replace(b"shape = [2]", b"shape = [99999999]"))
    yield archive_of([("version.txt", b"1\n"), ("lesson.toml", huge[1])]), ""


LESSON = """\
title = "One"
sentence = "It is one."
seed = 1
[input]
shape = [2]
values = [1, 2]
[[layers]]
name = "fc"
kind = "linear"
neurons = 2
"""


def test_hostile_ones_are_refused_in_a_sentence_and_nothing_else_is_read(tmp_path, monkeypatch):
    right = [("version.txt", b"1\n"), ("lesson.toml", LESSON.encode())]
    file = tmp_path / "h.cnnviz"
    file.write_bytes(archive_of(right))
    load_lesson(file)
    opened, really = [], os.open

    def watched(path, *rest, **named):
        opened.append(os.fspath(path))
        return really(path, *rest, **named)

    cases = list(hostile(right))
    assert len(cases) >= 80
    monkeypatch.setattr(os, "open", watched)
    tracemalloc.start()
    refused = 0
    for content, word in cases:
        with file.open("wb") as written:
            written.write(content)
        opened.clear()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        try:
            load_lesson(file)
        except CnnvizError as error:
            refused += 1
            assert word in str(error) and "h.cnnviz" in str(error) and "\n" not in str(error), str(error)
        else:
            assert not word, content
        assert tracemalloc.get_traced_memory()[1] - before < 2**25
        assert set(opened) <= {str(file)}
    tracemalloc.stop()
    assert refused > 0.8 * len(cases)
    assert sorted(os.listdir(tmp_path)) == ["h.cnnviz"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are made otherwise there")
def test_killed_while_it_is_saved_the_old_file_or_the_new_one_is_there(tmp_path):
    """See `make killed` for more of them."""
    assert killed("lesson", 25, tmp_path, 5) > 5
