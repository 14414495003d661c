"""What layers share that slide windows over maps: zeros around, and how many windows there are."""

from __future__ import annotations

from functools import lru_cache

from cnnviz.engine.placement import Placement
from cnnviz.errors import CnnvizError, ShapeError
from cnnviz.text import tr

Sides = tuple[int, int, int, int]
"""How many rows or columns of padding stand above, below, left and right."""


def sides(layer: str, padding: int | tuple[int, ...]) -> Sides:
    """Return the padding of the four sides, given as one number, as (rows, columns) or as all four.

    Raises
    ------
    CnnvizError
        If one of them is below 0.
    """
    given = (padding,) * 4 if isinstance(padding, int) else padding
    if len(given) == 2:
        given = (given[0], given[0], given[1], given[1])
    for value in given:
        if value < 0:
            raise CnnvizError(
                tr("{layer}: padding is {value}; it must be 0 or more.", layer=layer, value=value)
            )
    above, below, left, right = given
    return above, below, left, right


# Placements are the same for all passes of a shape; what is worked out about one is kept with it.
@lru_cache(maxsize=256)
def padded_by(height: int, width: int, padding: Sides) -> Placement:
    """Return how maps lie in those with padding around them."""
    above, below, left, right = padding
    return Placement((height, width), (height + above + below, width + left + right), (above, left))


def slid(
    layer: str, size: tuple[int, int], window: tuple[int, int], stride: tuple[int, int], padding: Sides
) -> tuple[int, int]:
    """Return how many windows there are along rows and columns.

    Raises
    ------
    ShapeError
        If not even one fits.
    """
    above, below, left, right = padding
    (height, width), most = size, (size[0] + above + below, size[1] + left + right)
    if window[0] > most[0] or window[1] > most[1]:
        raise ShapeError(
            tr(
                "{layer}: a kernel of {kernel_h} × {kernel_w} does not fit an input of "
                "{height} × {width} with padding {padding}; "
                "use a kernel of at most {most_h} × {most_w}, or more padding.",
                layer=layer,
                kernel_h=window[0],
                kernel_w=window[1],
                height=height,
                width=width,
                padding=sides_text(padding),
                most_h=most[0],
                most_w=most[1],
            )
        )
    return (most[0] - window[0]) // stride[0] + 1, (most[1] - window[1]) // stride[1] + 1


def sides_text(padding: Sides) -> str:
    """Write the padding of four sides as shortly as it can be: ``1``, ``1 × 2``, ``0, 1, 0, 1``."""
    above, below, left, right = padding
    if len(set(padding)) == 1:
        return str(above)
    return f"{above} × {left}" if (above, left) == (below, right) else ", ".join(map(str, padding))
