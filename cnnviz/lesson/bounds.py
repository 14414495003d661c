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

MOST_FOUND_LAYERS = 1_000
MOST_FOUND_NUMBERS = 2 * 10**8
MOST_FOUND_WORK = 3 * 10**10
"""The same of a network that its user brought from another program: 1.6 GB, and some seconds."""

FORWARD_SHARE = 3
"""Going forward alone is this part of the work of an iteration."""

PER_OUTPUT = 2
"""How many numbers are held, going forward alone, for each that a layer puts out: it, and it with padding."""

PER_PARAMETER = 8
"""How many numbers are held for each parameter: copies of it, its gradient, the new one, what is between."""

PER_STATE = 3
"""And how many for each number of its state that an optimiser holds."""
