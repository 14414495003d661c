"""An order finds again what is to be exported, in any process."""

import pickle

import pytest

from cnnviz.export.folder import manifest
from cnnviz.export.frames import Shown
from cnnviz.export.order import order_of
from cnnviz.lesson.changes import read_change
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.view import View
from cnnviz.trace.stops import Level

SHOWN = {
    "another image": ("digits", lambda lesson: lesson.choose(7)),
    "scattered": ("backward-conv", lambda lesson: lesson.in_form("scattered")),
    "an iteration": ("training", lambda lesson: lesson.at_iteration(3)),
    "another image in an iteration": ("training", lambda lesson: lesson.at_iteration(3, 8)),
    "a typed expression": ("f = x * y   x=2 y=3", lambda lesson: lesson),
    "a changed descent": ("gradient-descent", lambda lesson: lesson.changed(read_change("slow.lr=0.2"))),
    "a changed image": ("digits", lambda lesson: lesson.choose(7).changed(read_change("input[0,2,3]=1"))),
}


@pytest.mark.parametrize("source, show", SHOWN.values(), ids=SHOWN)
def test_another_process_shows_what_was_shown(source, show, tmp_path):
    lesson = show(load_lesson(source))
    order = order_of(lesson, tmp_path, Level.MAP, 0, 9, View())
    there = pickle.loads(pickle.dumps(order.shown))()
    here = Shown(lesson.program, lesson.view)
    assert manifest(there, {}) == manifest(here, {})
    assert manifest(there, {}) != manifest(Shown(load_lesson("relu").program, View()), {})


def test_frames_are_told_apart_by_all_that_was_chosen(tmp_path):
    def settings(source, show):
        lesson = show(load_lesson(source))
        return order_of(lesson, tmp_path, Level.MAP, 0, 9, View()).settings(lesson)

    assert settings(*SHOWN["another image"])["image"] == "7"
    assert settings(*SHOWN["scattered"])["input gradient"] == "scattered"
    assert settings(*SHOWN["an iteration"])["iteration"] == "3"
    assert settings(*SHOWN["a typed expression"])["lesson"] == "expression: x * y   x=2 y=3"
    assert settings(*SHOWN["a changed descent"])["lesson"] == "gradient-descent slow.lr=0.2"
    assert settings(*SHOWN["a changed image"])["lesson"] == "digits input.7[0,2,3]=1"
