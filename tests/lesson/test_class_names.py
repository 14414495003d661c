"""What classes are called: a text file, one a line, in a lesson or as a change; or the model's own notes."""

import zipfile

import pytest

from cnnviz import CnnvizError, load_lesson
from cnnviz.formats.protobuf import Message
from cnnviz.lesson.changes import read_change
from cnnviz.lesson.class_names import names_in_model
from tests.formats.reference import DATA
from tests.lesson.conftest import toml

NAMES = ("zero", "jeden", "two cats", "三", "4")
LENET = DATA / "lenet.legacy.onnx"


def noted(path, key, value):
    """Write a model with a note of its own behind it: fields of a message may stand anywhere."""

    def field(number, content):
        return bytes([number << 3 | 2, len(content)]) + content

    note = field(1, key.encode()) + field(2, value.encode())
    path.write_bytes(LENET.read_bytes() + field(14, note))
    assert Message(memoryview(path.read_bytes()), [0]).messages(14)
    return path


def test_a_file_names_classes_of_any_network(tmp_path):
    (tmp_path / "my names.txt").write_text("\ufeff" + "\r\n".join(NAMES) + "\n\n", "utf-8")
    change = f"input.classes={tmp_path / 'my names.txt'}"
    for source in (f"{LENET}?label=2", str(LENET)):
        lesson = load_lesson(source, changes=[change])
        assert lesson.subject.classes == NAMES
    word = str(lesson.changes[0])
    assert " " not in word and read_change(word) == lesson.changes[0]
    with pytest.raises(CnnvizError, match="has 5 names, but the network has 10 classes"):
        load_lesson("digits", changes=[change])


def test_a_lesson_file_names_the_file(tmp_path):
    (tmp_path / "names.txt").write_text("no\nyes\n")
    tables = {
        "title": "Two",
        "sentence": "It is so.",
        "seed": 1,
        "input": {"shape": [2], "values": [1, 2], "label": 1, "classes": "names.txt"},
        "layers": [
            {"name": "fc", "kind": "linear", "neurons": 2},
            {"name": "softmax", "kind": "softmax"},
        ],
        "loss": {"kind": "cross_entropy"},
    }
    (tmp_path / "lesson.toml").write_text(toml(tables))
    lesson = load_lesson(tmp_path / "lesson.toml")
    assert lesson.subject.classes == ("no", "yes") and lesson.subject.label(0) == "yes"
    for content, said in (
        (b"no\n\nyes\n", "names.txt: line 2 must be the name of a class"),
        (b"", "names.txt: line 1 must be the name of a class"),
        (b"no\x1b[31m\nyes", "names.txt: line 1 must be"),
        (b"\xff\xfe", "names.txt: is no text in UTF-8"),
        (b"no\nyes\nboth", "input.classes: has 3 names, but the network has 2 classes"),
    ):
        (tmp_path / "names.txt").write_bytes(content)
        with pytest.raises(CnnvizError, match=said):
            load_lesson(tmp_path / "lesson.toml")


def test_models_say_it_themselves(tmp_path):
    for key, value in (
        ("names", "{0: 'a', 1: 'b', 2: 'c', 3: 'd', 4: 'e'}"),
        ("classes", '["a", "b", "c", "d", "e"]'),
        ("labels", "a\nb\nc\nd\ne"),
        ("Labels", "a, b, c, d, e"),
    ):
        path = noted(tmp_path / "net.onnx", key, value)
        assert load_lesson(path).subject.classes == tuple("abcde"), value
        assert load_lesson(f"{path}?label=3").subject.label(0) == "d"
    path = noted(tmp_path / "net.onnx", "names", "['three', 'of', 'them']")
    assert load_lesson(f"{path}?label=3").subject.label(0) == "3"
    with (
        zipfile.ZipFile(DATA / "lenet.traced.pt") as archive,
        zipfile.ZipFile(tmp_path / "n.pt", "w") as made,
    ):
        for info in archive.infolist():
            made.writestr(info.filename, archive.read(info))
        made.writestr(f"{info.filename.partition('/')[0]}/extra/labels.txt", "a\nb\nc\nd\ne")
    assert load_lesson(tmp_path / "n.pt").subject.classes == tuple("abcde")


def test_what_is_no_list_of_names_is_left_out():
    for text in ("", "[1, 2]", "{'a': 'b'}", "[" * 10_000, '["a", ""]', "[__import__('os').name]", "7"):
        assert names_in_model({"classes": text}) is None, text[:40]
