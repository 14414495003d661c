"""Widgets: the window, its panes, and the player that holds the one mutable cursor."""
