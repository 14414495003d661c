"""All painting needs an application."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cnnviz.render import cache


@pytest.fixture(autouse=True)
def application(qapp) -> None:
    """Qt is there."""


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """Each test begins and ends with no kept pictures."""
    cache.clear()
    yield
    cache.clear()
