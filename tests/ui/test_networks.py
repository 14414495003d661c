"""Networks of other programs in the window: opened, refused with an offer, and as they were left."""

import gzip
import json
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication, QFileDialog, QInputDialog

from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.marks import Label, flat
from cnnviz.scene.panels import row_said
from cnnviz.ui.data_dialog import DataDialog
from cnnviz.ui.settings import Settings
from cnnviz.ui.window import Window
from tests.formats.reference import DATA, close, reference
from tests.formats.test_networks import with_two_inputs
from tests.formats.test_weights import LENET, SQUARE

IDX = "train-images-idx3-ubyte"


@pytest.fixture
def unknown(tmp_path):
    """A network with a layer that there never will be, behind others."""
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(DATA / "keras-flat.keras") as archive, zipfile.ZipFile(path, "w") as made:
        for info in archive.infolist():
            content = archive.read(info)
            if info.filename == "config.json":
                config = json.loads(content)
                config["config"]["layers"][-1]["class_name"] = "Quantum"
                content = json.dumps(config)
            made.writestr(info.filename, content)
    return path


def test_a_network_is_opened_and_its_notes_are_said(window):
    window.opening.open(str(DATA / "residual.legacy.onnx"))
    assert window.desk.lesson.title == "residual.legacy.onnx"
    assert window.message.sentence.text() == "Its input is all zeros, because none was given (--input)."
    assert window.player.cursor.index == 0
    window.actions_by_name["next"].trigger()


def test_one_that_cannot_be_stepped_whole_opens_up_to_there(window, unknown, qtbot):
    before = window.desk.lesson
    window.opening.open(str(unknown))
    assert window.desk.lesson is before
    said = window.message.sentence.text()
    assert said.startswith(
        "net.keras: 1 of 6 nodes cannot be stepped: dense_4 (Quantum): there is no such layer;"
    )
    assert window.message.offer.isVisible()
    qtbot.mouseClick(window.message.offer, Qt.MouseButton.LeftButton)
    assert [layer.name for layer in window.desk.lesson.network.layers] == [
        "flatten1",
        "dense_3",
        "dense_3_relu",
    ]
    window.message.say("Something else.")
    assert not window.message.offer.isVisible()


def test_it_is_opened_again_as_it_was_left(make_window, settings_file):
    window = make_window()
    window.desk.open(f"{DATA / 'lenet.legacy.onnx'}?label=2")
    window.player.go_to(100)
    window.close()
    settings = Settings(settings_file)
    again = Window(load_lesson(settings.text("window/lesson")), settings)
    assert again.desk.lesson.network.loss is not None
    assert again.player.cursor.index == 100
    again.close()


def test_a_picture_dropped_on_an_open_network_goes_into_it(window, tmp_path, monkeypatch):
    image = QImage(12, 12, QImage.Format.Format_RGB32)
    image.fill(QColor(51, 51, 51))
    path = tmp_path / "grey.png"
    image.save(str(path))
    window.desk.open("chain-rule")
    window.opening.open(str(path))
    assert window.message.sentence.text().startswith("The lesson at hand takes no pictures")
    window.message.offer.click()
    assert window.desk.source == "lenet" and abs(window.desk.lesson.tape["input.y"] - 0.2).max() < 1e-12
    window.desk.open("edges")
    window.desk.take_changes("square[0,1,1]=3 halves[0,0,0]=2")
    asked = []
    monkeypatch.setattr(QInputDialog, "getItem", lambda *given: asked.append(given[2:4]) or ("square", True))
    window.opening.open(str(path))
    assert asked == [("Which input does grey.png go into?", ["halves", "square"])]
    assert abs(window.desk.lesson.tape["square.y"] - 0.2).max() < 1e-12
    assert window.desk.lesson.tape["halves.y"][0, 0, 0] == 2
    assert window.player.cursor.step.operation.name in ("square.columns", "square.rows")
    window.actions_by_name["undo"].trigger()
    assert window.desk.lesson.tape["square.y"][0, 1, 1] == 3
    window.desk.open("digits")
    dropped = QMimeData()
    dropped.setUrls([QUrl.fromLocalFile(str(path)), QUrl.fromLocalFile(str(tmp_path / "other.png"))])
    assert window.opening.take(dropped) and abs(window.desk.lesson.tape["input.y"] - 0.2).max() < 1e-12
    first, second = window.message.sentence.text().splitlines()
    assert first.startswith("grey.png (12 × 12)") and second == "Of 2 files, grey.png was taken."
    assert not window.message.is_fault
    dropped.setUrls([QUrl("https://example.org/cat.jpg")])
    assert window.opening.take(dropped)
    assert window.message.sentence.text().startswith("That is not on this computer")
    window.opening.open(str(tmp_path / "IMG.HEIC"))
    assert "save it as JPEG or PNG" in window.message.sentence.text()
    window.desk.open(f"{DATA / 'lenet.legacy.onnx'}?label=2")
    window.opening.open(str(path))
    lesson = window.desk.lesson
    assert abs(lesson.tape["input.y"] - 0.2).max() < 1e-12
    assert lesson.tape["loss.t"].tolist() == [0, 0, 1, 0, 0]


