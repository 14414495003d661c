"""How numbers are written: decimals fixed within one array, a minus as wide as a digit, never −0.00."""

from __future__ import annotations

import numpy as np

from cnnviz.engine.layer import Array, Value

MINUS = "−"


def decimals(values: Array) -> int:
    """Return how many decimals to write the numbers of one array with; −1 means powers of ten.

    Few enough to read from the last row, and enough to tell the array's larger numbers apart.
    """
    finite = np.abs(values[np.isfinite(values)])
    largest = float(finite.max()) if finite.size else 0.0
    if largest == 0 or (largest < 1e6 and finite.size < 5000 and np.array_equal(finite, np.round(finite))):
        return 0
    for bound, places in ((1000, 0), (10, 1), (0.095, 2), (0.0095, 3), (0.00095, 4)):
        if largest >= bound:
            return places
    return -1


def number(value: Value, places: int) -> str:
    """Write one number with fixed decimals.

    Parameters
    ----------
    value : float
        The number; NaN and infinity have signs of their own.
    places : int
        Decimals, or −1 for powers of ten, as `decimals` returns them.
    """
    value = float(value)  # type: ignore[arg-type]
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "∞" if value > 0 else MINUS + "∞"
    if places < 0 or abs(value) >= 1e7:
        return _power(value)
    text = f"{value:.{places}f}"
    if text[0] == "-":
        return MINUS + text[1:] if text.strip("-0.") else text[1:]
    return text


def full(value: Value) -> str:
    """Write a number with all the digits worth reading: seven significant ones."""
    value = float(value)  # type: ignore[arg-type]
    if value != value or value in (float("inf"), float("-inf")):
        return number(value, 0)
    text = f"{value:.7g}"
    if "e" in text:
        return _power(value, 6)
    return text.replace("-", MINUS)


def count(value: int) -> str:
    """Write a whole number with its thousands set apart."""
    return f"{value:,}".replace("-", MINUS)


_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def _power(value: float, digits: int = 1) -> str:
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    return f"{mantissa.replace('-', MINUS)}·10{str(int(exponent)).translate(_SUPERSCRIPT)}"
