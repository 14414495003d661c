"""Set before Qt is imported: tests need no screen."""

import os

# CNNVIZ_TEST_PLATFORM=xcb runs the same tests on a real display.
os.environ["QT_QPA_PLATFORM"] = os.environ.get("CNNVIZ_TEST_PLATFORM", "offscreen")
