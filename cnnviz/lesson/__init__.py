"""Lessons: files read and checked, changes to them, what can be stepped of them, and where one is in it."""
