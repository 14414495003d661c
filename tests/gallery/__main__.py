"""Writes the gallery: ``python -m tests.gallery [--every] [--folder FOLDER] [LESSON …]``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def main() -> None:
    """Write what was asked for, and say where it is."""
    parser = argparse.ArgumentParser(prog="make gallery", description="Write telling frames of lessons.")
    parser.add_argument("lessons", nargs="*", help="which; all built-in ones where none is named")
    parser.add_argument("--every", action="store_true", help="every stop and every operation")
    parser.add_argument("--folder", type=Path, default=Path("build", "gallery"), help="where to")
    asked = parser.parse_args()

    from PySide6.QtGui import QGuiApplication
    from tqdm import tqdm

    from cnnviz.lesson.files import lesson_names
    from tests.gallery.pictures import write

    application = QGuiApplication([])
    written = list(tqdm(write(asked.folder, asked.lessons or lesson_names(), asked.every), unit=" pictures"))
    print(f"{len(written) - 1} pictures; look at them in {written[-1].absolute()}")
    application.quit()


if __name__ == "__main__":
    main()
