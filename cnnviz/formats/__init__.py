"""Reads files of other programs: bytes become a plain graph of nodes and named arrays.

Nothing that a file names is imported or called, nothing outside its folder is read, and sizes are compared
before memory is taken. NumPy and the standard library are all that it needs.
"""
