"""Watches a monkey play in a process of its own, and makes what it did to find a fault as short as can be."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.monkey.actions import Action

ROOT = Path(__file__).resolve().parents[2]
HANGS = 40.0
"""Seconds without an action after which it is taken to hang; a lesson may take ten to be opened."""


@dataclass
class Outcome:
    """What came of it.

    Attributes
    ----------
    fault : str
        What is wrong; empty if nothing is.
    actions : list[Action]
        What was done, the last of it when the fault was found.
    memory : list[tuple[float, int]]
        Seconds since the start, and bytes held when all was closed and all caches were empty.
    resident : list[int]
        Bytes that were resident then.
    said : str
        The end of what the process wrote on stderr.
    """

    fault: str = ""
    actions: list[Action] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)
    said: str = ""

    @property
    def kind(self) -> str:
        """The fault without its numbers: what must come again for it to be the same."""
        return re.sub(r"\d+(\.\d+)?", "#", self.fault)

    def growth(self, after: float = 120.0) -> float | None:
        """By how many MB a minute the memory has grown since the first minutes; None if that is not known."""
        late = [(at, size) for at, size in self.memory if at >= after]
        if len(late) < 4:
            return None
        at, size = zip(*late, strict=True)
        middle, mean = sum(at) / len(at), sum(size) / len(size)
        slope = sum((t - middle) * (s - mean) for t, s in late) / sum((t - middle) ** 2 for t in at)
        return slope * 60 / 2**20


def played(script: dict[str, Any], prelude: str = "", hangs: float = HANGS) -> Outcome:
    """Let a monkey play a script, until it is through, finds a fault, hangs or dies.

    Parameters
    ----------
    prelude : str
        Python that is run before, in that process: a fault that is planted.
    hangs : float
        Seconds without an action after which it is ended.
    """
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made).resolve()
        (folder / "script").write_text(json.dumps(script), "utf-8")
        command = [sys.executable, "-m", "tests.monkey.play", str(folder), str(folder / "script")]
        if prelude:
            (folder / "prelude.py").write_text(prelude + _THEN_PLAY, "utf-8")
            command[1:3] = [str(folder / "prelude.py")]
        own = {"QT_QPA_PLATFORM": "offscreen", "OPENBLAS_NUM_THREADS": "1", "HOME": made, "TMPDIR": made}
        own |= {
            "XDG_CONFIG_HOME": made,
            "XDG_DATA_HOME": made,
            "PYTHONPATH": str(ROOT),
            "PYTHONHASHSEED": "0",
            "PYTHONMALLOC": "malloc",  # so that the C library knows of all memory
        }
        start = time.monotonic()
        with (folder / "stderr").open("wb") as stderr:
            process = subprocess.Popen(
                command, cwd=folder, env={**os.environ, **own}, stdout=stderr, stderr=stderr
            )
        hung = _wait(process, folder / "log", hangs)
        outcome = _read(folder / "log", start)
        outcome.said = (folder / "stderr").read_text("utf-8", errors="replace")[-4000:]
        if hung:
            outcome.fault = f"hangs after {outcome.actions[-1:]}"
        elif not outcome.fault and process.returncode != 0:
            outcome.fault = f"the process ended with status {process.returncode}"
    return outcome


_THEN_PLAY = """
import json, os, sys
from pathlib import Path
from tests.monkey.play import play
os._exit(play(Path(sys.argv[1]).resolve(), json.loads(Path(sys.argv[2]).read_text("utf-8"))))
"""


def _wait(process: subprocess.Popen[bytes], log: Path, hangs: float) -> bool:
    """Wait for the end; end it, with the stack of all threads on stderr, when nothing is done any more."""
    size, since = -1, time.monotonic()
    while process.poll() is None:
        time.sleep(0.05)
        now = log.stat().st_size if log.exists() else 0
        if now != size:
            size, since = now, time.monotonic()
        elif time.monotonic() - since > hangs:
            process.send_signal(signal.SIGABRT)
            process.wait()
            return True
    return False


def _read(log: Path, start: float) -> Outcome:
    outcome = Outcome()
    for line in log.read_text("utf-8").splitlines() if log.exists() else ():
        noted = json.loads(line)
        if isinstance(noted, list):
            outcome.actions.append(noted)
        elif "memory" in noted:
            outcome.memory.append((noted["at"] - start, noted["memory"]))
            outcome.resident.append(noted["resident"])
        else:
            outcome.fault = noted["fault"]
    return outcome


def shrunk(found: Outcome, seconds: float, again: Callable[[Sequence[Action]], Outcome]) -> list[Action]:
    """Return fewer actions that lead to the same fault, as few as are found in that time.

    First the end of what was done, then, for as long as it helps, less and less of it: halves, quarters, ….
    """
    end = time.monotonic() + seconds

    def same(actions: Sequence[Action]) -> bool:
        return time.monotonic() < end and again(actions).kind == found.kind

    actions = found.actions
    for length in (10, 60, 400):
        if length < len(actions) and same(actions[-length:]):
            actions = actions[-length:]
            break
    parts = 2
    while parts <= len(actions) and time.monotonic() < end:
        size = -(-len(actions) // parts)
        for k in range(0, len(actions), size):
            less = actions[:k] + actions[k + size :]
            if less and same(less):
                actions, parts = less, max(2, parts - 1)
                break
        else:
            if size == 1:
                break
            parts = min(2 * parts, len(actions))
    return actions
