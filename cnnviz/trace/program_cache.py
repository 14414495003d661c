"""What stays the same from step to step is computed once, and forgotten when another program is shown.

An entry holds on to the arrays of its program. Were entries only pushed out by newer ones, hundreds of
iterations would stay in memory, each as large as all maps and gradients of its network.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar, cast

_Function = TypeVar("_Function", bound=Callable[..., Any])

_clearers: list[Callable[[], None]] = []


def program_cache(most: int) -> Callable[[_Function], _Function]:
    """Keep results of a function of a program, an operation or their marks, at most `most`.

    For what depends on no program, `functools.lru_cache` does.
    """

    def decorate(function: _Function) -> _Function:
        cached = lru_cache(maxsize=most)(function)
        _clearers.append(cached.cache_clear)
        return cast(_Function, cached)

    return decorate


def clear_program_caches() -> None:
    """Let go of all results that belong to the programs shown so far."""
    for clear in _clearers:
        clear()
