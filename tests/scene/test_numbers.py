"""How numbers are written, over all magnitudes that floats have."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest

from cnnviz.scene.numbers import (
    brief,
    count,
    decimals,
    finer,
    full,
    number,
    power_of_ten,
    rounding,
    scaled,
    small_sizes,
    telling,
)

POWERS = range(-12, 13)


def finer_of(values, places: int) -> tuple[int, int]:
    largest = float(np.abs(values).max())
    return finer(small_sizes(values, largest, places, 0), values, largest, places)


def rounding_of(values) -> float:
    finite = values[np.isfinite(values)]
    largest = float(np.abs(finite).max(initial=0.0))
    return rounding(small_sizes(finite, largest, *decimals(values)), largest)


def random_arrays(power: int):
    rng = np.random.default_rng(power + 100)
    for size in (1, 5, 40):
        yield rng.normal(size=size) * 10.0**power
        yield rng.uniform(-1, 0, size) * 10.0**power


def written(values) -> list[str]:
    """The numbers of an array as a grid shows them."""
    places, power = decimals(values)
    return [number(value * 10.0**-power, places) for value in values]


def read(text: str) -> float:
    assert "-" not in text, "a hyphen is no minus"
    return float(text.replace("−", "-"))


@pytest.mark.parametrize("power", POWERS)
def test_numbers_of_one_array_have_the_same_decimals(power):
    for values in random_arrays(power):
        texts = written(values)
        assert len({len(text.partition(".")[2]) for text in texts}) == 1, texts


@pytest.mark.parametrize("power", POWERS)
def test_numbers_are_short_and_tell_the_largest_to_5_percent(power):
    for values in random_arrays(power):
        _, exponent = decimals(values)
        texts = written(values)
        assert max(len(text.lstrip("−")) for text in texts) <= 6, texts
        largest = np.abs(values).argmax()
        assert read(texts[largest]) * 10.0**exponent == pytest.approx(values[largest], rel=0.053)


@pytest.mark.parametrize("power", POWERS)
def test_a_written_number_is_the_nearest_with_its_decimals(power):
    for values in random_arrays(power):
        places, exponent = decimals(values)
        for text, value in zip(written(values), values, strict=True):
            assert abs(read(text) - value * 10.0**-exponent) <= 0.5001 * 10.0**-places


@pytest.mark.parametrize("places", range(5))
def test_zero_has_no_sign_however_small_the_negative_number(places):
    for value in (-0.0, -1e-300, *(-0.49 * 10.0**-places * np.random.default_rng(places).random(50))):
        assert number(value, places) == number(0.0, places), value
    assert number(-0.51 * 10.0**-places, places)[0] == "−"


def test_minus_is_a_minus_in_every_way_of_writing():
    assert number(-1.5, 2) == "−1.50"
    assert number(-2e7, 2) == "−2.0·10⁷"
    assert full(-0.25) == "−0.25"
    assert full(-1.5e-9) == "−1.5·10⁻⁹"
    assert full(1e-8) == "1·10⁻⁸"
    assert scaled(-3.8e-5, 2, -5) == "−3.80·10⁻⁵"
    assert count(-1234) == "−1,234"


def test_negative_zero_in_full_has_no_sign():
    assert full(-0.0) == "0"


@pytest.mark.parametrize("write", [lambda v: number(v, 2), full, lambda v: scaled(v, 2, -7)])
def test_what_is_no_number_is_named(write):
    assert [write(nan), write(inf), write(-inf)] == ["NaN", "∞", "−∞"]


def test_decimals_do_not_heed_nan_and_infinity():
    assert decimals(np.array([0.5, nan, inf, -inf])) == decimals(np.array([0.5]))
    assert decimals(np.array([nan, inf])) == (0, 0)


def test_whole_numbers_have_no_decimals():
    assert written(np.array([0.0, 3.0, -16.0])) == ["0", "3", "−16"]
    assert written(np.zeros(4)) == ["0"] * 4
    assert written(np.array([1.0, 2.5])) == ["1.00", "2.50"]


def test_very_small_and_very_large_arrays_are_written_in_a_power_of_ten():
    assert decimals(np.array([3.84e-5])) == (2, -5)
    assert written(np.array([3.84e-5, -1e-6])) == ["3.84", "−0.10"]
    assert decimals(np.array([123456.7])) == (2, 5)
    assert written(np.array([99999.4])) == ["99999"]


def test_small_numbers_beside_smaller_ones_are_no_row_of_zeros():
    """A gradient of 0.005 beside one of −0.000018: as 0.0050 and 0.0000, the second would seem to be none."""
    values = np.array([0.005, -1.8e-5, 0.0, 0.00931])
    assert decimals(values) == (2, -3)
    assert written(values) == ["5.00", "−0.02", "0.00", "9.31"]


def test_gradients_of_which_many_would_read_as_0_are_written_in_hundredths():
    """Most of a weight's gradients are small beside a few: 0.30 beside 0.002, which is no 0.00."""
    values = np.array([0.3, -0.002, 0.0013, 0.0, 0.04, -0.0031, 0.11, 0.0])
    places, power = finer_of(values, 2)
    assert [number(value * 10.0**-power, places) for value in values] == [
        "30.0",
        "−0.2",
        "0.1",
        "0.0",
        "4.0",
        "−0.3",
        "11.0",
        "0.0",
    ]
    assert finer_of(values / 10, 3) == (2, -2)
    for as_before in (values[[0, 3, 4, 6]], values * 100, np.array([np.nan, 0.0]), np.array([0.3])):
        assert finer_of(as_before, 2) == (2, 0)
    assert finer_of(np.array([3.0, 0.0]), 0) == (0, 0)
    assert scaled(-1.8e-5, *finer_of(values, 2)) == "−1.8·10⁻⁵"


