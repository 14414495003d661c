"""The panes around the stage: the network, the debugger and the timeline."""

from cnnviz.scene.panels.formula import headline, part_said
from cnnviz.scene.panels.listing import debugger, variable_at, variable_row, variable_said
from cnnviz.scene.panels.network_arrays import arrays_of
from cnnviz.scene.panels.network_said import row_said
from cnnviz.scene.panels.network_strip import network, network_cell, network_outline, network_window
from cnnviz.scene.panels.timeline_bar import timeline, timeline_at, timeline_bar, timeline_step, where
from cnnviz.scene.panels.trace import trace
from cnnviz.scene.panels.watches import watch_said, watched_in

__all__ = [
    "arrays_of",
    "debugger",
    "headline",
    "network",
    "network_cell",
    "network_outline",
    "network_window",
    "part_said",
    "row_said",
    "timeline",
    "timeline_at",
    "timeline_bar",
    "timeline_step",
    "trace",
    "variable_at",
    "variable_row",
    "variable_said",
    "watch_said",
    "watched_in",
    "where",
]
