"""Saves every lesson, and every network of other programs, and opens it: ``python -m tests.lesson.saved``.

As one file and as a lesson file with others beside it, the same steps come on the same numbers; saved again,
one file has the same bytes.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from cnnviz.errors import CnnvizError
from cnnviz.formats.reader import ENDINGS
from cnnviz.lesson.files import lesson_names
from cnnviz.lesson.lesson import load_lesson
from cnnviz.lesson.made import files_as_made
from tests.lesson.test_one_file import DATA, assert_same


def saved(source, folder):
    """Save a lesson in both ways, and open it; return whether it can be opened at all."""
    try:
        lesson = load_lesson(source)
    except CnnvizError:  # weights alone, or what cannot be stepped whole: it is said when it is opened
        return False
    one = folder / "one.cnnviz"
    one.write_bytes(content := lesson.packed())
    again = load_lesson(one)
    assert_same(lesson, again)
    assert again.packed() == content
    for name, content in files_as_made(lesson, "own").items():
        (folder / name).write_bytes(content)
    made = load_lesson(folder / "lesson.toml", None if lesson.run else lesson.image)
    for name, values in dict(lesson.tape).items():
        assert np.asarray(values).tobytes() == np.asarray(made.tape[name]).tobytes(), (source, name)
    assert made.sequence == lesson.sequence
    return True


if __name__ == "__main__":
    networks = sorted(str(file) for file in DATA.iterdir() if file.name.endswith(tuple(ENDINGS)))
    counted = [0, 0]
    for k, sources in enumerate((lesson_names(), sys.argv[1:] or networks)):
        for source in sources:
            with tempfile.TemporaryDirectory() as folder:
                counted[k] += saved(source, Path(folder))
    print("{} lessons and {} networks were saved in both ways, opened, and are the same.".format(*counted))
