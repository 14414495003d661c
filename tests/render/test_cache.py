"""Kept pictures look as if painted anew, and take no more room than they may."""

from __future__ import annotations

import functools
import gc
import random
import sys
import tracemalloc
from math import ceil, floor

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtGui import QImage, QPainter

from cnnviz.lesson.lesson import load_lesson
from cnnviz.render import cache, painter
from cnnviz.render.image import to_image
from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose
from cnnviz.scene.marks import Frame, Group
from cnnviz.scene.theme import THEMES
from cnnviz.scene.view import View
from cnnviz.ui.player import forget_programs
from tests.render.ink import pixels
from tests.scene.programs import program, view

# A frame of every kind of picture, and each with something kept.
PLACES = {
    "convolution": ("digits", "conv2", 0.41),
    "its turned kernel": ("digits", "conv2.dx", 0.41),
    "the way of a winner": ("digits", "pool2.dx", 0.4),
    "a graph": ("every", "leaky", 0.5),
    "a whole matrix": ("every", "fc2", 0.5),
    "pages of one": ("digits", "fc", 0.6),
    "bars": ("digits", "softmax", 0.6),
    "an update": ("digits", "conv2.w", 0.5),
    "large maps": ("large", "conv1", 0.4),
    "no numbers": ("overflowing", "fc", 0.5),
}

each_place = pytest.mark.parametrize("place", PLACES)


@functools.cache
def frame_at(place: str, width: float = 1920, height: float = 1080) -> Frame:
    name, operation, part = PLACES[place]
    made = program(name)
    step = made.start(operation) + int(part * len(made.operation(operation)))
    return compose(made, step, view(made, width, height))


def painted_anew(frame: Frame, theme: str, scale: float, monkeypatch) -> np.ndarray:
    """The frame painted with nothing kept at all."""
    with monkeypatch.context() as patch:
        patch.setattr(painter.cache, "draw", lambda mark, box, on, theme, paint, ground=None: paint(on))
        return pixels(to_image(frame, theme, scale))


@each_place
@pytest.mark.parametrize("theme, size, scale", [("light", 1920, 1), ("dark", 1920, 1), ("light", 1280, 2)])
def test_a_kept_picture_has_the_pixels_of_one_painted_anew(place, theme, size, scale, monkeypatch):
    frame = frame_at(place, size, size * 9 / 16)
    first = pixels(to_image(frame, theme, scale))
    assert cache.size() > 0, "something is kept"
    again = pixels(to_image(frame, theme, scale))
    anew = painted_anew(frame, theme, scale, monkeypatch)
    assert np.array_equal(first, anew)
    assert np.array_equal(again, anew)


@pytest.mark.parametrize("place", ["convolution", "pages of one", "large maps"])
@pytest.mark.parametrize("ratio", [1.25, 1.5, 1.75])
@pytest.mark.parametrize("moved", [0, 1, 413])
def test_at_odd_ratios_kept_pictures_lie_on_the_same_pixels(place, ratio, moved, monkeypatch):
    """Wherever a pane begins; only along its edges, where these cut pixels, the ground may be a shade off."""
    frame = frame_at(place)
    kept_pixels = on_screen(frame, ratio, moved)
    with monkeypatch.context() as patch:
        patch.setattr(painter.cache, "draw", lambda mark, box, on, theme, paint, ground=None: paint(on))
        anew = on_screen(frame, ratio, moved)
    # Hardly any pixel differs: so all four bytes of one are compared at once.
    places = np.argwhere(kept_pixels.view(np.uint32)[:, :, 0] != anew.view(np.uint32)[:, :, 0])
    ys, xs = places.T
    apart = np.abs(kept_pixels[ys, xs].astype(int) - anew[ys, xs].astype(int)).max(axis=1, initial=0)
    assert apart.max(initial=0) <= 24
    edges = np.zeros(len(places), bool)
    for mark in frame.marks:
        if isinstance(mark, Group):
            left, right, top, bottom = (
                int((edge + moved) * ratio)
                for edge in (mark.box.x, mark.box.right, mark.box.y, mark.box.bottom)
            )
            for edge in (left, right):
                edges |= abs(xs - edge) <= 1
            for edge in (top, bottom):
                edges |= abs(ys - edge) <= 1
    # Curves of a typeset formula are reckoned in floats: a shade of a pixel on their rims.
    assert apart[~edges].max(initial=0) <= 6 and len(apart[~edges]) < 30


