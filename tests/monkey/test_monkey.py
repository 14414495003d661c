"""The monkey finds what is planted, and plays for a while without finding anything."""

import sys

import pytest

from tests.monkey import lecture
from tests.monkey.watch import Outcome, played, shrunk

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it asks Linux for its memory")

PLANTED = """
import os, time
from PySide6.QtCore import QTimer, qWarning
from cnnviz.trace.cursor import Cursor
from cnnviz.ui.lecture import Lecture

def planted(lecture, on):
    window = lecture._window
    {}

Lecture.show = planted
"""
ACTIONS = [["key", "T", 2], ["wait", 5], ["key", "Ctrl+L", 1], ["hover", None, 0.5, 0.5], ["key", "End", 1]]


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("raise ValueError('planted')", "ValueError in "),
        ("QTimer.singleShot(0, lambda: 1 / 0)", ""),  # which ends the process in some runs
        ("qWarning('planted')", "Qt says: planted"),
        ("window.player.cursor = Cursor(window.player.cursor.program, 10**9)", ""),
        ("window.desk.lesson = window.desk.lesson.choose(3)", "the lesson's program is not the player's"),
        ("window.held = [QTimer(window) for _ in range(200)]", "too many timers"),
        ("time.sleep(11)", "slow: "),
        ("time.sleep(60)", "hangs after [['key', 'Ctrl+L', 1]]"),
        ("os.abort()", "the process ended with status -6"),
    ],
)
def test_it_finds_what_is_planted(what, kind):
    outcome = played({"actions": ACTIONS}, PLANTED.format(what), hangs=16)
    assert outcome.fault.startswith(kind), outcome
    assert outcome.fault
    assert outcome.actions[:3] == ACTIONS[:3]


def test_without_that_it_finds_nothing():
    assert played({"actions": ACTIONS}).fault == ""


def test_what_it_did_is_made_short():
    actions = [["wait", k] for k in range(100)]

    def again(tried):
        kept = [k for _, k in tried]
        return Outcome("two of them, 12" if 31 in kept and 77 in kept and kept[-1] >= 77 else "")

    found = Outcome("two of them, 99", actions)
    assert shrunk(found, 60, again) == [["wait", 31], ["wait", 77]]
    assert shrunk(found, 0, again) == actions


def test_memory_that_grows_is_told():
    size = 200 * 2**20
    grown = Outcome(memory=[(30.0 * k, size + k * 2**20) for k in range(20)])
    assert grown.growth() == pytest.approx(2)
    first = Outcome(memory=[(30.0 * k, size if k > 3 else 0) for k in range(20)])
    assert first.growth() == 0
    assert Outcome(memory=[(0.0, 1), (30.0, 2)]).growth() is None


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", [20261127, 9])
def test_it_plays_for_a_while_and_finds_nothing(seed):
    outcome = played({"seed": seed, "seconds": 10})
    assert outcome.fault == "", f"python -m tests.monkey 60 --seed {seed} makes it short\n{outcome.said}"
    assert len(outcome.actions) > 20


# --------------------------------------------------------------------------------------------- a lecture


@pytest.mark.timeout(240)
def test_a_short_lecture_leaves_nothing_behind():
    """Of the memory, so short a one says nothing: caches are still being filled."""
    points, said, _ = lecture.given(160, seed=3)
    assert said == []
    assert len(points) == 1 + 160 // lecture.SHORTEST
    assert lecture.faults(points, most_growth=1e9) == []


def test_a_lecture_that_leaves_something_is_told():
    flat = [lecture.Point(100 * k, 200.0, 260, 6, 193, 1) for k in range(21)]
    assert lecture.faults(flat) == []
    for name in ("objects", "timers", "widgets", "threads"):
        more = [point._replace(**{name: getattr(point, name) + point.presses // 400}) for point in flat]
        assert [fault.partition(":")[0] for fault in lecture.faults(more)] == [name]
    grows = [point._replace(memory=200 + point.presses / 1000) for point in flat]
    assert lecture.faults(grows) == ["memory grows by 10.00 MB for every 10,000 presses"]
