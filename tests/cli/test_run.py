"""The command line does what --help says; a mistake is one sentence and status 2; or the window opens."""

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cnnviz import __version__, app
from cnnviz.lesson.lesson import load_lesson

MAIN = Path(__file__).resolve().parents[2] / "main.py"


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


@pytest.mark.parametrize(
    "words, sentence",
    [
        (("digts",), "There is no lesson digts; did you mean digits or edges?"),
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
        (("export", "digits", "-o", "x", "--size", "big"), "argument --size: A size must be a width"),
        (("export", "digits", "-o", "x", "--size", "1x1"), "A picture of 1 × 1 cannot be made; take a"),
        (("export", "digits", "-o", "x", "--size", "99999x99"), "A picture of 99999 × 99 cannot be made"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(mistake, tmp_path, monkeypatch, words, sentence):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(app, "open_window", lambda lesson, said, changes: load_lesson(lesson))

    assert mistake(*words).startswith(sentence)
    assert list(tmp_path.iterdir()) == []


def test_an_expression_that_is_none_is_a_mistake(mistake):
    assert "Character 11: “y” is not understood here" in mistake("info", "f = x + y y")


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


def test_a_lesson_of_pictures_has_no_other_image(mistake):
    assert mistake("info", "image", "--image", "1").endswith(
        "image has no image 1; its images are numbered 0 to 0."
    )


HOSTILE = "a\x1b]0;owned\x07\n\u202egpj\udcff"
SEEN = r"a\x1b]0;owned\x07\n\u202egpj\udcff"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such names")
def test_names_of_files_do_nothing_to_a_terminal(run, painted, lesson, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(lesson, f"{HOSTILE}.toml")
    Path(f"{HOSTILE}.npz").mkdir()
    Path("wrong.toml").write_text('"a\x7f\x9b" = 1'.replace("\x7f", "\\u001b"), encoding="utf-8")
    said = [
        run("info", f"{HOSTILE}.toml"),
        run("info", f"{HOSTILE}.nix"),
        run("info", HOSTILE),
        run("info", "digits", HOSTILE),
        run("info", "wrong.toml"),
        run("dump", f"{HOSTILE}.toml", "-o", f"{HOSTILE}.npz"),
        run("dump", f"{HOSTILE}.toml", "-o", f"{HOSTILE}2.npz"),
        run("export", f"{HOSTILE}.toml", "-o", HOSTILE, "--every", "layer"),
    ]
    assert [status for status, _, _ in said] == [0, 2, 2, 2, 2, 2, 0, 0]
    assert all((out + err).replace("\n", "").isprintable() for _, out, err in said)
    assert all(len(err.splitlines()) == (status != 0) for status, _, err in said)
    assert said[0][1].startswith(f"Two layers ({SEEN})\n")
    assert said[1][2] == f"cnnviz: {SEEN}.nix: there is no such file.\n"
    assert said[7][1] == f"{SEEN} holds 4 frames.\n"


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

    def open_window(lesson, said, changes):
        calls.append(lesson)
        return 0

    monkeypatch.setattr(app, "open_window", open_window)
    return calls


@pytest.fixture
def no_display(monkeypatch):
    def open_window(lesson, said, changes):
        raise app.NoDisplayError

    monkeypatch.setattr(app, "open_window", open_window)


def test_a_window_is_opened(run, opened):
    assert run() == (0, "", "")
    assert run("digits") == (0, "", "")
    assert run("./info") == (0, "", "")
    assert opened == [None, "digits", "./info"]


def test_without_a_display_the_frames_are_written(run, no_display, painted, lesson, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(lesson)

    assert status == 0
    assert re.fullmatch(
        r"cnnviz: There is no display [^\n]* the frames of lesson are written to [^\n]*\.\n", err
    )
    assert out == f"{Path('cnnviz-frames', 'lesson')} holds 6 frames.\n"
    assert len(list(Path("cnnviz-frames", "lesson").glob("*.png"))) == 6


@pytest.mark.parametrize(
    "file, folder",
    [("...toml", "__"), ("..toml", "_"), (".toml", "_toml"), ("con.toml", "_con"), ("a\nb.toml", "a_b")],
)
def test_without_a_display_a_name_leads_nowhere(
    run, no_display, painted, lesson, tmp_path, monkeypatch, file, folder
):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    shutil.copy(lesson, file)
    assert run(f"./{file}")[0] == 0
    assert os.listdir("cnnviz-frames") == [folder]
    assert sorted(os.listdir(tmp_path)) == ["here", "lesson.toml"]
    assert sorted(os.listdir()) == sorted(["cnnviz-frames", file])


@pytest.mark.parametrize("word, status", [((), 2), (("info", "digits"), 2)])
def test_a_mistake_of_ours_is_told_with_its_traceback(run, monkeypatch, word, status):
    monkeypatch.setattr(app, "open_window", lambda lesson, said, changes: 1 / 0)
    monkeypatch.setattr("cnnviz.cli.info.load", lambda *_: 1 / 0)
    found, out, err = run(*word)
    assert (found, out) == (status, "")
    assert "Traceback" in err
    assert err.endswith("cnnviz: Something went wrong (ZeroDivisionError). Please report it.\n")


@pytest.mark.parametrize(
    "words, place",
    [
        ((), "cnnviz.app.open_window"),
        (("digits",), "cnnviz.app.open_window"),
        (("lessons",), "cnnviz.lesson.files.lesson_words"),
        (("info", "digits"), "cnnviz.lesson.lesson.lesson_of"),
        (("dump", "digits", "-o", "a.npz"), "numpy.lib.format.write_array"),
        (("dump", "digits", "-o", "a.npz", "--at", "9"), "cnnviz.trace.program.Program.state"),
        (("export", "digits", "-o", "frames"), "cnnviz.export.png.picture"),
        (("export", "training", "-o", "frames", "--iteration", "3"), "cnnviz.engine.training.Run.work"),
    ],
)
def test_too_little_memory_is_one_sentence_in_every_command(
    mistake, qapp, tmp_path, monkeypatch, words, place
):
    def full(*_, **__):
        raise MemoryError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(place, full)
    monkeypatch.setattr("cnnviz.export.writing._cores", lambda: 1)
    assert mistake(*words).startswith("There is not enough memory for this: close other programs")
    assert not list(tmp_path.rglob("*.npz")) and not list(tmp_path.rglob("*.png"))


def test_a_library_that_is_missing_is_named(mistake, monkeypatch):
    def open_window(lesson, said, changes):
        raise ImportError("libEGL.so.1: cannot open shared object file", name="PySide6.QtGui")

    monkeypatch.setattr(app, "open_window", open_window)
    assert "PySide6.QtGui is missing here (libEGL.so.1: cannot open" in mistake()


def test_without_a_display_a_mistake_is_still_one(mistake, no_display, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert mistake("digts").startswith("There is no lesson digts")
    assert list(tmp_path.iterdir()) == []
