"""Run all parts of the benchmark, or those named: ``python -m tests.benchmark network stepping``."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

import numpy  # noqa: F401 - so that its BLAS is loaded when the threads are limited
from threadpoolctl import threadpool_limits

# Each is a module here with a function `main()`, which prints its table.
PARTS = ["network", "stepping", "states", "changing", "tracing", "painting", "opening"]


def main(names: list[str]) -> None:
    for name in names or PARTS:
        if find_spec(f"{__package__}.{name}"):
            import_module(f"{__package__}.{name}").main()


if __name__ == "__main__":
    with threadpool_limits(1):
        main(sys.argv[1:])
