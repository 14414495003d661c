"""A disk that fills up, at any point: one sentence, status 2, and nothing half written."""

import re
import subprocess

import numpy as np
import pytest
from PySide6.QtGui import QImage

from cnnviz.files import PART
from tests.cli.frames import SMALL
from tests.limits import no_file_beyond

PAGES, PAGE = 16, 4096
FULL = r"cnnviz: [^\n]* \((No space left on device|File too large)\); name another[^\n]*\.\n"


@pytest.fixture
def disk(tmp_path):
    """A disk of a few pages."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={PAGES * PAGE}", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("only root may make a disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk, room):
    """Leave room for so many pages."""
    (disk / "filler").write_bytes(b"x" * ((PAGES - room) * PAGE))


def is_whole(path):
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return all(arrays[name] is not None for name in arrays)
    return path.suffix != ".png" or not QImage(str(path)).isNull()


def went_well(outcome, folder):
    """Return whether it did; if not, that was told. What is there is whole either way."""
    status, out, err = outcome
    left = [path for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in left if PART.fullmatch(path.name)]
    assert all(is_whole(path) for path in left)
    if status:
        assert (status, out) == (2, "")
        assert re.fullmatch(FULL, err)
    return status == 0


@pytest.mark.parametrize("room", range(4))
def test_dump(run, lesson, disk, room):
    fill(disk, room)
    fits = room >= 1
    assert went_well(run("dump", lesson, "-o", disk / "a.npz"), disk) == fits
    assert (disk / "a.npz").exists() == fits


@pytest.mark.parametrize("room", [0, 1])
def test_dump_in_the_place_of_an_old_file(run, lesson, disk, room):
    old = disk / "old"
    old.write_bytes(b"old")
    fill(disk, room + 1)
    assert went_well(run("dump", lesson, "-o", old), disk) == (room == 1)
    assert (old.read_bytes() == b"old") == (room == 0)


@pytest.mark.parametrize("room", [0, 1, 2, 4, 8, 15])
def test_export_goes_on_when_there_is_room(run, painted, lesson, disk, room):
    fill(disk, room)
    command = ("export", lesson, "-o", disk / "f", "--every", "layer", *SMALL)
    well = went_well(run(*command), disk)
    there = len(list(disk.glob("f/*.png")))
    assert well == (there == 4) == (room >= 5), "four frames and what they are"
    (disk / "filler").unlink()
    said = f", {there} of which {'was' if there == 1 else 'were'} there already" if there else ""
    assert run(*command) == (0, f"{disk / 'f'} holds 4 frames{said}.\n", "")


@pytest.mark.parametrize("size", [0, 1, 200, 500, 1000, 2500])
def test_a_quota(run, painted, lesson, tmp_path, size):
    folder = tmp_path / "out"
    folder.mkdir()
    with no_file_beyond(size):
        dumped = run("dump", lesson, "-o", folder / "a.npz")
        exported = run("export", lesson, "-o", folder / "f", "--every", "layer", *SMALL)
    assert went_well(dumped, folder) == (folder / "a.npz").exists() == (size > 2000)
    assert went_well(exported, folder) == (len(list(folder.glob("f/*.png"))) == 4)
    assert size or not list(folder.glob("f/*"))
