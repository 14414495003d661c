"""Links to files, for which Windows asks for a right of its own."""

from pathlib import Path

import pytest


def link(at: Path, to: Path | str) -> None:
    """Make a link, or skip the test where that is not allowed."""
    try:
        at.symlink_to(to)
    except (OSError, NotImplementedError) as error:
        pytest.skip(f"no link can be made here ({error})")
