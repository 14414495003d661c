"""Flatten: one map on the left, the column it is written into on the right, and back."""

from __future__ import annotations

from cnnviz.scene import grid
from cnnviz.scene.marks import Box, Mark
from cnnviz.scene.moment import Moment
from cnnviz.scene.pictures.layout import titled
from cnnviz.scene.pictures.linear import column
from cnnviz.text import tr


def forward(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the map in work and the column filling up."""
    return _picture(moment, box, unit, "x", "y", moment.came_from(), tr("output"))


def backward(moment: Moment, box: Box, unit: float) -> list[Mark]:
    """Draw the gradient's column and the map it is put back into."""
    return _picture(
        moment, box, unit, "dx", "dy", tr("input gradient"), tr("from {layer}", layer=moment.next_layer())
    )


def _picture(
    moment: Moment, box: Box, unit: float, maps: str, line: str, maps_text: str, line_text: str
) -> list[Mark]:
    v = moment.variable
    c, i, j = v("c"), v("i"), v("j")
    _, height, width = moment.state.arrays[maps].shape
    left, right = box.columns([5.0, 3.0], gap=80 * unit)
    depth = len(moment.state.arrays[maps])
    marks, _ = titled(moment, grid.plane(moment, maps, (c,), (i, j, 1, 1)), left, unit, maps_text, depth)
    return [*marks, *column(moment, right, unit, line, (c * height + i) * width + j, line_text)]
