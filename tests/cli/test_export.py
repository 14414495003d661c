"""`cnnviz export` writes the frames of the steps asked for; broken off, it goes on; never two kinds mixed."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from multiprocessing import active_children
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtGui import QImage

from cnnviz import __version__, files
from cnnviz.cli import output
from cnnviz.export import folder as folders
from cnnviz.export import png
from cnnviz.export import writing as exporting
from cnnviz.export.frames import Shown, frame_name, stops
from cnnviz.lesson.lesson import load_lesson
from cnnviz.lesson.place import step_at
from cnnviz.scene.display import Display
from cnnviz.trace.stops import Level
from tests.cli.frames import SMALL, WITH_PICTURE, frames_in
from tests.links import link

MAIN = Path(__file__).resolve().parents[2] / "main.py"
TYPED = "f = (x + y) * z   x=-2 y=5 z=-4"


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
        run("export", lesson, "-o", tmp_path / folder, "--every", "layer", *WITH_PICTURE, *more)
    names = frames_in(tmp_path / "letters")

    assert names == frames_in(tmp_path / "numbers")
    for name in names[1:]:
        assert (tmp_path / "letters" / name).read_bytes() != (tmp_path / "numbers" / name).read_bytes()


def test_frames_of_one_scale_of_colours_differ_from_those_of_scales_of_their_own(run, qapp, lesson, tmp_path):
    pictures = []
    for scale in ("array", "layer", "network"):
        run("export", lesson, "-o", tmp_path / scale, "--every", "pass", "--scale", scale, *WITH_PICTURE)
        pictures.append((tmp_path / scale / frames_in(tmp_path / scale)[-1]).read_bytes())
    assert len(set(pictures)) == 3


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


def test_an_interrupted_export_goes_on(run, painted, lesson, tmp_path, monkeypatch):
    command = ("export", lesson, "-o", tmp_path / "f", "--every", "cell", *SMALL)
    paint = png.picture

    def interrupted(*arguments):
        if len(painted) == 7:
            raise KeyboardInterrupt
        return paint(*arguments)

    monkeypatch.setattr(png, "picture", interrupted)
    status, out, err = run(*command)
    assert (status, out) == (130, "")
    assert err == (
        f"cnnviz: Stopped; what is in {tmp_path / 'f'} is whole, and the same command goes on from there.\n"
    )
    there = {name: (tmp_path / "f" / name).stat().st_mtime_ns for name in frames_in(tmp_path / "f")}
    assert len(there) == 7

    monkeypatch.setattr(png, "picture", paint)
    assert run(*command)[:2] == (0, f"{tmp_path / 'f'} holds 18 frames, 7 of which were there already.\n")
    assert len(frames_in(tmp_path / "f")) == len(painted) == 18
    assert all((tmp_path / "f" / name).stat().st_mtime_ns == when for name, when in there.items())


@pytest.mark.parametrize(
    "changed, named",
    [
        (("--theme", "dark"), "colours light, not dark;"),
        (("--letters",), "cells show numbers, not letters;"),
        (("--scale", "layer"), "colour scale of each array, not the whole layer;"),
        (("--zoom", "130"), "zoom 100 %, not 130 %;"),
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
    Path(lesson).write_text(Path(lesson).read_text().replace("seed = 1", changed))

    assert "mixed: the lesson has been changed since;" in mistake(*command)


def test_strange_pictures_are_not_taken_for_frames(mistake, painted, lesson, tmp_path):
    (tmp_path / "000-conv1-o0.png").write_text("a photograph")
    sentence = mistake("export", lesson, "-o", tmp_path, "--every", "layer", *SMALL)

    assert "holds pictures of the same names, but not cnnviz-export.json" in sentence
    assert (tmp_path / "000-conv1-o0.png").read_text() == "a photograph"


@pytest.mark.parametrize("content", ["", "[]", "{", "\xff", "[" * 200_000, '{"a":' * 100_000, " " * 70_000])
def test_a_spoilt_manifest(mistake, painted, lesson, tmp_path, content):
    (tmp_path / "cnnviz-export.json").write_text(content, encoding="latin-1")
    assert "cnnviz-export.json" in mistake("export", lesson, "-o", tmp_path, *SMALL)


@pytest.mark.skipif(os.name != "posix", reason="such pipes and devices are POSIX's")
@pytest.mark.parametrize("kind", ["pipe", "folder", "link to a device", "link to nowhere"])
def test_a_manifest_that_is_no_file(mistake, painted, lesson, tmp_path, kind):
    there = tmp_path / "cnnviz-export.json"
    if kind == "pipe":
        os.mkfifo(there)
    elif kind == "folder":
        there.mkdir()
    else:
        link(there, "/dev/zero" if kind == "link to a device" else tmp_path / "nowhere")
    sentence = mistake("export", lesson, "-o", tmp_path, *SMALL)
    assert (
        sentence == f"{tmp_path}: cnnviz-export.json cannot be read; name another folder, or empty this one."
    )
    assert sorted(os.listdir(tmp_path)) == ["cnnviz-export.json", "lesson.toml"]


@pytest.mark.parametrize("key", ["cnnviz", "lesson", "image", "every", "to", "size", "theme", "content"])
def test_a_manifest_that_does_not_say_all(run, mistake, painted, lesson, tmp_path, key):
    command = ("export", lesson, "-o", tmp_path / "f", "--every", "layer", *SMALL)
    run(*command)
    manifest = tmp_path / "f" / "cnnviz-export.json"
    said = json.loads(manifest.read_text())
    del said[key]
    manifest.write_text(json.dumps(said))
    before = len(painted)

    assert "frames made with other settings" in mistake(*command)
    assert len(painted) == before


def test_what_a_manifest_holds_is_not_told_at_length(run, mistake, painted, lesson, tmp_path):
    command = ("export", lesson, "-o", tmp_path / "f", "--every", "layer", *SMALL)
    run(*command)
    manifest = tmp_path / "f" / "cnnviz-export.json"
    said = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(said | {"theme": "d" * 9_000, "size": [0] * 9_000}))
    assert len(mistake(*command)) < 600


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
        "letters": "numbers",
        "scale": "each array",
        "theme": "dark",
        "zoom": "100 %",
        "compare": "as it is",
        "high_contrast": "usual",
        "text": "100 %",
        "transparent": "filled",
        "through": "nearest layer",
        "folded": "as at first",
        "content": "",
    }


def test_what_a_killed_export_left_is_cleared_away(run, painted, lesson, tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / ".000-conv1-o0.png.1234abcd.part").write_text("half")
    run("export", lesson, "-o", tmp_path / "f", "--every", "layer", *SMALL)
    assert len(frames_in(tmp_path / "f")) == 4


def test_what_others_left_stays(run, painted, lesson, tmp_path):
    (tmp_path / "f").mkdir()
    names = [".notes.part", ".a.part", "b.1234abcd.part", ".c.1234ABCD.part"]
    for name in names:
        (tmp_path / "f" / name).write_text("mine")
    assert run("export", lesson, "-o", tmp_path / "f", "--every", "layer", *SMALL)[0] == 0
    assert all((tmp_path / "f" / name).read_text() == "mine" for name in names)


@pytest.fixture
def exported(run, painted, lesson, tmp_path):
    """Export four frames; return how, and the files."""
    command = ("export", lesson, "-o", tmp_path / "f", "--every", "layer", *SMALL)
    run(*command)
    return command, [tmp_path / "f" / name for name in frames_in(tmp_path / "f")]


def test_a_frame_that_is_not_whole_is_painted_again(run, exported):
    command, frames = exported
    whole = [frame.read_bytes() for frame in frames]
    frames[0].write_bytes(b"")
    frames[1].write_bytes(whole[1][:-1])
    frames[2].write_bytes(whole[2][:16] + bytes(8) + whole[2][24:])  # of another size
    assert run(*command)[1].endswith("holds 4 frames, 1 of which was there already.\n")
    assert [frame.read_bytes() for frame in frames] == whole


@pytest.mark.skipif(os.name != "posix", reason="such pipes are POSIX's")
@pytest.mark.parametrize("kind", ["folder", "pipe", "link to nowhere", "link to a picture"])
def test_what_is_no_picture_is_left_alone(mistake, exported, tmp_path, kind):
    command, frames = exported
    outside = tmp_path / "outside.png"
    if kind == "link to a picture":
        outside.write_bytes(frames[2].read_bytes())
    frames[2].unlink()
    if kind == "folder":
        frames[2].mkdir()
    elif kind == "pipe":
        os.mkfifo(frames[2])
    else:
        link(frames[2], outside)
    kept = os.lstat(frames[2])

    assert mistake(*command) == f"{frames[2]} is not a picture; take it away, or name another folder."
    assert os.lstat(frames[2]) == kept
    assert outside.exists() == (kind == "link to a picture")


def test_a_link_made_in_the_middle_leads_nowhere(mistake, painted, lesson, tmp_path, monkeypatch):
    paint = png.picture

    def linked(shown, index, on=None):
        name = tmp_path / "f" / frame_name(shown.program, index)
        if len(painted) == 2:
            link(name, tmp_path / "outside.png")
        return paint(shown, index, on)

    monkeypatch.setattr(png, "picture", linked)
    assert "is not a file" in mistake("export", lesson, "-o", tmp_path / "f", "--every", "layer", *SMALL)
    assert not (tmp_path / "outside.png").exists()


def test_two_exports_do_not_share_a_folder(mistake, painted, lesson, tmp_path):
    pytest.importorskip("fcntl")
    words = ("export", lesson, "-o", tmp_path / "f", "--every", "layer", *SMALL)
    (tmp_path / "f").mkdir()
    with folders.alone_in(tmp_path / "f"):
        (tmp_path / "f" / ".000-conv1-o0.png.1234abcd.part").write_text("half")
        sentence = mistake(*words)

    assert sentence == (
        f"Another export is writing to {tmp_path / 'f'}; wait until it is done, or name another folder."
    )
    assert os.listdir(tmp_path / "f") == [".000-conv1-o0.png.1234abcd.part"]


def test_without_a_terminal_progress_is_a_line_now_and_then(run, painted, lesson, tmp_path, monkeypatch):
    monkeypatch.setattr(output, "PROGRESS_SECONDS", 0)
    _, _, err = run("export", lesson, "-o", tmp_path / "f", "--every", "layer", *SMALL)
    opening = ["going forward, 0%", "going forward, 50%"]
    told = [*opening, *(f"{done} of 4 frames, about 1 s left" for done in range(1, 4)), "4 of 4 frames"]
    assert err == "".join(f"cnnviz: {each} …\n" for each in told)


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

    monkeypatch.setattr(folders.Path, "mkdir", refuse)
    said = mistake("export", lesson, "-o", tmp_path / "f")
    assert said.endswith("as a folder (Permission denied); name another.")


def test_a_full_disk_ends_the_export_and_leaves_whole_frames(run, painted, lesson, tmp_path, monkeypatch):
    command = ("export", lesson, "-o", tmp_path / "f", "--every", "cell", *SMALL)

    def full(_):
        if len(painted) == 5:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    status, out, err = run(*command)
    assert (status, out) == (2, "")
    assert re.fullmatch(
        r"cnnviz: [^\n]*\.png could not be written \(No space left on device\)[^\n]*\.\n", err
    )
    assert len(frames_in(tmp_path / "f")) == 4

    monkeypatch.undo()
    monkeypatch.setattr(png, "picture", lambda s, i, on=None: QImage(2, 2, QImage.Format.Format_RGB32))
    assert run(*command)[1].endswith("holds 18 frames, 4 of which were there already.\n")


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
    assert all(
        re.fullmatch(r"cnnviz: [\d,]+ of [\d,]+ frames(, about [\d.]+ \w+ left)? …", line)
        for line in progress
    )
    for name in frames_in(folder):
        assert not QImage(str(folder / name)).isNull()


def test_frames_of_an_expression(run, painted, tmp_path):
    assert run("export", "chain-rule", "-o", tmp_path / "a", "--image", 1, "--every", "line")[0] == 0
    frames = [name.split("-")[1] for name in frames_in(tmp_path / "a")]
    assert frames == ["f.png"] * 2 + ["f.backward.png"] * 5


def test_one_frame_is_spoken_of_as_one(run, painted, lesson, tmp_path):
    command = ("export", lesson, "-o", tmp_path / "f", "--every", "line", "--from", "3", "--to", "3", *SMALL)
    assert run(*command) == (0, f"{tmp_path / 'f'} holds 1 frame.\n", "")
    assert run(*command) == (0, f"{tmp_path / 'f'} holds 1 frame that was there already.\n", "")


def test_frames_of_two_expressions_are_not_mixed(run, mistake, painted, tmp_path):
    assert run("export", TYPED, "-o", tmp_path / "a")[0] == 0
    mistake("export", TYPED.replace("x=-2", "x=7"), "-o", tmp_path / "a")
    assert len(frames_in(tmp_path / "a")) == 7


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


def test_export_of_an_iteration_is_not_mixed_with_another(run, painted, mistake, tmp_path):
    words = ("export", "training", "-o", tmp_path / "f", "--every", "pass", "--image", 3, *SMALL)
    assert run(*words, "--iteration", 2)[0] == 0
    assert json.loads((tmp_path / "f" / "cnnviz-export.json").read_text())["iteration"] == "2"
    assert "they show iteration 2, not 3" in mistake(*words, "--iteration", 3)


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


@pytest.mark.parametrize("enough", [0, 1])
def test_where_no_other_process_can_be_started_that_is_said(mistake, qapp, tmp_path, monkeypatch, enough):
    """One that was must not be left behind, for the program would wait for it at its end."""
    start, started = BaseProcess.start, []

    def refuse(process):
        if len(started) == enough:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        start(process)
        started.append(process)

    monkeypatch.setattr(BaseProcess, "start", refuse)
    monkeypatch.setattr(exporting, "_cores", lambda: 2)
    said = mistake("export", "digits", "-o", tmp_path / "f", "--every", "line", "--to", "99", *SMALL)
    assert "no other process can be started ([Errno 11] Resource temporarily unavailable)" in said
    assert active_children() == []
    assert not list((tmp_path / "f").glob(".*.part"))


def test_where_no_thread_can_be_started_that_is_said(mistake, qapp, tmp_path, monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("concurrent.futures.process._ExecutorManagerThread.start", refuse)
    monkeypatch.setattr(exporting, "_cores", lambda: 2)
    said = mistake("export", "digits", "-o", tmp_path / "f", "--every", "line", "--to", "99", *SMALL)
    assert "no other process can be started (can't start new thread)" in said
    assert active_children() == []


def test_another_path_of_the_chain_rule_is_said_to_be_the_difference(run, mistake, painted, tmp_path):
    lesson = Path(__file__).parents[1] / "lesson" / "files" / "two-in-two-out.toml"
    command = ("export", lesson, "-o", tmp_path / "f", "--every", "layer", *SMALL)
    run(*command)
    told = mistake(*command, "--through", "size.dx")
    assert "mixed: their chain rule follows nearest layer, not size.dx;" in told


@pytest.mark.parametrize("name", ["chain-rule", "backward-conv", "gradient-descent"])
def test_every_stop_is_all_stops_of_the_lesson_in_their_order(run, tmp_path, name):
    """Each frame is the one that the lesson at that stop has; its file says which it is."""
    lesson, folder = load_lesson(name), tmp_path / "frames"
    assert run("export", name, "-o", folder, "--every", "stop", "--size", "320x180")[0] == 0
    found = sorted(path.name for path in folder.glob("*.png"))
    assert len(found) == len(lesson.sequence)
    for stop, file in zip(lesson.sequence, found, strict=True):
        there = lesson.at_stop(stop)
        words = file.removesuffix(".png").split("-")
        assert int(words.pop(0)) == stop.number
        if name == "chain-rule":
            assert words.pop(0) == f"image{stop.image}"
        if stop.form:
            assert words.pop(0) == stop.form
        step = there.sequence[stop.number - 1].index
        assert (int(words[0]), words[1]) == (step, there.program[step].operation.name)
        view = replace(there.view, width=320, height=180, display=Display())
        held = QImage(str(folder / file))
        assert held == png.picture(Shown(there.program, view), step).convertToFormat(held.format())
    assert run("export", name, "-o", folder, "--every", "stop", "--size", "320x180")[1].count("already")


def test_stops_of_one_expression_are_its_own(run, tmp_path):
    folder = tmp_path / "frames"
    run("export", "chain-rule", "-o", folder, "--every", "stop", "--image", "1", "--size", "320x180")
    own = [stop for stop in load_lesson("chain-rule").sequence if stop.image == 1]
    assert len(list(folder.glob("*.png"))) in range(len(own), len(own) + 3)
