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


def test_the_window_has_its_own_style_whatever_the_desktop_has():
    code = """
import cnnviz.app
cnnviz.app._import_qt()
from cnnviz.ui.launch import application_of_cnnviz
print(application_of_cnnviz().style().objectName())
"""
    assert said_by(code, QT_QPA_PLATFORM="offscreen", QT_STYLE_OVERRIDE="windows") == "fusion"


def test_help_is_shown_without_numpy_and_qt():
    code = """
import sys
from cnnviz.app import main
main(["--help"])
print(sorted({"numpy", "msgspec", "PySide6"} & set(sys.modules)))
"""
    assert said_by(code).splitlines()[-1] == "[]"


def test_opening_the_window_loads_nothing_that_is_wanted_later(tmp_path):
    """Processes for an export, plots of a training, typesetting of typed expressions, the palette, Pillow."""
    code = """
import sys
import cnnviz.app
from PySide6.QtCore import QCoreApplication, QTimer
opened = []
def painted():
    opened.append(True)
    QTimer.singleShot(0, QCoreApplication.quit)
cnnviz.app.open_window("training", painted)
later = {"multiprocessing", "concurrent.futures", "pyqtgraph", "ziamath", "tqdm", "PIL", "cnnviz.ui.palette"}
print(opened, sorted(later & set(sys.modules)))
"""
    settings = {"QT_QPA_PLATFORM": "offscreen", "CNNVIZ_SETTINGS": str(tmp_path / "settings.ini")}
    assert said_by(code, **settings) == "[True] []"
