"""Frames as files: which frames, of what, where to, in which format, by how many processes, resumed how."""
