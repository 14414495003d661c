"""Colours by role, for light and dark, and the colour maps of values and gradients.

Text is at least 7 : 1 against its ground and other marks 3 : 1 (a test measures it). The maps of values
are CET-D1A and CET-D4 by Peter Kovesi ("Good Colour Maps: How to Design Them", 2015, CC BY 4.0), sampled
and made as light below zero as above; gradients have a map of their own, green to purple, so that nobody
takes one for the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from math import sqrt

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from cnnviz.scene.display import Display

RGB = tuple[int, int, int]


class Theme(Struct, frozen=True, eq=False, dict=True):
    """A set of colours.

    Attributes
    ----------
    name : str
        ``light`` or ``dark``.
    roles : Mapping[str, str]
        Colours as ``#rrggbb`` by role.
    anchors : Mapping[str, tuple[str, ...]]
        Colour maps by palette, as evenly spaced colours from the lowest value to the highest.
    rimmed : bool
        Whether the rules of a grid have a rim in the colour of the ground.
    """

    name: str
    roles: Mapping[str, str]
    anchors: Mapping[str, tuple[str, ...]]
    rimmed: bool = False

    def color(self, role: str) -> str:
        """Return a role's colour, ``#rrggbb``."""
        return self.roles[role]

    @property
    def dark(self) -> bool:
        """Whether its ground is darker than what stands on it."""
        return luminance(rgb(self.color("ground"))) < luminance(rgb(self.color("ink")))

    @cached_property
    def tables(self) -> Mapping[str, NDArray[np.uint32]]:
        """Each palette as 256 colours, ``0xffrrggbb``."""
        return {name: _table(colours) for name, colours in self.anchors.items()}


