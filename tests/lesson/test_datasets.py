"""Data for training as others write it: the same samples and labels come out of every file."""

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnviz import CnnvizError, load_lesson
from tests.lesson.conftest import toml

RNG = np.random.default_rng(4)
GREY = RNG.integers(0, 256, (7, 4, 5), np.uint8)
COLOURS = RNG.integers(0, 256, (7, 4, 5, 3), np.uint8)
LABELS = np.array([0, 2, 1, 2, 0, 0, 1])
ONE_HOT = np.eye(3)[LABELS]


def lesson_file(folder, shape, given, loss="cross_entropy_with_logits", neurons=3):
    """Write a lesson that learns from a file beside it."""
    layers = [{"name": "fc", "kind": "linear", "neurons": neurons}]
    tables = {
        "title": "Data",
        "sentence": "It is learnt from.",
        "seed": 1,
        "input": {"shape": list(shape), **given},
        "layers": [{"name": "flatten", "kind": "flatten"}, *layers] if len(shape) > 1 else layers,
        "loss": {"kind": loss},
        "optimiser": {"kind": "sgd", "lr": 0.1},
        "training": {"iterations": 5},
    }
    (folder / "lesson.toml").write_text(toml(tables))
    return folder / "lesson.toml"


def shown(lesson, image):
    at = lesson.choose(image)
    return at.tape["input.y"], at.tape["loss.t"]


def check(lesson, images, targets=ONE_HOT):
    """Every sample is the one meant, with what should come out; and it trains."""
    for k in (0, 3, 6):
        x, t = shown(lesson, k)
        assert np.array_equal(x, images[k]), k
        assert np.array_equal(t, targets[k]), k
    assert lesson.at_iteration(4).iteration == 4


def idx(array, kind=8):
    return struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape) + array.tobytes()


def test_arrays_as_keras_and_others_have_them(tmp_path):
    first, last = COLOURS.transpose(0, 3, 1, 2), COLOURS
    for shape, arrays, given, wanted, said in (
        (
            (1, 4, 5),
            {"x_train": GREY, "y_train": LABELS},
            {},
            GREY[:, None],
            "without an axis of channels; classes",
        ),
        (
            (3, 4, 5),
            {"x_train": last, "y_train": LABELS[:, None]},
            {},
            first,
            "channels last; classes from y_train",
        ),
        ((3, 4, 5), {"train_images": first, "train_labels": ONE_HOT}, {}, first, "of train_images; classes"),
        (
            (20,),
            {"X": GREY, "y": LABELS.astype(np.uint8)},
            {},
            GREY.reshape(7, 20),
            "one number after the other",
        ),
        ((1, 4, 5), {"data": GREY.reshape(7, 20), "target": LABELS}, {}, GREY[:, None], "data, one number"),
        (
            (1, 4, 5),
            {"x_train": GREY[::-1], "y_train": LABELS[::-1], "x_test": GREY, "y_test": LABELS},
            {"array": "x_test"},
            GREY[:, None],
            "classes from y_test",
        ),
        (
            (1, 4, 5),
            {"a": GREY, "b": LABELS, "c": GREY},
            {"array": "a", "labels": "b"},
            GREY[:, None],
            "from b",
        ),
    ):
        np.savez(tmp_path / "d.npz", **arrays)
        lesson = load_lesson(lesson_file(tmp_path, shape, {"images": "d.npz", **given}))
        assert lesson.notes[0].startswith("d.npz: 7 samples of ") and said in lesson.notes[0], lesson.notes
        check(lesson, wanted)


def test_a_shape_that_may_be_either_is_taken_as_said(tmp_path):
    both = RNG.integers(0, 9, (7, 3, 3, 3))
    np.savez(tmp_path / "d.npz", x_train=both, y_train=LABELS)
    check(load_lesson(lesson_file(tmp_path, (3, 3, 3), {"images": "d.npz"})), both)
    given = {"images": "d.npz", "data_format": "channels_last"}
    check(load_lesson(lesson_file(tmp_path, (3, 3, 3), given)), both.transpose(0, 3, 1, 2))


