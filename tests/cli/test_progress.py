"""Every reader says how far it is, and stops where it is told to; the command line shows it."""

import subprocess
import sys

import numpy as np
import pytest

from cnnviz.cli import output
from cnnviz.formats.reader import read
from cnnviz.working import StoppedError, heard_by
from tests.formats.reference import DATA, files

NAMES = ["lenet.state.pt", "lenet.older.pth", "lenet.safetensors", "lenet.scripted.pt"]


def test_every_reader_says_how_far_it_is_and_can_be_stopped():
    for name in [*NAMES, *(name for name in files("") if name.startswith("tiny") and "npz" not in name)]:
        told = []
        with heard_by(lambda *far, told=told: told.append(far)):
            read(DATA / name)
        assert len(told) >= 5, name
        assert {what for what, _, _ in told} == {"reading its numbers"}
        assert all(0 <= done < count for _, done, count in told), name

        def stop(what, done, count):
            if done:
                raise StoppedError

        with pytest.raises(StoppedError), heard_by(stop):
            read(DATA / name)


def test_what_commands_do_is_told_without_a_terminal(run, monkeypatch, tmp_path):
    monkeypatch.setattr(output, "PROGRESS_SECONDS", 0)
    told = f"{DATA / 'lenet.traced.pt'}"
    status, _, err = run("dump", told, "--label", 1, "-o", tmp_path / "net.npz")
    assert status == 0
    for what in ("reading its numbers", "finding its layers", "going forward", "going back", "packing"):
        assert f"cnnviz: {what}, 0% …\n" in err
    with np.load(tmp_path / "net.npz") as arrays:
        assert arrays["fc2.y"].shape == (5,) and arrays["conv1.dw"].shape == (3, 1, 5, 5)
    assert "going forward" in run("info", told)[2]


def test_ctrl_c_ends_a_command_with_130(tmp_path):
    code = (
        "import os, signal, sys\n"
        "from cnnviz import working\n"
        "def stuck(what, done, count):\n"
        "    if done == 2:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "working.tell = stuck\n"
        "from cnnviz.app import main\n"
        f"sys.exit(main(['info', {str(DATA / 'lenet.traced.pt')!r}]))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "cnnviz: Stopped.\n")
