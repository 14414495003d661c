"""Each kind of lesson as a subject, made from what its file says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cnnviz.lesson.subject import Subject
from cnnviz.lesson.subjects.descents import build_descents
from cnnviz.lesson.subjects.expressions import build_expressions
from cnnviz.lesson.subjects.network import build_network_subject
from cnnviz.lesson.subjects.pictures import build_pictures
from cnnviz.lesson.tables import (
    AnyFile,
    DescentFile,
    ExpressionFile,
    LessonFile,
    NetworkFile,
    PicturesFile,
)

_MAKERS: Mapping[type[AnyFile], Callable[[Path, Any], Subject]] = {
    LessonFile: build_network_subject,
    NetworkFile: build_network_subject,
    ExpressionFile: build_expressions,
    PicturesFile: build_pictures,
    DescentFile: build_descents,
}


def subject_of(path: Path, described: AnyFile) -> Subject:
    """Make what a lesson file describes, from it and the data files beside it.

    Raises
    ------
    CnnvizError
        If something in them is wrong; the sentence says all of it.
    """
    return _MAKERS[type(described)](path, described)