def test_real_targets(tmp_path):
    values = RNG.normal(size=(7, 3))
    np.savez(tmp_path / "d.npz", x=GREY / 255, y=values)
    path = lesson_file(tmp_path, (1, 4, 5), {"images": "d.npz"}, "mean_squared_error")
    check(load_lesson(path), GREY[:, None] / 255, values)
    np.savez(tmp_path / "d.npz", x=GREY / 255, y=values[:, 0])
    path = lesson_file(tmp_path, (1, 4, 5), {"images": "d.npz"}, "mean_squared_error", 1)
    lesson = load_lesson(path)
    assert "targets from y" in lesson.notes[0]
    check(lesson, GREY[:, None] / 255, values[:, :1])
    np.savez(tmp_path / "d.npz", x=GREY / 255, y=LABELS)
    given = {"images": "d.npz", "label_mode": "real"}
    path = lesson_file(tmp_path, (1, 4, 5), given, "mean_squared_error", 1)
    check(load_lesson(path), GREY[:, None] / 255, LABELS[:, None])


def test_idx_packed_or_not(tmp_path):
    for name, pack in (("train-images-idx3-ubyte", bytes), ("train-images-idx3-ubyte.gz", gzip.compress)):
        (tmp_path / name).write_bytes(pack(idx(GREY)))
        (tmp_path / name.replace("images-idx3", "labels-idx1")).write_bytes(
            pack(idx(LABELS.astype(np.uint8)))
        )
        lesson = load_lesson(lesson_file(tmp_path, (1, 4, 5), {"images": name, "scale": 255}))
        check(lesson, GREY[:, None] / 255)
    (tmp_path / "x.idx").write_bytes(idx((GREY / 4).astype(">f4"), 0x0D))
    given = {"images": "x.idx", "labels": "train-labels-idx1-ubyte"}
    check(load_lesson(lesson_file(tmp_path, (1, 4, 5), given)), GREY[:, None] / 4)


def test_csv_with_its_label_anywhere(tmp_path):
    names = np.array(["ant", "bee", "cat"])[LABELS]
    flat = GREY.reshape(7, 20)
    head = [f"p{k}" for k in range(20)]

    def written(rows, mark=","):
        (tmp_path / "d.csv").write_text(
            "\ufeff" + "\r\n".join(mark.join(map(str, row)) for row in rows) + "\r\n"
        )
        return load_lesson(lesson_file(tmp_path, (1, 4, 5), {"images": "d.csv"}))

    for lesson in (
        written([["label", *head], *([label, *row] for label, row in zip(LABELS, flat, strict=True))]),
        written([*([*row, label] for label, row in zip(LABELS, flat, strict=True))], ";"),
        written([*([*row[:3], name, *row[3:]] for name, row in zip(names, flat, strict=True))], "\t"),
        written([[*head, "Species"], *([*row, name] for name, row in zip(names, flat, strict=True))]),
    ):
        check(lesson, GREY[:, None])
    assert lesson.subject.classes == ("ant", "bee", "cat")
    assert lesson.notes[0].endswith("classes from Species.")
    (tmp_path / "d.csv").write_text(
        "\n".join(",".join(map(str, [label, *row])) for label, row in zip(LABELS, flat, strict=True))
    )
    first = {"images": "d.csv", "labels": "1"}  # as MNIST is found in tables: the label first, and no names
    check(load_lesson(lesson_file(tmp_path, (1, 4, 5), first)), GREY[:, None])
    quoted = [[f'"{name}\r\nof ""it"""', *row] for name, row in zip(names, flat, strict=True)]
    lesson = written([["label", *head], [" "], *quoted])  # a cell in quotes goes over two lines
    check(lesson, GREY[:, None])
    assert len(lesson.subject.classes) == 3
    for text, said in (
        (
            "1,2,3\n",
            "d.csv: row 1 has 3 columns, but must have 21: the 20 numbers of a sample, and its label",
        ),
        ("a\n" + ",".join("x" * 21) + "\n", "row 1 has 1 columns"),
        (",".join(["1"] * 20 + ["0"]) + "\n" + ",".join(["nan"] + ["1"] * 20) + "\n", "row 2 holds NaN"),
        ("", "has no images in it"),
        (
            "".join(f"w{k}{',1' * 20}\n" for k in range(1001)),
            "d.csv: its column of labels has 1,001 different",
        ),
    ):
        (tmp_path / "d.csv").write_text(text)
        with pytest.raises(CnnvizError, match=said):
            load_lesson(tmp_path / "lesson.toml")


