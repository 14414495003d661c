"""Layouts: a picture names its parts and at most three ways to arrange them, and gets a place for each.

Sizes are given in cells and in lines of text. Of the arrangements that fit, the one is taken in which the
smallest text is largest. Where even that would be hard to read, long arrays are cut to a page: first to a
large one, then to smaller ones. What room is left, the grids take. All follows from shapes and from how wide
numbers can get, so that nothing moves from one step to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from cnnviz.scene.marks import Box, nearest_pixel, whole_pixels
from cnnviz.scene.measure import LINE, width
from cnnviz.text import tr

SMALLEST = 9.0
"""Text is never made smaller than this many pixels."""

STRONG, USUAL, THIN = 0.24, 0.18, 0.12
"""How thick outlines and lines are, in parts of the size of the text around them."""

_PAGES = (0, 12, 9, 7, 6, 5, 3)  # how many cells of a row or a column are shown at once, at most; first all
_AROUND = 0.4  # beside a number in its cell, in parts of its size
_HIGH = 1.7  # the height of a cell, in the same
_GAP = 0.35  # between a heading and its grid, in lines of text
_SCALE = 2.1  # the height of a scale with the air over it
_STACK = 0.6  # how far the channels behind a grid are shifted
_LARGEST_CELL, _LARGEST_NUMBER = 7.0, 1.6
_LARGEST_ALONE, _WIDEST_ALONE = 10.0, 2.4  # the same of little arrays that would else leave the room empty
_NARROW, _LOW = 0.8, 0.6  # of its width and height, what they would take up
_LARGE_ENOUGH = 1.25  # beyond this, in parts of the text around them, numbers do not ask for room
_WIDEST, _WIDEST_FORM, _WIDEST_COLUMN = 1.6, 1.45, 3.4  # cells, in parts of their height
_LEAST_MAP, _MOST_MAP = 4.5, 40.0
_MOST_FIGURE, _LARGEST_OF_FIGURE = 200.0, 1.75
_SPREAD = 2.5  # how much wider gaps may get where there is room


class Room(NamedTuple):
    """What a picture has.

    Attributes
    ----------
    box : Box
        Where.
    em : float
        The size of the text around its grids, in pixels.
    least : float
        The size that its numbers should have at least.
    """

    box: Box
    em: float
    least: float


class Grid(NamedTuple):
    """A grid of numbers under its heading.

    Attributes
    ----------
    name : str
        Under which its place is found.
    rows, columns : int
        Of cells.
    figures : float
        How wide the widest of its numbers is, in parts of its size.
    head : tuple[float, float]
        How wide the heading is in one line, and in two; in parts of the text's size.
    aside : float
        The room that is wanted left of it, for indices or names.
    behind : int
        How many channels stand behind it.
    scale : float
        The width of its scale; 0 without one.
    weight : float
        Its importance: how large its numbers are beside those of others.
    cut : str
        How one that is too large is cut: ``""``, never; ``page``, to a part of it beside the whole;
        ``row``, ``column`` or ``both`` ways, to a part of it alone.
    focus : tuple[int, int]
        How many rows and columns should be seen together.
    form : bool
        Whether it is a picture, and keeps its form.
    page_first : bool
        Whether its page stands before the whole: a way that leads into it crosses nothing then.
    largest : float
        How large its cells may get, in lines of text.
    widest : float
        How wide they may get, in parts of their height.
    """

    name: str
    rows: int
    columns: int
    figures: float
    head: tuple[float, float] = (0.0, 0.0)
    aside: float = 0.0
    behind: int = 0
    scale: float = 0.0
    weight: float = 1.0
    cut: str = ""
    focus: tuple[int, int] = (1, 1)
    form: bool = False
    page_first: bool = False
    largest: float = _LARGEST_CELL
    widest: float = _WIDEST


class Map(NamedTuple):
    """All of a large array, as a heatmap, over what is said of its page."""

    name: str
    rows: int
    columns: int
    head: tuple[float, float] = (0.0, 0.0)
    behind: int = 0
    scale: float = 0.0
    said: tuple[float, int] = (0.0, 0)  # how wide, in how many lines


class Sign(NamedTuple):
    """A sign between two parts."""

    text: str


class Area(NamedTuple):
    """Room for what is no grid: a curve, bars, lines of words; least and most size in lines of text."""

    name: str
    least: tuple[float, float]
    most: tuple[float, float]
    head: tuple[float, float] = (0.0, 0.0)


class Figure(NamedTuple):
    """A drawing that is as large as its numbers, as a graph is: its size in parts of theirs."""

    name: str
    wide: float
    high: float


class Row(NamedTuple):
    """Parts beside one another.

    Attributes
    ----------
    alike : bool
        Whether the cells of its grids have one size.
    middle : bool
        Whether their middles are level, and not their first rows.
    """

    parts: tuple[Part, ...]
    gap: float = 1.6
    alike: bool = False
    middle: bool = False


class Column(NamedTuple):
    """Parts under one another; `alike` as in a row."""

    parts: tuple[Part, ...]
    gap: float = 0.8
    alike: bool = False


Part = Grid | Map | Sign | Area | Figure | Row | Column


def row(*parts: Part, gap: float = 1.6, alike: bool = False, middle: bool = False) -> Row:
    """Return parts beside one another."""
    return Row(parts, gap, alike, middle)


def column(*parts: Part, gap: float = 0.8, alike: bool = False) -> Column:
    """Return parts under one another."""
    return Column(parts, gap, alike)


class Place(NamedTuple):
    """Where a part stands.

    Attributes
    ----------
    box : Box
        The cells, or the area.
    head : Box
        The room over it: for the heading, and for the channels behind.
    lines : int
        In how many lines the heading stands.
    size : float
        Of the numbers; 0 where they could not be read.
    rows, columns : int
        How many cells are shown.
    shift : float
        How far the channels behind a grid are shifted against each other.
    behind : int
        How many there are.
    figures : float
        How wide the widest number is, in parts of its size.
    text : str
        Of a sign.
    """

    box: Box
    head: Box
    lines: int = 1
    size: float = 0.0
    rows: int = 0
    columns: int = 0
    shift: float = 0.0
    behind: int = 0
    figures: float = 0.0
    text: str = ""

    @property
    def shift_up(self) -> float:
        """How far the channels behind reach over the cells."""
        return self.shift * self.behind


class Layout(NamedTuple):
    """A solved picture: the size of the text around its grids, and the place of each part by its name.

    Attributes
    ----------
    smallest : float
        The size of its smallest number or text.
    """

    em: float
    places: Mapping[str, Place]
    smallest: float


# ------------------------------------------------------------------------------------------------ solving


@lru_cache(maxsize=128)  # the stage and the presenter have one each for an operation
def solve(arrangements: tuple[Part, ...], room: Room) -> Layout | None:
    """Return the arrangement with the largest smallest text, laid out; None where nothing can be read."""
    em = room.em
    while em >= SMALLEST:
        best = _best(arrangements, room.box, em, max(SMALLEST + 0.5, room.least * em / room.em))
        if best is not None and (best[0] >= SMALLEST or em * 0.86 < SMALLEST):
            return _laid(best[1], room.box, em, best[0])
        em *= 0.86
    best = _best(arrangements, room.box, SMALLEST, SMALLEST)
    return None if best is None else _laid(best[1], room.box, SMALLEST, best[0])


def fitting(arrangements: Iterable[Part], room: Room) -> Iterator[Layout]:
    """Yield, in their order, the arrangements that have room without smaller text."""
    for part in arrangements:
        layout = solve((part,), room)
        if layout is not None and layout.em == room.em:
            yield layout


def _best(arrangements: Sequence[Part], box: Box, em: float, wanted: float) -> tuple[float, Part] | None:
    """Return the size of the numbers and the arrangement in which they are largest, whole if it can be."""
    best: tuple[float, Part] | None = None
    tried: set[Part] = set()
    for most in _PAGES:
        for part in (way for arranged in arrangements for way in _cut(arranged, most)):
            if part in tried:
                continue
            tried.add(part)
            size = _largest(part, box, em)
            if size and (best is None or size > best[0] + 0.5):
                best = size, part
        if best is not None and best[0] >= wanted - 0.3:
            break
    return best


def _cut(part: Part, most: int) -> Iterator[Part]:
    """Yield a part with its grids cut to a page of so many cells a side: beside the whole, and under it."""
    if not most:
        yield part
        return
    for under in (False, True):
        yield _cut_to(part, most, under)


def page_said(rows: tuple[int, int], columns: tuple[int, int], under: bool) -> tuple[str, ...]:
    """Say which part of an array a page is: in one line over a page that is as wide, else in two."""
    said = (
        tr("rows {first}…{last}", first=rows[0], last=rows[1]),
        tr("columns {first}…{last}", first=columns[0], last=columns[1]),
    )
    return (", ".join(said),) if under else said


def _said(rows: int, columns: int, under: bool) -> tuple[float, int]:
    lines = page_said((rows, rows), (columns, columns), under)
    return (min(11.0, width(lines[0])), 1) if under else (7.5, 2)  # a little smaller, if there are hundreds


def _cut_to(part: Part, most: int, under: bool) -> Part:
    if isinstance(part, Row | Column):
        return part._replace(parts=tuple(_cut_to(inner, most, under) for inner in part.parts))
    if not isinstance(part, Grid) or not part.cut:
        return part
    if part.cut == "row":
        return part._replace(columns=min(part.columns, max(most, 4)))
    if part.cut == "column":
        return part._replace(rows=min(part.rows, max(most, 4)))
    if part.cut == "both":
        return part._replace(rows=min(part.rows, most + 1), columns=min(part.columns, most + 1))
    rows, columns = (
        min(size, max(most, focus if focus <= 9 else 1))
        for size, focus in zip((part.rows, part.columns), part.focus, strict=True)
    )
    if (rows, columns) == (part.rows, part.columns):
        return part
    none = (0.0, 0.0)
    first = part.page_first  # the heading stands over what comes first
    whole = Map(
        f"{part.name}.whole",
        part.rows,
        part.columns,
        none if first else part.head,
        part.behind,
        part.scale,
        _said(part.rows - 1, part.columns - 1, under),
    )
    head = part.head if first else none
    page = part._replace(rows=rows, columns=columns, head=head, behind=0, scale=0.0)
    both = (page, whole) if part.page_first else (whole, page)
    return Column(both) if under else Row(both, gap=1.0)


def _largest(part: Part, box: Box, em: float) -> float:
    """Return the largest size of numbers with which a part fits a box; 0 if there is none."""

    def fits(size: float) -> bool:
        wide, over, under = _least(part, size, em)
        return wide <= box.w and over + under <= box.h

    low, high = 0.0, _LARGE_ENOUGH * em
    if fits(high):
        return high
    while high - low > 0.3:
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


# ---------------------------------------------------------------------------------------- the least of a part


def _least(part: Part, size: float, em: float) -> tuple[float, float, float]:
    """Return the width that a part needs, and the heights over and under the top of its cells."""
    if isinstance(part, Grid):
        return _least_grid(part, size, em)
    if isinstance(part, Row):
        found = [_least(inner, size, em) for inner in part.parts]
        wide = sum(one[0] for one in found) + part.gap * em * _gaps(part)
        if part.middle:
            return wide, max(one[1] for one in found), max(one[2] for one in found)
        return wide, max(one[1] for one in found), max(one[2] for one in found)
    if isinstance(part, Column):
        found = [_least(inner, size, em) for inner in part.parts]
        below = sum(one[1] + one[2] for one in found[1:]) + part.gap * em * (len(found) - 1)
        return max(one[0] for one in found), found[0][1], found[0][2] + below
    if isinstance(part, Sign):
        return (1.2 if len(part.text) == 1 else width(part.text) + 0.6) * em, 0.0, 1.6 * em
    if isinstance(part, Area):
        over = (LINE + _GAP) * em if part.head[0] else 0.0
        return max(part.least[0], part.head[0]) * em, over, part.least[1] * em
    if isinstance(part, Figure):
        return part.wide * size, 0.0, part.high * size
    shift = _shift(part.behind, em) * part.behind
    wide, high = _form(part, _LEAST_MAP * em)
    lines = _lines(part.head, wide + shift, em)
    wide = max(wide + shift, (part.head[1] if lines == 2 else 0) * em, part.scale * em, part.said[0] * em)
    over = _over(part.head, lines, shift, em)
    return wide, over, high + _under(part, em)


def _gaps(part: Row) -> float:
    """Return how many gaps a row has: beside a sign, half a one."""
    pairs = zip(part.parts, part.parts[1:], strict=False)
    return sum(0.35 if isinstance(a, Sign) or isinstance(b, Sign) else 1.0 for a, b in pairs)


def _least_grid(part: Grid, size: float, em: float) -> tuple[float, float, float]:
    wide, high = _least_cell(part, size)
    shift = _shift(part.behind, em) * part.behind
    body = wide * part.columns
    lines = _lines(part.head, body + shift, em)
    heading = part.head[1] if lines == 2 else 0.0
    need = max(body + shift, part.scale * em, heading * em)
    return need + part.aside * em, _over(part.head, lines, shift, em), high * part.rows + _under(part, em)


def _least_cell(part: Grid, size: float) -> tuple[float, float]:
    size *= part.weight
    wide, high = (part.figures + _AROUND) * size, _HIGH * size
    if part.form:
        wide, high = max(wide, high), max(high, wide / _WIDEST_FORM)
    return wide, high


def _lines(head: tuple[float, float], room: float, em: float) -> int:
    """Return in how many lines a heading stands; it may reach a little into the gap beside its grid."""
    return 0 if not head[0] else 1 if head[0] * em <= room + 0.9 * em else 2


def _over(head: tuple[float, float], lines: int, shift: float, em: float) -> float:
    return (lines * LINE + (_GAP if lines else 0.0)) * em + shift


def _under(part: Grid | Map, em: float) -> float:
    said = part.said[1] * LINE * em if isinstance(part, Map) else 0.0
    return (_SCALE * em if part.scale else 0.0) + said


def _shift(behind: int, em: float) -> float:
    return float(nearest_pixel(_STACK * em)) if behind else 0.0


def _form(part: Map, most: float) -> tuple[float, float]:
    """Return the size of a heatmap whose longer side is this long."""
    ratio = _ratio(part)
    return (most, most / ratio) if ratio > 1 else (most * ratio, most)


def _ratio(part: Map) -> float:
    """Return how wide a heatmap is in parts of its height: of a very long one, thick enough to be seen."""
    return min(max(part.columns / part.rows, 1 / 3), 4.0)


# ----------------------------------------------------------------------------------------- the most of a part


def _most_wide(part: Part, high: float, size: float, em: float) -> float:
    """Return the width that a part can make use of at a height."""
    least, over, _ = _least(part, size, em)
    if isinstance(part, Grid):
        cell = min(part.largest * em, (high - over - _under(part, em)) / part.rows)
        beside = _shift(part.behind, em) * part.behind + part.aside * em
        return max(least, part.columns * min(_widest(part) * cell, _widest_of_all(part) * em) + beside)
    if isinstance(part, Row):
        most = sum(_most_wide(inner, high, size, em) for inner in part.parts)
        return most + part.gap * em * _gaps(part)
    if isinstance(part, Column):
        most = max(_most_wide(inner, high / len(part.parts), size, em) for inner in part.parts)
        return max(least, most)
    if isinstance(part, Area):
        return max(least, part.most[0] * em)
    if isinstance(part, Map):
        body = high - over - _under(part, em)
        return max(least, min(_MOST_MAP * em, body * _ratio(part)))
    return max(least, _MOST_FIGURE * em) if isinstance(part, Figure) else least


def _most_high(part: Part, wide: float, size: float, em: float) -> float:
    """Return the height that a part can make use of at a width."""
    _, over, under = _least(part, size, em)
    if isinstance(part, Grid):
        shift = _shift(part.behind, em) * part.behind
        cell = min(part.largest * em, (wide - part.aside * em - shift) / part.columns)
        return max(over + under, over + _under(part, em) + part.rows * cell)
    if isinstance(part, Row):
        return max(_most_high(inner, wide * share, size, em) for inner, share in _shares(part, size, em))
    if isinstance(part, Column):
        most = sum(_most_high(inner, wide, size, em) for inner in part.parts)
        return most + part.gap * em * (len(part.parts) - 1)
    if isinstance(part, Area):
        return max(over + under, over + part.most[1] * em)
    if isinstance(part, Map):
        body = min(_MOST_MAP * em, wide / _ratio(part))
        return max(over + under, over + _under(part, em) + body)
    return max(under, _MOST_FIGURE * em) if isinstance(part, Figure) else over + under


def _shares(part: Row, size: float, em: float) -> list[tuple[Part, float]]:
    wide = [_least(inner, size, em)[0] for inner in part.parts]
    return [(inner, one / sum(wide)) for inner, one in zip(part.parts, wide, strict=True)]


def _widest(part: Grid) -> float:
    """Return how wide the cells of a grid may be, in parts of their height."""
    if part.form:
        return _WIDEST_FORM
    usual = _WIDEST_COLUMN if part.columns == 1 else part.widest
    return max(usual, (part.figures + _AROUND) / _HIGH)


def _widest_of_all(part: Grid) -> float:
    """Return how wide its cells may be at any height, in lines of text."""
    return part.largest * (part.widest / _WIDEST if part.columns > 1 else 1.0)


# ------------------------------------------------------------------------------------------------- placing


def _laid(part: Part, box: Box, em: float, size: float) -> Layout:
    """Return a part laid out; with larger cells, where little arrays would leave the room empty."""
    laid = _laid_once(part, box, em, size)
    shown = [place.box for place in laid.places.values() if place.box.h > 3 * em]  # more than words
    if not shown:
        return laid
    right, bottom = max(inner.right for inner in shown), max(inner.bottom for inner in shown)
    top = min(place.head.y for place in laid.places.values())
    if right < box.x + _NARROW * box.w or bottom - top < _LOW * box.h:
        larger = _laid_once(_with_larger_cells(part), box, em, size)
        if all(larger.places[name].size >= place.size for name, place in laid.places.items()):
            return larger
    return laid


def _with_larger_cells(part: Part) -> Part:
    if isinstance(part, Row | Column):
        return part._replace(parts=tuple(map(_with_larger_cells, part.parts)))
    if not isinstance(part, Grid):
        return part
    # Two columns are nearly one.
    return part._replace(
        largest=_LARGEST_ALONE, widest=_WIDEST_COLUMN if part.columns == 2 else _WIDEST_ALONE
    )


def _laid_once(part: Part, box: Box, em: float, size: float) -> Layout:
    places: dict[str, Place] = {}
    _, over, under = _least(part, size, em)
    high = min(box.h, max(over + under, _most_high(part, box.w, size, em)))
    down = 0.35 * (box.h - high)
    _place(part, Box(box.x, box.y + down, box.w, high), over, size, em, places)
    sizes = [place.size for place in places.values() if place.rows or place.size]
    return Layout(em, places, min([em, *sizes]))


def _place(part: Part, box: Box, over: float, size: float, em: float, places: dict[str, Place]) -> None:
    """Give a part a box, of which so much lies over the top of its cells."""
    if isinstance(part, Row):
        _place_row(part, box, over, size, em, places)
    elif isinstance(part, Column):
        _place_column(part, box, over, size, em, places)
    elif isinstance(part, Grid):
        _place_grid(part, box, over, em, places)
    elif isinstance(part, Map):
        _place_map(part, box, over, em, places)
    elif isinstance(part, Sign):
        middle = Box(box.x, box.y + over, box.w, box.h - over)
        places[f"sign {len(places)}"] = Place(middle, middle.top(0), text=part.text, size=em)
    elif isinstance(part, Figure):
        fit = min(box.w / part.wide, (box.h - over) / part.high, _LARGEST_OF_FIGURE * em)
        places[part.name] = Place(box.below(over), box.top(over), size=fit)
    else:
        inner = box.below(over)
        places[part.name] = Place(
            Box(inner.x, inner.y, min(inner.w, max(part.most[0], part.least[0]) * em), inner.h),
            box.top(over),
            _lines(part.head, box.w, em),
        )


def _shared(room: float, least: list[float], most: list[float]) -> list[float]:
    """Share out what room there is beyond the least, by what each can make use of."""
    free = max(0.0, room - sum(least))
    wanted = [max(0.0, high - low) for low, high in zip(least, most, strict=True)]
    part = min(1.0, free / sum(wanted)) if sum(wanted) > 0 else 0.0
    return [low + part * more for low, more in zip(least, wanted, strict=True)]


def _place_row(part: Row, box: Box, over: float, size: float, em: float, places: dict[str, Place]) -> None:
    least = [_least(inner, size, em)[0] for inner in part.parts]
    most = [_most_wide(inner, box.h, size, em) for inner in part.parts]
    gaps = part.gap * em
    widths = _shared(box.w - gaps * _gaps(part), least, most)
    free = box.w - sum(widths) - gaps * _gaps(part)
    spread = min(_SPREAD * em, 0.6 * free / (_gaps(part) or 1.0)) if len(part.parts) > 1 else 0.0
    own: dict[str, Place] = {}
    x = box.x
    for k, (inner, wide) in enumerate(zip(part.parts, widths, strict=True)):
        _place(inner, Box(x, box.y, wide, box.h), over, size, em, own)
        following = part.parts[k + 1] if k + 1 < len(part.parts) else None
        half = isinstance(inner, Sign) or isinstance(following, Sign)
        x += wide + (gaps + spread) * (0.35 if half else 1.0)
    if part.alike:
        _make_alike(own, em)
        if all(isinstance(inner, Grid | Sign) for inner in part.parts):
            _close_up(own, box, least, gaps + spread)
    if part.middle:
        _level(own)
    grids = [place for place in own.values() if place.rows]
    _signs_to_the_middle(own, grids)
    for name, place in own.items():
        places[name if not name.startswith("sign ") else f"sign {len(places)}"] = place


def _make_alike(own: dict[str, Place], em: float) -> None:
    """Give grids cells of one size: the smallest."""
    grids = {name: place for name, place in own.items() if place.rows}
    if not grids:
        return
    wide = min(place.box.w / place.columns for place in grids.values())
    high = min(place.box.h / place.rows for place in grids.values())
    size = min(_number_size(place.figures, wide, high, em) for place in grids.values())
    for name, place in grids.items():
        box = Box(place.box.x, place.box.y, wide * place.columns, high * place.rows)
        own[name] = place._replace(box=box, size=size)


def _close_up(own: dict[str, Place], box: Box, least: list[float], gap: float) -> None:
    """Move the parts of a row together again, after some of them have become narrower."""
    x, order = box.x, list(own.items())
    for k, ((name, place), need) in enumerate(zip(order, least, strict=True)):
        left = place.head.x if place.rows else place.box.x
        own[name] = _moved(place, x - left, 0.0)
        following = order[k + 1][1] if k + 1 < len(order) else None
        half = bool(place.text) or (following is not None and bool(following.text))
        x += max(place.box.right - left + place.shift_up, need) + gap * (0.35 if half else 1.0)


def _moved(place: Place, dx: float, dy: float) -> Place:
    box, head = place.box, place.head
    return place._replace(
        box=box._replace(x=box.x + dx, y=box.y + dy), head=head._replace(x=head.x + dx, y=head.y + dy)
    )


def _level(own: dict[str, Place]) -> None:
    """Put the middles of grids level with that of the highest."""
    grids = {name: place for name, place in own.items() if place.rows}
    highest = max((place.box.h for place in grids.values()), default=0.0)
    for name, place in grids.items():
        own[name] = _moved(place, 0.0, nearest_pixel((highest - place.box.h) / 2))


def _signs_to_the_middle(own: dict[str, Place], grids: list[Place]) -> None:
    """Write each sign level with the middle of the lower of the two grids beside it."""
    order = list(own)
    for k, name in enumerate(order):
        place = own[name]
        if not place.text:
            continue
        beside = [own[order[n]] for n in (k - 1, k + 1) if 0 <= n < len(order) and own[order[n]].rows]
        if beside:
            middle = min(one.box.center[1] for one in beside)
            own[name] = place._replace(box=Box(place.box.x, middle - place.size, place.box.w, 2 * place.size))


def _place_column(
    part: Column, box: Box, over: float, size: float, em: float, places: dict[str, Place]
) -> None:
    found = [_least(inner, size, em) for inner in part.parts]
    overs = [one[1] for one in found]
    least = [one[1] + one[2] for one in found]
    least[0] += over - overs[0]
    overs[0] = over
    most = [_most_high(inner, box.w, size, em) for inner in part.parts]
    gaps = part.gap * em
    heights = _shared(box.h - gaps * (len(part.parts) - 1), least, most)
    own: dict[str, Place] = {}
    y = box.y
    for inner, high, top in zip(part.parts, heights, overs, strict=True):
        _place(inner, Box(box.x, y, box.w, high), top, size, em, own)
        y += high + gaps
    if part.alike and all(isinstance(inner, Grid) for inner in part.parts):
        _make_alike(own, em)
        _stack_up(part, own, box, em)
    for name, place in own.items():
        places[name if not name.startswith("sign ") else f"sign {len(places)}"] = place


def _stack_up(part: Column, own: dict[str, Place], box: Box, em: float) -> None:
    """Move the parts of a column together again, after some of them have become lower."""
    y = box.y
    for inner in part.parts:
        assert isinstance(inner, Grid)
        own[inner.name] = place = _moved(own[inner.name], 0.0, y - own[inner.name].head.y)
        y += place.head.h + place.box.h + _under(inner, em) + part.gap * em


def _whole(side: float) -> float:
    """Return the side of a cell in whole pixels, so that rules are sharp."""
    return whole_pixels(side) if side > SMALLEST else side


def _place_grid(part: Grid, box: Box, over: float, em: float, places: dict[str, Place]) -> None:
    shift = _shift(part.behind, em)
    aside, stack = part.aside * em, shift * part.behind
    wide = min(_widest_of_all(part) * em, (box.w - aside - stack) / part.columns)
    high = min(part.largest * em, (box.h - over - _under(part, em)) / part.rows)
    high = min(high, max(wide, _HIGH * wide / (part.figures + _AROUND)) if not part.form else wide)
    wide = min(wide, _widest(part) * high)
    wide, high = _whole(wide), _whole(high)
    size = _number_size(part.figures, wide, high, em)
    body = Box(
        nearest_pixel(box.x + aside), nearest_pixel(box.y + over), wide * part.columns, high * part.rows
    )
    head = Box(box.x, box.y, box.w, body.y - box.y)
    lines = _lines(part.head, box.w - aside, em)
    places[part.name] = Place(
        body, head, lines, size, part.rows, part.columns, shift, part.behind, part.figures
    )


def _number_size(figures: float, wide: float, high: float, em: float) -> float:
    """Return how large numbers are in cells of a size, in whole pixels; 0 where they could not be read."""
    most = max(_LARGEST_NUMBER * em, 0.32 * high)
    size = whole_pixels(min(wide / (figures + 0.75 * _AROUND), high / (_HIGH - 0.15), most))
    return float(size) if size >= SMALLEST else 0.0


def _place_map(part: Map, box: Box, over: float, em: float, places: dict[str, Place]) -> None:
    shift = _shift(part.behind, em)
    room = Box(box.x, box.y + over, box.w - shift * part.behind, box.h - over - _under(part, em))
    wide, high = _form(part, _MOST_MAP * em)
    fit = min(1.0, room.w / wide, room.h / high)
    body = Box(nearest_pixel(room.x), nearest_pixel(room.y), wide * fit, high * fit)
    head = Box(box.x, box.y, box.w, body.y - box.y)
    places[part.name] = Place(body, head, _lines(part.head, box.w, em), 0.0, 0, 0, shift, part.behind)
