"""Colours by role, for light and dark, and the colour maps of values and gradients.

Text is at least 7 : 1 against its ground and other marks 3 : 1 (a test measures it). The maps of values
are CET-D1A and CET-D4 by Peter Kovesi ("Good Colour Maps: How to Design Them", 2015, CC BY 4.0), sampled;
gradients have a map of their own, green to purple, so that nobody takes one for the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

RGB = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Theme:
    """A set of colours.

    Attributes
    ----------
    name : str
        ``light`` or ``dark``.
    roles : Mapping[str, str]
        Colours as ``#rrggbb`` by role.
    anchors : Mapping[str, tuple[str, ...]]
        Colour maps by palette, as evenly spaced colours from the lowest value to the highest.
    """

    name: str
    roles: Mapping[str, str]
    anchors: Mapping[str, tuple[str, ...]]

    def color(self, role: str) -> str:
        """Return a role's colour, ``#rrggbb``."""
        return self.roles[role]

    @cached_property
    def tables(self) -> Mapping[str, NDArray[np.uint32]]:
        """Each palette as 256 colours, ``0xffrrggbb``."""
        return {name: _table(colours) for name, colours in self.anchors.items()}


def rgb(colour: str) -> RGB:
    """Return red, green and blue, 0 to 255, of ``#rrggbb``."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def luminance(colour: RGB) -> float:
    """Return the relative luminance of a colour, 0 to 1; source: WCAG 2.1."""
    parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: RGB, other: RGB) -> float:
    """Return the contrast ratio of two colours, 1 to 21; source: WCAG 2.1."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


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
        "muted": "#4a525c",
        "line": "#5f6873",
        "grid": "#c9ced5",
        "hatch": "#d3d8de",
        "source": "#8f4a00",
        "source_line": "#d27f00",
        "source_fill": "#ffe6b3",
        "parameter": "#5b2a94",
        "parameter_line": "#6b3fa8",
        "parameter_fill": "#ead9f5",
        "written": "#005a3c",
        "written_line": "#007f58",
        "written_fill": "#cdeedd",
        "forward": "#0f4c9e",
        "forward_fill": "#cfe0fa",
        "loss": "#8a3a00",
        "loss_fill": "#fbd9c3",
        "backward": "#5b2a94",
        "backward_fill": "#e4d5ee",
        "update": "#005a3c",
        "update_fill": "#cdeadb",
        "accent": "#1a5fd0",
        "accent_fill": "#e1ecfd",
        "alert": "#a30f1d",
        "stop": "#c8202f",
        "on_dark": "#ffffff",
        "on_light": "#000000",
        "faint_cell": "#f1f2f4",
        "odd_cell": "#ffd6d9",
    },
    {
        "value": (
            "#1736c2",
            "#4e5fd0",
            "#7687dc",
            "#9cace5",
            "#c3cdee",
            "#f3f3f4",
            "#f0c6c4",
            "#e69c98",
            "#d8716f",
            "#c54648",
            "#a80f20",
        ),
        "gradient": (
            "#00532a",
            "#2c7a49",
            "#619f72",
            "#95c09d",
            "#c7dfc9",
            "#f4f3f5",
            "#e0cde6",
            "#c5a2d0",
            "#a877b8",
            "#894c9e",
            "#642381",
        ),
        "pixel": ("#101114", "#3d3e40", "#6e6f70", "#a2a3a3", "#d4d4d3", "#ffffff"),
    },
)

DARK = Theme(
    "dark",
    {
        "ground": "#14171b",
        "panel": "#1c2026",
        "panel_line": "#333a43",
        "ink": "#f1f3f5",
        "muted": "#b4bcc6",
        "line": "#8d97a3",
        "grid": "#3b424b",
        "hatch": "#3a414a",
        "source": "#ffc566",
        "source_line": "#f0a020",
        "source_fill": "#4a3500",
        "parameter": "#d3b5f5",
        "parameter_line": "#b78ae8",
        "parameter_fill": "#3b2852",
        "written": "#6fe0b4",
        "written_line": "#2cc088",
        "written_fill": "#0e3f2e",
        "forward": "#9cc4ff",
        "forward_fill": "#1d3a63",
        "loss": "#ffb98a",
        "loss_fill": "#5a2f14",
        "backward": "#d3b5f5",
        "backward_fill": "#432c5c",
        "update": "#6fe0b4",
        "update_fill": "#124534",
        "accent": "#6ea8ff",
        "accent_fill": "#1c3358",
        "alert": "#ff9d9d",
        "stop": "#ff6470",
        "on_dark": "#ffffff",
        "on_light": "#000000",
        "faint_cell": "#20252b",
        "odd_cell": "#5a1a22",
    },
    {
        "value": (
            "#4ea2ff",
            "#3d86dc",
            "#2f6bb8",
            "#245192",
            "#1c386a",
            "#1c2026",
            "#55262a",
            "#80302f",
            "#ac3f38",
            "#d8564a",
            "#ff7464",
        ),
        "gradient": (
            "#3fd07f",
            "#34aa69",
            "#2b8555",
            "#226143",
            "#1f4032",
            "#1c2026",
            "#3e2a4c",
            "#603875",
            "#8548a0",
            "#ad5ccb",
            "#d67cf2",
        ),
        "pixel": ("#08090b", "#3a3b3d", "#6b6c6e", "#9fa0a1", "#d2d3d3", "#ffffff"),
    },
)

THEMES: Mapping[str, Theme] = {"light": LIGHT, "dark": DARK}
