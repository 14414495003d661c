"""How numbers are written: decimals fixed within one array, a minus as wide as a digit, never −0.00.

A value is written alike wherever it stands on a screen, in its map, in the arithmetic and among the
variables, so that it is found again: a cell with the decimals of its array, a scalar with those of the array
that it goes into. What is smaller than the last decimal has digits that count (`telling`, and `in_cell` where
there is little room): only what is 0 reads as 0, and in arrays the rounding of sums that came to 0. All
digits are said where the pointer rests.
"""

from __future__ import annotations

import re
from math import floor, inf, isfinite, log10

import numpy as np
from numpy.typing import NDArray

from cnnviz.engine.layer import Array, Value
from cnnviz.scene.measure import width

MINUS = "−"

# Further down, the power of ten that undoes it is no float.
_SMALLEST_POWER = -300

_EXACT = 1e-9

_VERY_MANY = 2_000_000
# So many numbers are gone through at a time as the processor has close to it.
_PART = 1 << 16

# What a sum that comes to 0 may be off by, in parts of its array's largest number; and how much is larger.
_ROUNDING, _MORE_THAN_ROUNDING = 2.0**-49, 2.0**-30
# Beside a number that runs away, others are no rounding.
_MOST_ROUNDING = 1e-9

# Halves are rounded up as at school, and not to the even digit: 0.125 is 0.13.
_UPWARDS = 1 + 1e-12

FEW = 16
"""Arrays of no more cells have room for a decimal more: then a pocket calculator comes to what is shown."""

# So many of an array's gradients may read as 0 without being it.
_MOST_LOST = 1 / 8


def decimals(values: Array) -> tuple[int, int]:
    """Return with how many decimals the numbers of one array are written, and in which power of ten.

    Few enough to read from the last row, and enough to tell the array's larger numbers apart: an array
    of very small or very large numbers is written in a power of ten that is said once, in its heading.

    Returns
    -------
    (int, int)
        (2, 0) for 0.12; (1, −5) for numbers written as 3.8, meaning 3.8 · 10⁻⁵.
    """
    finite = values[np.isfinite(values)]
    return decimals_of(finite, float(np.abs(finite).max(initial=0.0)))


def decimals_of(finite: Array, largest: float) -> tuple[int, int]:
    """Return the same for finite numbers, of which it is known how large they are."""
    if largest == 0 or (largest < 1e6 and _are_whole(finite)):
        return 0, 0
    for bound, places in ((1000, 0), (100, 1), (0.095, 2), (0.0095, 3)):
        if 1e5 > largest >= bound:
            few = places > 1 and finite.size <= FEW  # of millions it takes long to ask what comes next
            return places + (few and not np.allclose(finite, np.round(finite, places), 0, _EXACT)), 0
    return 2, max(floor(log10(largest)), _SMALLEST_POWER)


def _are_whole(finite: Array) -> bool:
    """Return whether numbers are whole, as those of pictures are; of very many it is not asked."""
    first = finite.flat[:1000]
    if finite.size >= _VERY_MANY or not np.array_equal(first, np.round(first)):
        return False
    return np.array_equal(finite, np.round(finite))


def small_sizes(finite: Array, largest: float, places: int, power: int) -> Array:
    """Return the sizes of numbers that would read as 0 but are not, or may be rounding: mostly of few."""
    bound = max(0.5 * 10.0 ** (power - places), _MORE_THAN_ROUNDING * largest)
    found = []
    for k in range(0, finite.size, _PART):
        sizes = np.abs(finite[k : k + _PART])
        found.append(sizes[(sizes < bound) & (sizes > 0)])
    return np.concatenate(found) if found else finite


def rounding(small: Array, largest: float) -> float:
    """Return the size up to which the numbers of an array are rounding: of sums that came to 0.

    Those lie far below all others; where numbers get smaller and smaller, as gradients that vanish, none is.

    Parameters
    ----------
    small : Array
        The small ones among their sizes, without 0.
    largest : float
        The largest of them all.
    """
    between = (small > _ROUNDING * largest) & (small < _MORE_THAN_ROUNDING * largest)
    return 0.0 if between.any() else min(_ROUNDING * largest, _MOST_ROUNDING)


def finer(small: Array, finite: Array, largest: float, places: int) -> tuple[int, int]:
    """Return the decimals of gradients, in hundredths where too many of them would read as 0.

    A few of them are large and most are small beside those: of 0.30 and 0.002, the second would be 0.00.

    Parameters
    ----------
    small : Array
        The small ones among their sizes, without 0.
    largest : float
        The largest of these.
    """
    count = int(np.count_nonzero(finite))
    if not places or not 0 < largest < 10 or (lost := _lost(small, count, places, 0)) <= _MOST_LOST:
        return places, 0
    hundredths = (2 if largest < 0.095 else 1), -2
    return hundredths if _lost(small, count, *hundredths) <= lost / 2 else (places, 0)


def _lost(small: Array, count: int, places: int, power: int) -> float:
    """Return the share of numbers that would read as 0 though they are not."""
    return np.count_nonzero(small < 0.5 * 10.0 ** (power - places)) / count


def number(value: Value, places: int) -> str:
    """Write one number with fixed decimals.

    Parameters
    ----------
    value : float
        The number; NaN and infinity have signs of their own.
    places : int
        Decimals.
    """
    value = float(value)
    if not abs(value) < 1e7:
        if value != value:
            return "NaN"
        return _scientific(value, 1) if isfinite(value) else "∞" if value > 0 else MINUS + "∞"
    text = f"{value * _UPWARDS:.{places}f}"
    if text[0] == "-":
        return MINUS + text[1:] if text.strip("-0.") else text[1:]
    return text


