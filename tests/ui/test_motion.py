"""Less motion where the system asks for it, and as the user says where he says something else."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cnnviz.ui import motion
from cnnviz.ui.motion import asks_for_less_motion

linux = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="it asks a desktop of Linux")


def fake(folder: Path, script: str, monkeypatch) -> None:
    """Put a program called gsettings on the path, and nothing else."""
    program = folder / "gsettings"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")


@pytest.fixture(autouse=True)
def settings_of_desktop(tmp_path, monkeypatch) -> Path:
    """No settings of GTK, and no gsettings."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "config"


@linux
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ('test "$*" = "get org.gnome.desktop.interface enable-animations" && echo false', True),
        ("echo true", False),
        ("echo 'No such schema' >&2; exit 1", False),
        ("exec sleep 5", False),
        ("echo '????'", False),
    ],
)
def test_what_gnome_says(tmp_path, monkeypatch, script, expected):
    monkeypatch.setattr(motion, "_ANSWERS_WITHIN", 0.3)
    fake(tmp_path, script, monkeypatch)
    assert asks_for_less_motion() is expected


@linux
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[Settings]\ngtk-enable-animations=0\n", True),
        ("[Settings]\ngtk-enable-animations = false\n", True),
        ("[Settings]\ngtk-enable-animations=true\n", False),
        ("\0\xff[", False),
        (None, False),
    ],
)
def test_what_the_settings_of_gtk_say(settings_of_desktop, text, expected):
    if text is not None:
        (settings_of_desktop / "gtk-3.0").mkdir(parents=True)
        (settings_of_desktop / "gtk-3.0" / "settings.ini").write_text(text, "latin-1")
    assert asks_for_less_motion() is expected


@pytest.mark.parametrize(("answers", "shown", "expected"), [(1, 0, True), (1, 1, False), (0, 0, False)])
def test_what_windows_says(monkeypatch, answers, shown, expected):
    """SPI_GETCLIENTAREAANIMATION, 0x1042: whether animations are on."""

    def ask(what, _, where, __):
        assert what == 0x1042
        ctypes.cast(where, ctypes.POINTER(ctypes.c_int))[0] = shown
        return answers

    monkeypatch.setattr(sys, "platform", "win32")
    user32 = SimpleNamespace(SystemParametersInfoW=ask)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(user32=user32), raising=False)
    assert asks_for_less_motion() is expected


@pytest.mark.parametrize("platform", ["win32", "darwin", "linux", "freebsd"])
def test_where_nothing_can_be_asked_motion_stays(monkeypatch, platform):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: (_ for _ in ()).throw(OSError("gone")))
    if sys.platform != "darwin":
        monkeypatch.delattr(ctypes, "windll", raising=False)
    assert asks_for_less_motion() is False


@pytest.mark.parametrize("less", [True, False])
def test_the_window_follows_the_system_until_it_is_told_otherwise(make_window, monkeypatch, less):
    monkeypatch.setattr("cnnviz.ui.window.asks_for_less_motion", lambda: less)
    window = make_window(glides=True)
    glide = window.actions_by_name["glide"]
    assert window.stage.glides is glide.isChecked() is not less
    window.close()
    monkeypatch.setattr("cnnviz.ui.window.asks_for_less_motion", lambda: not less)
    again = make_window(glides=True)
    assert again.stage.glides is less  # it follows, since nobody has said anything
    again.actions_by_name["glide"].trigger()
    again.close()
    assert make_window(glides=True).stage.glides is not less  # now somebody has
