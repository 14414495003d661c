"""How the program starts, each time in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys


def said_by(code: str, **variables: str) -> str:
    """What a fresh Python prints, which has none of our variables set."""
    environment = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip()


THREADS = """
import cnnviz.app, numpy, threadpoolctl
print(sorted({pool["num_threads"] for pool in threadpoolctl.threadpool_info()}))
"""


def test_the_program_has_one_thread_for_blas():
    assert said_by(THREADS) == "[1]"


def test_who_asks_for_more_threads_gets_them():
    assert said_by(THREADS, OPENBLAS_NUM_THREADS="2", OMP_NUM_THREADS="2", MKL_NUM_THREADS="2") == "[2]"


def test_no_source_is_read_to_see_who_wants_features_of_pyside():
    code = """
import cnnviz.app, linecache, sys
cnnviz.app._import_qt()
import cnnviz.ui.launch
print(any(name.endswith("window.py") for name in linecache.cache))
"""
    assert said_by(code) == "False"
