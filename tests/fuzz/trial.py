"""One damaged file: made from a seed, opened, and made as small as it can be if the program falls over it."""

import random
import re
import traceback
from pathlib import Path

from cnnviz.errors import CnnvizError
from cnnviz.lesson.lesson import Lesson
from cnnviz.scene.frame import compose
from cnnviz.scene.view import View
from cnnviz.text import plain
from tests.fuzz.mutators import damaged

LONGEST_SENTENCE = 8_000


def content_of(kind, seed):
    """Return the damaged file of a seed."""
    rng = random.Random(f"{kind.name} {seed}")
    return damaged(rng, rng.choice(kind.right), kind.right)


def fault_of(kind, content, folder, look=False):
    """Open a file, and return what is wrong with how the program took it; empty if nothing is.

    Parameters
    ----------
    look : bool
        Whether frames of a lesson that was opened are composed, too.
    """
    try:
        opened = kind.open(folder, content)
        if look and isinstance(opened, Lesson):
            program, rng = opened.program, random.Random(len(content))
            for step in {0, rng.randrange(len(program)), len(program) - 1}:
                compose(program, step, View(1280, 720, opened.title, opened.subject.classes))
    except CnnvizError as error:
        return _fault_of_sentence(str(error))
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} in {Path(place.filename).name}:{place.name}"
    return ""


def _fault_of_sentence(sentence):
    if plain(sentence) != sentence:
        return "a sentence with control characters"
    if not re.search(r"[^.][.?]$", sentence):
        return "no sentence"
    return f"a sentence of over {LONGEST_SENTENCE} characters" if len(sentence) > LONGEST_SENTENCE else ""


def shrunk(kind, content, fault, folder, look=False):
    """Return a file as short as can be found that the program falls over in the same way."""
    size = len(content) // 2
    while size:
        at = 0
        while at < len(content):
            less = content[:at] + content[at + size :]
            if fault_of(kind, less, folder, look) == fault:
                content = less
            else:
                at += size
        size //= 2
    return content
