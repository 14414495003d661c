"""All painting needs an application."""

import pytest


@pytest.fixture(autouse=True)
def application(qapp) -> None:
    """Qt is there."""
