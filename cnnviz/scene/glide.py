"""What lies between two steps: outlines, arrows and points on their way from one place to the next.

A pure function of the two pictures and of how far the way is. Only what differs in nothing but its place
glides, and only over the same maps; numbers, colours and words are the later step's from the first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

from msgspec.structs import replace

from cnnviz.scene.marks import Box, Cells, Dot, Frame, Mark, Path, Rect, flat


def glide(before: Frame, after: Frame, way: float) -> Frame:
    """Return the later of two pictures, with what glides still on its way; itself, if nothing does.

    Parameters
    ----------
    before, after : Frame
        The pictures of two steps. Of different sizes or other maps, they have nothing in common.
    way : float
        How much of the way lies behind: 0 at the earlier step's place, 1 at the later one's.
    """
    if way >= 1 or _shown(before) != _shown(after):
        return after
    starts = _by_form(before.marks)
    moved: dict[int, Mark] = {}
    for form, numbers in _by_form(after.marks).items():
        if len(starts.get(form, ())) != len(numbers):  # which of them came from where is not known
            continue
        for k, number in zip(starts[form], numbers, strict=True):
            start, end = before.marks[k], after.marks[number]
            if _place(start) != _place(end):
                moved[number] = _between(start, end, way)
    if not moved:
        return after
    return Frame(after.width, after.height, tuple(moved.get(k, mark) for k, mark in enumerate(after.marks)))


def _shown(frame: Frame) -> tuple[object, ...]:
    """Return the size of a picture, and which part of which array stands where in it."""
    grids = [mark for mark in flat(frame.marks) if isinstance(mark, Cells) and mark.array]
    places = {(grid.array, grid.prefix, grid.origin, grid.box) for grid in grids}
    return frame.width, frame.height, places


def _by_form(marks: Sequence[Mark]) -> dict[Hashable, list[int]]:
    """Return the numbers of all marks that can glide, by all that they are but their place."""
    found: dict[Hashable, list[int]] = defaultdict(list)
    for k, mark in enumerate(marks):
        if isinstance(mark, Rect) and mark.stroke and not mark.fill and not mark.hatched:
            found[Rect, mark.stroke, mark.radius > 0, mark.width, mark.dashed].append(k)
        elif isinstance(mark, Path) and not mark.filled:
            found[Path, len(mark.points), mark.role, mark.width, mark.arrow, mark.dashed].append(k)
        elif isinstance(mark, Dot):
            found[Dot, mark.role, mark.radius].append(k)
    return found


def _place(mark: Mark) -> object:
    match mark:
        case Rect():
            return mark.box
        case Path():
            return mark.points
        case Dot():
            return mark.center
    raise TypeError(mark)


def _between(start: Mark, end: Mark, way: float) -> Mark:
    match start, end:
        case Rect(), Rect():
            box = Box(*(_part(one, two, way) for one, two in zip(start.box, end.box, strict=True)))
            return replace(end, box=box, radius=_part(start.radius, end.radius, way))
        case Path(), Path():
            pairs = zip(start.points, end.points, strict=True)
            return replace(
                end, points=tuple((_part(a, c, way), _part(b, d, way)) for (a, b), (c, d) in pairs)
            )
        case Dot(), Dot():
            (a, b), (c, d) = start.center, end.center
            return replace(end, center=(_part(a, c, way), _part(b, d, way)))
    raise TypeError((start, end))


def _part(start: float, end: float, way: float) -> float:
    return start + (end - start) * way
