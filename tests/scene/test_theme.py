"""Colours can be told apart and read, in both themes."""

from __future__ import annotations

from collections import defaultdict
from functools import cache

import numpy as np
import pytest

from cnnviz.scene.display import Display
from cnnviz.scene.frame import compose
from cnnviz.scene.marks import Dot, Label, Path, Rect
from cnnviz.scene.theme import THEMES, theme_of
from cnnviz.scene.view import View
from cnnviz.trace.breakpoint import Breakpoint
from tests.scene.looking import all_marks
from tests.scene.programs import moments

TEXT, MARK = 7.0, 3.0
PALETTES = ("value", "gradient", "pixel", "red", "green", "blue", "plain")
# What only sets things off: nothing is told by it alone. The line around a picture in its padding is white
# on the black cells of a grid, which is no ground here; the padding's zeros have no decimals, either.
DECORATION = {"grid", "panel_line", "ground", "on_dark"}

each_theme = pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES.keys())
each_palette = pytest.mark.parametrize("palette", PALETTES)


def luminance(colour: tuple[int, int, int]) -> float:
    """By the book: WCAG 2.1, relative luminance."""
    c = np.array(colour) / 255
    linear = np.where(c <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(one, other) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def rgb(theme, role: str) -> tuple[int, int, int]:
    colour = theme.color(role)
    return tuple(int(colour[k : k + 2], 16) for k in (1, 3, 5))


def colours(theme, palette: str) -> np.ndarray:
    table = theme.tables[palette]
    return np.stack([table >> 16 & 255, table >> 8 & 255, table & 255], axis=1).astype(int)


def lightness(colour) -> float:
    """L* of CIE 1976: how light a colour looks, 0 to 100."""
    y = luminance(colour)
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


@cache
def uses() -> dict[str, dict[tuple[str, str], str]]:
    """Which roles of text and of other marks lie on which grounds in frames, each with a place where."""
    found: dict[str, dict[tuple[str, str], str]] = {"text": {}, "mark": {}}
    for name in ("digits", "every", "columns", "overflowing"):
        for at in moments(name, 1):
            stops = (Breakpoint(at.operation.name, at.state.line),)
            frame = compose(at.program, at.step.index, View(title="T", breakpoints=stops))
            grounds: list[tuple] = []
            for mark in all_marks(frame.marks):
                for kind, role, ground in _laid(mark, grounds):
                    found[kind].setdefault((role, ground), f"{name} {at.step.index} {mark}")
                if isinstance(mark, Rect) and mark.hatched:
                    grounds.append((mark.box, "ground"))  # the hatch is ground, and a few thin lines
                elif isinstance(mark, Rect) and mark.fill:
                    grounds.append((mark.box, mark.fill))
    return found


def _laid(mark, grounds):
    def under(x: float, y: float) -> str:
        return next((role for box, role in reversed(grounds) if box.contains(x, y)), "nothing")

    if isinstance(mark, Label):
        x = {"left": mark.box.x + 3, "center": mark.box.center[0], "right": mark.box.right - 3}[mark.align]
        for run in mark.runs:
            if run.text.strip():
                yield "text", run.role, under(x, mark.box.center[1])
    elif isinstance(mark, Rect) and mark.stroke:
        yield "mark", mark.stroke, under(*mark.box.center)
    elif isinstance(mark, Path):
        yield "mark", mark.role, under(*mark.points[0])
    elif isinstance(mark, Dot):
        yield "mark", mark.role, under(*mark.center)


@each_theme
def test_text_is_read_on_every_ground_it_lies_on(theme):
    found = uses()["text"]
    assert len(found) > 20
    pale = {
        pair: (round(ratio, 2), where)
        for pair, where in found.items()
        if (ratio := contrast(rgb(theme, pair[0]), rgb(theme, pair[1]))) < TEXT
    }
    assert not pale


@each_theme
def test_lines_and_dots_are_seen_on_every_ground_they_lie_on(theme):
    found = uses()["mark"]
    assert len(found) > 8
    pale = {
        pair: (round(ratio, 2), where)
        for pair, where in found.items()
        if pair[0] not in DECORATION and (ratio := contrast(rgb(theme, pair[0]), rgb(theme, pair[1]))) < MARK
    }
    assert not pale


@each_theme
def test_text_of_the_window_is_read_too(theme):
    """What frames do not have: texts and marks of the controls around them."""
    for role, ground in (("ink", "ground"), ("ink", "panel"), ("accent", "ground"), ("accent", "panel")):
        assert contrast(rgb(theme, role), rgb(theme, ground)) >= TEXT, (role, ground)
    for role, ground in (("accent", "accent_fill"), ("alert", "panel"), ("ink", "source_fill")):
        assert contrast(rgb(theme, role), rgb(theme, ground)) >= TEXT, (role, ground)


@each_theme
def test_roles_in_a_grid_of_numbers_are_read(theme):
    assert contrast(rgb(theme, "muted"), rgb(theme, "faint_cell")) >= TEXT
    assert contrast(rgb(theme, "nonfinite"), rgb(theme, "nonfinite_cell")) >= TEXT


@each_theme
@each_palette
def test_a_number_is_read_on_every_colour(theme, palette):
    """Black or white, whichever is read better: on no colour is that under 4.5 : 1."""
    black, white = rgb(theme, "on_light"), rgb(theme, "on_dark")
    assert min(max(contrast(c, black), contrast(c, white)) for c in colours(theme, palette)) >= 4.5


@pytest.mark.parametrize("ground", ["ground", "panel", "faint_cell"])
@pytest.mark.parametrize("role", ["grid", "hatch", "panel_line"])
@pytest.mark.parametrize("name", ["light", "dark"])
def test_in_high_contrast_lines_that_only_set_things_off_are_seen_too(name, role, ground):
    usual, high = (theme_of(Display(theme=name, high_contrast=on)) for on in (False, True))
    assert (
        contrast(rgb(high, role), rgb(high, ground)) >= MARK > contrast(rgb(usual, role), rgb(usual, ground))
    )


@each_theme
@pytest.mark.parametrize("palette", ["value", "gradient"])
def test_palettes_are_as_light_below_zero_as_above(theme, palette):
    table = np.array([lightness(c) for c in colours(theme, palette)])
    assert np.abs(table - table[::-1]).max() < 1.5
    away = np.diff(table[128:])
    assert (away > -0.3).all() if theme.dark else (away < 0.3).all(), "strictly one way from zero"
    assert abs(table[-1] - table[128]) > 40


@each_theme
@pytest.mark.parametrize("palette", ["value", "gradient"])
def test_the_sign_is_seen(theme, palette):
    table = colours(theme, palette)
    for away in (26, 64, 127):
        assert np.abs(table[127 - away] - table[128 + away]).max() > away * 0.6


@each_theme
def test_a_gradient_is_not_taken_for_a_value(theme):
    value, gradient = colours(theme, "value"), colours(theme, "gradient")
    for k in (0, 40, 215, 255):
        nearest = np.abs(value - gradient[k]).max(axis=1).min()
        assert nearest > 25, (k, gradient[k])


@each_theme
@each_palette
def test_what_is_no_number_is_not_taken_for_one(theme, palette):
    ground = np.array(rgb(theme, "nonfinite_cell"))
    assert np.abs(colours(theme, palette) - ground).max(axis=1).min() > 60


@each_theme
def test_pixels_go_from_black_to_white(theme):
    table = np.array([lightness(c) for c in colours(theme, "pixel")])
    assert (np.diff(table) > -0.3).all()
    assert table[0] < 8 and table[-1] > 95
    grey = np.ptp(colours(theme, "pixel"), axis=1)
    assert grey.max() <= 4


@each_theme
def test_roles_are_told_apart(theme):
    """Sources amber, parameters purple, what is written green; phases as well."""
    by_hue = defaultdict(list)
    for role in ("source", "parameter", "written"):
        for part in (role, f"{role}_line"):
            r, g, b = rgb(theme, part)
            by_hue[role].append((r > g > b, b > r > g, g > r and g > b))
    assert by_hue["source"] == [(True, False, False)] * 2
    assert by_hue["parameter"] == [(False, True, False)] * 2
    assert by_hue["written"] == [(False, False, True)] * 2


def test_both_themes_know_the_same_roles():
    assert THEMES["light"].roles.keys() == THEMES["dark"].roles.keys()
    assert THEMES["light"].anchors.keys() == THEMES["dark"].anchors.keys() == set(PALETTES)
