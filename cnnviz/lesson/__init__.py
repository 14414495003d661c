"""Lesson files: read, checked, and made into a network with its samples and its program."""
