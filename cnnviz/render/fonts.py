"""The fonts in resources/, loaded once, and no others."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtGui import QFont, QFontDatabase

from cnnviz.errors import CnnvizError
from cnnviz.resources import resource
from cnnviz.text import tr

FAMILIES = {"sans": "Inter", "mono": "JetBrains Mono", "math": "DejaVu Sans"}


@lru_cache(maxsize=1)
def load() -> None:
    """Load the program's fonts; a QGuiApplication must exist.

    Raises
    ------
    CnnvizError
        If a font file cannot be read.
    """
    for path in sorted([*resource("fonts").glob("*.otf"), *resource("fonts").glob("*.ttf")]):
        if QFontDatabase.addApplicationFont(str(path)) < 0:
            raise CnnvizError(tr("{file}: this font cannot be read; install cnnviz again.", file=path))


@lru_cache(maxsize=512)
def font(family: str, size: float, bold: bool) -> QFont:
    """Return a font by family (``sans``, ``mono`` or ``math``) and size in pixels, figures of equal width."""
    load()
    made = QFont([FAMILIES[family], FAMILIES["math"]])
    made.setPixelSize(max(1, round(size)))
    made.setWeight(
        QFont.Weight.DemiBold
        if bold and family == "sans"
        else QFont.Weight.Bold
        if bold
        else QFont.Weight.Normal
    )
    # On Windows, and where the desktop asks for it, edges would be coloured as if each picture were a screen.
    made.setStyleStrategy(QFont.StyleStrategy.NoSubpixelAntialias)
    made.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    if family == "sans":
        made.setFeature(QFont.Tag("tnum"), 1)
    return made
