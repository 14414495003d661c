"""Damaged files of every kind that the program reads: each is opened, or refused in one sentence."""
