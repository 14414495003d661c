"""Frames that were exported."""

import os

SMALL = ("--size", "320x180")


def frames_in(folder):
    names = sorted(os.listdir(folder))
    assert [name for name in names if not name.endswith(".png")] == ["cnnviz-export.json"]
    return names[:-1]
