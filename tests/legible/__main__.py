"""Writes how large the smallest text and number are: ``python -m tests.legible [FILE]``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def main(file: Path) -> None:
    """Measure every stop of every lesson in every size; write all, and say the smallest of each lesson."""
    from PySide6.QtGui import QGuiApplication

    from cnnviz.lesson.files import lesson_names
    from tests.legible.measure import KINDS, SIZES, frame, measured, stops

    application = QGuiApplication([])
    lines = ["lesson\tstop\tkind\tsize\ttext\tvalue\tsmallest\telided"]
    least: dict[tuple[str, str, tuple[int, int]], tuple[float, float]] = {}
    for name in lesson_names():
        for stop, lesson in stops(name):
            step = next(s for s in lesson.stops if s.number == stop.number).index
            for kind in KINDS:
                for size in SIZES:
                    found = measured(frame(kind, lesson, step, *size).marks)
                    cut = " | ".join(found.elided)
                    lines.append(
                        f"{name}\t{stop.number}\t{kind}\t{size[0]}×{size[1]}"
                        f"\t{found.text:.1f}\t{found.value:.1f}\t{found.smallest}\t{cut}"
                    )
                    text, value = least.get((name, kind, size), (1e9, 1e9))
                    least[name, kind, size] = min(text, found.text), min(value, found.value)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for kind in KINDS:
        print(f"{kind}: smallest text / smallest number, in pixels")
        print(f"{'':20}" + "".join(f"{f'{w}×{h}':>14}" for w, h in SIZES))
        for name in lesson_names():
            row = (least.get((name, kind, size), (0, 0)) for size in SIZES)
            print(f"{name:20}" + "".join(f"{f'{text:.0f} / {value:.0f}':>14}" for text, value in row))
    print(f"all of it: {file}")
    application.quit()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/legible.tsv"))