def test_a_picture_is_dropped_or_pasted_and_taken_back(window, tmp_path, monkeypatch):
    image = QImage(30, 20, QImage.Format.Format_ARGB32)
    image.fill(QColor(0, 0, 0, 0))
    image.save(str(tmp_path / "clear.png"))
    window.desk.open("digits")
    window.desk.choose(5)
    before = window.desk.lesson.tape["input.y"]
    dropped = QMimeData()
    dropped.setUrls([QUrl.fromLocalFile(str(tmp_path / "clear.png"))])
    window.opening.take(dropped)
    assert (window.desk.lesson.tape["input.y"] == 1).all()
    assert window.message.sentence.text().startswith("The middle of clear.png (20 × 30) is brought to 8 × 8.")
    assert "\\n" not in window.message.sentence.text()
    assert window.player.cursor.index == 0
    assert window.player.cursor.step.operation.name == "input.columns"
    monkeypatch.setattr(QInputDialog, "getItem", lambda *_: ("signed", True))
    window.actions_by_name["preset"].trigger()
    assert (window.desk.lesson.tape["input.y"] == 1).all()
    assert "(pixel / 255 − 0.5) / 0.5 (signed)" in window.message.sentence.text()
    window.desk.take_changes("input[0,2,3]=0.5")  # painted over it
    assert not window.desk.lesson.reads_pictures
    assert "no longer what its picture says" in window.message.sentence.text()
    window.opening.take(dropped)  # what was painted goes with what it was painted over
    assert (window.desk.lesson.tape["input.y"] == 1).all() and window.desk.lesson.reads_pictures
    for _ in range(4):
        window.actions_by_name["undo"].trigger()
    assert (window.desk.lesson.tape["input.y"] == before).all()
    assert not window.actions_by_name["preset"].isEnabled()
    image.fill(QColor(51, 51, 51))
    QApplication.clipboard().setImage(image)
    window.actions_by_name["paste"].trigger()
    assert abs(window.desk.lesson.tape["input.y"] - 0.2).max() < 1e-12
    assert window.desk.lesson.image == 5
    assert [file.suffix for file in window.settings.beside.iterdir()] == [".png"]
    window.desk.open("chain-rule")
    window.actions_by_name["paste"].trigger()
    assert window.message.sentence.text().startswith("The lesson at hand takes no pictures")
    QApplication.clipboard().clear()
    window.actions_by_name["paste"].trigger()
    assert window.message.sentence.text().startswith("There is no picture and no file on the clipboard")


def test_a_label_can_be_given_at_any_time(window, monkeypatch):
    label = window.actions_by_name["label"]
    window.desk.open(str(DATA / "lenet.legacy.onnx"))
    asked = []

    def answer(parent, title, name, value, least, most):
        asked.append((value, least, most))
        return 4, True

    monkeypatch.setattr(QInputDialog, "getInt", answer)
    label.trigger()
    assert asked == [(0, 0, 4)]
    assert window.desk.lesson.tape["loss.t"].tolist() == [0, 0, 0, 0, 1]
    label.trigger()
    assert asked[1] == (4, 0, 4)
    window.desk.open("lenet")  # whose images have labels: a drawn digit is another one
    label.trigger()
    assert asked[2] == (3, 0, 9)
    assert window.desk.lesson.tape["loss.t"].argmax() == 4
    window.actions_by_name["undo"].trigger()
    assert window.desk.lesson.tape["loss.t"].argmax() == 3
    window.desk.open("edges")
    assert not label.isEnabled()


def test_an_input_is_asked_for(window, tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", np.ones((1, 12, 12)))
    window.desk.open(str(DATA / "lenet.legacy.onnx"))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "x.npy"), ""))
    window.actions_by_name["input"].trigger()
    assert (window.desk.lesson.tape["input.y"] == 1).all()


