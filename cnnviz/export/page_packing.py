"""What a page holds, in few bytes: things that are alike are told by what they have in common.

Marks and places are mostly like others but for some numbers, ``step 1,415 of 70,796``: what is left of one
without its numbers is its *form*, kept once, and the numbers of all things of a form are columns, whose every
number is told by what it is more than the one before. Arrays are told by which cells differ from an array of
the same length before. Then deflate has little left to do. `resources/page/page.js` undoes it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import accumulate, pairwise, zip_longest
from math import isfinite
from typing import Any

import msgspec

_NUMBER = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+\.[0-9]{1,9}|[0-9]+")
# What stands in a form for a number in a text: with commas, with so many decimals, a whole one.
_COMMAS, _DECIMALS, _WHOLE = "\x01", "\x02", "\x03"
_NO_SIGNS = dict.fromkeys(map(ord, (_COMMAS, _DECIMALS, _WHOLE)))
_MOST = 10**12


class Forms:
    """Things by their forms; those of one form have numbers that follow one another.

    Parameters
    ----------
    things : Sequence
        Texts, numbers, and sequences of such.
    places : Sequence[tuple[int, int]], optional
        Where each thing was first seen: a layout, and a place. Those of one form that are seen in one place
        are kept apart, so that each of them follows that in the place before.

    Attributes
    ----------
    numbers : list[int]
        Of each thing, in the order in which they were given, its number.
    """

    def __init__(self, things: Sequence[Any], places: Sequence[tuple[int, int]] = ()) -> None:
        kinds: dict[Hashable, int] = {}
        seen: Counter[Hashable] = Counter()
        self._forms: list[Any] = []
        self._rows: list[list[list[int]]] = []
        self._found: list[tuple[int, int]] = []
        for thing, place in zip_longest(things, places):
            form, numbers = _taken_apart(thing)
            key: Hashable = msgspec.json.encode(form)
            if place is not None:
                seen[key, place] += 1
                key = key, place[0], seen[key, place]
            kind = kinds.setdefault(key, len(kinds))
            if kind == len(self._forms):
                self._forms.append(form)
                self._rows.append([])
            self._found.append((kind, len(self._rows[kind])))
            self._rows[kind].append(numbers)
        starts = [0, *accumulate(map(len, self._rows))]
        self.numbers = [starts[kind] + row for kind, row in self._found]

    def replace(self, k: int, thing: Any) -> None:
        """Put another thing of the same form in the place of one that was given."""
        kind, row = self._found[k]
        _, self._rows[kind][row] = _taken_apart(thing)

    def data(self) -> list[list[Any]]:
        """Return of each form: it, how many things have it, and its columns; of equal numbers one."""
        return [
            [form, len(rows), [_column(column) for column in zip(*rows, strict=True)]]
            for form, rows in zip(self._forms, self._rows, strict=True)
        ]


def in_order(things: Sequence[Any]) -> dict[str, list[Any]]:
    """Return things by their forms, and the number of each in the order in which they were given."""
    made = Forms(things)
    return {"forms": made.data(), "order": differences(made.numbers)}


def _taken_apart(thing: Any) -> tuple[Any, list[int]]:
    """Return a thing with nothing in place of its numbers, and these."""
    numbers: list[int] = []
    return _without_numbers(thing, numbers), numbers


def _without_numbers(thing: Any, numbers: list[int]) -> Any:
    if isinstance(thing, str):
        return _NUMBER.sub(lambda found: _number_in(found[0], numbers), thing.translate(_NO_SIGNS))
    if isinstance(thing, tuple | list):
        return [_without_numbers(part, numbers) for part in thing]
    hundredths = round(100 * thing) if isfinite(thing) else 0
    if hundredths / 100 != thing and isfinite(thing):
        return thing
    numbers.append(hundredths)
    return None


def _number_in(text: str, numbers: list[int]) -> str:
    """Take a number out of a text, unless something of how it is written would be lost."""
    whole, _, decimals = text.partition(".")
    number = int(text.replace(",", "").replace(".", ""))
    if "," in text:
        sign, again = _COMMAS, f"{number:,}"
    else:
        sign, again = (f"{_DECIMALS}{len(decimals)}" if decimals else _WHOLE), text
        again = f"{int(whole)}.{decimals}" if decimals else str(number)
    if again != text or number >= _MOST:
        return text
    numbers.append(number)
    return sign


def _column(numbers: Sequence[int]) -> int | list[int]:
    return numbers[0] if min(numbers) == max(numbers) else differences(numbers)


def differences(numbers: Sequence[int]) -> list[int]:
    """Return the first number, and of the others how far each is from the one before."""
    return [*numbers[:1], *(b - a for a, b in pairwise(numbers))]


def packed_frames(frames: Sequence[Sequence[int]]) -> dict[str, list[Any]]:
    """Return in which places of each frame its marks are others than before, and by how much.

    A frame that is longer or shorter is told by how much of its begin and end is the same, and by what is
    between.
    """
    gaps: list[list[int]] = []
    steps: list[list[int]] = []
    before: Sequence[int] = ()
    for frame in frames:
        if len(frame) == len(before):
            changed = [k for k, (a, b) in enumerate(zip(frame, before, strict=True)) if a != b]
            gaps.append(differences(changed))
            steps.append([frame[k] - before[k] for k in changed])
        else:
            shorter = min(len(frame), len(before))
            begin = _same(frame, before, shorter)
            end = _same(frame[::-1], before[::-1], shorter - begin)
            gaps.append([-1, begin, end])
            steps.append(differences(frame[begin : len(frame) - end]))
        before = frame
    return {"gaps": gaps, "steps": steps}


def _same(these: Sequence[int], those: Sequence[int], most: int) -> int:
    """Return how many numbers two sequences have in common at their beginning, up to so many."""
    return next((k for k in range(most) if these[k] != those[k]), most)


def packed_arrays(arrays: Sequence[Sequence[Hashable]]) -> list[list[Any]]:
    """Return each array whole, or how far before it one is, where it differs from that, and in what."""
    last: dict[int, int] = {}
    packed: list[list[Any]] = []
    for k, array in enumerate(arrays):
        before = last.get(len(array))
        last[len(array)] = k
        if before is not None:
            places = [j for j, (a, b) in enumerate(zip(array, arrays[before], strict=True)) if a != b]
            if 3 * len(places) < len(array):
                packed.append([k - before, differences(places), [array[j] for j in places]])
                continue
        packed.append([list(array)])
    return packed
