"""What classes are called: from a text file, one a line, or from what a model's file says of itself."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from pathlib import Path

from cnnviz.errors import CnnvizError
from cnnviz.files import read_whole, reason_of
from cnnviz.text import plain, tr

_LARGEST_FILE = 2**20
_LONGEST_NAME = 200


def names_in_file(file: Path) -> tuple[str, ...]:
    """Return the names that a text file has, one a line.

    Raises
    ------
    CnnvizError
        If it cannot be read, or has a line that is no name.
    """
    try:
        text = read_whole(file, _LARGEST_FILE).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        said = tr("{file}: is no text in UTF-8; write the names of classes, one a line", file=file.name)
        raise CnnvizError(said) from error
    except (OSError, ValueError) as error:
        said = tr("{file}: cannot be read ({reason})", file=file.name, reason=reason_of(error))
        raise CnnvizError(said) from error
    names = [line.strip() for line in text.rstrip().splitlines()]
    for k, name in enumerate(names or [""]):
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            raise CnnvizError(
                tr(
                    "{file}: line {line} must be the name of a class, at most {most} characters",
                    file=file.name,
                    line=k + 1,
                    most=_LONGEST_NAME,
                )
            )
    return tuple(names)


def names_in_model(metadata: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return what a model's file says that its classes are called; None where that is not understood.

    It may be a list, or a table from 0 on, in JSON or as Python writes it; or a name on each line.
    """
    text = metadata.get("classes", "")
    if not text or len(text) > _LARGEST_FILE:
        return None
    told: object = None
    for read in (json.loads, ast.literal_eval):
        try:
            told = read(text)
            break
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    if isinstance(told, dict):
        numbered = {str(key): name for key, name in told.items()}
        told = [numbered.get(str(k)) for k in range(len(numbered))]
    if told is None and text.lstrip()[:1] not in ("[", "{", "("):
        told = text.split("\n") if "\n" in text else text.split(",")
    if not isinstance(told, list | tuple) or not all(isinstance(name, str) for name in told):
        return None
    names = tuple(plain(name.strip())[:_LONGEST_NAME] for name in told)
    return names if names and all(names) else None
