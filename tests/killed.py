"""Kills processes that save a lesson, or export one, at random moments: ``python -m tests.killed 200``.

Whenever that is, each file is the old one or the new one, whole; what is done next leaves nothing else.
"""

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from cnnviz.export.formats import DOCUMENTS, FORMATS
from cnnviz.export.order import order_of
from cnnviz.export.sheets import SHEETS, sheets_order_of
from cnnviz.export.writing import begin, screenless
from cnnviz.files import PART, write_whole
from cnnviz.lesson.lesson import load_lesson
from cnnviz.scene.view import View
from cnnviz.trace.stops import Level
from tests.faults import files_in

LONGEST = 0.03
"""Seconds until the kill once it writes, at most: some files are written in this time."""


def saving(file):
    """Return how a lesson is saved, which of two versions, and how to see that what is there is one."""
    versions = [load_lesson("lenet", changes=changes).packed() for changes in ([], ["c1.w[0,0,0,0]=0.5"])]
    return lambda turn: write_whole(file, versions[turn % 2])


def exporting(form, sheet=False):
    """Return what exports in a format, to files of which each has one content, or two in turns."""

    def of(place):
        lessons = [load_lesson("relu", changes=changes) for changes in ([], ["input[0,0,0]=-3"])]

        def write(turn):
            # A folder of frames keeps what is whole; a file is replaced.
            lesson = lessons[0 if form in FORMATS else turn % 2]
            order = (
                sheets_order_of(lesson, place, form=form)
                if sheet
                else order_of(lesson, place, Level.CELL, 0, 5, View(640, 360), form=form)
            )
            list(begin(order, lesson).frames)

        return write

    return of


KINDS = {
    "lesson": saving,
    **{form: exporting(form) for form in (*FORMATS, *DOCUMENTS)},
    **{f"{form} sheets": exporting(form, sheet=True) for form in SHEETS},
}


def killed(kind, times, folder, seed):
    """Kill so many processes while they write a kind of file; return how many were writing just then."""
    rng, place, begun = random.Random(seed), folder / "made", 0
    write = KINDS[kind](place)
    good = []
    for turn in (0, 1):
        write(turn)
        good.append(files_in(folder))
    for turn in range(times):
        if kind in FORMATS:
            shutil.rmtree(place)
        child = os.fork()
        if child == 0:
            try:
                for k in range(10**6):
                    write(k)
                    if kind in FORMATS:
                        shutil.rmtree(place)
            finally:
                os._exit(1)
        begins = time.monotonic() + 30
        while time.monotonic() < begins and not any(PART.fullmatch(path.name) for path in folder.rglob(".*")):
            time.sleep(0.0005)  # until it writes; a busy machine starts it late
        time.sleep(rng.random() ** 3 * LONGEST)  # most writes are short
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found = files_in(folder)
        parts = [path for path in found if PART.fullmatch(path.name)]
        begun += bool(parts)
        for path in found.keys() - {*parts}:
            assert found[path] in (good[0].get(path), good[1].get(path)), (kind, path)
        assert kind in FORMATS or found.keys() - {*parts} == good[0].keys(), kind
        write(turn)
        assert files_in(folder) == good[turn % 2], kind  # and no part
    return begun


def main(times):
    screenless()
    share = max(1, times // len(KINDS))
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as name:
            inside = killed(kind, share, Path(name), random.SystemRandom().random())
        print(f"{kind}: {share} were killed, {inside} of them writing: whole files each time.", flush=True)


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["200"])[0]))
