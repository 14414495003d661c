"""``cnnviz lessons``: lists the built-in lessons."""

from __future__ import annotations

import argparse
import textwrap

from cnnviz.cli.output import say
from cnnviz.cli.parser import examples
from cnnviz.text import tr


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what may stand behind the command, and what it does."""
    parser.description = "List the built-in lessons, and what each of them shows."
    parser.epilog = examples(("cnnviz lessons", "list them"))


def run(_: argparse.Namespace) -> int:
    """List the lessons."""
    from cnnviz.lesson.files import chapters, lesson_words

    for number, (chapter, names) in enumerate(chapters()):
        if chapter:
            say(("\n" if number else "") + tr(chapter) + "\n")
        for name in names:
            title, sentence = lesson_words(name)
            said = textwrap.fill(f"{title}. {sentence}", 92, initial_indent="    ", subsequent_indent="    ")
            say(f"{name}\n{said}")
    return 0
