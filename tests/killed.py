"""Kills a process that saves a lesson, at random moments: ``python -m tests.killed 200``, or ``make killed``.

Whenever that is, the file is the old one or the new one, whole.
"""

import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from cnnviz.files import PART, write_whole
from cnnviz.lesson.lesson import load_lesson

LONGEST = 0.03
"""Seconds until the kill, at most: some files are written in this time."""


def killed(times, folder, seed):
    """Kill so many processes in the middle of saving; return how many were writing just then."""
    rng, file = random.Random(seed), folder / "mine.cnnviz"
    versions = [load_lesson("lenet", changes=changes).packed() for changes in ([], ["c1.w[0,0,0,0]=0.5"])]
    file.write_bytes(versions[0])
    begun = 0
    for _ in range(times):
        child = os.fork()
        if child == 0:
            try:
                for k in range(10**6):
                    write_whole(file, versions[1 - k % 2])
            finally:
                os._exit(1)
        begins = time.monotonic() + 30
        while time.monotonic() < begins and os.listdir(folder) == ["mine.cnnviz"]:
            time.sleep(0)  # until it writes; a busy machine starts it late
        time.sleep(rng.random() * LONGEST)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert file.read_bytes() in versions
        parts = [part for part in folder.iterdir() if PART.fullmatch(part.name)]
        begun += bool(parts)
        for part in parts:
            part.unlink()
        assert os.listdir(folder) == ["mine.cnnviz"]
    assert len(load_lesson(file).changes) in (0, 1)
    return begun


if __name__ == "__main__":
    count = int((sys.argv[1:] or ["200"])[0])
    with tempfile.TemporaryDirectory() as name:
        inside = killed(count, Path(name), random.SystemRandom().random())
    print(f"{count} were killed, {inside} of them writing: a whole file was there each time.")
