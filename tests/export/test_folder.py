"""A folder of frames is made ready without touching what another export may be writing."""

import os

from cnnviz.export.folder import MANIFEST, prepare


def test_without_locks_only_what_is_stale_is_cleared_away(tmp_path):
    old, new = tmp_path / ".a.png.1234abcd.part", tmp_path / ".b.png.1234abcd.part"
    old.write_text("half")
    new.write_text("half")
    os.utime(old, (0, 0))
    prepare(tmp_path, {}, {}, alone=False)

    assert sorted(os.listdir(tmp_path)) == [new.name, MANIFEST]
