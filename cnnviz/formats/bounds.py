"""What a file of another program may ask for, compared before memory is taken."""

from __future__ import annotations

from cnnviz.errors import CnnvizError
from cnnviz.text import tr

LARGEST_FILE = 2**30
"""Of a file, in bytes; of the numbers in it, when all are in memory, too."""

MOST_NODES = 10_000
MOST_ARRAYS = 20_000
MOST_AXES = 8

MOST_PARTS = 1_000_000
"""How many fields, or steps of a pickle, a file may have besides its numbers."""

LONGEST_TEXT = 64 * 2**20
"""Of what describes a network, in bytes: a header, a graph."""

MOST_ENTRIES = 30_000
"""Of an archive."""

DEEPEST = 64
"""How many levels modules, or what else stands in one another, may have."""


class Budget:
    """The memory that one file may still take.

    Parameters
    ----------
    most : int
        In bytes.
    """

    def __init__(self, most: int = LARGEST_FILE) -> None:
        self.most = self.left = most

    def take(self, count: int) -> None:
        """Take memory before it is taken.

        Raises
        ------
        CnnvizError
            If there is not so much left.
        """
        if count < 0:
            raise ValueError("a negative size")
        self.left -= count
        if self.left < 0:
            raise CnnvizError(
                tr("its numbers would take more than {most:,} MB of memory", most=self.most >> 20)
            )