def telling(value: Value, places: int, rounding: float = 0.0) -> str:
    """Write one number with fixed decimals, or with two digits that count where it would read as 0.

    Parameters
    ----------
    rounding : float
        The size up to which a number is rounding, and does read as 0.
    """
    text, size = number(value, places), abs(float(value))
    if not is_zero(text) or not size > rounding:
        return text
    return number(value, 1 - floor(log10(size))) if size >= 1e-4 else _scientific(float(value), 1)


def in_cell(value: Value, room: float) -> str:
    """Write a number in a grid that would read as 0: with two digits, or one, or as ≈0 for want of room.

    Parameters
    ----------
    room : float
        How wide it may be, in parts of its size.
    """
    texts = [telling(value, 0), number(value, -floor(log10(abs(float(value))))), _scientific(float(value), 0)]
    return next((text for text in texts if width(text) <= room), "≈0")


def lost(values: Array, places: int, rounding: float) -> NDArray[np.bool_]:
    """Return which numbers would read as 0 with fixed decimals, though they are neither that nor rounding."""
    sizes = np.abs(values)
    return np.asarray((sizes > rounding) & (sizes < 0.5 * 10.0 ** float(-places)))


def full(value: Value) -> str:
    """Write a number with all the digits worth reading: seven significant ones."""
    value = float(value)
    if value != value or value in (float("inf"), float("-inf")):
        return number(value, 0)
    text = f"{value + 0.0:.7g}"  # −0.0 + 0.0 is 0.0
    if "e" in text:
        mantissa, ten = _scientific(value, 6).split("·")
        return f"{mantissa.rstrip('0').rstrip('.')}·{ten}"
    return text.replace("-", MINUS)


def brief(value: Value) -> str:
    """Write a number that stands for itself, in no array: whole as it is, others with four digits."""
    value = float(value)
    if not isfinite(value) or (value == round(value) and abs(value) < 1e6):
        return number(value, 0)
    if not 1e-3 <= abs(value) < 1e6:
        return _scientific(value, 2)
    text = f"{value:.{max(0, 3 - floor(log10(abs(value))))}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", MINUS)


def scaled(value: Value, places: int, power: int, rounding: float = 0.0) -> str:
    """Write a number of an array whose heading does not say the power of ten: ``3.80·10⁻⁵``."""
    own = float(value)
    if power == 0 or not rounding < abs(own) < inf:
        return telling(own, places, rounding)
    text = number(own * 10.0**-power, places)
    # One that is small or large beside the others may need a power of ten of its own.
    if "·" in text or (is_zero(text) and 1e-3 <= abs(own) < 1000):
        return brief(own)
    return _scientific(own, places) if is_zero(text) else f"{text}·{power_of_ten(power)}"


def read(text: str) -> float:
    """Return the number that a text is."""
    digits, _, power = text.replace(MINUS, "-").replace("∞", "inf").partition("·10")
    return float(f"{digits}e{power.translate(_PLAIN)}" if power else digits)


def last_digit(text: str) -> float:
    """Return what the last digit of a written number counts: 0.01 for 0.12, 10⁻⁷ for 3.80·10⁻⁵."""
    digits, _, power = text.partition("·10")
    return float(f"1e{int(power.translate(_PLAIN) or 0) - len(digits.partition('.')[2])}")


def in_line(text: str, sign: str = "", raised: bool = False) -> str:
    """Put a number into brackets where, in a line of others, it would be read as another or badly.

    Parameters
    ----------
    text : str
        The number as written.
    sign : str
        What stands before it, of + − · / as Python writes them; empty where there is none.
    raised : bool
        Whether a power of it is taken: (−2)², and (1.00·10⁻⁵)².
    """
    negative, product = text.startswith(MINUS), "·" in text
    wrong = (negative or product) if raised or sign in ("*", "/") else negative and sign in ("+", "-")
    return f"({text})" if wrong else text


def is_zero(text: str) -> bool:
    """Return whether a number is written as 0."""
    return not text.partition("·")[0].strip("0.")


def rounded_up(size: float) -> float:
    """Return the least of 1, 2, 5 times a power of ten that is not below a size: 10 for 8, 0.5 for 0.31."""
    if not 0 < size < float("inf"):
        return size
    power = floor(log10(size))
    steps = (float(f"{digit}e{power + more}") for more in (0, 1) for digit in (1, 2, 5))
    return next((step for step in steps if step >= size), size)


def power_of_ten(power: int) -> str:
    """Write a power of ten: ``10⁻⁵``."""
    return "10" + superscript(str(power))


def as_formula(text: str) -> str:
    """Write Python's arithmetic as in a book: ``2 * x ** 3`` as 2 · x³, ``q *= z`` as q ·= z."""
    text = re.sub(
        r"\s*\*\*\s*(\(-\d+\)|-?\d+)(?![\d.])", lambda found: superscript(found[1].strip("()")), text
    )
    text = re.sub(r"\s*\*\*\s*(?!=)", "^", text)
    text = text.replace("**=", "^=").replace("*=", "·=")
    return re.sub(r"\s*\*\s*", " · ", text).replace("-", MINUS)


def superscript(digits: str) -> str:
    """Write a whole number small and raised."""
    return digits.translate(_SUPERSCRIPT)


def count(value: int) -> str:
    """Write a whole number with its thousands set apart."""
    return f"{value:,}".replace("-", MINUS)


_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_PLAIN = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def _scientific(value: float, digits: int) -> str:
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    return f"{mantissa.replace('-', MINUS)}·{power_of_ten(int(exponent))}"