def test_a_picture_lies_on_the_same_pixels_wherever_they_are_cut(monkeypatch):
    """Half a pixel to the right or down, and both: what was kept elsewhere would lie on other pixels."""
    frame = frame_at("convolution")
    group = next(mark for mark in frame.marks if isinstance(mark, Group) and len(mark.marks) > 4)
    rows, columns = (
        slice(ceil(low) + 3, floor(high) - 3)  # the ground along its edges may be a shade off
        for low, high in ((group.box.y, group.box.bottom), (group.box.x, group.box.right))
    )

    def painted(right: float, down: float) -> np.ndarray:
        image = QImage(1930, 1090, QImage.Format.Format_RGB32)
        image.fill(0xFFFFFF)
        on = QPainter(image)
        on.translate(right, down)
        painter.paint(on, Frame(frame.width, frame.height, (group,)), THEMES["light"])
        on.end()
        return pixels(image)[rows, columns].astype(int)

    places = [(0, 0), (0.5, 0), (0, 0.5), (0.5, 0.5), (0.25, 0.75), (1, 1)]
    with monkeypatch.context() as patch:
        patch.setattr(painter.cache, "draw", lambda mark, box, on, theme, paint, ground=None: paint(on))
        anew = {place: painted(*place) for place in places}
    cache.clear()
    for place in (*places, *reversed(places)):
        apart = np.abs(painted(*place) - anew[place]).max(axis=2)
        assert np.count_nonzero(apart > 6) == 0, place


def on_screen(frame: Frame, ratio: float, moved: float) -> np.ndarray:
    """What a pane of a window shows that begins so many of our pixels right and down."""
    size = [round((side + moved) * ratio) for side in (frame.width, frame.height)]
    image = QImage(*size, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(ratio)
    image.fill(0xFFFFFF)
    on = QPainter(image)
    on.translate(moved, moved)
    painter.paint(on, frame, THEMES["light"])
    on.end()
    return pixels(image)


def test_themes_and_scales_are_kept_apart():
    frame = frame_at("convolution")
    alone = {}
    for theme in THEMES:
        for scale in (1.0, 0.5):
            cache.clear()
            alone[theme, scale] = pixels(to_image(frame, theme, scale))
    for (theme, scale), wanted in (*alone.items(), *alone.items()):
        assert np.array_equal(pixels(to_image(frame, theme, scale)), wanted)


@each_place
def test_letters_and_numbers_are_kept_apart(place, monkeypatch):
    name, operation, part = PLACES[place]
    made = program(name)
    step = made.start(operation) + int(part * len(made.operation(operation)))
    looks = [
        replace(view(made, 960, 540), display=Display(letters=letters))
        for letters in (False, True, False, True)
    ]
    for look in looks:
        frame = compose(made, step, look)
        assert np.array_equal(pixels(to_image(frame)), painted_anew(frame, "light", 1.0, monkeypatch))


def steps_of(name: str, count: int) -> list[int]:
    return random.Random(5).choices(range(len(program(name))), k=count)


def test_the_store_stays_within_its_bytes(monkeypatch):
    most = 6 << 20
    monkeypatch.setattr(cache, "_MOST_BYTES", most)
    made = program("digits")
    for step in steps_of("digits", 60):
        to_image(compose(made, step, view(made)), scale=0.5)
        assert cache.size() <= most
    assert cache.size() > most / 3, "it is used"


def test_a_picture_pushed_out_is_painted_anew_and_never_another_shown(monkeypatch):
    """A new mark may get the place in memory of one that is gone."""
    made = program("digits")
    monkeypatch.setattr(cache, "_MOST_BYTES", 1 << 20)
    for step in steps_of("digits", 25):
        frame = compose(made, step, view(made, 960, 540))
        found = pixels(to_image(frame))
        assert np.array_equal(found, painted_anew(frame, "light", 1.0, monkeypatch)), step


def test_memory_is_flat_over_thousands_of_steps():
    """What grows with every step would fill the memory in a lecture; what is kept of places seen does not."""
    made = program("digits")
    look = view(made, 960, 540)
    steps = steps_of("digits", 200)
    blocks, sizes = [], []

    def walk(steps: list[int] = steps) -> None:
        for step in steps:
            to_image(compose(made, step, look), scale=0.25)
        gc.collect()
        blocks.append(sys.getallocatedblocks())
        sizes.append(cache.size())

    for _ in range(4):
        walk()
    tracemalloc.start()
    try:
        walk(steps[:50])
        grown = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert blocks[3] < 1.0025 * blocks[1], blocks  # a quarter of the walks that 1 % was for
    assert grown < 1 << 19, f"{grown / 2**20:.1f} MB in 50 steps"
    assert sizes[0] == sizes[-1] <= cache._MOST_BYTES


def test_of_a_changed_lesson_only_what_its_numbers_are_in_is_painted_anew(monkeypatch):
    lesson = load_lesson("digits")
    frames = []
    for made in (lesson, load_lesson("digits", changes=("conv1.w[0,0,1,1]=0.5", "input[0,5,5]=1"))):
        forget_programs()
        frames.append(compose(made.program, 100, View(1920, 1080)))
        shown = pixels(to_image(frames[-1], "light", 1))
    before, after = ({id(mark) for mark in frame.marks if isinstance(mark, Group)} for frame in frames)
    assert len(before & after) > 11, "rows of layers that have not begun, listing, formula, timeline"
    assert np.array_equal(shown, painted_anew(frames[-1], "light", 1, monkeypatch))
    whole = cache.size()
    forget_programs()
    assert 0 < cache.size() < whole, "those with numbers are forgotten"
    assert all(mark.lasting for mark, *_ in cache._pictures.values())
