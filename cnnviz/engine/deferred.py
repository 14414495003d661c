"""Calls whose numbers are made when they are first asked for; all else of them is known from their shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from msgspec.structs import replace

from cnnviz.engine.layer import Array, Call, Outlined, Value


class _Arrays(Outlined):
    """What a call is given, or writes; an array is made when it is asked for.

    Parameters
    ----------
    outline : Mapping[str, Value]
        The same with zeros in its arrays.
    make : Callable
        Makes it.
    """

    def __init__(self, outline: Mapping[str, Value], make: Callable[[], Mapping[str, Value]]) -> None:
        self._outline, self._make = outline, make

    def __getitem__(self, name: str) -> Value:
        value = self._outline[name]
        return self._make()[name] if isinstance(value, np.ndarray) else value

    def __contains__(self, name: object) -> bool:
        return name in self._outline

    def __iter__(self) -> Iterator[str]:
        return iter(self._outline)

    def __len__(self) -> int:
        return len(self._outline)

    def like(self, name: str) -> Value:
        """Return what has an array's shape, or a size."""
        return self._outline[name]


def outline(call: Call) -> Call:
    """Return a call with zeros, which take no memory, in the place of its numbers."""
    given, writes, before = map(_without_numbers, (call.given, call.writes, call.before))
    return replace(call, given=given, writes=writes, before=before)


def _without_numbers(arrays: Mapping[str, Value]) -> dict[str, Value]:
    return {
        name: np.broadcast_to(np.zeros((), value.dtype), value.shape)
        if isinstance(value, np.ndarray)
        else value
        for name, value in arrays.items()
    }


def deferred(outlines: Sequence[Call], make: Callable[[], Sequence[Call]]) -> list[Call]:
    """Return calls, all of which are made when an array of one is first asked for.

    Parameters
    ----------
    outlines : Sequence[Call]
        What is known of them.
    """
    kept: list[Sequence[Call]] = []

    def made(k: int) -> Call:
        if not kept:
            kept.append(make())
        return kept[0][k]

    return [_deferred(one, partial(made, k)) for k, one in enumerate(outlines)]


def _deferred(of: Call, make: Callable[[], Call]) -> Call:
    def linear(given: Mapping[str, Value]) -> Mapping[str, Array]:
        found = make().linear
        assert found is not None
        return found(given)

    return replace(
        of,
        outline=of,
        given=_Arrays(of.given, lambda: make().given),
        writes=_Arrays(of.writes, lambda: make().writes),
        before=_Arrays(of.before, lambda: make().before) if of.before else of.before,
        linear=linear if of.linear else None,
        extremes=lambda: make().extremes(),
    )
