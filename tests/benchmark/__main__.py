"""Print the table, or the parts of it that are named: ``python -m tests.benchmark network stepping``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module

import numpy  # noqa: F401 - so that its BLAS is loaded when the threads are limited
from threadpoolctl import threadpool_limits

from tests.benchmark.machine import matplotlib_ms, memcpy_ms
from tests.benchmark.table import Row, print_rows

PARTS = ("painting", "large", "opening", "network", "export", "stepping", "states", "tracing")
"""Each is a module here with a function `rows()`."""


def rows(parts: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of some parts."""
    for name in parts:
        yield from import_module(f"{__package__}.{name}").rows()


def main(parts: Sequence[str]) -> None:
    """Print what the machine needs for a frame, then the table."""
    memcpy, drawn = memcpy_ms(), matplotlib_ms()
    print(f"This machine copies a frame of 1920 × 1080 in {memcpy:.2f} ms.")
    if drawn is None:
        print("matplotlib, which is to be compared with, is not installed: pip install 'cnnviz[bench]'.")
    else:
        print(f"matplotlib draws such a frame in {drawn:.0f} ms.")
    print_rows(rows(parts), memcpy)
    print("How long the test suite takes is told by make test.")


if __name__ == "__main__":
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.setdefault(
        "QT_LOGGING_RULES", "default.warning=false"
    )  # that offscreen no size can be hinted at
    with threadpool_limits(1):
        main(sys.argv[1:] or PARTS)
