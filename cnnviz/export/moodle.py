"""Exercises as a bank of questions for Moodle: cloze questions in Moodle's own XML, each with its picture.

What Moodle's reader wants of such a file is said in its documentation of the format: the declaration first,
HTML in CDATA, a category before its questions, pictures as files in base64 beside the text that names them.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Generator
from html import escape
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.errors import CnnvizError
from cnnviz.export.png import Png
from cnnviz.export.sheets import Exercise, SheetOrder
from cnnviz.lesson.lesson import Lesson
from cnnviz.scene.latex import arithmetic_text
from cnnviz.scene.marks import Box, Frame, Rect
from cnnviz.scene.registry import kind_of
from cnnviz.scene.worksheet import asked_of, given_cells, picture_to_fill, results
from cnnviz.text import tr

_TOLERANCE = 0.01  # of an answer that is given to three digits
_OF_ZERO = 0.001

_PICTURE = Box(0, 0, 680, 480)
_FINE = 1.5  # pixels of the file for each of them
_NAME = "picture.png"
_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LONGEST_NAME = 200  # Moodle cuts names off at 255
_MOST_SUMS = 6


def write_questions(order: SheetOrder, lesson: Lesson) -> Generator[int, None, bytes]:
    """Yield how many questions there are, and return the file: one for each exercise.

    Raises
    ------
    CnnvizError
        If an answer is no number.
    """
    category = "$course$/cnnviz/" + lesson.title.replace("/", "//")
    parts = [f'<question type="category"><category>{_text(category)}</category></question>']
    for done, make in enumerate(order.planned(lesson), 1):
        parts.append(_question(make()))
        yield done
    body = "\n".join(parts)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<quiz>\n{body}\n</quiz>\n'.encode()


def _question(one: Exercise) -> str:
    name = " ".join(part for part in (one.heading.title, one.at.operation.name, one.heading.variant) if part)
    asked, file = _asked(one), _picture(one)
    if file:
        shown = escape(
            tr("The picture of {operation}; its numbers stand below.", operation=one.at.operation.name)
        )
        asked = f'<p><img src="@@PLUGINFILE@@/{_NAME}" alt="{shown}" style="max-width: 100%"></p>\n{asked}'
        file = f'<file name="{_NAME}" path="/" encoding="base64">{file}</file>\n'
    return "\n".join(
        (
            '<question type="cloze">',
            f"<name>{_text(name[:_LONGEST_NAME])}</name>",
            f'<questiontext format="html">{_text(asked)}\n{file}</questiontext>',
            f'<generalfeedback format="html">{_text(_solution(one))}</generalfeedback>',
            "<penalty>0.3333333</penalty>",
            "<hidden>0</hidden>",
            "</question>",
        )
    )


def _text(text: str) -> str:
    """Return a text as its element, in which markup is left alone."""
    inside = _NO_XML.sub("", text).replace("]]>", "]]]]><![CDATA[>")
    return f"<text><![CDATA[{inside}]]></text>"


def _picture(one: Exercise) -> str:
    """Return the exercise's picture, without its results, as base64; empty where it does not have all."""
    from cnnviz.render.image import to_image

    marks = picture_to_fill(one.at, _PICTURE, solved=False)
    if not marks:
        return ""
    frame = Frame(_PICTURE.w, _PICTURE.h, (Rect(_PICTURE, fill="ground"), *marks))
    return b64encode(Png().pack(to_image(frame, "light", _FINE))).decode()


def _solution(one: Exercise) -> str:
    """Return the arithmetic of the first results, which is shown when a question was answered."""
    steps = [*islice(results(one.at.program, one.at), _MOST_SUMS)] or [one.at]
    return "\n".join(f"<pre>{escape(arithmetic_text(each))}</pre>" for each in steps)


def _asked(one: Exercise) -> str:
    """Return a question: what happens, the listing, what is given, and gaps for what is to be found."""
    operation, given = one.at.operation, given_cells(one.at)
    call = operation.call
    parts = [
        f"<p>{escape(tr(kind_of(call).sentence))}</p>",
        f"<pre>{escape(chr(10).join(operation.tree.source))}</pre>",
    ]
    sizes = ", ".join(
        f"{name} = {value:g}" for name, value in call.given.items() if isinstance(value, int | float)
    )
    parts += [f"<p>{escape(sizes)}</p>"] if sizes else []
    told = {name: value for name, value in call.given.items() if isinstance(value, np.ndarray)}
    told |= {name: value for name, value in call.before.items() if name in call.writes}
    parts += [_tables(name, value, np.ones(np.shape(value), bool)) for name, value in told.items()]
    parts.append(f"<p>{escape(tr('Give each result to three digits at least.'))}</p>")
    parts += [_tables(name, call.writes[name], given[name]) for name in asked_of(one.at)]
    return "\n".join(parts)


def _cell(value: float, given: bool) -> str:
    if given:
        return f"{value:.9g}"
    if not np.isfinite(value):
        raise CnnvizError(tr("A result is {value}, which nobody can type; change the numbers.", value=value))
    tolerance = _TOLERANCE * abs(value) or _OF_ZERO
    return f"{{1:NUMERICAL:={value:.9g}:{tolerance:.3g}}}"


def _tables(name: str, values: NDArray[Any], given: NDArray[np.bool_]) -> str:
    """Write an array as tables, one for each of its maps, with gaps for what is not given."""
    made, shape = [], np.shape(values)
    high, wide = (*(1, 1), *shape)[-2:]
    texts = [_cell(float(value), bool(told)) for value, told in zip(values.flat, given.flat, strict=True)]
    prefixes = list(np.ndindex(shape[:-2]))
    for k, prefix in enumerate(prefixes):
        page = texts[k * high * wide : (k + 1) * high * wide]
        rows = (page[r * wide : (r + 1) * wide] for r in range(high))
        body = "".join("<tr>" + "".join(f"<td>{text}</td>" for text in row) + "</tr>" for row in rows)
        called = f"{name}[{', '.join(map(str, prefix))}]" if prefix else name
        made.append(f'<table border="1"><caption>{escape(called)}</caption><tbody>{body}</tbody></table>')
    return "\n".join(made)
