"""What is to be exported of a lesson, ordered on the command line or in the window."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from cnnviz import __version__
from cnnviz.export.frames import Shown, check_size, stops
from cnnviz.lesson.changes import Changes
from cnnviz.lesson.description import describe
from cnnviz.lesson.lesson import Lesson, lesson_of
from cnnviz.lesson.subject import Choice
from cnnviz.scene.view import View
from cnnviz.trace.stops import Level


class Order(Struct, frozen=True):
    """Frames that are to be written. It holds nothing large, so that it can be sent to other processes.

    Attributes
    ----------
    source : str
        What the lesson is loaded by.
    changes : Changes
        What is not as its file has it.
    choice : Choice
        Which of its images, iterations and views.
    folder : Path
        Where to.
    every : Level
        What to make a picture of.
    first, last : int
        From which step to which one.
    view : View
        How large frames are, and how things are shown in them.
    """

    source: str
    changes: Changes
    choice: Choice
    folder: Path
    every: Level
    first: int
    last: int
    view: View

    def lesson(self) -> Lesson:
        """Load the lesson, with the changes and the choice that are meant."""
        return lesson_of(describe(self.source), self.changes, self.choice)

    def shown(self) -> Shown:
        """Load what is shown in the frames."""
        lesson, view = self.lesson(), self.view
        return Shown(
            lesson.program,
            replace(
                lesson.view,
                width=view.width,
                height=view.height,
                display=view.display,
                paths=view.paths,
                folds=view.folds,
            ),
        )

    def steps(self, lesson: Lesson) -> list[int]:
        """Return the steps to be shown, as `stops` does."""
        return stops(lesson.program, self.every, self.first, self.last, lesson.stops)

    def settings(self, lesson: Lesson) -> dict[str, str]:
        """Return what the frames are made by, for the folder's manifest."""
        settings = {
            "cnnviz": __version__,
            "lesson": lesson.identity,
            "image": str(lesson.image),
            "every": self.every.value,
            "from": str(self.first),
            "to": str(self.last),
        }
        if self.choice.input_gradient:
            settings["input gradient"] = self.choice.input_gradient
        if self.choice.iteration is not None:
            settings["iteration"] = str(self.choice.iteration)
        return settings


def order_of(lesson: Lesson, folder: Path, every: Level, first: int, last: int, view: View) -> Order:
    """Order frames of a lesson as it is shown.

    Raises
    ------
    CnnvizError
        If frames of this size cannot be made.
    """
    check_size(int(view.width), int(view.height))
    return Order(lesson.description.source, lesson.changes, lesson.choice, folder, every, first, last, view)
