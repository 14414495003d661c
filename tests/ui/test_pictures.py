"""The lesson of pictures in the window: there is nothing to choose, and its numbers can be asked."""

from __future__ import annotations

import pytest


@pytest.fixture
def opened(window):
    window.desk.open("image")
    return window


def test_it_is_opened_and_walked(opened):
    assert opened.windowTitle().startswith("What a picture is")
    assert not opened.actions_by_name["image"].isEnabled()
    assert not opened.message.isVisible()
    assert not opened.bar.expression.isVisible()
    for _ in range(20):
        opened.player.go(opened.player.cursor.next())
        assert not opened.grab().isNull()


def test_a_number_of_a_pixel_says_what_it_is(opened):
    opened.player.go_to(opened.player.cursor.program.find("rgb", line=5, i=1, j=2))
    (grid,) = [mark for mark in opened.stage.frame.marks if getattr(mark, "prefix", ()) == (1, 2, 0)]
    origin = opened.stage.origin_at(*grid.box.center)
    assert (origin.name, origin.value) == ("image[1, 2, 0]", "255")


def test_a_number_of_a_channel_leads_to_the_step_that_wrote_it(opened):
    program = opened.player.cursor.program
    opened.player.go_to(program.find("rgb", line=5, i=3, j=2))
    (grid,) = [mark for mark in opened.stage.frame.marks if getattr(mark, "array", "") == "x" and mark.texts]
    origin = opened.stage.origin_at(*grid.box_of(1, 4).center)
    assert origin.step == program.find("rgb", line=5, i=1, j=4)
    assert [tuple(cell) for cell in origin.sources["image"]] == [(1, 4, 0)]