def test_weights_dropped_go_to_the_lesson_at_hand_and_can_be_undone(window, tmp_path):
    values = reference(DATA / "lenet.pt2")["x"][0].tolist()
    path = tmp_path / "lesson.toml"
    text = LENET.replace('weights = "{file}"', "seed = 1").format(values=values, prefix="", layout="")
    path.write_text(text, "utf-8")
    window.opening.open(str(path))
    drawn = window.desk.lesson.tape["fc2.y"]
    window.player.go_to(500)
    window.opening.open(str(DATA / "lenet.state.pt"))
    learnt = reference(DATA / "lenet.pt2")["y"][0]
    assert close(window.desk.lesson.tape["fc2.y"], learnt, 1e-12)
    assert window.player.cursor.index == 500
    assert window.message.sentence.text().startswith("Weights of lenet.state.pt: conv1.weight is conv1.w,")
    window.actions_by_name["undo"].trigger()
    assert (window.desk.lesson.tape["fc2.y"] == drawn).all()
    assert window.message.isHidden()
    window.actions_by_name["redo"].trigger()
    assert window.message.sentence.text().startswith("Weights of lenet.state.pt")
    assert not window.message.isHidden()
    lesson = window.desk.lesson
    window.opening.open(str(DATA / "types.safetensors"))
    assert window.desk.lesson is lesson
    assert window.message.sentence.text().startswith("types.safetensors: conv1.w (")
    window.desk.open("chain-rule")
    window.opening.open(str(DATA / "lenet.state.pt"))
    assert "its weights go with a lesson that has their layers" in window.message.sentence.text()
    window.desk.open(str(path))
    assert close(window.desk.lesson.tape["fc2.y"], learnt, 1e-12)  # as it was left


def test_of_a_square_matrix_it_is_asked_how_it_lies(window, tmp_path, monkeypatch):
    np.savez(tmp_path / "w.npz", **{"fc.weight": np.array([[1.0, 2.0], [3.0, 4.0]]), "fc.bias": np.zeros(2)})
    (tmp_path / "square.toml").write_text(SQUARE.replace('weights = "{file}"', "seed = 1").format(layout=""))
    window.opening.open(str(tmp_path / "square.toml"))
    for answer, y in ((1, [1, 2]), (0, [1, 3])):
        monkeypatch.setattr(QInputDialog, "getItem", lambda *asked, answer=answer: (asked[3][answer], True))
        window.opening.open(str(tmp_path / "w.npz"))
        assert window.desk.lesson.tape["fc.y"].tolist() == y


def test_what_its_file_calls_a_layer_is_shown(window):
    window.resize(1400, 900)
    window.desk.open(str(DATA / "residual.legacy.onnx"))
    window.player.go_to(window.player.cursor.program.start("down_0"))
    said = [
        run.text for mark in flat(window.stage.frame.marks) if isinstance(mark, Label) for run in mark.runs
    ]
    assert "   (/down/down.0/Conv)" in said
    item = next(one for one in window.network.rows.rows.items if one.name == "down_0")
    assert "in its file: /down/down.0/Conv" in row_said(window.player.moment, item)
    window.desk.open("digits")
    assert not window.player.view.origins


def test_what_is_dropped_goes_into_the_one_of_several_inputs_that_it_fits(window, tmp_path, monkeypatch):
    def opened(left, right):
        path, *_ = with_two_inputs(tmp_path, left, right)
        window.opening.open(str(path))
        return window.desk

    numbers = {size: tmp_path / f"{size}.npy" for size in (2, 3, 5)}
    for size, file in numbers.items():
        np.save(file, np.arange(1.0, size + 1))
    desk = opened(3, 2)
    window.opening.open(str(numbers[2]))
    assert desk.lesson.tape["right_in.y"].tolist() == [1, 2] and not desk.lesson.tape["left.y"].any()
    window.opening.open(str(numbers[3]))
    assert desk.lesson.tape["left.y"].tolist() == [1, 2, 3]
    assert desk.lesson.tape["right_in.y"].tolist() == [1, 2]
    before = desk.lesson
    window.opening.open(str(numbers[5]))
    assert window.message.sentence.text() == "5.npy fits none of the inputs: left 3, right in 2."
    assert desk.lesson is before
    asked = []
    answers = iter([("right in", True), ("left", False)])
    monkeypatch.setattr(QInputDialog, "getItem", lambda *given: asked.append(given[2:4]) or next(answers))
    desk = opened(2, 2)
    window.opening.open(str(numbers[2]))
    assert asked == [("Which input does 2.npy go into?", ["left", "right in"])]
    assert desk.lesson.tape["right_in.y"].tolist() == [1, 2] and not desk.lesson.tape["left.y"].any()
    before = desk.lesson
    window.opening.open(str(numbers[2]))
    assert desk.lesson is before


