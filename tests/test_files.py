"""Files are written whole or not at all, in the place of regular files only; and only such are read."""

import os
import socket
import stat
from pathlib import Path

import pytest

from cnnviz.errors import CnnvizError
from cnnviz.files import PART, read_whole, safe_name, write_whole

pytestmark = pytest.mark.skipif(os.name != "posix", reason="devices, pipes and links are POSIX's")


@pytest.fixture(params=["pipe", "folder", "device", "socket", "link to a device"])
def special(request, tmp_path):
    """Something that has a name like a file, but is none; and how to say what it is."""
    path = tmp_path / "place"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "folder":
        path.mkdir()
    elif request.param == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))
    elif request.param == "device":
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 7))
        except PermissionError:
            pytest.skip("only root makes devices")
    else:
        path.symlink_to("/dev/full")
    return path


def test_only_a_regular_file_is_replaced(special, tmp_path):
    before = os.lstat(special), os.stat(special)
    with pytest.raises(CnnvizError, match="is not a file; name another"):
        write_whole(special, b"new")
    assert (os.lstat(special), os.stat(special)) == before
    assert os.listdir(tmp_path) == ["place"]


def test_only_a_regular_file_is_read_and_none_is_waited_for(special):
    with pytest.raises(OSError):
        read_whole(special, 1000)


def test_what_is_longer_than_it_may_be_is_not_read(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 11)
    with pytest.raises(OSError, match="too long"):
        read_whole(tmp_path / "a", 10)
    assert read_whole(tmp_path / "a", 11) == b"x" * 11


def test_a_link_is_kept_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "old").write_bytes(b"old")
    (tmp_path / "link").symlink_to("old")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "old").read_bytes() == b"new"


@pytest.mark.parametrize("name", ["a", "x" * 255, "ä" * 127, ".notes.part"])
def test_until_it_is_whole_it_is_beside_under_a_name_that_says_so(tmp_path, monkeypatch, name):
    seen = []

    def full(_: int) -> None:
        seen.extend(os.listdir(tmp_path))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cnnviz.files.os.fsync", full)
    with pytest.raises(CnnvizError, match="No space left on device"):
        write_whole(tmp_path / name, b"new")
    assert len(seen) == 1 and PART.fullmatch(seen[0])
    assert os.listdir(tmp_path) == []
    assert not PART.fullmatch(name)


def test_a_file_that_may_not_be_written_to_stays(tmp_path, monkeypatch):
    path = tmp_path / "old"
    path.write_bytes(b"old")
    monkeypatch.setattr("cnnviz.files.os.access", lambda path, mode: False)  # root may write anything
    with pytest.raises(CnnvizError, match="Permission denied"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"


def test_a_device_of_the_system_stays_one():
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(CnnvizError):
        write_whole(Path("/dev/full"), b"new")
    assert Path("/dev/full").is_char_device()


@pytest.fixture
def scanner(monkeypatch):
    """Hold what is to be replaced so many times, as a virus scanner on Windows does, in no time."""
    clock = [0.0]

    def hold(times):
        replace, refused = os.replace, []

        def held(part, path):
            if len(refused) < times:
                refused.append(clock[0])
                raise PermissionError(13, "The process cannot access the file", str(part), 32, str(path))
            replace(part, path)

        monkeypatch.setattr("cnnviz.files.os.replace", held)
        monkeypatch.setattr("cnnviz.files.time.monotonic", lambda: clock[0])
        monkeypatch.setattr("cnnviz.files.time.sleep", lambda seconds: clock.append(clock.pop() + seconds))
        return refused

    return hold


def test_a_file_that_is_held_for_a_moment_is_replaced_all_the_same(tmp_path, scanner):
    (tmp_path / "a").write_bytes(b"old")
    refused = scanner(3)
    write_whole(tmp_path / "a", b"new")
    assert len(refused) == 3
    assert (tmp_path / "a").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_that_is_held_for_ever_is_told_after_a_second(tmp_path, scanner):
    (tmp_path / "a").write_bytes(b"old")
    refused = scanner(10**9)
    with pytest.raises(CnnvizError, match="cannot access the file"):
        write_whole(tmp_path / "a", b"new")
    assert 1.0 <= refused[-1] < 1.1
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_safe_name_ends_in_nothing_that_windows_takes_off():
    for length in (58, 59, 60, 61):
        made = safe_name("x" * length + " y. ")
        assert len(made) <= 60 and made == made.rstrip(". ")


def test_what_a_killed_process_left_of_a_file_goes_with_the_next_that_is_written(tmp_path, monkeypatch):
    left, others = (
        tmp_path / ".a.1234abcd.part",
        [".a.b.1234abcd.part", ".a.1234ABCD.part", "a.1234abcd.part"],
    )
    for name in (left.name, *others):
        (tmp_path / name).write_text("half")
    with left.open() as held:  # by a process that still writes
        fcntl = pytest.importorskip("fcntl")
        fcntl.flock(held, fcntl.LOCK_EX)
        write_whole(tmp_path / "a", b"new")
        assert left.exists()
    write_whole(tmp_path / "a", b"new")
    assert sorted(os.listdir(tmp_path)) == sorted(["a", *others])

    def without_locks(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", without_locks)
    left.write_text("half")
    write_whole(tmp_path / "a", b"new")
    assert left.exists()  # it may be in work
    os.utime(left, (0, 0))
    write_whole(tmp_path / "a", b"new")
    assert not left.exists()
