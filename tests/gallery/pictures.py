"""Telling frames of lessons, in the sizes and themes that must look right, and a page that shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from msgspec.structs import replace

from cnnviz.lesson.lesson import Lesson, load_lesson
from cnnviz.render.image import to_image
from cnnviz.scene.frame import compose
from cnnviz.trace.cursor import Cursor
from cnnviz.trace.stops import Level

SIZES = (1920, 1080), (1280, 720)


def telling(lesson: Lesson, every: bool = False) -> dict[str, int]:
    """Return the steps of a lesson that are shown, by what they are.

    The first of its stops, and a step amid the longest operation of each phase; with `every` all its stops,
    and a step amid every operation.
    """
    program = lesson.program
    stops = lesson.stops if every else lesson.stops[:1]
    found = {f"stop {k}": stop.index for k, stop in enumerate(stops, 1)} or {"start": 0}
    for phase in dict.fromkeys(operation.phase for operation in program.operations):
        operations = [operation for operation in program.operations if operation.phase == phase]
        if not every:
            operations = sorted(operations, key=len)[-1:]
        for operation in operations:
            start = program.start(operation.name)
            term = Cursor(program, start + len(operation) // 2, Level.TERM).next().index
            found[f"{phase}, {operation.name}"] = min(term, start + len(operation) - 1)
    return found


def write(folder: Path, names: Sequence[str], every: bool = False) -> Iterator[Path]:
    """Write the frames of lessons and ``index.html``, and yield each file that is there."""
    shown: list[tuple[Lesson, list[tuple[str, Path]]]] = []
    for name in names:
        lesson = load_lesson(name)
        pictures: list[tuple[str, Path]] = []
        (folder / lesson.name).mkdir(parents=True, exist_ok=True)
        for k, (what, step) in enumerate(telling(lesson, every).items()):
            for width, height in SIZES:
                view = replace(lesson.view, width=width, height=height)
                frame = compose(lesson.program, step, view.at(lesson.program[step]))
                for theme in ("light", "dark"):
                    said = f"{what}, step {step}, {width} × {height}, {theme}"
                    file = folder / lesson.name / f"{k:02}-{step}-{width}-{theme}.png"
                    if not to_image(frame, theme).save(str(file)):
                        raise OSError(f"{file} cannot be written")
                    pictures.append((said, file))
                    yield file
        shown.append((lesson, pictures))
    index = folder / "index.html"
    index.write_text(_page(folder, shown), encoding="utf-8")
    yield index


def _page(folder: Path, shown: list[tuple[Lesson, list[tuple[str, Path]]]]) -> str:
    """Return a page of all pictures, small, each leading to itself in full."""
    parts = [
        "<!doctype html><meta charset=utf-8><title>cnnviz: gallery</title>",
        "<style>body{font:16px sans-serif;margin:24px}figure{display:inline-block;margin:6px}"
        "img{width:460px;border:1px solid #bbb}figcaption{font-size:13px}</style>",
    ]
    for lesson, pictures in shown:
        parts.append(f"<h2>{escape(lesson.title)}</h2><p>{escape(lesson.sentence)}</p>")
        for said, file in pictures:
            way = escape(file.relative_to(folder).as_posix())
            parts.append(
                f'<figure><a href="{way}"><img src="{way}" loading="lazy" alt="{escape(said)}"></a>'
                f"<figcaption>{escape(said)}</figcaption></figure>"
            )
    return "\n".join(parts) + "\n"
