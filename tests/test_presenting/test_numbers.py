"""Numbers as text."""

from __future__ import annotations

from fractions import Fraction

import pytest

from democracy.presenting import numbers


@pytest.mark.parametrize(
    ("microstars", "text"),
    [(0, "0"), (5_000_000, "5"), (3_666_667, "3.67"), (2_500_000, "2.5"), (1, "0"), (1_234_500_000, "1,234.5")],
)
def test_stars_have_two_decimals_at_most(microstars: int, text: str) -> None:
    assert numbers.stars_text(microstars) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (Fraction(1), "all"),
        (1.0, "all"),
        (Fraction(1, 2), "half"),
        (Fraction(1, 3), "one third"),
        (Fraction(2, 3), "two thirds"),
        (Fraction(9, 10), "nine tenths"),
        (Fraction(3, 16), "19%"),
        (0.25, "25%"),
        (Fraction(1, 1000), "less than 1%"),
        (Fraction(999, 1000), "more than 99%"),
    ],
)
def test_shares_are_said_as_people_say_them(share: Fraction | float, text: str) -> None:
    assert numbers.share_text(share) == text


@pytest.mark.parametrize(
    ("microstars", "text"), [(0, "0"), (5_000_000, "5"), (3_666_667, "3.666667"), (1, "0.000001"), (10_500_000, "10.5")]
)
def test_programs_get_stars_exactly(microstars: int, text: str) -> None:
    assert numbers.exact_stars(microstars) == text


@pytest.mark.parametrize(
    ("share", "sentence", "table"),
    [
        (0.0, "0%", "0%"),
        (0.004, "less than 1%", "<1%"),
        (0.007, "less than 1%", "1%"),
        (0.25, "25%", "25%"),
        (0.993, "more than 99%", "99%"),
        (0.996, "more than 99%", ">99%"),
        (1.0, "100%", "100%"),
    ],
)
def test_only_nothing_and_all_read_so(share: float, sentence: str, table: str) -> None:
    assert (numbers.percent_text(share), numbers.short_percent(share)) == (sentence, table)
