"""The time of a lecture."""

from __future__ import annotations

import time


class Elapsed:
    """How long a lecture has been going on: from its first step, or from when it was set to zero."""

    def __init__(self) -> None:
        self._begun: float | None = None

    @property
    def seconds(self) -> float:
        """So many; 0 before the first step."""
        return 0.0 if self._begun is None else time.monotonic() - self._begun

    @property
    def runs(self) -> bool:
        """Whether there has been a first step."""
        return self._begun is not None

    def begin(self) -> None:
        """Count from here."""
        self._begun = time.monotonic()

    def wait(self) -> None:
        """Count from the next first step."""
        self._begun = None
