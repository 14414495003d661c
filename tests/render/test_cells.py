"""Grids as painted: colours, numbers, the hatch of what is not there yet, and what is no number."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest

from cnnviz.engine.layers.conv2d import Conv2d
from cnnviz.engine.layers.flatten import Flatten
from cnnviz.engine.losses import HalfSquaredError
from cnnviz.engine.network import Network
from cnnviz.render import cells
from cnnviz.render.image import to_image
from cnnviz.render.tools import rectangle
from cnnviz.scene.frame import compose
from cnnviz.scene.marks import Box, Cells, Dot, Frame, Path, Rect
from cnnviz.scene.numbers import number
from cnnviz.scene.theme import THEMES, rgb
from cnnviz.scene.view import View
from cnnviz.trace.program import Program
from tests.render.ink import pixels
from tests.scene.looking import all_marks
from tests.scene.test_theme import contrast

SIDE = 40
each_theme = pytest.mark.parametrize("theme", THEMES)
each_palette = pytest.mark.parametrize("palette", ["value", "gradient", "pixel"])


def painted(*marks, theme: str = "light", size: int = 8 * SIDE) -> np.ndarray:
    """Red, green and blue of marks on their ground."""
    ground = Rect(Box(0, 0, size, size), "ground")
    return pixels(to_image(Frame(size, size, (ground, *marks)), theme))[:, :, 2::-1].astype(int)


def grid(values, *, numbers: bool = False, **more) -> Cells:
    values = np.array(values, float)
    rows, columns = values.shape
    texts = tuple(tuple(number(v, 2) for v in row) for row in values) if numbers else ()
    return Cells(Box(0, 0, columns * SIDE, rows * SIDE), values, texts=texts, size=14, **more)


def cell(image: np.ndarray, row: int, column: int, rim: int = 2) -> np.ndarray:
    return image[row * SIDE + rim : (row + 1) * SIDE - rim, column * SIDE + rim : (column + 1) * SIDE - rim]


def main_colour(part: np.ndarray) -> tuple[int, ...]:
    found, count = np.unique(part.reshape(-1, 3), axis=0, return_counts=True)
    return tuple(int(c) for c in found[count.argmax()])


def table(theme: str, palette: str) -> list[tuple[int, ...]]:
    return [(int(c) >> 16 & 255, int(c) >> 8 & 255, int(c) & 255) for c in THEMES[theme].tables[palette]]


@each_theme
@pytest.mark.parametrize("palette", ["value", "gradient"])
def test_the_ends_of_a_signed_palette_are_the_limits_and_its_middle_zero(theme, palette):
    image = painted(grid([[-3, 0, 3], [-9, -0.0, 9]], palette=palette, limit=3.0), theme=theme)
    colours = table(theme, palette)
    for row in (0, 1):
        assert [main_colour(cell(image, row, k)) for k in range(3)] == [
            colours[0],
            colours[128],
            colours[255],
        ]


@each_theme
def test_pixels_go_from_nothing_to_the_limit(theme):
    image = painted(grid([[0, 0.5, 1, 2, -1]], palette="pixel", limit=1.0), theme=theme)
    colours = table(theme, "pixel")
    wanted = [colours[0], colours[128], colours[255], colours[255], colours[0]]
    assert [main_colour(cell(image, 0, k)) for k in range(5)] == wanted


@each_theme
@each_palette
def test_nan_and_infinity_are_seen_as_such(theme, palette):
    """In numbers and as a colour that no number has, also where only colours are shown."""
    found = rgb(THEMES[theme].color("nonfinite_cell"))
    for numbers in (False, True):
        image = painted(grid([[nan, inf, -inf, 0.0]], numbers=numbers, palette=palette), theme=theme)
        for k in range(3):
            assert main_colour(cell(image, 0, k)) == found
            ink = (cell(image, 0, k) != found).any(axis=2).sum()
            assert (ink > 40) == numbers
        assert main_colour(cell(image, 0, 3)) != found


def test_gaps_between_maps_are_no_cells():
    """In the network's tiles NaN is the space between two maps; infinity is still seen there."""
    image = painted(grid([[1.0, nan, inf]], gap="panel"))
    light = THEMES["light"]
    assert main_colour(cell(image, 0, 1)) == rgb(light.color("panel"))
    assert main_colour(cell(image, 0, 2)) == rgb(light.color("nonfinite_cell"))


