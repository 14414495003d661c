"""Write all held pictures anew: ``python -m tests.golden [NAME …]``. Then look at what has changed."""

from __future__ import annotations

import os
import sys

from PySide6.QtGui import QGuiApplication

from tests.golden.compare import small
from tests.golden.frames import NAMES, picture, stored


def main(names: list[str]) -> None:
    """Paint and store; forget what is no longer held."""
    for name in names or NAMES:
        small(picture(name)).save(str(stored(name)), "PNG", 0)
    for path in stored("").parent.glob("*.png"):
        if path.stem not in NAMES:
            path.unlink()
    print(f"{len(names or NAMES)} pictures in {stored('').parent}")


if __name__ == "__main__":
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    application = QGuiApplication(sys.argv[:1])
    main(sys.argv[1:])
