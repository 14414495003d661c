"""Step through a convolutional network, forwards and backwards, line by line of its own loops."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cnnviz.errors import CnnvizError

if TYPE_CHECKING:
    from cnnviz.lesson.from_torch import from_torch
    from cnnviz.lesson.lesson import Lesson, lesson_names, load_lesson

    def show(lesson: str | Lesson) -> None:
        """See `cnnviz.app.show`."""


__version__ = "0.1.0"

__all__ = ["CnnvizError", "Lesson", "__version__", "from_torch", "lesson_names", "load_lesson", "show"]


def __getattr__(name: str) -> Any:
    # NumPy takes some 100 ms, which `cnnviz --help` should not.
    if name in ("Lesson", "lesson_names", "load_lesson"):
        from cnnviz.lesson import lesson

        return getattr(lesson, name)
    if name == "from_torch":
        from cnnviz.lesson.from_torch import from_torch

        return from_torch
    if name == "show":
        # By its name: all rooms import this module, and none of them may lean on the window.
        return import_module("cnnviz.app").show
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
