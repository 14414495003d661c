"""``--set``: every command takes changes, of every kind of lesson; an export mixes no others with them."""

import re

import numpy as np
import pytest

from cnnviz import app
from cnnviz.lesson.lesson import load_lesson

KINDS = {
    "digits": [
        "conv1.w[0,0,1,1]=0.5",
        "conv1.b[2]=1",
        "conv1.padding=2",
        "conv1.dilation=2",
        "input[0,2,3]=0.25",
        "optimiser.lr=0.2",
        "label=4",
    ],
    "batch-norm": ["bn.beta[0]=-1", "bn.gamma[0]=2"],
    "stride-padding": ["padded.padding=2", "strided.stride=1"],
    "training": ["optimiser.lr=0.25"],
    "chain-rule": ["x=5"],
    "gradient-descent": ["walk.lr=0.2", "walk.starts=4,-1"],
    "image": ["rgb.image[0,0,0]=7"],
    "f = x * y   x=2 y=3": ["y=-1"],
}


def words(changes):
    return [word for change in changes for word in ("--set", change)]


@pytest.mark.parametrize(("source", "changes"), KINDS.items(), ids=KINDS)
def test_info_says_what_is_changed_and_dump_writes_it(run, tmp_path, source, changes):
    status, said, complained = run("info", source, *words(changes))
    assert (status, complained) == (0, "")
    assert re.search(r"^Changed: \S", said, re.MULTILINE)
    assert not re.search(r"^Changed: ", run("info", source)[1], re.MULTILINE)
    file = tmp_path / "all.npz"
    assert run("dump", source, *words(changes), "-o", file)[0] == 0
    tape = load_lesson(source, changes=changes).tape
    with np.load(file) as written:
        assert {key: written[key].tobytes() for key in written} == {k: a.tobytes() for k, a in tape.items()}


def test_a_pixel_is_that_of_the_image_and_of_the_iteration(run, tmp_path):
    for number, (shown, key) in enumerate(
        {("digits", "--image", "7"): "conv1.x", ("training", "--iteration", "2"): "conv1.x"}.items()
    ):
        file = tmp_path / f"{number}.npz"
        assert run("dump", *shown, "--set", "input[0,0,0]=0.123", "-o", file)[0] == 0
        with np.load(file) as written:
            assert written[key][0, 0, 0] == 0.123


@pytest.mark.parametrize(("source", "changes"), KINDS.items(), ids=KINDS)
def test_a_window_is_opened_with_it(run, monkeypatch, source, changes):
    asked = []

    def open_window(lesson, said, changes):
        asked.append((lesson, list(changes)))
        return 0

    monkeypatch.setattr(app, "open_window", open_window)
    assert run(source, *words(changes))[0] == 0
    assert asked == [(source, changes)]


@pytest.mark.parametrize(("source", "changes"), KINDS.items(), ids=KINDS)
def test_an_export_shows_it_goes_on_and_mixes_nothing(run, tmp_path, source, changes):
    def export(*more):
        return run(
            "export", source, "-o", tmp_path, "--size", "640x360", "--every", "pass", "--to", "3", *more
        )

    def frames():
        return {path.name: path.read_bytes() for path in tmp_path.glob("*.png")}

    assert export(*words(changes))[0] == 0
    whole = frames()
    next(tmp_path.glob("*.png")).unlink()
    status, said, _ = export(*words(changes[::-1]))
    assert (status, frames()) == (0, whole)
    assert len(whole) == 1 or "of which" in said
    for others in ([], words([*changes[:-1], changes[-1] + "1"])):
        status, said, complained = export(*others)
        assert (status, said, frames()) == (2, "", whole)
        assert complained.count("\n") == 1


@pytest.mark.parametrize("command", ["info", "dump -o x.npz", "export -o x", ""])
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["conv1.stride=2"], "conv1.stride=2: fc: w has shape 32 × 10, but the layer needs 8 × 10."),
        (["label=4", "label=5"], "label has two values; write one of them only."),
        (
            ["nonsense"],
            "nonsense is not understood; write what is changed and its value, as in conv1.stride=2",
        ),
    ],
)
def test_what_does_not_fit_is_a_mistake(mistake, tmp_path, monkeypatch, command, changes, sentence):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        app, "open_window", lambda lesson, said, changes: load_lesson(lesson, changes=changes)
    )
    name, *more = command.split() or [""]
    assert mistake(*filter(None, [name]), "digits", *words(changes), *more).startswith(sentence)
    assert list(tmp_path.iterdir()) == []


def test_a_change_needs_a_lesson(mistake):
    assert mistake("--set", "label=4") == "--set changes a lesson, and none is named; name it before."


def test_without_a_display_the_frames_are_those_of_the_changed_lesson(run, tmp_path, monkeypatch, lesson):
    def open_window(lesson, said, changes):
        raise app.NoDisplayError

    monkeypatch.setattr(app, "open_window", open_window)
    monkeypatch.chdir(tmp_path)
    status, said, complained = run(lesson, "--set", "relu1.name=1")
    assert (status, said) == (2, "")
    status, said, complained = run(lesson, "--set", "conv1.kernel=3")
    assert status == 0 and "cnnviz-frames/lesson-conv1.kernel-3" in complained.replace("\\", "/")
    assert list((tmp_path / "cnnviz-frames" / "lesson-conv1.kernel-3").glob("*.png"))
