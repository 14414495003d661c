"""What a picture of a step is to show besides the step: all of it in one record, which is passed whole."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from cnnviz.scene.display import Display
from cnnviz.scene.traced import Traced
from cnnviz.trace.breakpoint import Breakpoint
from cnnviz.trace.cursor import Bookmark, Stop, stop_holding
from cnnviz.trace.program import Program, Step

Chosen = tuple[str, ...]
"""Of gradients that are added up, the addresses of those that are followed, ``add.dx2``."""

Folds = tuple[tuple[str, bool], ...]
"""Blocks of the network that are folded (True) or unfolded (False) by hand, by name."""


class View(Struct, frozen=True):
    """How a picture is wanted.

    Attributes
    ----------
    width, height : float
        In pixels; panes of a window have their own.
    title : str
        The lesson's.
    classes : tuple[str, ...]
        What the network's outputs are called; empty where they have no names.
    breakpoints : tuple[Breakpoint, ...]
        Shown on the timeline and in the listing.
    stops : tuple[Stop, ...]
        Where the lesson has something to say.
    bookmarks : tuple[Bookmark, ...]
        Shown on the timeline, too.
    display : Display
        What is chosen of how things are shown.
    paths : Chosen
        Which paths from the loss are followed: of gradients that are added up, the addresses of those chosen.
    front : tuple[str, int]
        Of which array another channel than the step's is looked at, and how many after that.
    folds : Folds
        Which blocks of the network are folded, or unfolded, by hand.
    traced : Traced or None
        What is shown in place of the step's picture until the next move: what a number is made of, or what it
        reaches.
    origins : tuple[tuple[str, str], ...]
        Layers, each with what the file of another program calls it, where that is another name.
    before : Program or None
        What a changed lesson was, where it is to be compared with that.
    watches : tuple[str, ...]
        What is asked at each step, ``y[o].max()``; shown below the variables.
    """

    width: float = 1920
    height: float = 1080
    title: str = ""
    classes: tuple[str, ...] = ()
    breakpoints: tuple[Breakpoint, ...] = ()
    stops: tuple[Stop, ...] = ()
    bookmarks: tuple[Bookmark, ...] = ()
    display: Display = Display()
    paths: Chosen = ()
    front: tuple[str, int] = ("", 0)
    folds: Folds = ()
    origins: tuple[tuple[str, str], ...] = ()
    before: Program | None = None
    traced: Traced | None = None
    watches: tuple[str, ...] = ()

    def origin(self, layer: str) -> str:
        """Return what the file of another program calls a layer; empty where that is its name here."""
        return next((origin for name, origin in self.origins if name == layer), "")

    def at(self, step: Step) -> View:
        """Return it with things shown as the lesson's stop that holds at a step asks for."""
        stop = stop_holding(self.stops, step)
        return replace(self, display=replace(self.display, **dict(stop.display))) if stop else self

    @property
    def unit(self) -> float:
        """How large one pixel of a picture of 1920 × 1080 is drawn."""
        return min(self.width / 1920, self.height / 1080) * self.display.zoom / 100
