"""The command line does what --help says; a mistake is one sentence and status 2; no file is half written."""

import errno
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage

from cnnviz import __version__, app, cli
from cnnviz.errors import CnnvizError
from cnnviz.lesson.lesson import load_lesson
from cnnviz.lesson.place import step_at
from cnnviz.render import export as exporting
from cnnviz.render.export import Look, Png, Subject, export, frame_name, stops
from cnnviz.trace.stops import Level

MAIN = Path(__file__).resolve().parent.parent / "main.py"

LESSON = """
title = "Two layers"
sentence = "A convolution and a ReLU."
seed = 1
input = { shape = [1, 3, 3], values = [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]] }
layers = [
    { name = "conv1", kind = "conv2d", out_channels = 2, kernel = 2 },
    { name = "relu1", kind = "relu" },
]
"""


@pytest.fixture
def lesson(tmp_path):
    path = tmp_path / "lesson.toml"
    path.write_text(LESSON)
    return str(path)


@pytest.fixture
def run(capsys):
    """Run the program: (status, what it said, what it complained of)."""

    def run(*words):
        status = app.main([str(word) for word in words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def mistake(run):
    """Run the program on a mistake: status 2, nothing said, one sentence of complaint, which is returned."""

    def mistake(*words):
        status, out, err = run(*words)
        assert (status, out) == (2, "")
        assert re.fullmatch(r"cnnviz: [^\n]+[.?]\n", err)
        return err.removeprefix("cnnviz: ").rstrip("\n")

    return mistake


# ------------------------------------------------------------------------------------- lessons, info, --help


@pytest.mark.parametrize("words", [(), ("lessons",), ("info",), ("dump",), ("export",)])
def test_help_shows_examples(run, words):
    status, out, _ = run(*words, "--help")
    assert status == 0
    assert f"  {' '.join(('cnnviz', *words))}" in out.partition("examples:")[2]


def test_version(run):
    assert run("--version") == (0, f"cnnviz {__version__}\n", "")


def test_lessons_through_main_py():
    done = subprocess.run([sys.executable, MAIN, "lessons"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "digits\n    Handwritten digits." in done.stdout


def test_info_lists_every_operation(run):
    status, out, _ = run("info", "digits", "--image", 7)
    program = load_lesson("digits", 7).program

    assert status == 0
    assert "image 7 of 360, numbered from 0, whose class is" in out
    for operation in program.operations:
        (line,) = (line for line in out.splitlines() if line.startswith(f"{operation.name} "))
        assert line.split()[1] == operation.phase
        assert line.split()[-2:] == [operation.tree.name, f"{len(operation):,}"]
    assert out.rstrip().endswith(f" {len(program):,}")
    assert "4 × 1 × 3 × 3" in out


def test_info_shows_listings(run, lesson):
    _, out, _ = run("info", lesson, "--listings")
    assert "def relu(x, y, C, H, W):\n    for c in range(C):" in out


@pytest.mark.parametrize(
    "words, sentence",
    [
        (("digts",), "There is no lesson digts; did you mean digits?"),
        (("info", "nix.toml"), "nix.toml: there is no such file."),
        (("info", "digits", "--image", "360"), "digits has no image 360; its images are numbered 0 to 359."),
        (("info", "digits", "--image", "x"), "argument --image: must be a whole number, 0 or more, is 'x'; "),
        (("info", "digits", "--image", "-1"), "argument --image: must be a whole number, 0 or more, is '-1'"),
        (("infos", "digits"), "There is no command infos; did you mean info?"),
        (("lesson",), "There is no command lesson; did you mean lessons?"),
        (("(x + y) * z",), "There is no lesson (x + y) * z; an expression is written f = x * y   x=2 y=3."),
        (("digits", "backward"), "unrecognized arguments: backward; `cnnviz --help` says more."),
        (("info", ""), "The name of the lesson is empty; name one, or a lesson file."),
        (("",), "The name of the lesson is empty; name one, or a lesson file."),
        (("info",), "the following arguments are required: LESSON; `cnnviz info --help` says more."),
        (("--nonsense",), "unrecognized arguments: --nonsense; `cnnviz --help` says more."),
        (("dump", "digits", "-o", "x.npz", "--at", "conv1[9,9,9]"), "conv1[9,9,9] is not a cell"),
        (("dump", "digits"), "the following arguments are required: -o/--output"),
        (("export", "digits", "-o", "x", "--from", "70797"), "There is no step 70797"),
        (("export", "digits", "-o", "x", "--from", "9", "--to", "8"), "The last step (8) is before"),
        (("export", "digits", "-o", "x", "--every", "step"), "argument --every: invalid choice: 'step'"),
        (("export", "digits", "-o", "x", "--size", "big"), "argument --size: must be a width and a height"),
        (("export", "digits", "-o", "x", "--size", "1x1"), "A picture of 1 × 1 cannot be made; take a"),
        (("export", "digits", "-o", "x", "--size", "99999x99"), "A picture of 99999 × 99 cannot be made"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(mistake, tmp_path, monkeypatch, words, sentence):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(app, "open_window", load_lesson)

    assert mistake(*words).startswith(sentence)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_that_cannot_be_written():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, MAIN, "lessons"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr == f"cnnviz: The output could not be written ({os.strerror(errno.ENOSPC)}).\n"


def test_a_reader_that_has_had_enough():
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:
        done = subprocess.run(
            [sys.executable, MAIN, "lessons"], stdout=pipe, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (0, "")


# ------------------------------------------------------------------------------------------------- the window


@pytest.fixture
def opened(monkeypatch):
    """What the window was opened on."""
    calls = []

    def open_window(lesson):
        calls.append(lesson)
        return 0

    monkeypatch.setattr(app, "open_window", open_window)
    return calls


@pytest.mark.parametrize("variable", ["DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"])
def test_a_window_is_opened_where_there_is_a_display(run, opened, no_display, monkeypatch, variable):
    monkeypatch.setenv(variable, "x")

    assert run() == (0, "", "")
    assert run("digits") == (0, "", "")
    assert run("./info") == (0, "", "")
    assert opened == [None, "digits", "./info"]


@pytest.fixture
def no_display(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(variable, raising=False)


def test_without_a_display_the_frames_are_written(
    run, opened, no_display, painted, lesson, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(lesson)

    assert (status, opened) == (0, [])
    assert re.fullmatch(
        r"cnnviz: There is no display [^\n]* the frames of lesson are written to [^\n]*\.\n", err
    )
    assert out == f"{Path('cnnviz-frames', 'lesson')} holds 6 frames.\n"
    assert len(list(Path("cnnviz-frames", "lesson").glob("*.png"))) == 6


def test_without_a_display_a_mistake_is_still_one(mistake, no_display, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert mistake("digts").startswith("There is no lesson digts")
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------------- dump


def test_dump_holds_the_tape(run, tmp_path):
    file = tmp_path / "digits.npz"
    assert run("dump", "digits", "-o", file, "--image", 7)[:2] == (0, f"Wrote 59 arrays to {file}.\n")
    tape = load_lesson("digits", 7).tape

    with np.load(file) as arrays:
        assert set(arrays) == set(tape)
        assert all((arrays[name] == tape[name]).all() for name in tape)
        assert {"conv1.x", "conv1.w", "pool1.switch", "conv2.dw", "fc.w_new", "loss.value"} <= set(arrays)


def test_dump_at_a_step_holds_what_python_holds(run, tmp_path):
    assert run("dump", "digits", "-o", tmp_path / "d.npz", "--at", "conv1[2,3,4]")[0] == 0
    program = load_lesson("digits").program

    with np.load(tmp_path / "d.npz") as arrays:
        index = int(arrays["at"])
        assert ("y", (2, 3, 4)) in program.state(index).writes
        here = {name.removeprefix("at."): arrays[name] for name in arrays if name.startswith("at.")}
    state = program.state(index)
    assert set(here) == {"x", "w", "b", "y", "o", "i", "j", "c", "u", "v", "acc"}
    assert (here["o"], here["i"], here["j"]) == (2, 3, 4)
    assert here["y"][2, 3, 4] == here["acc"] == state.variables["acc"]
    assert here["x"].shape == (1, 10, 10)  # with its padding
    assert (here["y"] == state.arrays["y"]).all()


def test_an_old_file_is_replaced_and_a_link_is_kept(run, tmp_path, lesson):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "old.npz", tmp_path / "link.npz"
    target.write_text("old")
    link.symlink_to(target)

    assert run("dump", lesson, "-o", link)[0] == 0
    assert link.is_symlink()
    with np.load(target) as arrays:
        assert "conv1.y" in arrays
    assert os.listdir(tmp_path / "there") == ["old.npz"]


@pytest.mark.parametrize(
    "name, reason",
    [
        ("nix/d.npz", "No such file or directory"),
        (".", "is not a file; name another."),
        ("x" * 300, "File name too long"),
        ("lesson.toml/d.npz", "Not a directory"),
    ],
)
def test_where_no_file_can_be(mistake, lesson, tmp_path, name, reason):
    assert reason in mistake("dump", lesson, "-o", tmp_path / name)
    assert os.listdir(tmp_path) == ["lesson.toml"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_device_is_not_replaced(mistake, lesson):
    assert mistake("dump", lesson, "-o", "/dev/full") == "/dev/full is not a file; name another."
    assert Path("/dev/full").is_char_device()


# No file may grow beyond 100 bytes: a disk that is full in the middle of a write. In a process of its own,
# since the limit would hold for pytest's own output, too, where that goes to a file.
NEARLY_FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
from cnnviz.app import main
sys.exit(main())
"""


def test_a_full_disk_leaves_the_old_file(lesson, tmp_path):
    pytest.importorskip("resource")
    (tmp_path / "d.npz").write_text("old")
    done = subprocess.run(
        [sys.executable, "-B", "-c", NEARLY_FULL, "dump", lesson, "-o", tmp_path / "d.npz"],
        cwd=MAIN.parent,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stdout) == (2, "")
    fault = "could not be written (File too large); name another, or make room."
    assert done.stderr == f"cnnviz: {tmp_path / 'd.npz'} {fault}\n"
    assert (tmp_path / "d.npz").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["d.npz", "lesson.toml"]


# ----------------------------------------------------------------------------------------------------- export


@pytest.fixture
def painted(qapp, monkeypatch):
    """Paint quickly, and note the steps that were painted."""
    steps = []

    def picture(subject, index, look):
        steps.append(index)
        image = QImage(look.width, look.height, QImage.Format.Format_RGB32)
        image.fill(index)
        return image

    monkeypatch.setattr(exporting, "picture", picture)
    return steps


SMALL = ("--size", "320x180")


def frames_in(folder):
    names = sorted(os.listdir(folder))
    assert [name for name in names if not name.endswith(".png")] == ["cnnviz-export.json"]
    return names[:-1]


def test_frames_are_numbered_and_named_by_their_steps(run, painted, lesson, tmp_path):
    folder = tmp_path / "new" / "frames"
    status, out, err = run("export", lesson, "-o", folder, "--every", "cell", *SMALL)
    program = load_lesson(lesson).program

    assert (status, out, err) == (0, f"{folder} holds 18 frames.\n", "")
    names = frames_in(folder)
    assert names[0] == "000-conv1-o0.png"
    assert names[1] == f"{program.find('conv1', line=10):03}-conv1-o0-i0-j0.png"
    assert names[-1] == f"{len(program) - 1:03}-relu1-c1.png"
    assert [int(name.partition("-")[0]) for name in names] == sorted(painted)


def test_frames_in_letters_differ_from_those_in_numbers(run, qapp, lesson, tmp_path):
    for folder, more in (("numbers", ()), ("letters", ("--letters",))):
        run("export", lesson, "-o", tmp_path / folder, "--every", "layer", *SMALL, *more)
    names = frames_in(tmp_path / "letters")

    assert names == frames_in(tmp_path / "numbers")
    for name in names[1:]:
        assert (tmp_path / "letters" / name).read_bytes() != (tmp_path / "numbers" / name).read_bytes()


def test_from_and_to(run, painted, lesson, tmp_path):
    run(
        "export",
        lesson,
        "-o",
        tmp_path / "f",
        "--every",
        "cell",
        "--from",
        "conv1[0,1,0]",
        "--to",
        "conv1[1,0,0]",
        *SMALL,
    )
    places = [name[4:] for name in frames_in(tmp_path / "f")]
    assert places == ["conv1-o0-i1-j0.png", "conv1-o0-i1-j1.png", "conv1-o1-i0-j0.png"]


@pytest.mark.parametrize("every", list(Level))
def test_every_level_begins_at_the_first_step_and_reaches_the_last(every, lesson):
    program = load_lesson(lesson).program
    steps = stops(program, every)
    assert (steps[0], steps[-1]) == (0, len(program) - 1)
    assert steps == sorted(set(steps))
    assert every is not Level.LINE or steps == list(range(len(program)))


def test_too_many_frames(monkeypatch):
    monkeypatch.setattr(exporting, "MOST_FRAMES", 1000)
    with pytest.raises(
        CnnvizError, match=r"more than 1,000 frames; take fewer steps, or a level above line\."
    ):
        stops(load_lesson("digits").program, Level.LINE)


def test_an_interrupted_export_goes_on(run, painted, lesson, tmp_path, monkeypatch):
    command = ("export", lesson, "-o", tmp_path / "f", "--every", "cell", *SMALL)
    paint = exporting.picture

    def interrupted(*arguments):
        if len(painted) == 7:
            raise KeyboardInterrupt
        return paint(*arguments)

    monkeypatch.setattr(exporting, "picture", interrupted)
    status, out, err = run(*command)
    assert (status, out) == (130, "")
    assert err == (
        f"cnnviz: Stopped; what is in {tmp_path / 'f'} is whole, and the same command goes on from there.\n"
    )
    there = {name: (tmp_path / "f" / name).stat().st_mtime_ns for name in frames_in(tmp_path / "f")}
    assert len(there) == 7

    monkeypatch.setattr(exporting, "picture", paint)
    assert run(*command)[:2] == (0, f"{tmp_path / 'f'} holds 18 frames, 7 of which were there already.\n")
    assert len(frames_in(tmp_path / "f")) == len(painted) == 18
    assert all((tmp_path / "f" / name).stat().st_mtime_ns == when for name, when in there.items())


@pytest.mark.parametrize(
    "changed, named",
    [
        (("--theme", "dark"), "they are light, not dark;"),
        (("--letters",), "their cells show numbers, not letters;"),
        (("--size", "640x360"), "they are 320x180 pixels large, not 640x360;"),
        (("--every", "map"), "there is one for every layer, not for every map;"),
        (("--from", "3"), "they begin at step 0, not at 3; name another folder, or empty this one."),
    ],
)
def test_frames_made_otherwise_are_not_mixed(run, mistake, painted, lesson, tmp_path, changed, named):
    command = ("export", lesson, "-o", tmp_path / "f", "--every", "layer", *SMALL)
    run(*command)
    before = frames_in(tmp_path / "f")

    assert named in mistake(*command, *changed)
    assert frames_in(tmp_path / "f") == before


@pytest.mark.parametrize("changed", ["seed = 2", 'seed = 1\nsymbols = {conv1 = "Z"}'])
def test_a_lesson_that_was_changed_is_noticed(run, mistake, painted, lesson, tmp_path, changed):
    command = ("export", lesson, "-o", tmp_path / "f", "--every", "layer", *SMALL)
    run(*command)
    Path(lesson).write_text(LESSON.replace("seed = 1", changed))

    assert "mixed: the lesson has been changed since;" in mistake(*command)


def test_strange_pictures_are_not_taken_for_frames(mistake, painted, lesson, tmp_path):
    (tmp_path / "000-conv1-o0.png").write_text("a photograph")
    sentence = mistake("export", lesson, "-o", tmp_path, "--every", "layer", *SMALL)

    assert "holds pictures of the same names, but not cnnviz-export.json" in sentence
    assert (tmp_path / "000-conv1-o0.png").read_text() == "a photograph"


@pytest.mark.parametrize("content", ["", "[]", "{", "\xff"])
def test_a_spoilt_manifest(mistake, painted, lesson, tmp_path, content):
    (tmp_path / "cnnviz-export.json").write_text(content, encoding="latin-1")
    assert "cnnviz-export.json" in mistake("export", lesson, "-o", tmp_path, *SMALL)


def test_the_manifest_says_what_the_frames_are(run, painted, lesson, tmp_path):
    run("export", lesson, "-o", tmp_path / "f", "--every", "layer", "--theme", "dark", *SMALL)
    said = json.loads((tmp_path / "f" / "cnnviz-export.json").read_text())
    assert said | {"content": ""} == {
        "cnnviz": __version__,
        "lesson": "lesson",
        "image": "0",
        "every": "layer",
        "from": "0",
        "to": str(len(load_lesson(lesson).program) - 1),
        "size": "320x180",
        "theme": "dark",
        "cells": "numbers",
        "content": "",
    }


def test_what_a_killed_export_left_is_cleared_away(run, painted, lesson, tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / ".000-conv1-o0.png.1234abcd.part").write_text("half")
    run("export", lesson, "-o", tmp_path / "f", "--every", "layer", *SMALL)
    assert len(frames_in(tmp_path / "f")) == 4


def test_two_exports_do_not_share_a_folder(mistake, painted, lesson, tmp_path):
    pytest.importorskip("fcntl")
    words = ("export", lesson, "-o", tmp_path / "f", "--every", "layer", *SMALL)
    (tmp_path / "f").mkdir()
    with exporting._alone(tmp_path / "f") as alone:
        (tmp_path / "f" / ".000-conv1-o0.png.1234abcd.part").write_text("half")
        sentence = mistake(*words)

    assert alone
    assert sentence == (
        f"Another export is writing to {tmp_path / 'f'}; wait until it is done, or name another folder."
    )
    assert os.listdir(tmp_path / "f") == [".000-conv1-o0.png.1234abcd.part"]


def test_without_locks_only_what_is_stale_is_cleared_away(tmp_path):
    old, new = tmp_path / ".a.png.1234abcd.part", tmp_path / ".b.png.1234abcd.part"
    old.write_text("half")
    new.write_text("half")
    os.utime(old, (0, 0))
    exporting.prepare(tmp_path, {}, {}, alone=False)

    assert sorted(os.listdir(tmp_path)) == [new.name, exporting.MANIFEST]


def test_without_a_terminal_progress_is_a_line_now_and_then(run, painted, lesson, tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "PROGRESS_SECONDS", 0)
    _, _, err = run("export", lesson, "-o", tmp_path / "f", "--every", "layer", *SMALL)
    assert err == "".join(f"cnnviz: {done} of 4 frames …\n" for done in range(1, 5))


def test_the_example_in_the_help_is_four_cells():
    program = load_lesson("digits").program
    steps = stops(program, Level.LINE, step_at(program, "conv1"), step_at(program, "conv1[0,0,3]"))
    written = [place for index in steps for name, place in program.state(index).writes if name == "y"]
    assert written == [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 0, 3)]


def test_the_help_names_files_as_they_are(run):
    words = run("export", "--help")[1]
    (name,) = re.findall(r"\S+\.png", words)
    program = load_lesson("digits").program
    assert f"{name} is step {int(name.partition('-')[0])} of digits" in words
    assert frame_name(program, int(name.partition("-")[0])) == name


def test_no_folder(mistake, painted, lesson, tmp_path):
    assert mistake("export", lesson, "-o", lesson) == f"{lesson} is not a folder; name another."
    assert "cannot be used as a folder" in mistake("export", lesson, "-o", f"{lesson}/x")


def test_no_permission(mistake, painted, lesson, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(exporting.Path, "mkdir", refuse)
    said = mistake("export", lesson, "-o", tmp_path / "f")
    assert said.endswith("as a folder (Permission denied); name another.")


def test_a_full_disk_ends_the_export_and_leaves_whole_frames(run, painted, lesson, tmp_path, monkeypatch):
    command = ("export", lesson, "-o", tmp_path / "f", "--every", "cell", *SMALL)

    def full(_):
        if len(painted) == 5:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(exporting.os, "fsync", full)
    status, out, err = run(*command)
    assert (status, out) == (2, "")
    assert re.fullmatch(
        r"cnnviz: [^\n]*\.png could not be written \(No space left on device\)[^\n]*\.\n", err
    )
    assert len(frames_in(tmp_path / "f")) == 4

    monkeypatch.undo()
    monkeypatch.setattr(exporting, "picture", lambda s, i, look: QImage(2, 2, QImage.Format.Format_RGB32))
    assert run(*command)[1].endswith("holds 18 frames, 4 of which were there already.\n")


@pytest.mark.parametrize("size", [(1, 1), (33, 17), (320, 180), (101, 16)])
def test_a_png_is_the_image_bit_by_bit(size):
    rng, encode = np.random.default_rng(0), Png()
    image = QImage(*size, QImage.Format.Format_RGB32)
    for _ in range(3):  # the second and third have rows of the one before
        x, y = (int(rng.integers(limit)) for limit in size)
        image.setPixel(x, y, int(rng.integers(2**24)))
        read = QImage.fromData(encode(image), "PNG")
        assert read.convertToFormat(image.format()) == image


def digits(image=182):
    lesson = load_lesson("digits", image)
    return Subject(lesson.program, lesson.title, lesson.samples.classes)


def test_several_processes_paint_what_one_paints(qapp, tmp_path):
    program = digits().program
    steps = stops(program, Level.CELL, 0, 1600)[:50]
    look = Look(320, 180, "dark")
    counts = [*export(digits, tmp_path / "two", steps, look, {}, processes=2)]
    list(export(digits, tmp_path / "one", steps[::7], look, {}, processes=1))

    assert (counts[0], counts[-1]) == (0, 50)
    assert counts == sorted(counts)
    assert frames_in(tmp_path / "two") == sorted(frame_name(program, index) for index in steps)
    for index in steps[::7]:
        one, two = (QImage(str(tmp_path / k / frame_name(program, index))) for k in ("one", "two"))
        assert one == two
        assert one.width() == 320


def fails_elsewhere():
    if multiprocessing.parent_process():
        raise CnnvizError("The lesson is gone.")
    return digits()


def test_what_goes_wrong_in_another_process_is_told(tmp_path):
    steps = range(50)
    with pytest.raises(CnnvizError, match=r"^The lesson is gone\.$"):
        list(export(fails_elsewhere, tmp_path / "f", steps, Look(320, 180), {}, processes=2))


@pytest.fixture
def ctrl_c_is_heard():
    """Let processes started here hear Ctrl+C, also where a script in the background started the tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl+C cannot be sent to another process there")
def test_ctrl_c_ends_all_processes_cleanly(tmp_path, ctrl_c_is_heard):
    folder = tmp_path / "f"
    command = [sys.executable, MAIN, "export", "digits", "-o", folder, "--every", "cell", *SMALL]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            waited = time.monotonic() + 60
            while len(list(folder.glob("*.png"))) < 5 and time.monotonic() < waited:
                time.sleep(0.05)
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out) == (130, "")
    *progress, stopped = err.splitlines()
    assert (
        stopped == f"cnnviz: Stopped; what is in {folder} is whole, and the same command goes on from there."
    )
    assert all(re.fullmatch(r"cnnviz: [\d,]+ of [\d,]+ frames …", line) for line in progress)
    for name in frames_in(folder):
        assert not QImage(str(folder / name)).isNull()


def test_the_subject_of_other_processes_is_the_lesson_chosen(lesson):
    assert cli._subject("digits", 7).program.operations[0].call.given["x"].shape == (1, 10, 10)
    make = partial(cli._subject, lesson, 0)
    assert make().title == "Two layers"


# ----------------------------------------------------------------------------------------------- expressions

TYPED = "f = (x + y) * z   x=-2 y=5 z=-4"


@pytest.mark.parametrize("source", ["chain-rule", TYPED])
def test_info_lists_expressions_and_what_they_compute(run, source):
    status, said, complained = run("info", source, "--listings")
    assert (status, complained) == (0, "")
    assert "→ 0  (x + y) * z   x=-2 y=5 z=-4" in said
    assert "f.backward  backward  df, dq, dz, dx, dy  backward      5" in said
    assert "def backward(z, q):\n    df = 1.0\n    dq = df * z\n    dz = df * q\n    dx = dq\n" in said


def test_dump_of_an_expression(run, tmp_path):
    assert run("dump", "chain-rule", "-o", tmp_path / "a.npz", "--at", "3")[0] == 0
    with np.load(tmp_path / "a.npz") as file:
        arrays = {name: float(file[name]) for name in file}
    assert {name: arrays[f"f.{name}"] for name in ("x", "y", "z", "q", "f")} == {
        **{"x": -2, "y": 5, "z": -4},
        **{"q": 3, "f": -12},
    }
    assert [arrays[f"f.d{name}"] for name in "fqzxy"] == [1, -4, 3, -4, -4]
    assert (arrays["at"], arrays["at.df"], arrays["at.dq"]) == (3, 1, -4)
    assert "at.dz" not in arrays


def test_frames_of_an_expression(run, painted, tmp_path):
    assert run("export", "chain-rule", "-o", tmp_path / "a", "--image", 1, "--every", "line")[0] == 0
    frames = [name.split("-")[1] for name in frames_in(tmp_path / "a")]
    assert frames == ["f.png"] * 2 + ["f.backward.png"] * 5


def test_frames_of_two_expressions_are_not_mixed(run, mistake, painted, tmp_path):
    assert run("export", TYPED, "-o", tmp_path / "a")[0] == 0
    mistake("export", TYPED.replace("x=-2", "x=7"), "-o", tmp_path / "a")
    assert len(frames_in(tmp_path / "a")) == 7


def test_an_expression_that_is_none_is_a_mistake(mistake):
    assert "Character 11: “y” is not understood here" in mistake("info", "f = x + y y")


# --------------------------------------------------------------------------------------- input gradient


def test_the_view_of_the_input_gradient_is_chosen_for_info_dump_and_export(run, tmp_path):
    view = ("--input-gradient", "scattered")
    assert "conv2d_dx_scatter" in run("info", "backward-conv", *view)[1]
    assert "conv2d_dx_scatter" not in run("info", "backward-conv")[1]
    assert run("dump", "backward-conv", "-o", tmp_path / "a.npz", "--at", "conv.dx[0,1,1]", *view)[0] == 0
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["at.dx"].shape == (1, 3, 3) and arrays["at.u"] == arrays["at.v"] == 0
    folder = tmp_path / "frames"
    export = ("export", "backward-conv", "-o", folder, "--every", "layer", "--size", "320x180")
    assert run(*export, *view)[0] == 0
    status, _, error = run(*export)
    assert status == 2 and "their input gradient is scattered, not gathered" in error


def test_a_view_of_an_input_gradient_that_nobody_computes_is_refused(run):
    status, _, error = run("info", "relu", "--input-gradient", "scattered")
    assert status == 2
    assert (
        error
        == "cnnviz: relu has no convolution whose input gradient is computed, so none can be scattered.\n"
    )


# ------------------------------------------------------------------------------------------------ iterations


def test_info_of_a_training_says_how_far_it_is(run):
    status, out, _ = run("info", "training", "--iteration", 100)
    training = load_lesson("training", iteration=100).run
    assert status == 0
    assert "Training: 3,000 iterations of one image each, out of 1,500; 297 are held out" in out
    training_loss = load_lesson("training", iteration=100).tape["loss.value"]
    assert f"Iteration 100: loss {training_loss:.6g}" in out
    assert f"Before iteration 100, {training.accuracies[100]:.1%} of the held-out images" in out
    assert "image 419 of 1797" in run("info", "training")[1]


def test_dump_of_an_iteration_is_what_python_gives(run, tmp_path):
    assert run("dump", "training", "--iteration", 30, "-o", tmp_path / "t.npz")[0] == 0
    tape = load_lesson("training").at_iteration(30).tape
    with np.load(tmp_path / "t.npz") as held:
        assert set(held) == set(tape)
        assert all(np.array_equal(held[name], tape[name]) for name in tape)


def test_export_of_an_iteration_is_not_mixed_with_another(run, painted, mistake, tmp_path):
    words = ("export", "training", "-o", tmp_path / "f", "--every", "pass", "--image", 3, *SMALL)
    assert run(*words, "--iteration", 2)[0] == 0
    assert json.loads((tmp_path / "f" / "cnnviz-export.json").read_text())["iteration"] == "2"
    assert "they show iteration 2, not 3" in mistake(*words, "--iteration", 3)


def test_progress_of_a_training_without_a_terminal(run, monkeypatch):
    monkeypatch.setattr(cli, "PROGRESS_SECONDS", 0.0)
    status, _, err = run("info", "training", "--iteration", 3)
    assert (status, err.splitlines()[-1]) == (0, "cnnviz: 3 of 3 iterations …")


@pytest.mark.parametrize(
    "words, sentence",
    [
        (("info", "digits", "--iteration", "0"), "digits has no training, and so no iterations"),
        (("info", "training", "--iteration", "3000"), "training has no iteration 3000; they are numbered 0"),
        (("info", "training", "--iteration", "x"), "argument --iteration: must be a whole number"),
    ],
)
def test_an_iteration_that_is_not_there(mistake, words, sentence):
    assert mistake(*words).startswith(sentence)


def test_a_lesson_of_pictures(run, qapp, tmp_path):
    status, out, _ = run("info", "image", "--listings")
    assert status == 0
    assert "Pictures (height × width × depth): rgb 6 × 6 × 3, grey 4 × 4 × 1" in out
    assert "x[c, i, j] = image[i, j, c] / 255" in out

    assert run("dump", "image", "-o", tmp_path / "image.npz", "--at", "rgb[2,0,0]")[0] == 0
    with np.load(tmp_path / "image.npz") as dumped:
        assert dumped["rgb.x"].shape == (3, 6, 6)
        assert (dumped["at.c"], dumped["at.x"][2, 0, 0], dumped["at.x"][2, 0, 1]) == (2, 1, 0)

    assert run("export", "image", "-o", tmp_path / "f", "--every", "map", *SMALL)[0] == 0
    assert [name[4:] for name in frames_in(tmp_path / "f")] == [
        "rgb-c0.png",
        *(f"rgb-c{channel}-i5-j5.png" for channel in range(3)),
        "grey-c0-i3-j3.png",
        "grey-c0.png",
    ]


def test_a_lesson_of_pictures_has_no_other_image(mistake):
    assert mistake("info", "image", "--image", "1").endswith(
        "image has no image 1; its images are numbered 0 to 0."
    )
