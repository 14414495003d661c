"""QPainter. The only room that draws a frame, on screen and in files."""
