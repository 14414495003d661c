"""Exercises as a bank of questions for Moodle: cloze questions in Moodle's own XML."""

from __future__ import annotations

from collections.abc import Generator
from html import escape
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from cnnviz.errors import CnnvizError
from cnnviz.export.sheets import Exercise, SheetOrder
from cnnviz.lesson.lesson import Lesson
from cnnviz.scene.registry import kind_of
from cnnviz.scene.worksheet import given_cells
from cnnviz.text import tr

_TOLERANCE = 0.01  # of an answer that is given to three digits
_OF_ZERO = 0.001


def write_questions(order: SheetOrder, lesson: Lesson) -> Generator[int, None, bytes]:
    """Yield how many questions there are, and return the file: one for each exercise.

    Raises
    ------
    CnnvizError
        If an answer is no number.
    """
    quiz = ElementTree.Element("quiz")
    category = ElementTree.SubElement(quiz, "question", type="category")
    _text(category, "category", "$course$/cnnviz/" + lesson.title.replace("/", "//"))
    for done, make in enumerate(order.planned(lesson), 1):
        one = make()
        question = ElementTree.SubElement(quiz, "question", type="cloze")
        name = " ".join(part for part in (one.at.operation.name, one.heading.variant) if part)
        _text(question, "name", name)
        _text(question, "questiontext", _asked(one), format="html")
        _text(question, "generalfeedback", "", format="html")
        ElementTree.SubElement(question, "penalty").text = "0.3333333"
        ElementTree.SubElement(question, "hidden").text = "0"
        yield done
    ElementTree.indent(quiz)
    return ElementTree.tostring(quiz, "utf-8", xml_declaration=True) + b"\n"


def _text(parent: ElementTree.Element, tag: str, text: str, **attributes: str) -> None:
    element = ElementTree.SubElement(parent, tag, attributes)
    ElementTree.SubElement(element, "text").text = text


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
    parts += [_tables(name, value, given[name]) for name, value in call.writes.items()]
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