def test_a_folder_of_pictures_by_class(tmp_path):
    for k, (image, label) in enumerate(zip(COLOURS, LABELS, strict=True)):
        folder = tmp_path / "pets" / ("ant", "bee", "cat")[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{k}.png")
        (folder / "notes.md").write_text("no picture")
    order = np.argsort(LABELS, kind="stable")
    given = {"images": "pets", "picture": {"preset": "signed"}}
    lesson = load_lesson(lesson_file(tmp_path, (3, 4, 5), given))
    check(
        lesson,
        (COLOURS[order].transpose(0, 3, 1, 2) / 255 - 0.5) / 0.5,
        ONE_HOT[order],
    )
    assert lesson.subject.classes == ("ant", "bee", "cat")
    assert lesson.notes == ("pets: 7 samples of pictures; classes from the names of 3 folders.",)
    outside = tmp_path / "outside.png"
    Image.fromarray(COLOURS[0]).save(outside)
    (tmp_path / "pets" / "ant" / "a.png").symlink_to(outside)
    with pytest.raises(CnnvizError, match=r"a\.png: leads out of the folder"):
        load_lesson(tmp_path / "lesson.toml")


def test_forged_sizes_and_damage_are_told_before_memory_is_taken(tmp_path):
    (tmp_path / "t-labels-idx1-ubyte").write_bytes(idx(LABELS.astype(np.uint8)))
    path = lesson_file(tmp_path, (1, 4, 5), {"images": "t-images-idx3-ubyte"})
    huge = struct.pack(">HBB3I", 0, 8, 3, 2**31, 2**31, 9)
    right = idx(GREY)
    tracemalloc.start()
    for content, said in (
        (huge, r"t-images-idx3-ubyte: would take .* MB of memory; 512 MB are the most"),
        (gzip.compress(huge + bytes(2**20)), "would take"),
        (right[:-1], "is no IDX file, as MNIST's are, or a broken one"),
        (right + b"\0", "is no IDX file"),
        (gzip.compress(right)[:-9], "is no IDX file"),
        (b"", "is no IDX file"),
        (idx(GREY[:, :3]), r"images\[0\]: has shape 3 × 5, but must have 1 × 4 × 5"),
        (idx(GREY[:5]), "labels: has shape 7, but must have 5"),
    ):
        (tmp_path / "t-images-idx3-ubyte").write_bytes(content)
        with pytest.raises(CnnvizError, match=said):
            load_lesson(path)
    assert tracemalloc.get_traced_memory()[1] < 2**25
    tracemalloc.stop()
    for given, said in (
        ({"images": "d.npz", "labels": "../y"}, "d.npz: has x_train, y, names; say with input.array and"),
        ({"images": "x.idx", "labels": "../t-labels-idx1-ubyte"}, "leads out of the lesson's own folder"),
        ({"images": "x.idx"}, r"say with input\.labels which file has the labels"),
        ({"images": "none"}, "there is no such file"),
    ):
        np.savez(tmp_path / "d.npz", x_train=GREY, y=LABELS, names=["a"])
        Path(tmp_path / "x.idx").write_bytes(right)
        with pytest.raises(CnnvizError, match=said):
            load_lesson(lesson_file(tmp_path, (1, 4, 5), given))


def test_a_lesson_is_given_other_samples(tmp_path):
    """The built-in one keeps its network; what was recognised is said, and names of classes stay."""
    digits = RNG.integers(0, 17, (40, 8, 8))
    np.savez(tmp_path / "my digits.npz", x_train=digits, y_train=np.arange(40) % 10)
    lesson = load_lesson(
        "digits", image=7, changes=[f"input.images={tmp_path / 'my digits.npz'}", "conv1.stride=1"]
    )
    assert len(lesson.subject) == 40 and lesson.subject.label(7) == "7"
    assert np.array_equal(lesson.tape["input.y"][0], digits[7] / 16)
    assert lesson.notes[0].startswith("my digits.npz: 40 samples of x_train")
    for change, said in (
        ("input.images=/nowhere/x.npz", "x.npz: there is no such file"),
        ("input.array=x", "has no array x|has images, labels"),
        ("input.colour=1", r"input\.colour: is not known; there is batch_size, classes, images"),
        (f"input.images={tmp_path / 'd.toml'}", "is no IDX file|no such file|say with"),
    ):
        with pytest.raises(CnnvizError, match=said):
            load_lesson("digits", changes=[change])
    for name, label in (("ant", 0), ("bee", 1), ("cat", 2)):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.fromarray(COLOURS[label]).save(tmp_path / "pets" / name / "a.png")
    path = lesson_file(tmp_path, (3, 4, 5), {"images": "pets"})
    assert load_lesson(path, changes=["optimiser.lr=0.5"]).subject.classes == ("ant", "bee", "cat")