@each_theme
def test_what_is_missing_is_hatched_and_nothing_else(theme):
    missing = np.array([[False, True], [True, True]])
    image = painted(grid(np.ones((2, 2)), missing=missing, limit=1.0), theme=theme)
    ground, line = rgb(THEMES[theme].color("ground")), rgb(THEMES[theme].color("hatch"))
    for row, column in np.ndindex(2, 2):
        part = cell(image, row, column)
        found = {tuple(int(c) for c in colour) for colour in np.unique(part.reshape(-1, 3), axis=0)}
        assert (found == {ground, line}) == missing[row, column]
    across = cell(image, 1, 0)
    lines = (across == line).all(axis=2)
    assert 0.08 < lines.mean() < 0.2
    assert lines.any(axis=0).all() and lines.any(axis=1).all(), "slanted lines all over"


@each_theme
def test_padding_is_paler_than_numbers_of_its_value(theme):
    faint = np.array([[True, False]])
    image = painted(grid([[0.9, 0.9]], faint=faint, numbers=True, limit=1.0), theme=theme)
    assert main_colour(cell(image, 0, 0)) == rgb(THEMES[theme].color("faint_cell"))
    assert main_colour(cell(image, 0, 1)) != rgb(THEMES[theme].color("faint_cell"))


@each_theme
@each_palette
def test_numbers_are_written_black_or_white_whichever_is_read_better(theme, palette):
    values = np.linspace(-1 if palette != "pixel" else 0, 1, 8)[None]
    image = painted(grid(values, numbers=True, palette=palette, limit=1.0), theme=theme)
    for k in range(8):
        part = cell(image, 0, k).reshape(-1, 3)
        ground = main_colour(part)
        ink = part[np.abs(part - ground).sum(axis=1).argmax()]
        best = max(contrast(ground, (0, 0, 0)), contrast(ground, (255, 255, 255)))
        assert contrast(tuple(int(c) for c in ink), ground) > 0.85 * best


@pytest.mark.parametrize("value", ["0.12", "−0.12", "12.3", "NaN"])
def test_a_number_stands_in_the_middle_of_its_cell(value):
    mark = Cells(Box(0, 0, 2 * SIDE, SIDE), np.zeros((1, 2)), texts=(("", value),), size=12)
    image = painted(mark)
    assert len(np.unique(cell(image, 0, 0).reshape(-1, 3), axis=0)) == 1, "an empty text is nothing"
    dark = cell(image, 0, 1).sum(axis=2) < 300
    rows, columns = np.nonzero(dark.any(axis=1))[0], np.nonzero(dark.any(axis=0))[0]
    assert (columns[0] + columns[-1]) / 2 == pytest.approx(SIDE / 2 - 2.5, abs=1.5)
    assert (rows[0] + rows[-1]) / 2 == pytest.approx(SIDE / 2 - 2, abs=2)


def test_rules_stand_between_all_cells_and_around_them():
    image = painted(grid(np.zeros((3, 4)), limit=1.0))
    line = rgb(THEMES["light"].color("grid"))
    for row in range(4):
        assert (
            (image[max(0, row * SIDE - 1) : row * SIDE + 1, : 4 * SIDE] == line).all(axis=2).any(axis=0).all()
        )
    for column in range(5):
        across = image[: 3 * SIDE, max(0, column * SIDE - 1) : column * SIDE + 1]
        assert (across == line).all(axis=2).any(axis=1).all()
    assert not (painted(grid(np.zeros((3, 4)), lines=False)) == line).all(axis=2).any()