@pytest.mark.parametrize("largest", [5e-324, 1e-310, 1e-300, 1e300, 1.7e308])
def test_the_ends_of_what_floats_can_hold_are_written(largest):
    values = np.array([largest, -largest / 3])
    assert all(len(text) <= 6 for text in written(values))
    assert scaled(largest, *decimals(values))


def test_powers_of_ten_are_superscripts():
    assert [power_of_ten(power) for power in (-12, -5, 0, 30)] == ["10⁻¹²", "10⁻⁵", "10⁰", "10³⁰"]


def test_a_number_alone_says_its_power_and_zero_needs_none():
    assert scaled(4.0e-6, 2, -5) == "0.40·10⁻⁵"
    assert scaled(0.0, 2, -5) == "0.00"
    assert scaled(0.5, 2, 0) == "0.50"


@pytest.mark.parametrize("power", range(-20, 21))
def test_full_tells_seven_digits(power):
    value = -1.2345678 * 10.0**power
    mantissa, _, exponent = full(value).partition("·10")
    digits = exponent.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-"))
    assert read(mantissa) * 10.0 ** int(digits or 0) == pytest.approx(value, rel=1e-6)


def test_thousands_are_set_apart():
    assert [count(value) for value in (0, 999, 1000, 5_400_000_000)] == ["0", "999", "1,000", "5,400,000,000"]


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (0.0014, 2, "0.0014"),
        (-0.0014, 2, "−0.0014"),
        (0.14, 2, "0.14"),
        (0.014, 2, "0.01"),
        (0.0, 2, "0.00"),
        (-0.0, 2, "0.00"),
        (0.3, 0, "0.30"),
        (3.2e-6, 3, "3.2·10⁻⁶"),
        (5.6e-17, 2, "5.6·10⁻¹⁷"),
        (-2e-30, 4, "−2.0·10⁻³⁰"),
        (nan, 2, "NaN"),
        (-inf, 2, "−∞"),
    ],
)
def test_in_arithmetic_only_what_is_0_reads_as_0(value, places, text):
    assert telling(value, places) == text


def test_rounding_is_what_lies_far_below_all_other_numbers():
    """What is left of 0.1 + 0.2 − 0.3 is no number; gradients that vanish from layer to layer are."""
    left, vanishing = np.array([0.5, 0.1 + 0.2 - 0.3, -0.25]), 0.0625 * 100.0 ** -np.arange(10)
    assert telling(left[1], 2, rounding_of(left)) == "0.00"
    assert scaled(-left[1], 2, -1, rounding_of(left)) == scaled(left[1], 2, 0, rounding_of(left)) == "0.00"
    assert rounding_of(vanishing) == rounding_of(np.array([nan, 0.0])) == rounding_of(np.array([])) == 0
    assert rounding_of(np.array([1e200, 3.0])) < 1, "beside a walk that runs away"
    assert telling(vanishing[-1], 4, rounding_of(vanishing)) == "6.3·10⁻²⁰"


def test_few_numbers_have_a_decimal_more_so_that_a_pocket_calculator_agrees():
    output = np.array([0.68391, 0.3953])
    assert written(output) == ["0.684", "0.395"]
    assert written(output * -0.1) == ["−0.0684", "−0.0395"]
    assert written(np.tile(output, 9))[:2] == ["0.68", "0.40"]
    assert written(np.array([0.4, -0.25])) == ["0.40", "−0.25"], "nothing more to be said"


def test_halves_are_rounded_up_as_at_school():
    assert [number(value, 2) for value in (0.125, 0.375, -0.125, 2.675)] == ["0.13", "0.38", "−0.13", "2.68"]
    assert number(0.5, 0) == "1"


def test_no_number_has_two_powers_of_ten():
    assert scaled(7.2, 0, 5) == "7.2"
    assert scaled(-7.2, 1, 5) == "−7.2"
    assert scaled(3.8e-5, 1, -5) == "3.8·10⁻⁵"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (3.0, "3"),
        (-12.0, "−12"),
        (0.25, "0.25"),
        (inf, "∞"),
        (-inf, "−∞"),
        (nan, "NaN"),
    ],
)
def test_a_number_in_no_array_is_written_as_it_is(value, text):
    assert brief(value) == text
