"""Frames that were exported."""

import os

SMALL = ("--size", "320x180")
"""So small that a frame has no room for the picture of its operation."""

WITH_PICTURE = ("--size", "800x450")


def frames_in(folder):
    names = sorted(os.listdir(folder))
    assert [name for name in names if not name.endswith(".png")] == ["cnnviz-export.json"]
    return names[:-1]
