"""What a run stops at: a line, an operation, a cell, or whatever is so for the first time."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Kind(StrEnum):
    """What a breakpoint waits for."""

    LINE = "line"
    OPERATION = "operation"
    WRITTEN = "written"
    READ = "read"
    CLIPS = "clips"
    WINNER = "winner"
    GRADIENT = "gradient"
    NONFINITE = "nonfinite"
    PREDICTION = "prediction"
    CONDITION = "condition"


class Breakpoint(Struct, frozen=True, omit_defaults=True):
    """Where, or at what, a run stops.

    Attributes
    ----------
    operation : str
        The operation's name; empty where it may be any.
    line : int
        The line in its listing; 0 where it may be any.
    offset : int or None
        The one step of the operation, or None for every run of the line.
    kind : Kind
        What it waits for.
    what : str
        The cell that is written or read, ``conv1.w[0,0,1,1]``; how large a gradient must be; the condition.
    on : bool
        Whether it is waited for, or only kept.
    """

    operation: str
    line: int
    offset: int | None = None
    kind: Kind = Kind.LINE
    what: str = ""
    on: bool = True
