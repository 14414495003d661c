"""Set before Qt and NumPy are loaded: tests need no screen, and one thread for BLAS, as the program has."""

import os

# CNNVIZ_TEST_PLATFORM=xcb runs the same tests on a real display.
os.environ["QT_QPA_PLATFORM"] = os.environ.get("CNNVIZ_TEST_PLATFORM", "offscreen")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
