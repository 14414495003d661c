"""How things are shown: one record of what is chosen, and every option with its values and its words.

The window, what it remembers, pictures and exports take the record whole, and make their menus, arguments
and fields from `OPTIONS`. An option is added by a line in each of the two, where it is drawn, and by the
action that chooses it (`cnnviz.ui.keys`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Scale = Literal["array", "layer", "network"]
"""What shares a scale of colours: each array has its own, or all of a layer or of the network have one."""


class Display(Struct, frozen=True):
    """How things are shown, as far as it is chosen.

    Attributes
    ----------
    letters : bool
        Whether names stand in place of numbers.
    scale : Scale
        What shares a scale of colours.
    theme : str
        ``light`` or ``dark``.
    zoom : int
        How large all is drawn, in percent.
    high_contrast : bool
        Whether all lines and small words are seen on a weak projector, too.
    text : int
        How large words and numbers are, in percent of what zoom makes them; a pane has fewer lines then.
    compare : bool
        Whether what a changed lesson computes stands beside what it was, with the difference.
    transparent : bool
        Whether a picture has no ground of its own, so that what it is laid on shows.

    Raises
    ------
    ValueError
        If an option has none of its values.
    """

    letters: bool = False
    scale: Scale = "array"
    theme: Literal["light", "dark"] = "light"
    zoom: int = 100
    high_contrast: bool = False
    text: int = 100
    compare: bool = False
    transparent: bool = False

    def __post_init__(self) -> None:
        for option in OPTIONS.values():
            if getattr(self, option.name) not in option.values:
                raise ValueError(f"{option.name} is none of {option.values}")

    @property
    def scale_of_text(self) -> float:
        """How many times as large words and numbers are as usual: zoomed, and larger text in it."""
        return self.zoom / 100 * self.text / 100

    @property
    def words(self) -> dict[str, str]:
        """What is chosen of each option, in words."""
        return {option.name: option.word(getattr(self, option.name)) for option in OPTIONS.values()}


Value = bool | int | str


class Option(Struct, frozen=True):
    """One thing that can be chosen of how things are shown.

    Attributes
    ----------
    name : str
        The field of `Display`.
    title : str
        What a dialog writes beside the choice.
    values : dict[Value, str]
        The words for each value that it may have.
    help : str
        What the command line says of it.
    """

    name: str
    title: str
    values: dict[Value, str]
    help: str

    def word(self, value: Value) -> str:
        """Return the words for a value."""
        return self.values[value]


OPTIONS: Mapping[str, Option] = {
    option.name: option
    for option in (
        Option("letters", "Cells show", {False: "numbers", True: "letters"}, "names in place of numbers"),
        Option(
            "scale",
            "Colour scale of",
            {"array": "each array", "layer": "the whole layer", "network": "the whole network"},
            "what shares a scale of colours (default: each array has its own)",
        ),
        Option("theme", "Colours", {"light": "light", "dark": "dark"}, "its colours (default: light)"),
        Option(
            "zoom",
            "Zoom",
            {percent: f"{percent} %" for percent in range(70, 151, 10)},
            "how large all is drawn, in percent (default: 100)",
        ),
        Option(
            "high_contrast",
            "Contrast",
            {False: "usual", True: "high"},
            "lines and small words that are seen on a weak projector, too",
        ),
        Option(
            "text",
            "Text",
            {percent: f"{percent} %" for percent in (100, 125, 150, 175, 200)},
            "how large words and numbers are, with fewer lines in a pane, in percent (default: 100)",
        ),
        Option(
            "compare",
            "A changed lesson",
            {False: "as it is", True: "before, after, difference"},
            "what changes have done: before, after and the difference side by side",
        ),
        Option(
            "transparent",
            "Background",
            {False: "filled", True: "transparent"},
            "no background, so that the picture can be laid on another (not for pages and films)",
        ),
    )
}
