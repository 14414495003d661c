"""What is to be exported of a lesson, ordered on the command line or in the window."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from cnnviz import __version__
from cnnviz.lesson.lesson import Lesson, load_lesson
from cnnviz.render.frames import Look, Subject, stops
from cnnviz.trace.stops import Level


class Order(Struct, frozen=True):
    """Frames that are to be written. It holds nothing large, so that it can be sent to other processes.

    Attributes
    ----------
    source : str
        What the lesson is loaded by.
    image : int
        Which of its images.
    folder : Path
        Where to.
    every : Level
        What to make a picture of.
    first, last : int
        From which step to which one.
    look : Look
        How frames are drawn.
    input_gradient : str
        The view of convolutions' input gradients; empty where there are none.
    iteration : int, optional
        Of a training.
    """

    source: str
    image: int
    folder: Path
    every: Level
    first: int
    last: int
    look: Look
    input_gradient: str = ""
    iteration: int | None = None

    def lesson(self) -> Lesson:
        """Load the lesson, with the image, the iteration and the view that are meant."""
        lesson = load_lesson(self.source, self.image, self.iteration)
        return lesson.in_view(self.input_gradient) if self.input_gradient else lesson

    def subject(self) -> Subject:
        """Load what is shown in the frames."""
        lesson = self.lesson()
        return Subject(lesson.program, lesson.heading, lesson.samples.classes, lesson.stops)

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
        if self.input_gradient:
            settings["input gradient"] = self.input_gradient
        if self.iteration is not None:
            settings["iteration"] = str(self.iteration)
        return settings


def order_of(
    lesson: Lesson, source: str, folder: Path, every: Level, first: int, last: int, look: Look
) -> Order:
    """Order frames of a lesson as it is shown; `source` is what it was loaded by."""
    iteration = lesson.iteration if lesson.run is not None else None
    view = lesson.program.view
    return Order(source, lesson.image, folder, every, first, last, look, view, iteration)
