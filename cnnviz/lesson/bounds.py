"""The bounds of a lesson, all in one place: what keeps within them is opened in seconds, and in 2 GB.

They are compared with what is counted from shapes and lengths, before memory or time is taken.
"""

from __future__ import annotations

LARGEST_FILE = 2**20
"""Of a lesson file, in bytes."""

DEEPEST = 16
"""How many levels of tables and lists it may have."""

MOST_BYTES = 512 * 2**20
"""Of the arrays of one data file in memory."""

MOST_LAYERS = 100
MOST_EXPRESSIONS = 50
MOST_DESCENTS = 50
MOST_PICTURES = 50
MOST_STOPS = 500
MOST_IMAGES = 100_000
MOST_AXES = 4

MOST_NUMBERS = 10**8
"""Of one iteration, held at once: maps, parameters, and gradients and updates of both; 800 MB."""

MOST_WORK = 10**9
"""Of one iteration, in multiply-adds: those of numbers that overflow take some nanoseconds each."""

PER_PARAMETER = 8
"""How many numbers are held for each parameter: copies of it, its gradient, the new one, what is between."""

PER_MEMORY = 3
"""And how many for each that an optimiser remembers of it."""
