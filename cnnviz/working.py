"""Work that takes long says how far it is, and how long it will take; who listens may have it stop."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import TypeVar

from cnnviz.text import tr

Item = TypeVar("Item")
Listener = Callable[[str, int, int], None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


class StoppedError(BaseException):
    """Somebody wants the work to stop; what is damaged or does not fit is another matter."""


def tell(what: str, done: int, count: int) -> None:
    """Say to whoever listens what is being done, and how much of it.

    Raises
    ------
    StoppedError
        If the work is to stop.
    """
    listener = _listener.get()
    if listener is not None:
        listener(what, done, count)


def each(what: str, items: Collection[Item]) -> Iterable[Item]:
    """Return what is to be done; where somebody listens, how far that is is said before each of it."""
    return items if _listener.get() is None else _told(what, items)


def _told(what: str, items: Collection[Item]) -> Iterator[Item]:
    for done, item in enumerate(items):
        tell(what, done, len(items))
        yield item


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Have someone listen to what is done meanwhile, in this thread."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


class Pace:
    """How fast work gets on: told how much is done, it says how much time is left."""

    def __init__(self) -> None:
        self._begun: tuple[float, int] | None = None

    def left(self, done: int, count: int) -> str:
        """Return it in words with a comma before them; empty as long as nothing is known.

        What was done when it was first asked, from an earlier time perhaps, tells nothing.
        """
        now = monotonic()
        if self._begun is None:
            self._begun = now, done
        begun, before = self._begun
        if done in (before, count):
            return ""
        return tr(", about {time} left", time=time_said((count - done) * (now - begun) / (done - before)))


def size_said(size: float) -> str:
    """Say how large a file is, as roughly as it is known beforehand."""
    factor, unit = next(
        ((factor, unit) for factor, unit in ((1e9, "GB"), (1e6, "MB")) if size >= factor), (1e3, "kB")
    )
    return f"{_rough(size / factor)} {unit}"


def time_said(seconds: float) -> str:
    """Say how long something takes, as roughly as it is known beforehand."""
    if seconds < 1.5:
        return tr("1 s")
    for factor, unit in ((60, tr("s")), (60, tr("min"))):
        if seconds < 1.5 * factor:
            return f"{_rough(seconds)} {unit}"
        seconds /= factor
    return f"{_rough(seconds)} {tr('h')}"


def _rough(value: float) -> str:
    """Write a number with two digits."""
    return f"{value:.1f}" if value < 9.95 else f"{float(f'{value:.2g}'):,.0f}"
