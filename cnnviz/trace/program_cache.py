"""What stays the same from step to step is computed once, and forgotten when another program is shown.

An entry holds on to the arrays of its program. Were entries only pushed out by newer ones, hundreds of
iterations would stay in memory, each as large as all maps and gradients of its network.

What depends on no number is the same for all programs with one signature: it outlives them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar, cast

_Function = TypeVar("_Function", bound=Callable[..., Any])

_MISSING = object()
_clearers: list[Callable[[], None]] = []
_lasting: list[dict[tuple[Any, ...], Any]] = []


def program_cache(most: int) -> Callable[[_Function], _Function]:
    """Keep results of a function of a program, an operation or their marks, at most `most`.

    For what depends on no program, `functools.lru_cache` does; for what does not depend on its numbers,
    `lasting_cache`.
    """

    def decorate(function: _Function) -> _Function:
        cached = lru_cache(maxsize=most)(function)
        _clearers.append(cached.cache_clear)
        return cast(_Function, cached)

    return decorate


def lasting_cache(most: int) -> Callable[[_Function], _Function]:
    """Keep results of a function that depends on no number of a program, an operation: at most `most`.

    They must hold on to neither of these: only the signatures of what it was asked about are kept. What has
    None for its signature is not to be told from others of its kind: its results go with the program.
    """

    def decorate(function: _Function) -> _Function:
        kept: dict[tuple[Any, ...], Any] = {}
        passing = program_cache(most)(function)

        @wraps(function)
        def found(*asked: Any) -> Any:
            key = tuple([getattr(one, "signature", one) for one in asked])
            if any(one is None and given is not None for one, given in zip(key, asked, strict=True)):
                return passing(*asked)
            result = kept.get(key, _MISSING)
            if result is _MISSING:
                result = kept[key] = function(*asked)
                if len(kept) > most:  # what is looked for in another thread may just have taken it away
                    kept.pop(next(iter(kept)), None)
            return result

        _lasting.append(kept)
        return cast(_Function, found)

    return decorate


def clear_lasting_caches() -> None:
    """Let go of what would outlive the programs."""
    for kept in _lasting:
        kept.clear()


def clear_program_caches() -> None:
    """Let go of all results that belong to the programs shown so far."""
    for clear in _clearers:
        clear()
