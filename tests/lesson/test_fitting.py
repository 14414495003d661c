"""Pictures made to fit a network's input: as the frameworks compute it, by a listing that is true."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image

from cnnviz import CnnvizError, load_lesson
from cnnviz.engine.pixels import Fitting
from cnnviz.lesson.changes import read_change
from cnnviz.lesson.made import files_as_made
from cnnviz.lesson.picture_files import read_picture
from cnnviz.scene.frame import compose
from cnnviz.scene.marks import Cells, Label, flat
from cnnviz.scene.view import View
from cnnviz.trace.operation import Operation
from cnnviz.trace.state import state
from tests.lesson.conftest import toml
from tests.trace.test_state import check_states

RNG = np.random.default_rng(7)
COLOURS = RNG.integers(0, 256, (48, 64, 3), np.uint8)
COLOURS[:3, :3], COLOURS[20:22, 30:32] = 0, 255


def lesson_file(folder, channels, more=None):
    """Write a lesson whose network takes maps of 20 × 20, and a picture beside it."""
    Image.fromarray(COLOURS).save(folder / "photo.png")
    path = folder / "lesson.toml"
    tables = {
        "title": "A photo",
        "sentence": "It goes in.",
        "seed": 1,
        "input": {"shape": [channels, 20, 20], "picture": {"file": "photo.png", **(more or {})}},
        "layers": [{"name": "conv", "kind": "conv2d", "out_channels": 1, "kernel": 3}],
    }
    path.write_text(toml(tables))
    return path


def test_every_state_of_every_way_to_read_pixels_is_what_python_holds():
    ways = (
        Fitting(),
        Fitting("bgr", 1.0, (103.939, 116.779, 123.68)),
        Fitting(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        Fitting(mean=(0.1307,), std=(0.3081,), invert=True),
        Fitting(scale=1.0, std=(127.5,), invert=True),
    )
    for depth, channels in ((3, 3), (3, 1), (1, 3), (1, 1)):
        pixels = COLOURS[:4, :3, :depth]
        for way in ways:
            x = way.of(pixels, channels)
            call = way.call("input", pixels, x)
            check_states(call)
            arrays = {**call.given, "x": np.zeros_like(x)}
            call.listing(**arrays)
            assert np.array_equal(arrays["x"], x), (depth, channels, way)


def test_a_picture_gets_its_size_by_listings_that_are_what_pillow_computes(tmp_path):
    """Each way, with ties of black and white; every state is what Python holds."""
    black_and_white = (COLOURS[:9, :11] > 127).astype(np.uint8) * 255
    for pixels in (COLOURS[:11, :7], black_and_white, COLOURS[:3, :2, :1]):
        Image.fromarray(pixels.squeeze()).save(tmp_path / "a.png")
        for size in ((4, 5), (12, 3), (13, 17)):
            for fit, share in (("crop", 1.0), ("crop", 0.7), ("fit", 1.0), ("stretch", 1.0)):
                read = read_picture(tmp_path / "a.png", size, fit, share, stepped=True)
                assert len(read.steps) == 2, (pixels.shape, size, fit)
                image = pixels
                for step in read.steps:
                    call = step.call("input", step is read.steps[-1])
                    assert np.array_equal(call.given["image"], image)
                    if max(size) == 5:
                        check_states(call)
                    image = np.zeros_like(step.y)
                    call.listing(**{**call.given, "y": image})
                assert np.array_equal(image, read.pixels), (pixels.shape, size, fit)
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes())
    assert read_picture(tmp_path / "b.png", (3, 2), stepped=True).steps == ()
    program = load_lesson(lesson_file(tmp_path, 3)).program
    first, then, last = program.operations[:3]
    for reads, writes in ((then, first), (last, then)):
        assert program.producer(reads.call.port("image").address) == (writes, "y")


def test_the_numbers_of_a_new_pixel_stand_under_it_and_can_be_pointed_at(tmp_path):
    program = load_lesson(lesson_file(tmp_path, 3)).program
    for name in ("input.columns", "input.rows"):
        operation = program.operation(name)
        y = operation.call.writes["y"]
        frame = compose(
            program, program.start(name) + operation.step_writing("y", (7, 4, 1)), View(1280, 720)
        )
        grids = [mark for mark in flat(frame.marks) if isinstance(mark, Cells) and mark.array == "y"]
        assert {frame.at(*mark.box.center)[1] for mark in grids} == {(7, 4, 0), (7, 4, 1), (7, 4, 2)}
        texts = {mark.prefix: mark.texts for mark in grids}
        assert texts == {(7, 4, k): ((f"{y[7, 4, k]:.0f}",),) if k < 2 else () for k in range(3)}


def test_a_photo_of_a_telephone_is_stepped_in_bounded_memory(tmp_path):
    Image.fromarray(np.tile(COLOURS, (42, 42, 1))).save(tmp_path / "photo.png")  # 2,016 × 2,688
    tracemalloc.start()
    read = read_picture(tmp_path / "photo.png", (28, 28), stepped=True)
    assert tracemalloc.get_traced_memory()[1] < 5 * 2016 * 2688 * 3
    tracemalloc.stop()
    columns = read.steps[0].call("input", False)
    operation = Operation(columns)
    assert len(operation) > 10**7
    at = operation.step_writing("y", (1000, 3, 2))
    assert np.array_equal(state(operation, at).arrays["y"][1000, 3], columns.writes["y"][1000, 3])


def test_presets_are_what_the_frameworks_do(tmp_path):
    """Written out here as torchvision's and Keras' own code has it, with Pillow as they use it."""
    path, image = lesson_file(tmp_path, 3), Image.fromarray(COLOURS)
    # torchvision: Resize(20 / 0.875 = 22), CenterCrop(20), ToTensor, Normalize.
    small = image.resize((int(64 * 22 / 48), 22), Image.Resampling.BILINEAR)
    top, left = round((22 - 20) / 2), round((small.width - 20) / 2)
    x = np.asarray(small.crop((left, top, left + 20, top + 20))).transpose(2, 0, 1) / 255
    mean, std = (np.reshape(v, (3, 1, 1)) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    wanted = {"torchvision": (x - mean) / std}
    # Keras: load_img(target_size, interpolation="bilinear"), then preprocess_input of three modes.
    pulled = np.asarray(image.resize((20, 20), Image.Resampling.BILINEAR)).transpose(2, 0, 1).astype(float)
    wanted["keras_tf"] = pulled / 127.5 - 1
    wanted["keras_torch"] = (pulled / 255 - mean) / std
    wanted["keras_caffe"] = pulled[::-1] - np.reshape([103.939, 116.779, 123.68], (3, 1, 1))
    whole = image.resize((int(64 * 20 / 48), 20), Image.Resampling.BILINEAR)
    middle = np.asarray(whole.crop((3, 0, 23, 20))).transpose(2, 0, 1).astype(float)
    wanted |= {"unit": middle / 255, "signed": middle / 127.5 - 1, "bytes": middle}
    wanted["mnist"] = (middle / 255 - 0.1307) / 0.3081
    for preset, numbers in wanted.items():
        lesson = load_lesson(path, changes=[f"picture.preset={preset}"])
        assert np.allclose(lesson.tape["input.y"], numbers, rtol=0, atol=1e-12), preset
        names = ["input.columns", "input.rows", "input", "conv"]
        assert [operation.name for operation in lesson.program.operations[:4]] == names
        assert lesson.tape["conv.y"].shape == (1, 18, 18)


def test_a_lesson_file_says_how_and_what_is_said_of_it(tmp_path):
    more = {"file": "PHOTO.PNG", "preset": "torchvision", "mean": 0.5, "crop_pct": 1.0, "invert": True}
    Image.fromarray(COLOURS).save(tmp_path / "PHOTO.PNG")
    lesson = load_lesson(lesson_file(tmp_path, 1, more))
    assert lesson.notes == (
        "The middle of PHOTO.PNG (48 × 64) is brought to 20 × 20.",
        "Its numbers become ((255 − pixel) / 255 − 0.5) / 0.229 (torchvision).",
    )
    program = lesson.program
    assert (
        program.operation("input").tree.source[-1].strip()
        == "x[c, i, j] = ((255 - acc) / 255 - mean[c]) / std[c]"
    )
    # A number of what goes in can be other; then it is no longer made of the picture.
    changed = load_lesson(lesson_file(tmp_path, 1, more), changes=["input[0,1,2]=0.25"])
    assert changed.program.operations[0].name == "conv"
    assert changed.tape["input.y"][0, 1, 2] == 0.25
    assert changed.tape["input.y"][0, 1, 3] == lesson.tape["input.y"][0, 1, 3]


def test_the_stage_says_all_that_is_done_to_a_pixel_and_which_colour_a_channel_is(tmp_path):
    for more, sign, colour in (
        ({}, "÷ 255", "red"),
        ({"invert": True}, "red, one of 3 channels: 255 −, ÷ 255", "red"),
        (
            {"preset": "torchvision", "invert": True},
            "red, one of 3 channels: 255 −, ÷ 255, − mean, ÷ std",
            "red",
        ),
        ({"preset": "keras_caffe"}, "− mean", "blue"),
        ({"preset": "bytes"}, "→", "red"),
    ):
        program = load_lesson(lesson_file(tmp_path, 3, more)).program
        frame = compose(program, program.start("input") + 4, View(1920, 1080))
        said = [
            "".join(run.text for run in mark.runs) for mark in flat(frame.marks) if isinstance(mark, Label)
        ]
        assert sign in " ".join(said), (more, said)
        assert f"{colour}, one of 3 channels" in " ".join(said)


def test_a_picture_goes_into_a_lesson_in_the_place_of_one_of_its_images(tmp_path):
    file = tmp_path / "my photo.png"
    Image.fromarray(COLOURS).save(file)
    before = load_lesson("digits", image=3)
    lesson = load_lesson("digits", image=3, changes=[f"picture.file={file}", "picture.sample=3"])
    assert lesson.program.operations[2].name == "input" and len(lesson.changes) == 2
    assert lesson.tape["loss.t"].tolist() == before.tape["loss.t"].tolist()
    assert lesson.choose(4).program.operations[0].name == "conv1"
    word = str(lesson.changes[0])
    assert " " not in word and read_change(word) == lesson.changes[0]
    with pytest.raises(CnnvizError, match=r"picture\.sample: must be at most"):
        load_lesson("digits", changes=[f"picture.file={file}", "picture.sample=100000"])


def test_pictures_of_a_folder_are_made_to_fit_step_by_step_alone_and_together(tmp_path):
    """Together where all are of one size; of other sizes, what is done to pixels; else it is said only."""
    for name, pixels in (("a", COLOURS), ("b", COLOURS[::-1]), ("c", COLOURS[:40]), ("d", COLOURS[..., 0])):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.fromarray(np.ascontiguousarray(pixels)).save(tmp_path / "pets" / name / "0.png")
    path = tmp_path / "lesson.toml"
    tables = {
        "title": "Pets",
        "sentence": "They go in.",
        "seed": 1,
        "input": {"shape": [3, 20, 20], "images": "pets", "picture": {"preset": "torchvision"}},
        "layers": [
            {"name": "conv", "kind": "conv2d", "out_channels": 1, "kernel": 3},
            {"name": "flatten", "kind": "flatten"},
            {"name": "fc", "kind": "linear", "neurons": 4},
        ],
    }
    path.write_text(toml(tables))
    resized = ["input.columns", "input.rows", "input"]
    for size, image, names in ((1, 3, resized), (2, 0, resized), (2, 1, ["input"]), (2, 2, [])):
        lesson = load_lesson(path, image=image, changes=[f"input.batch_size={size}"])
        program = lesson.program
        assert [one.name for one in program.operations][: len(names) + 1] == [*names, "conv"], (size, image)
        for operation in program.operations[: len(names)]:
            call = operation.call
            made = {name: np.zeros_like(values) for name, values in call.writes.items()}
            call.listing(**call.given, **made)
            assert all(np.array_equal(made[name], values) for name, values in call.writes.items())
        if names:
            assert np.array_equal(program.operation("input").call.writes["x"], lesson.tape["input.y"])
            frame = compose(program, program.start("input") + 40, View(1280, 720))
            assert any(isinstance(mark, Label) for mark in flat(frame.marks))
        assert ("of one size" in " ".join(lesson.notes)) == (size > 1)


def test_pictures_of_several_inputs_are_made_to_fit_step_by_step(tmp_path):
    """Each by operations of its own, as Pillow does; saved and opened again the same."""
    wide, high = (RNG.integers(0, 256, size, np.uint8) for size in ((16, 24), (30, 16)))
    for name, image in (("wide", wide), ("high", high)):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    given = [f"halves.picture={tmp_path / 'wide.png'}", f"square.picture={tmp_path / 'high.png'}"]
    lesson = load_lesson("edges", changes=[*given, "picture.fit=stretch"])
    names = [operation.name for operation in lesson.program.operations]
    assert names[:3] == ["halves.columns", "halves.rows", "halves"]
    assert {*names[3:5]} == {"square.columns", "square.rows"} and names[5] == "square"
    for name, image, side in (("halves", wide, 6), ("square", high, 8)):
        by = Image.Resampling.BILINEAR
        wanted = np.asarray(Image.fromarray(image).resize((side, side), by)) / 255
        assert np.array_equal(lesson.tape[f"{name}.y"][0], wanted)
        assert np.array_equal(lesson.program.operation(name).call.writes["x"][0], wanted)
    assert {note.split(" (")[0] for note in lesson.notes if ".png" in note} == {"wide.png", "high.png"}
    made, read = lesson.program.where_from(lesson.program.operation("left_right"), "x", (0, 2, 3)), "halves"
    assert made is not None and made.operation.name == read
    saved = tmp_path / "two.cnnviz"
    saved.write_bytes(lesson.packed())
    again = load_lesson(saved)
    assert [operation.name for operation in again.program.operations] == names
    assert again.packed() == saved.read_bytes()
    painted = load_lesson("edges", changes=[*given, "square[0,0,0]=0.5"])
    names = [operation.name for operation in painted.program.operations]
    assert "square" not in names and names[2] == "halves"
    (tmp_path / "kept").mkdir()
    for name, content in files_as_made(painted, "own").items():
        (tmp_path / "kept" / name).write_bytes(content)
    kept = load_lesson(tmp_path / "kept" / "lesson.toml")
    assert not kept.changes
    assert np.array_equal(kept.tape["halves.y"], painted.tape["halves.y"])
    assert np.array_equal(kept.tape["square.y"], painted.tape["square.y"])
    assert [operation.name for operation in kept.program.operations] == names
    for change, said in (
        ("square.picture=x.txt", "pictures end in one of"),
        ("square.picture=/nowhere/x.png", "x.png cannot be read"),
        (f"picture.file={tmp_path / 'wide.png'}", r"say into which, as halves\.picture="),
        (f"around.picture={tmp_path / 'wide.png'}", "picture"),
    ):
        with pytest.raises(CnnvizError, match=said):
            load_lesson("edges", changes=[change])


def test_what_does_not_fit_is_told(tmp_path):
    path = lesson_file(tmp_path, 3)
    for change, said in (
        ("picture.preset=torch", r"picture\.preset: 'torch' is not known; .*"),
        ("picture.mean=1,2", r"picture\.mean: must be one number, or 3, one for each channel"),
        ("picture.std=0", r"picture\.std: must not be 0"),
        ("picture.colour=1", r"picture\.colour: is not known"),
        ("picture.file=a.txt", r"pictures end in one of \.png"),
        ("picture.file=none.png", r"none\.png cannot be read"),
        ("picture.scale=1e-320", "not finite"),
    ):
        with pytest.raises(CnnvizError, match=said):
            load_lesson(path, changes=[change])
    with pytest.raises(
        CnnvizError, match=r"photo\.png: pictures have 1 or 3 channels, but the network takes"
    ):
        load_lesson("sigmoid-softmax", changes=[f"picture.file={tmp_path / 'photo.png'}"])
    (tmp_path / "photo.png").unlink()
    with pytest.raises(
        CnnvizError, match=r"lesson\.toml: photo\.png: there is no such file beside the lesson"
    ):
        load_lesson(path)
