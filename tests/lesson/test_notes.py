"""What the lecturer is told: every lesson has notes, short ones, and what is reckoned in them is right."""

from __future__ import annotations

import re

import pytest

from cnnviz.lesson.files import lesson_names
from cnnviz.lesson.lesson import load_lesson

REASONABLE = 200  # characters: to be read while one speaks
# Numbers and signs, at least one sign among them, and what they come to.
_SUM = re.compile(r"([(−\d][\d.,() −+·/]*[+·/−][\d.,() −+·/]*?) = (−?[\d,]+(?:\.\d+)?)")


def notes(name: str) -> list[str]:
    return [stop.notes for stop in load_lesson(name).sequence if stop.notes]


def value(text: str) -> float:
    sum_ = text.replace("−", "-").replace("·", "*").replace(",", "")
    assert re.fullmatch(r"[\d.()+*/ -]+", sum_), text
    return float(eval(sum_))  # digits and signs alone


def reckoned(note: str) -> list[tuple[str, str]]:
    return [(left.strip(), right) for left, right in _SUM.findall(note)]


@pytest.mark.parametrize("name", lesson_names())
def test_a_lecturer_has_notes_for_the_main_points(name):
    told = notes(name)
    assert len(told) >= 3
    assert all(len(note) <= REASONABLE for note in told)
    assert len(set(told)) == len(told)


@pytest.mark.parametrize("name", lesson_names())
def test_what_is_reckoned_in_notes_is_right(name):
    for note in notes(name):
        for left, right in reckoned(note):
            places = len(right.partition(".")[2])
            assert value(left) == pytest.approx(value(right), abs=0.5 * 10.0**-places + 1e-12), note


def test_sums_are_found_where_there_are_any():
    assert reckoned("A photograph has 224 · 224 · 3 = 150,528 numbers.") == [("224 · 224 · 3", "150,528")]
    assert reckoned("(7 − 5 + 0) / 1 + 1 = 3.") == [("(7 − 5 + 0) / 1 + 1", "3")]
    assert reckoned("1 − 2 · 1.05 = −1.1.") == [("1 − 2 · 1.05", "−1.1")]
    assert sum(len(reckoned(note)) for name in lesson_names() for note in notes(name)) >= 20
