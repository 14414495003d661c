"""What layers share that slide windows over maps: zeros around, and how many windows there are."""

from __future__ import annotations

from functools import lru_cache

from cnnviz.engine.layer import shape_text
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
    layer: str,
    size: tuple[int, int],
    window: tuple[int, int],
    stride: tuple[int, int],
    padding: Sides,
    axes: int = 2,
) -> tuple[int, int]:
    """Return how many windows there are along rows and columns.

    Parameters
    ----------
    axes : int
        Along how many axes they are slid, where that does not go without saying: along one of sequences.

    Raises
    ------
    ShapeError
        If not even one fits.
    """
    above, below, left, right = padding
    most = size[0] + above + below, size[1] + left + right
    if window[0] > most[0] or window[1] > most[1]:
        raise ShapeError(
            tr(
                "{layer}: a kernel of {kernel} does not fit an input of {size} with padding {padding}; "
                "use a kernel of at most {most}, or more padding.",
                layer=layer,
                kernel=shape_text(window[:axes]),
                size=shape_text(size[:axes]),
                padding=sides_text(padding[: 2 * axes]),
                most=shape_text(most[:axes]),
            )
        )
    return (most[0] - window[0]) // stride[0] + 1, (most[1] - window[1]) // stride[1] + 1


def sides_text(padding: tuple[int, ...]) -> str:
    """Write the padding of all sides as shortly as it can be: ``1``, ``1 × 2``, ``0, 1, 0, 1``."""
    if len(set(padding)) == 1:
        return str(padding[0])
    alike = padding[::2] == padding[1::2]
    return shape_text(padding[::2]) if alike else ", ".join(map(str, padding))
