"""Layouts: everything has its place in the room, of any form, in the arrangement that is read best."""

from __future__ import annotations

from itertools import combinations
from time import perf_counter

import pytest
from PySide6.QtGui import QFontMetricsF

from cnnviz.render.fonts import font
from cnnviz.scene.layout import SMALLEST, Area, Grid, Layout, Part, Room, Sign, column, row, solve
from cnnviz.scene.marks import Box
from cnnviz.scene.measure import width
from tests.scene.looking import inside, overlap

ROOMS = [(1832, 600), (1072, 548), (600, 300), (900, 1500), (400, 900), (3000, 400), (300, 200)]


def grid(name: str, rows: int, columns: int, **more) -> Grid:
    return Grid(name, rows, columns, 2.9, (9.0, 6.0), **more)


def convolution(size: int) -> tuple[Part, ...]:
    x = grid("x", size, size, behind=2, scale=9.0, cut="page", focus=(3, 3))
    w, p = grid("w", 3, 3), grid("p", 3, 3)
    y = grid("y", size - 2, size - 2, scale=9.0, cut="page", page_first=True)
    under, beside = column(w, p, alike=True), row(w, p, alike=True)
    return row(x, under, y), row(x, beside, y), column(x, beside, y)


def solved(parts: tuple[Part, ...], wide: float, high: float, em: float = 17.0) -> Layout:
    found = solve(parts, Room(Box(40, 30, wide, high), em, 13.0))
    assert found is not None
    return found


@pytest.mark.parametrize("size", [4, 8, 12, 64, 224])
@pytest.mark.parametrize("wide, high", ROOMS)
def test_all_parts_lie_in_the_room_and_apart(size, wide, high):
    found = solved(convolution(size), wide, high)
    room = Box(40, 30, wide, high)
    for name, place in found.places.items():
        assert inside(place.box, room, 1.0), name
    for one, other in combinations(found.places.values(), 2):
        assert min(overlap(one.box, other.box)) <= 0


@pytest.mark.parametrize("wide, high", ROOMS)
def test_no_arrangement_that_is_left_would_be_read_better(wide, high):
    """Of those without cuts, each alone is solved no larger than the one that is chosen of all."""
    room = Room(Box(0, 0, wide, high), 17.0, 1.0)
    both = grid("a", 4, 4), grid("b", 4, 4)
    parts = row(*both), column(*both)
    chosen = solve(parts, room)
    alone = [solve((part,), room) for part in parts]
    assert chosen is not None
    sizes = [min(place.size for place in found.places.values()) for found in alone if found]
    assert min(place.size for place in chosen.places.values()) >= min(17.0, max(sizes)) - 1


def test_a_picture_stands_upright_where_the_room_does():
    def across(found: Layout) -> bool:
        return found.places["y"].box.x > found.places["x"].box.right

    assert across(solved(convolution(8), 1800, 600))
    assert not across(solved(convolution(8), 700, 1800))


def test_what_is_too_large_for_its_numbers_is_cut_and_the_focus_stays_whole():
    small, large = (solved(convolution(size), 1072, 548) for size in (6, 64))
    assert "x.whole" not in small.places and small.places["x"].rows == 6
    assert "x.whole" in large.places
    assert 3 <= large.places["x"].rows < 13 and 3 <= large.places["x"].columns < 13
    assert large.places["x"].size >= SMALLEST


def test_cells_that_are_alike_have_one_size():
    parts = (
        row(grid("w", 2, 4), Sign("·"), grid("x", 4, 1), Sign("="), grid("y", 2, 1), alike=True, middle=True),
    )
    places = solved(parts, 1072, 400).places
    cells = {(p.box.w / p.columns, p.box.h / p.rows) for p in places.values() if p.rows}
    assert len(cells) == 1
    assert len({p.box.center[1] for p in places.values() if p.rows}) == 1
    signs = [place for place in places.values() if place.text]
    assert [place.text for place in signs] == ["·", "="]
    assert all(place.box.center[1] == places["w"].box.center[1] for place in signs)


def test_room_that_is_left_goes_to_what_can_use_it():
    parts = (row(grid("x", 3, 3), Area("curve", (5.0, 5.0), (100.0, 100.0))),)
    places = solved(parts, 2000, 600).places
    assert places["curve"].box.w > 1000


def test_of_too_little_room_nothing_is_said():
    assert solve(convolution(8), Room(Box(0, 0, 20, 10), 17.0, 13.0)) is None


def test_a_layout_takes_no_time():
    """A jump to another operation has 2.5 ms in all, and most of it is for other things."""
    best = []
    for k in range(8):
        start = perf_counter()
        solved(convolution(10 + k), 1072.5 + k, 548)
        best.append(perf_counter() - start)
    assert min(best) < 0.012


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("bold", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "input, padded with zeros, 3 channels",
        "−0.25",
        "∂E/∂w[0, 0]",
        "from relu1, zeros between",
        "12…19 of 32",
    ],
)
def test_widths_are_as_the_fonts_have_them(text, bold):
    assert width(text, bold) == pytest.approx(
        QFontMetricsF(font("sans", 100, bold)).horizontalAdvance(text) / 100, rel=0.04
    )


def test_little_arrays_grow_into_room_that_would_be_empty():
    """Two columns took a third of the width, five numbers a third of the height."""
    wide = solved((row(grid("p", 4, 2)),), 694, 398, 11.3).places["p"].box
    assert wide.w > 0.45 * 694
    assert wide.h > 0.85 * 398
    low = solved((row(*(grid(name, 1, 1) for name in "abcde")),), 694, 290, 11.3)
    assert {place.box.h for place in low.places.values()} == {113}