def rgb(colour: str) -> RGB:
    """Return red, green and blue, 0 to 255, of ``#rrggbb``."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _parts(packed: int) -> RGB:
    return packed >> 16 & 255, packed >> 8 & 255, packed & 255


def luminance(colour: RGB) -> float:
    """Return the relative luminance of a colour, 0 to 1; source: WCAG 2.1."""
    parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def middle(one: RGB, other: RGB) -> float:
    """Return the luminance that contrasts with two colours alike: (L₁ + 0.05) / (L₂ + 0.05), by WCAG 2.1."""
    return sqrt((luminance(one) + 0.05) * (luminance(other) + 0.05)) - 0.05


def plate(colour: RGB, text: RGB) -> RGB:
    """Return the colour nearest to one, towards white or black, on which text contrasts 7 : 1."""
    light = luminance(text) < 0.5
    target = 255 if light else 0
    for part in np.linspace(0, 1, 33):
        mixed = tuple(round(float(c + (target - c) * part)) for c in colour)
        found = luminance((mixed[0], mixed[1], mixed[2]))
        low, high = sorted((found, luminance(text)))
        if (high + 0.05) / (low + 0.05) >= _READ_BEST:
            break
    return mixed[0], mixed[1], mixed[2]


@lru_cache(maxsize=32)
def black_reads_better(theme: Theme, palette: str) -> NDArray[np.bool_]:
    """Return for each colour of a palette whether black is read better on it than white."""
    between = middle(rgb(theme.color("on_light")), rgb(theme.color("on_dark")))
    return np.array([luminance(_parts(packed)) >= between for packed in theme.tables[palette].tolist()])


@lru_cache(maxsize=32)
def plates(theme: Theme, palette: str) -> Mapping[int, RGB]:
    """Return the plates of those colours of a palette on which neither black nor white is read well."""
    found: dict[int, RGB] = {}
    black = black_reads_better(theme, palette)
    for k, packed in enumerate(theme.tables[palette].tolist()):
        own = _parts(packed)
        made = plate(own, rgb(theme.color("on_light" if black[k] else "on_dark")))
        if made != own:
            found[k] = made
    return found


_READ_BEST = 7.0  # WCAG 2.1, level AAA


def _table(colours: tuple[str, ...]) -> NDArray[np.uint32]:
    points = np.array([rgb(colour) for colour in colours], float)
    at = np.linspace(0, len(points) - 1, 256)
    channels = [
        np.interp(at, np.arange(len(points)), points[:, k]).round().astype(np.uint32) for k in range(3)
    ]
    return np.asarray(channels[0] << 16 | channels[1] << 8 | channels[2] | 0xFF000000, np.uint32)


LIGHT = Theme(
    "light",
    {
        "ground": "#ffffff",
        "panel": "#f4f6f8",
        "panel_line": "#d5dae0",
        "ink": "#15191e",
        "muted": "#404852",
        "line": "#5f6873",
        "grid": "#c9ced5",
        "hatch": "#d3d8de",
        "source": "#7d3f00",
        "source_line": "#c07000",
        "source_fill": "#ffeec9",
        "parameter": "#5b2a94",
        "parameter_line": "#6b3fa8",
        "written": "#005a3c",
        "written_line": "#007f58",
        "forward": "#0d4590",
        "forward_fill": "#dbe8fc",
        "loss": "#7d3500",
        "loss_fill": "#fde3d3",
        "backward": "#5b2a94",
        "backward_fill": "#ecdff4",
        "update": "#005a3c",
        "update_fill": "#d6efe2",
        "descent": "#005a3c",
        "descent_fill": "#d6efe2",
        "accent": "#124597",
        "accent_fill": "#e4eefe",
        "alert": "#910b18",
        "stop": "#c8202f",
        "on_dark": "#ffffff",
        "on_light": "#000000",
        "faint_cell": "#f1f2f4",
        "nonfinite": "#860a15",
        "nonfinite_cell": "#ffe14d",
    },
    {
        "value": (
            "#253bc8",
            "#5363d5",
            "#7888de",
            "#9dade6",
            "#c4ceef",
            "#f3f3f4",
            "#efc5c3",
            "#e59b97",
            "#d6706e",
            "#c04244",
            "#a1011b",
        ),
        "gradient": (
            "#005028",
            "#287646",
            "#5d9b6e",
            "#91bc99",
            "#c4dcc6",
            "#f4f3f5",
            "#e3d0e9",
            "#c9a6d4",
            "#ad7bbd",
            "#8d50a2",
            "#672684",
        ),
        "pixel": ("#101114", "#3d3e40", "#6e6f70", "#a2a3a3", "#d4d4d3", "#ffffff"),
        "red": ("#101114", "#5c1a1d", "#a32a2d", "#e04548", "#ff8f8c"),
        "green": ("#101114", "#164226", "#1f7040", "#33a35f", "#7fd8a0"),
        "blue": ("#101114", "#1c3262", "#2c55a8", "#4c80e0", "#95b8ff"),
        "plain": ("#ffffff", "#ffffff"),
    },
)

DARK = Theme(
    "dark",
    {
        "ground": "#14171b",
        "panel": "#1c2026",
        "panel_line": "#333a43",
        "ink": "#f1f3f5",
        "muted": "#bcc4cd",
        "line": "#8d97a3",
        "grid": "#3b424b",
        "hatch": "#3a414a",
        "source": "#ffc566",
        "source_line": "#f0a020",
        "source_fill": "#3f2d00",
        "parameter": "#d3b5f5",
        "parameter_line": "#b78ae8",
        "written": "#6fe0b4",
        "written_line": "#2cc088",
        "forward": "#9cc4ff",
        "forward_fill": "#1b3358",
        "loss": "#ffb98a",
        "loss_fill": "#4d2711",
        "backward": "#d3b5f5",
        "backward_fill": "#3a2650",
        "update": "#6fe0b4",
        "update_fill": "#0f3a2c",
        "descent": "#6fe0b4",
        "descent_fill": "#0f3a2c",
        "accent": "#8ab8ff",
        "accent_fill": "#18294a",
        "alert": "#ffa8a8",
        "stop": "#ff6470",
        "on_dark": "#ffffff",
        "on_light": "#000000",
        "faint_cell": "#20252b",
        "nonfinite": "#860a15",
        "nonfinite_cell": "#ffe14d",
    },
    {
        "value": (
            "#4ea2ff",
            "#3a84da",
            "#2967b4",
            "#1e4d8e",
            "#193667",
            "#1c2026",
            "#58282c",
            "#843432",
            "#b0433b",
            "#da584c",
            "#ff7464",
        ),
        "gradient": (
            "#2dc474",
            "#229d5d",
            "#1e7b4c",
            "#1a5a3d",
            "#1b3c2e",
            "#1c2026",
            "#422e50",
            "#673f7c",
            "#9052ab",
            "#ba68d8",
            "#e388ff",
        ),
        "pixel": ("#08090b", "#3a3b3d", "#6b6c6e", "#9fa0a1", "#d2d3d3", "#ffffff"),
        "red": ("#101114", "#5c1a1d", "#a32a2d", "#e04548", "#ff8f8c"),
        "green": ("#101114", "#164226", "#1f7040", "#33a35f", "#7fd8a0"),
        "blue": ("#101114", "#1c3262", "#2c55a8", "#4c80e0", "#95b8ff"),
        "plain": ("#14171b", "#14171b"),
    },
)

_CONTRAST = " with high contrast"


def _with_contrast(theme: Theme, line: str) -> Theme:
    """Return a theme whose grids, hatches and rims are 3 : 1 at least, and its small words as its text.

    No one line is 3 : 1 on every colour of a map, but one of two that are far enough from one another is:
    the rules of a grid have a rim in the colour of the ground.
    """
    lines = dict.fromkeys(("hatch", "panel_line"), line)
    stronger = {
        "muted": theme.color("ink"),
        "line": theme.color("muted"),
        "grid": theme.color("muted"),
        **lines,
    }
    return Theme(theme.name + _CONTRAST, {**theme.roles, **stronger}, theme.anchors, rimmed=True)


THEMES: Mapping[str, Theme] = {
    theme.name: theme
    for theme in (LIGHT, DARK, _with_contrast(LIGHT, "#7f8894"), _with_contrast(DARK, "#727c88"))
}


def theme_of(display: Display) -> Theme:
    """Return the colours that are chosen."""
    return THEMES[display.theme + _CONTRAST * display.high_contrast]
