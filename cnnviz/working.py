"""Work that takes long says how far it is; who listens may have it stop."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

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


def each(what: str, items: Collection[Item]) -> Iterator[Item]:
    """Go through what is to be done, and say before each of it how far that is."""
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
