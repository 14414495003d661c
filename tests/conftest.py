"""Set before Qt and NumPy are loaded: tests need no screen, and one thread for BLAS, as the program has."""

import os

import pytest

# CNNVIZ_TEST_PLATFORM=xcb runs the same tests on a real display.
os.environ["QT_QPA_PLATFORM"] = os.environ.get("CNNVIZ_TEST_PLATFORM", "offscreen")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def qapp_cls():
    """Let the application of all tests be the program's own."""
    from cnnviz.ui.launch import Application

    return Application
