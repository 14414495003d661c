"""Telling frames look as they are held in tests/golden, which ``python -m tests.golden`` writes anew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtGui import QImage, QPainter

from cnnviz.lesson.lesson import lesson_names
from cnnviz.render import cache
from cnnviz.render.image import to_image
from cnnviz.render.painter import paint
from cnnviz.scene.marks import Box, Cells, Frame, Group, Label, Mark
from cnnviz.scene.theme import LIGHT, Theme
from tests.golden.compare import alike, difference_picture, differences, small
from tests.golden.frames import FOLDER, NAMES, SCALE, STOPS, frame, picture, stored, theme
from tests.render.ink import pixels
from tests.scene.looking import all_marks

each_frame = pytest.mark.parametrize("name", NAMES)


@each_frame
def test_a_frame_looks_as_it_is_held(name, tmp_path):
    found, wanted = picture(name), QImage(str(stored(name)))
    assert not wanted.isNull(), f"{stored(name)} is missing; python -m tests.golden writes it"
    if not alike(found, wanted):
        actual, apart = tmp_path / f"{name}-actual.png", tmp_path / f"{name}-difference.png"
        found.save(str(actual))
        difference_picture(found, wanted).save(str(apart))
        count = int(differences(found, wanted).sum()) if found.size() == wanted.size() else "all"
        pytest.fail(
            f"{count} blocks differ from {stored(name)}: see {actual} and {apart}. "
            "If it is meant to look like this now: python -m tests.golden"
        )


def test_every_lesson_is_held():
    assert set(STOPS) == set(lesson_names())


def test_no_picture_is_held_of_what_is_not_looked_at():
    assert {path.stem for path in FOLDER.glob("*.png")} == set(NAMES)


# --------------------------------------------------------------------------------- the comparison itself


@pytest.mark.parametrize("name", ["conv2d-channels", "linear-whole", "max-pool-dx-dark"])
@pytest.mark.parametrize("way", [(3, 0), (0, 3)])
def test_a_grid_that_has_moved_by_three_pixels_is_found(name, way):
    """Each of a frame's grids by itself, down to columns of two cells."""
    held = frame(name)
    wanted = to_image(held, theme(name), SCALE)
    grids = [mark for mark in all_marks(held.marks) if isinstance(mark, Cells) and mark.array and mark.texts]
    assert grids
    for grid in grids:
        moved = to_image(with_moved(held, grid, *way), theme(name), SCALE)
        assert not alike(moved, wanted), (grid.array, way)


def with_moved(held: Frame, grid: Cells, dx: float, dy: float) -> Frame:
    def moved(mark: Mark) -> Mark:
        if mark is grid:
            box = grid.box
            return replace(grid, box=Box(box.x + dx, box.y + dy, box.w, box.h), cached=False)
        if isinstance(mark, Group) and grid in mark.marks:
            return Group(mark.box, tuple(moved(inner) for inner in mark.marks))
        return mark

    return Frame(held.width, held.height, tuple(moved(mark) for mark in held.marks))


CHANGED = (
    "source_line",
    "parameter_line",
    "written_line",
    "source_fill",
    "forward_fill",
    "forward",
    "panel",
    "ink",
)


@pytest.mark.parametrize("role", CHANGED)
def test_a_colour_that_has_changed_is_found(role):
    held = frame("conv2d-channels")
    assert not alike(painted(held, with_roles({role: shifted(LIGHT.color(role))})), painted(held, LIGHT))


def test_another_palette_is_found():
    turned = Theme("light", LIGHT.roles, {**LIGHT.anchors, "value": tuple(reversed(LIGHT.anchors["value"]))})
    held = frame("linear-whole")
    assert not alike(painted(held, turned), painted(held, LIGHT))


def shifted(colour: str) -> str:
    """A colour lighter or darker by a fifth of the way, in one channel: seen when side by side."""
    blue = int(colour[5:7], 16)
    return f"{colour[:5]}{blue - 60 if blue > 128 else blue + 60:02x}"


def with_roles(roles: Mapping[str, str]) -> Theme:
    return Theme("light", {**LIGHT.roles, **roles}, LIGHT.anchors)


def painted(held: Frame, theme: Theme) -> QImage:
    cache.clear()
    image = QImage(960, 540, QImage.Format.Format_RGB32)
    image.fill(0)
    on = QPainter(image)
    on.scale(SCALE, SCALE)
    paint(on, held, theme)
    on.end()
    return image


def test_an_outline_elsewhere_and_a_text_that_is_gone_are_found():
    held = frame("conv2d-channels")
    wanted = picture("conv2d-channels")
    title = next(mark for mark in held.marks if isinstance(mark, Label) and mark.size > 28)
    without = Frame(held.width, held.height, tuple(mark for mark in held.marks if mark is not title))
    assert not alike(to_image(without, "light", SCALE), wanted)
    assert not alike(to_image(with_outline_moved(held), "light", SCALE), wanted)


def with_outline_moved(held: Frame) -> Frame:
    """The frame with its last outline a cell further on."""
    marks = list(held.marks)
    k = max(k for k, mark in enumerate(marks) if getattr(mark, "stroke", None) == "written_line")
    box = marks[k].box
    marks[k] = replace(marks[k], box=Box(box.x + box.w, box.y, box.w, box.h))
    return Frame(held.width, held.height, tuple(marks))


def test_letters_smoothed_a_little_differently_are_not_found():
    """As another build of Qt does it: every edge a little softer or harder."""
    found = picture("conv2d-channels")
    assert alike(small(found), found)
    rng = np.random.default_rng(1)
    noisy = noise(found, rng)
    assert noisy != found
    assert alike(noisy, found)


def noise(image: QImage, rng: np.random.Generator) -> QImage:
    """Pixels that are no whole area, moved by up to 25 of 255."""
    parts = pixels(image).astype(int)
    inside = np.zeros(parts.shape[:2], bool)
    inside[1:-1, 1:-1] = (parts[1:-1, 1:-1] != parts[1:-1, :-2]).any(axis=2)
    parts[inside] += rng.integers(-25, 26, (int(inside.sum()), 1))
    made = np.ascontiguousarray(np.clip(parts, 0, 255).astype(np.uint8))
    height, width = made.shape[:2]
    return QImage(made.data, width, height, 4 * width, QImage.Format.Format_RGB32).copy()


def test_a_failure_names_its_pictures(tmp_path, monkeypatch):
    """What is told leads to what was painted and to where it differs."""
    monkeypatch.setattr("tests.render.test_golden.stored", lambda name: FOLDER / "relu.png")
    with pytest.raises(pytest.fail.Exception) as told:
        test_a_frame_looks_as_it_is_held("conv2d-pixels", tmp_path)
    named = [
        Path(word.rstrip(".:"))
        for word in str(told.value).split()
        if word.endswith((".png", ".png.", ".png:"))
    ]
    assert all(path.with_suffix(".png").exists() for path in named) and len(named) == 3
    apart = QImage(str(tmp_path / "conv2d-pixels-difference.png"))
    red = (pixels(apart)[:, :, :3] == (40, 20, 220)).all(axis=2)
    assert (
        red.sum() == 9 * differences(picture("conv2d-pixels"), QImage(str(FOLDER / "relu.png"))).sum() > 5000
    )
