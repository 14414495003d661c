"""What most subjects answer, of what they are asked as `cnnviz.lesson.subject.Subject`."""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from cnnviz.engine.descent import Descent
from cnnviz.engine.layer import Array
from cnnviz.engine.pixels import Fitting
from cnnviz.engine.training import Run
from cnnviz.lesson.changes import Argument, Cell
from cnnviz.lesson.subject import Choice
from cnnviz.text import tr

Self = TypeVar("Self", bound="Plain")


class Plain(Struct, frozen=True, eq=False):
    """A subject of one program, in which there is nothing to choose, to train or to type."""

    def __len__(self) -> int:
        return 1

    @property
    def classes(self) -> tuple[str, ...]:
        """There are none."""
        return ()

    @property
    def run(self) -> Run | None:
        """It learns nothing."""
        return None

    @property
    def choose_words(self) -> str:
        """What a menu says that lets an image be chosen."""
        return tr("Choose image…")

    @property
    def notes(self) -> tuple[str, ...]:
        """There are none."""
        return ()

    @property
    def keeps_marks(self) -> bool:
        """Marks are those of one choice."""
        return False

    @property
    def drawn(self) -> tuple[Fitting, tuple[int, int]] | None:
        """It takes no pictures."""
        return None

    def label(self, image: int) -> str:
        """Return nothing: there is no choice."""
        return ""

    def picture(self, image: int) -> Array | None:
        """Return nothing: there is no choice."""
        return None

    def typed(self, image: int) -> str:
        """Return nothing: it is not typed."""
        return ""

    def heading(self, title: str, choice: Choice) -> str:
        """Return the title."""
        return title

    def descent(self, operation: str) -> Descent | None:
        """Return nothing: no walk goes down a curve."""
        return None

    def cell_of(self, address: str, index: tuple[int, ...], choice: Choice, number: int = 0) -> Cell | None:
        """Return nothing: it has no cells that could be changed."""
        return None

    def arguments(self, owner: str) -> tuple[Argument, ...]:
        """Return nothing: nobody has arguments."""
        return ()

    def told(self: Self, described: Any) -> Self:
        """Return the same with what its file says of stops."""
        return replace(self, described=described)

    def trained(self: Self, run: Run) -> Self:
        """Return the same: it learns nothing."""
        return self
