"""Finds what travels with the program: fonts, lessons, images, weights, icons."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from cnnviz.errors import CnnvizError
from cnnviz.text import tr

_PACKAGE = Path(__file__).resolve().parent


def resource(*parts: str) -> Path:
    """Find a file or folder under ``resources/``.

    Parameters
    ----------
    *parts : str
        The way below ``resources/``, as in ``resource("fonts", "Inter-Regular.otf")``; none for the
        folder itself.

    Returns
    -------
    pathlib.Path
        Where it is; it exists.

    Raises
    ------
    CnnvizError
        If it is in none of the places where it may be.
    """
    for folder in _places():
        path = folder.joinpath(*parts)
        if path.exists():
            return path
    raise CnnvizError(
        tr(
            "{name} is missing from this copy of cnnviz (looked in {folders}): install cnnviz again.",
            name=Path("resources", *parts).as_posix(),
            folders=", ".join(str(folder) for folder in _places()),
        )
    )


def _places() -> Iterator[Path]:
    """Folders that may be ``resources/``, the likeliest first."""
    frozen = getattr(sys, "_MEIPASS", None)  # where a frozen program has unpacked itself
    if frozen is not None:
        yield Path(frozen, "cnnviz", "resources")
        yield Path(frozen, "resources")
        return
    # Beside the package only in a checkout: in site-packages, that folder would be a stranger's.
    if (_PACKAGE.parent / "pyproject.toml").is_file():
        yield _PACKAGE.parent / "resources"
    yield _PACKAGE / "resources"
