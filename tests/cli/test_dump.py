"""`cnnviz dump` writes what Python holds; no file is half written."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnnviz.lesson.lesson import load_lesson
from tests.links import link as make_link

ROOT = Path(__file__).resolve().parents[2]


def test_dump_holds_the_tape(run, tmp_path):
    file = tmp_path / "digits.npz"
    assert run("dump", "digits", "-o", file, "--image", 7)[:2] == (0, f"Wrote 60 arrays to {file}.\n")
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


def test_dump_of_an_iteration_is_what_python_gives(run, tmp_path):
    assert run("dump", "training", "--iteration", 30, "-o", tmp_path / "t.npz")[0] == 0
    tape = load_lesson("training").at_iteration(30).tape
    with np.load(tmp_path / "t.npz") as held:
        assert set(held) == set(tape)
        assert all(np.array_equal(held[name], tape[name]) for name in tape)


def test_an_old_file_is_replaced_and_a_link_is_kept(run, tmp_path, lesson):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "old.npz", tmp_path / "link.npz"
    target.write_text("old")
    make_link(link, target)

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
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stdout) == (2, "")
    fault = "could not be written (File too large); name another, or make room."
    assert done.stderr == f"cnnviz: {tmp_path / 'd.npz'} {fault}\n"
    assert (tmp_path / "d.npz").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["d.npz", "lesson.toml"]
