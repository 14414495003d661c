"""Lessons of pictures: what a file may say, and what is wrong with it."""

import copy

import numpy as np
import pytest

from cnnviz.errors import CnnvizError
from cnnviz.lesson.lesson import load_lesson
from cnnviz.lesson.subjects.pictures import Pictures
from tests.lesson.test_faults import set_in, told

LESSON = {
    "title": "Two pictures",
    "sentence": "They are small.",
    "images": [
        {"name": "red", "pixels": [[[255, 0, 0], [200, 10, 20]]]},
        {"name": "grey", "pixels": [[[0]], [[128]]]},
    ],
    "stops": [{"at": "grey[0,1,0]", "caption": "Here."}, {"at": "red", "caption": "There."}],
}


@pytest.fixture
def content():
    return copy.deepcopy(LESSON)


def test_a_lesson_of_pictures(content, write):
    lesson = load_lesson(write(content))
    assert isinstance(lesson.subject, Pictures) and lesson.network is None
    assert lesson.tape["red.x"].shape == (3, 1, 2)
    np.testing.assert_allclose(lesson.tape["grey.x"], [[[0], [128 / 255]]], rtol=1e-15)
    assert [stop.caption for stop in lesson.stops] == ["There.", "Here."]
    assert lesson.choose(0) is lesson
    with pytest.raises(CnnvizError, match=r"^lesson has no image 1; its images are numbered 0 to 0\.$"):
        lesson.choose(1)


@pytest.mark.parametrize(
    "place, value, fault",
    [
        (("stops", 0, "iteration"), 3, "stops[0].iteration: there is no [training]; leave it out"),
        (("images",), [], "images: must not be empty"),
        (("images",), 3, "images: must be a list, is 3"),
        (("images", 0, "name"), "grey", "images[1].name: grey is the name of images[0] already"),
        (("images", 0, "name"), "a b", "images[0].name: must be a name of at most 40 letters, digits and _"),
        (
            ("images", 0, "pixels"),
            [[1, 2]],
            "images[0].pixels: must be height × width × depth, and 1 or 3 deep",
        ),
        (
            ("images", 0, "pixels"),
            [[[1, 2]]],
            "images[0].pixels: must be height × width × depth, and 1 or 3 deep",
        ),
        (("images", 0, "pixels"), [[[1]] * 65], "images[0].pixels: must have at most 64 pixels a side"),
        (
            ("images", 0, "pixels"),
            [[[1], [256]]],
            "images[0].pixels[0][1][0]: must be a whole number from 0 to 255",
        ),
        (
            ("images", 0, "pixels"),
            [[[-1]]],
            "images[0].pixels[0][0][0]: must be a whole number from 0 to 255, is -1",
        ),
        (
            ("images", 0, "pixels"),
            [[[0.5]]],
            "images[0].pixels[0][0][0]: must be a whole number from 0 to 255, is 0.5",
        ),
        (("images", 0, "pixels"), [[["a"]]], "images[0].pixels[0][0][0]: must be a number, is 'a'"),
        (("images", 0, "pixel"), [[[1]]], "images[0].pixel: is not known; did you mean pixels?"),
        (("seed",), 3, "seed: is not known"),
        (("stops", 0, "at"), "blue", "stops[0].at: There is no operation blue; there are red, grey"),
        (("stops", 0, "at"), "red[3,0,0]", "stops[0].at: red[3,0,0] is not a cell: red has shape 3 × 1 × 2"),
    ],
)
def test_what_is_wrong_is_named(content, write, place, value, fault):
    set_in(content, place, value)
    assert fault in told(write(content))


def test_all_that_is_wrong_is_told_at_once(content, write):
    content["images"][0]["pixels"] = [[[300]]]
    content["images"][1]["pixels"] = [[[1, 2]]]
    sentence = told(write(content))
    assert "images[0].pixels[0][0][0]" in sentence and "images[1].pixels: must be" in sentence
