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

    lines: list[str] = []
    for chapter, names in chapters():
        lines += [*([""] if lines and chapter else []), *([f"{tr(chapter)}\n"] if chapter else [])]
        for name in names:
            title, sentence = lesson_words(name)
            said = textwrap.fill(f"{title}. {sentence}", 92, initial_indent="    ", subsequent_indent="    ")
            lines += [name, said]
    say("\n".join(lines))  # all or nothing
    return 0
