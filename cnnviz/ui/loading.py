"""Loads what the window shows: what may take long is waited for, and can be cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from PySide6.QtWidgets import QWidget

from cnnviz.errors import CnnvizError
from cnnviz.lesson.lesson import Lesson, load_lesson
from cnnviz.lesson.source import is_network, is_one_file
from cnnviz.ui.waiting import opening, patiently


def load(source: str, changes: Sequence[str] = (), over: QWidget | None = None) -> Lesson:
    """Load a lesson; one that was saved in the middle of its training is trained up to there.

    Parameters
    ----------
    over : QWidget, optional
        The window in front of which is said how far it is.

    Raises
    ------
    CnnvizError
        If it cannot be loaded.
    StoppedError
        If it was cancelled.
    """
    if not is_network(source) and not is_one_file(source):
        return load_lesson(source, changes=changes)
    return patiently(lambda: _as_saved(load_lesson(source, changes=changes)), opening(source), over)


def _as_saved(lesson: Lesson) -> Lesson:
    place, run = lesson.description.place, lesson.run
    if place is None or run is None or not place.iteration:
        return lesson
    with suppress(CnnvizError):  # it diverges before
        return lesson.at_iteration(min(place.iteration, run.iterations - 1))
    return lesson
