"""What the benchmark tells: rows of one table, each a figure of this run beside the one that is wanted."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

MOST, LEAST = "≤", "≥"


class Row(Struct, frozen=True):
    """A figure.

    Attributes
    ----------
    what : str
        What was measured.
    measured, wanted : float
        In `unit`; `measured` is None where it could not be measured.
    unit : str
        ``ms``, ``MB``, ``×``, ….
    bound : str
        Whether what is wanted is the most or the least that it may be.
    note : str
        Why it was not measured.
    """

    what: str
    measured: float | None
    wanted: float
    unit: str = "ms"
    bound: str = MOST
    note: str = ""

    @property
    def is_met(self) -> bool:
        """Whether it was measured, and is as wanted."""
        if self.measured is None:
            return False
        return self.measured <= self.wanted if self.bound == MOST else self.measured >= self.wanted


def print_rows(rows: Iterable[Row], memcpy: float) -> None:
    """Print rows as they come, and how many are met.

    Parameters
    ----------
    memcpy : float
        How many milliseconds this machine needs to copy a frame; times are also told in these.
    """
    print(f"\n{'':66}{'this run':>13}{'of memcpy':>11}{'wanted':>13}")
    met = missed = unknown = 0
    for row in rows:
        wanted = f"{row.bound} {row.wanted:,.4g} {row.unit}"
        if row.measured is None:
            unknown += 1
            print(f"{row.what:66}{'':24}{wanted:>13}   not measured: {row.note}", flush=True)
            continue
        met, missed = met + row.is_met, missed + (not row.is_met)
        copies = f"{row.measured / memcpy:,.3g} ×" if row.unit == "ms" else ""
        measured = f"{row.measured:,.3g}" if row.measured < 1000 else f"{row.measured:,.0f}"
        verdict = "met" if row.is_met else "NOT MET"
        print(f"{row.what:66}{measured + ' ' + row.unit:>13}{copies:>11}{wanted:>13}   {verdict}", flush=True)
    print(f"\n{met} of {met + missed} are met in this run; {unknown} were not measured.")