def test_samples_that_are_dropped_take_the_place_of_the_lessons_own(window, tmp_path):
    """Keras' mnist.npz, a folder of pictures by class, a table: recognised, said, undone."""
    rng = np.random.default_rng(8)
    images, labels = rng.integers(0, 256, (12, 28, 28), np.uint8), np.arange(12) % 10
    np.savez(tmp_path / "mnist.npz", x_train=images, y_train=labels, x_test=images[:2], y_test=labels[:2])
    for image, label in zip(images, labels, strict=True):
        folder = tmp_path / "my.digits" / f"digit {label}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{image[0, 0]}.png")
    for ending, pack in (("", bytes), (".gz", gzip.compress)):
        for what, values in (("images-idx3", images), ("labels-idx1", labels.astype(np.uint8))):
            head = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
            (tmp_path / f"train-{what}-ubyte{ending}").write_bytes(pack(head + values.tobytes()))
    idx = "{0}: 12 samples of {0}, without an axis of channels; classes from {1}."
    idx = [(x, idx.format(x, x.replace("images-idx3", "labels-idx1"))) for x in (IDX, f"{IDX}.gz")]
    rows = [",".join(["label", *(f"p{k}" for k in range(784))])]
    rows += [",".join(map(str, [label, *image.flat])) for image, label in zip(images, labels, strict=True)]
    (tmp_path / "table.csv").write_text("\n".join(rows))
    window.desk.open("chain-rule")
    window.opening.open(str(tmp_path / "my.digits"))
    assert window.message.sentence.text() == "The lesson at hand takes no samples; open one with a network."
    window.message.offer.click()
    assert window.desk.source == "lenet" and len(window.desk.lesson.subject) == 12
    assert window.desk.lesson.reads_pictures and window.player.cursor.index == 0
    window.actions_by_name["undo"].trigger()
    assert window.desk.lesson.image == 273
    for name, said in (
        ("mnist.npz", "mnist.npz: 12 samples of x_train, without an axis of channels; classes from y_train."),
        ("my.digits", "my.digits: 12 samples of pictures; classes from the names of 10 folders."),
        ("table.csv", "table.csv: 12 samples of rows, one number after the other; classes from label."),
        *idx,
    ):
        before = window.desk.lesson
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(tmp_path / name))])
        assert window.opening.take(data)
        assert window.message.sentence.text() == said
        lesson = window.desk.lesson
        assert (lesson.image, len(lesson.subject)) == (0, 12)
        assert lesson.subject.label(0) == ("digit 0" if name == "my.digits" else "0")
        first = sorted((tmp_path / "my.digits" / "digit 0").iterdir())[0] if name == "my.digits" else None
        pixels = images[0] if first is None else np.asarray(Image.open(first))
        assert np.array_equal(lesson.tape["input.y"][0], pixels / 255), name
        assert (lesson.program.operations[0].name == "input") == (name == "my.digits")
        window.actions_by_name["undo"].trigger()
        assert (window.desk.lesson.image, window.desk.lesson.changes) == (before.image, before.changes)
    assert window.desk.lesson.image == 273
    # What is meant is set where the sentence stands, and undone.
    window.opening.open(str(tmp_path / "mnist.npz"))
    assert window.actions_by_name["data"].isEnabled()
    window.actions_by_name["data"].trigger()
    dialog = window.findChild(DataDialog)
    assert "12 samples of x_train" in dialog.said.text()
    dialog.array.setText("x_test")
    dialog.labels.setText("y_test")
    dialog.scale.setText("255")
    dialog.take.click()
    assert dialog.said.text().startswith("mnist.npz: 2 samples of x_test")
    assert len(window.desk.lesson.subject) == 2
    assert np.array_equal(window.desk.lesson.tape["input.y"][0], images[0] / 255)
    dialog.labels.setText("nothing")
    dialog.take.click()
    assert "has no array nothing" in dialog.said.text()
    assert len(window.desk.lesson.subject) == 2
    window.actions_by_name["undo"].trigger()
    assert (len(window.desk.lesson.subject), dialog.array.text()) == (12, "")
    window.actions_by_name["undo"].trigger()
    window.desk.open("image")  # a picture alone has no data to be read
    assert not dialog.isVisible()
    window.desk.open("digits")
    (tmp_path / "my.digits" / "none").mkdir()
    window.opening.open(str(tmp_path / "my.digits"))
    assert "my.digits: has 11 classes, but the network has 10" in window.message.sentence.text()
    assert window.desk.lesson.changes == ()
