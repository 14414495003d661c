"""Typeset the formulas of all operations and of the built-in lessons, and write `formulas.json`.

    python resources/typeset_formulas.py

To be run whenever a formula has changed; a test says when it was forgotten. The program itself then needs
no typesetting to show them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from cnnviz.lesson.files import lesson_names
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene import registry
from cnnviz.scene.typesetting import to_keep

FILE = Path(__file__).resolve().parent / "formulas.json"


def all_formulas() -> Iterator[str]:
    """Yield the formulas of every listing, and of every line of the lessons' expressions."""
    yield from registry.all_formulas()
    for name in lesson_names():
        for operation in load_lesson(name).program.operations:
            for line in range(1, len(operation.tree.source) + 1):
                yield from registry.formulas(operation.call, line)


def as_text() -> str:
    """Return what the file should hold: an outline or a formula a line, so that a change shows as one."""
    kept = to_keep(all_formulas())
    paths = ",\n".join(_json(path) for path in kept["paths"])
    formulas = ",\n".join(f"{_json(key)}:{_json(value)}" for key, value in kept["formulas"].items())
    return f'{{"ziamath":{_json(kept["ziamath"])},\n"paths":[\n{paths}\n],\n"formulas":{{\n{formulas}\n}}}}\n'


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    FILE.write_text(as_text(), encoding="utf-8")
    print(f"{FILE}: {FILE.stat().st_size // 1024} KB")