# ----------------------------------------------------------------------------------------------- other marks


def test_an_outline_leaves_what_it_outlines_to_be_seen():
    image = painted(grid([[1.0]], limit=1.0), Rect(Box(0, 0, SIDE, SIDE), stroke="written_line", width=4))
    assert main_colour(cell(image, 0, 0, rim=8)) == table("light", "value")[255]
    assert tuple(image[SIDE, SIDE // 2]) == rgb(THEMES["light"].color("written_line"))


def test_an_arrow_has_its_head_at_its_end():
    image = painted(Path(((20, 50), (200, 50)), "line", 2, arrow=True))
    dark = (image.sum(axis=2) < 600).any(axis=1), (image.sum(axis=2) < 600).sum(axis=0)
    thick = dark[1]
    assert thick[30:150].max() <= 3
    assert thick[185:199].max() >= 8
    assert thick[201:].sum() == 0 and thick[:19].sum() == 0


def test_a_dot_is_round():
    image = painted(Dot((100, 100), 20, "ink"))
    dark = image.sum(axis=2) < 384
    assert dark.sum() == pytest.approx(np.pi * 20**2, rel=0.03)


@each_theme
def test_colours_are_the_themes(theme):
    image = painted(Rect(Box(10, 10, 50, 50), "source_fill"), theme=theme)
    assert tuple(image[30, 30]) == rgb(THEMES[theme].color("source_fill"))
    assert tuple(image[5, 5]) == rgb(THEMES[theme].color("ground"))


def test_a_dark_picture_stays_dark_wherever_it_is_shown():
    """Its brightest pixel, 0.3, is a dark grey: pictures are not stretched to white."""
    dark = np.linspace(0.1, 0.3, 16).reshape(1, 4, 4)
    network = Network([("conv", Conv2d(1, 1, 2)), ("flatten", Flatten())], (1, 4, 4), HalfSquaredError())
    network.initialise(1)
    made = Program(network.calls(network.run(dark, np.zeros(9))))
    for name in ("conv", "conv.dw"):
        frame = compose(made, made.start(name) + 3, View())
        shown = [
            mark for mark in all_marks(frame.marks) if isinstance(mark, Cells) and mark.palette == "pixel"
        ]
        assert {mark.limit for mark in shown if mark.values.max() <= 0.3} == {1.0}, name
    of_input = next(mark for mark in all_marks(frame.marks) if isinstance(mark, Cells) and mark.array == "x")
    x, y = (round(side - 3) for side in (of_input.box.right, of_input.box.bottom))
    assert abs(to_image(frame).pixelColor(x, y).lightnessF() - 0.3) < 0.05


@pytest.mark.parametrize("rows, columns", [(400, 1000), (401, 997), (4096, 60), (3, 5000)])
def test_of_a_large_map_as_many_cells_are_coloured_as_there_are_pixels(rows, columns, monkeypatch):
    """And the picture is the one that Qt makes of all of them; where it scales, it may take a neighbour."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(rows, columns))
    values[rng.random(values.shape) < 0.01] = nan
    mark = Cells(Box(10, 20, 301, 150), values, lines=False, limit=3.0, faint=values > 2, missing=values < -1)
    coloured = []
    indices = cells.colour_indices
    monkeypatch.setattr(cells, "colour_indices", lambda mark: coloured.append(mark.values) or indices(mark))
    for scale in (1.0, 2.0):
        ground = Rect(Box(0, 0, 320, 200), "ground")
        shown = pixels(to_image(Frame(320, 200, (ground, mark)), scale=scale))
        assert coloured[-1].shape == (min(rows, 150 * scale), min(columns, 301 * scale))
        with monkeypatch.context() as patch:
            patch.setattr(cells, "_thinned", lambda mark, _: (mark, rectangle(mark.box)))
            whole = pixels(to_image(Frame(320, 200, (ground, mark)), scale=scale))
        assert np.mean(shown != whole) <= (0.0 if scale == 1 else 0.01)
