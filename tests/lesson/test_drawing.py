"""What is drawn by hand, as a network is shown it: boxed, centred, and read."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cnnviz.engine.pixels import Fitting
from cnnviz.lesson.drawing import SIDE, THICK, THIN, Stroke, answer_to, centred, drawn
from cnnviz.lesson.lesson import load_lesson
from tests.lesson.handwriting import written


def digits(count, seed):
    rng = np.random.default_rng(seed)
    for k in range(count):
        strokes, width = written(k % 10, rng, SIDE)
        yield k % 10, drawn([Stroke(tuple(points), width) for points in strokes])


def test_95_of_100_freely_drawn_digits_are_read_and_only_because_they_are_centred():
    network = load_lesson("lenet").network
    read = shrunk = 0
    for digit, pixels in digits(100, seed=14):
        read += answer_to(centred(pixels, (28, 28)), network, Fitting()).values.argmax() == digit
        whole = np.asarray(Image.fromarray(pixels).resize((28, 28), Image.Resampling.BILINEAR))
        shrunk += answer_to(whole, network, Fitting()).values.argmax() == digit
    assert read >= 95
    assert shrunk < 70


def test_writing_is_boxed_and_its_centre_of_mass_in_the_middle():
    for _, pixels in digits(30, seed=3):
        seen = centred(pixels, (28, 28))
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        sides = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert max(sides) == 20
        i, j = np.indices(seen.shape)
        middle = [(at * seen).sum() / seen.sum() for at in (i + 0.5, j + 0.5)]
        assert np.abs(np.subtract(middle, 14)).max() <= 0.51  # it moves by whole pixels


def test_small_maps_are_filled_and_flat_writing_stays_flat():
    line = drawn([Stroke(((40, 100), (240, 100)), THIN)])
    seen = centred(line, (8, 8))
    assert seen.any(axis=0).all()
    assert seen.any(axis=1).sum() == 1
    assert centred(line, (28, 42)).any(axis=0).sum() == 30
    assert not centred(drawn(()), (28, 28)).any()


def test_strokes_cover_what_circles_and_bars_cover_and_an_eraser_takes_it_away():
    dot = drawn([Stroke(((100.0, 80.0),), THICK)])
    assert dot.sum() / 255 == pytest.approx(np.pi * (THICK / 2) ** 2, rel=0.01)
    bar = drawn([Stroke(((50.0, 80.0), (150.0, 80.0)), THIN)])
    assert bar.sum() / 255 == pytest.approx(100 * THIN + np.pi * (THIN / 2) ** 2, rel=0.01)
    assert not drawn(
        [Stroke(((50.0, 80.0), (150.0, 80.0)), THIN), Stroke(((50, 80), (150, 80)), THIN, True)]
    ).any()
    beyond = drawn([Stroke(((-400.0, 80.0), (900.0, 80.0)), THIN)])  # the mouse leaves the field
    assert (beyond[80] == 255).all()


def test_a_network_that_is_shown_dark_on_light_is_shown_the_same():
    lesson = load_lesson("lenet")
    (_, pixels), *_ = digits(1, seed=5)
    seen = centred(pixels, (28, 28))
    plain, turned = (
        answer_to(seen, lesson.network, Fitting(invert=invert)).values for invert in (False, True)
    )
    assert np.array_equal(plain, turned)
