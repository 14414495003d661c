"""Lets a monkey play for as long as one likes: ``python -m tests.monkey SECONDS [--seed N]``.

What it finds is made short and kept in build/monkey; ``python -m tests.monkey --again FILE`` does it again.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path

from tests.monkey.watch import ROOT, Outcome, played, shrunk

FOLDER = ROOT / "build" / "monkey"
MOST_GROWTH = 1.0
"""MB a minute that the memory may grow by after the first two minutes."""
SHRINKING = 120.0


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make monkey")
    parser.add_argument("seconds", nargs="?", type=float, default=60)
    parser.add_argument("--seed", type=int, help="what it does follows from it, but for how fast it is done")
    parser.add_argument("--again", type=Path, help="a file of actions, to be done again")
    given = parser.parse_args(words)
    if given.again:
        outcome = played({"actions": json.loads(given.again.read_text("utf-8"))})
        print(outcome.fault or "Nothing is wrong.", outcome.said, sep="\n")
        return 1 if outcome.fault else 0
    seed = random.SystemRandom().randrange(10**9) if given.seed is None else given.seed
    return go_on(given.seconds, seed)


def go_on(seconds: float, seed: int) -> int:
    """Play until the time is over, with another seed after each fault; return the exit status."""
    end, faults = time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 0:
        print(f"A monkey plays for {left:.0f} s, seed {seed} …", flush=True)
        outcome = played({"seed": seed, "seconds": left})
        faults += tell(outcome, seed)
        seed += 1
    print(f"{faults} faults.")
    return 1 if faults else 0


def tell(outcome: Outcome, seed: int) -> int:
    """Say how it went, and what is wrong, made short; return how many faults there are."""
    sizes = [round(size / 2**20) for _, size in outcome.memory]
    resident = [round(size / 2**20) for size in outcome.resident]
    print(f"{len(outcome.actions):,} actions; memory held when all is closed, in MB: {sizes}", flush=True)
    print(f"resident, with what lies unused in between: {resident}", flush=True)
    growth, faults = outcome.growth(), 0
    if growth is not None:
        print(f"memory grows by {growth:.2f} MB a minute after the first two minutes", flush=True)
        faults += growth > MOST_GROWTH
    if outcome.fault:
        print(outcome.said, f"seed {seed}: {outcome.fault}", "making it short …", sep="\n", flush=True)
        actions = shrunk(outcome, SHRINKING, lambda actions: played({"actions": list(actions)}))
        FOLDER.mkdir(parents=True, exist_ok=True)
        file = FOLDER / f"{seed}.json"
        file.write_text(json.dumps(actions), "utf-8")
        print(f"{len(actions)} actions: {json.dumps(actions)[:600]}", f"kept in {file}", sep="\n", flush=True)
    return faults + bool(outcome.fault)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
