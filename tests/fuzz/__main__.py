"""Damages files for as long as one likes: ``python -m tests.fuzz SECONDS [KIND …]``.

A file that the program falls over is kept in build/fuzz, as it was and as short as it can be made; its seed
is printed, and ``python -m tests.fuzz --seed N KIND`` opens it again.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.kinds import KINDS
from tests.fuzz.trial import content_of, fault_of, shrunk

FOLDER = Path(__file__).resolve().parents[2] / "build" / "fuzz"
LONGEST, MOST_MEMORY = 10, 2 * 2**30
"""Nothing takes longer to be opened, in seconds, nor more memory."""


def main(words):
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("seconds", nargs="?", type=float, default=60)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--seed", type=int, help="the one file of this seed")
    given = parser.parse_args(words)
    kinds = [KINDS[name] for name in given.kinds or KINDS]
    limit()
    with tempfile.TemporaryDirectory() as folder:
        if given.seed is not None:
            return sum(tried(kind, given.seed, set(), Path(folder)) for kind in kinds)
        return go_on(kinds, given.seconds, Path(folder))


def go_on(kinds, seconds, folder):
    """Open files until the time is over; return the exit status."""
    first = random.SystemRandom().randrange(10**9)
    print(f"Damaging files for {seconds:g} s, from seed {first} on …", flush=True)
    end, seed, faults = time.monotonic() + seconds, first, 0
    seen: set[tuple[str, str]] = set()
    while time.monotonic() < end:
        for kind in kinds:
            faults += tried(kind, seed, seen, folder)
        seed += 1
    print(f"{seed - first} files of each kind ({', '.join(kind.name for kind in kinds)}); {faults} faults.")
    return 1 if faults else 0


def limit():
    """Have too much memory, or too much time, be an exception."""
    if os.name == "posix":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        signal.signal(signal.SIGALRM, _too_long)


class _TooLongError(BaseException):
    """Nothing in the program takes this for a fault of a file."""


def _too_long(*_):
    raise _TooLongError


def tried(kind, seed, seen, folder):
    """Open one file; say and keep what is wrong, if that is new, and return whether there is."""
    content = content_of(kind, seed)
    fault = _timed(kind, content, folder)
    if not fault or (kind.name, fault) in seen:
        return 0
    seen.add((kind.name, fault))
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{kind.name}-{seed}").write_bytes(content)
    small = content if "longer than" in fault else shrunk(kind, content, fault, folder, look=True)
    (FOLDER / f"{kind.name}-{seed}-small").write_bytes(small)
    print(f"{kind.name}, seed {seed}: {fault}; {len(small)} bytes: {small[:300]!r}", flush=True)
    return 1


def _timed(kind, content, folder):
    if hasattr(signal, "alarm"):
        signal.alarm(LONGEST)
    try:
        return fault_of(kind, content, folder, look=True)
    except _TooLongError:
        return f"it took longer than {LONGEST} s"
    finally:
        if hasattr(signal, "alarm"):
            signal.alarm(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
