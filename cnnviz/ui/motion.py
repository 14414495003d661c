"""Whether the system asks for less motion; no, where it does not say."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

_GET_CLIENT_AREA_ANIMATION = 0x1042
_ANSWERS_WITHIN = 0.5
"""Seconds; a desktop that takes longer is not asked."""


def asks_for_less_motion() -> bool:
    """Return whether the user has switched animations off for the whole system."""
    asked = {"win32": _of_windows, "darwin": _of_macos}.get(sys.platform, _of_gnome)
    with suppress(OSError, AttributeError, ValueError, subprocess.SubprocessError):
        return asked()
    return False


def _of_windows() -> bool:
    """Return what Settings, Accessibility, Visual effects, Animation effects say."""
    shown = ctypes.c_int(1)
    found = getattr(ctypes, "windll").user32.SystemParametersInfoW(  # noqa: B009 (it is on Windows alone)
        _GET_CLIENT_AREA_ANIMATION, 0, ctypes.byref(shown), 0
    )
    return bool(found) and not shown.value


def _of_macos() -> bool:
    """Return System Settings, Accessibility, Display, Reduce motion: asked of AppKit, which Qt has loaded."""
    objc = ctypes.CDLL("/usr/lib/libobjc.dylib")
    objc.objc_getClass.restype = objc.sel_registerName.restype = ctypes.c_void_p
    objc.objc_getClass.argtypes = objc.sel_registerName.argtypes = [ctypes.c_char_p]
    sent = ctypes.c_void_p, ctypes.c_void_p
    get = ctypes.CFUNCTYPE(ctypes.c_void_p, *sent)(("objc_msgSend", objc))
    tell = ctypes.CFUNCTYPE(ctypes.c_bool, *sent)(("objc_msgSend", objc))
    shared = get(objc.objc_getClass(b"NSWorkspace"), objc.sel_registerName(b"sharedWorkspace"))
    return bool(tell(shared, objc.sel_registerName(b"accessibilityDisplayShouldReduceMotion")))


def _of_gnome() -> bool:
    """Return what GNOME and its like say; KDE writes its own answer into the same file."""
    program = shutil.which("gsettings")
    if program:
        words = [program, "get", "org.gnome.desktop.interface", "enable-animations"]
        said = subprocess.run(words, capture_output=True, text=True, timeout=_ANSWERS_WITHIN, check=False)
        if said.returncode == 0:
            return said.stdout.strip() == "false"
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    for name in ("gtk-4.0", "gtk-3.0"):
        with suppress(OSError):
            text = (folder / name / "settings.ini").read_text("utf-8", "replace")
            found = re.search(r"^\s*gtk-enable-animations\s*=\s*(\w+)", text, re.MULTILINE)
            if found:
                return found[1].lower() in ("0", "false")
    return False
