"""Whichever write fails, in whichever format: earlier files whole, none half written, one sentence."""

from __future__ import annotations

import errno
import os
import re
import shutil
from itertools import count, cycle

import pytest

from cnnviz import app
from cnnviz.export.formats import DOCUMENTS, FORMATS
from tests.faults import VANISHED, disk, files_in

EXPORT = ("export", "relu", "--size", "640x360", "--every", "cell", "--to", "6")
COMMANDS = {
    **{form: (*EXPORT, "--format", form) for form in (*FORMATS, *DOCUMENTS)},
    **{f"{form} sheet": ("sheet", "relu", "--format", form) for form in ("pdf", "moodle")},
}
REASONS = (errno.ENOSPC, errno.EROFS, errno.EIO, VANISHED)
SAID = r"cnnviz: [^\n]* \({reason}\); name another[^\n]*\.\n"


def fail_each(run, command, folder, before):
    """Let each write of a command in turn fail, until there are no more; return how many there were."""
    assert run(*command)[0] == 0
    good = files_in(folder)
    for turn, reason in zip(count(1), cycle(REASONS)):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, content in before.items():
            (folder / name).write_bytes(content)
        kept = files_in(folder)
        with disk(folder, turn, reason) as made:
            status, out, err = run(*command)
        where = turn, made.writes[-1], err
        if len(made.writes) < turn:
            assert status == 0
            return turn - 1
        found = files_in(folder) if folder.exists() else {}
        if status == 0:  # without it, or with another folder: all is there
            assert made.writes[turn - 1] in ("chmod", "mkdir") and found == good, where
            continue
        said = SAID.format(reason=re.escape(os.strerror(reason or errno.ENOENT)))
        assert (status, out) == (2, "") and re.fullmatch(said, err), where
        assert all(content in (kept.get(name), good.get(name)) for name, content in found.items()), where
        assert reason == VANISHED or kept.keys() <= found.keys(), where
        if folder.exists():  # the same command goes on, and nothing is left of what failed
            assert run(*command)[0] == 0 and files_in(folder) == good, where
    raise AssertionError


@pytest.fixture
def run(qapp, capsys):
    def run(*words):
        status = app.main([str(word) for word in words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.mark.parametrize("kind", COMMANDS)
def test_each_write_fails_in_turn(run, tmp_path, kind):
    """A folder is gone on with; in place of a file there was another before."""
    (tmp_path / "disk").mkdir()
    before = {} if kind in FORMATS else {"made": b"before"}
    writes = fail_each(run, (*COMMANDS[kind], "-o", tmp_path / "disk" / "made"), tmp_path / "disk", before)
    assert writes >= 6
