"""Disks that are nearly full."""

from contextlib import contextmanager

import pytest


@contextmanager
def no_file_beyond(size):
    """Have no file grow beyond a size, as a quota would."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
