"""Numbers as text: stars, shares and counts. Pages, sentences and the API write them here alone."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from graph import STAR

_PARTS = dict(enumerate(("half", "third", "quarter", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"), start=2))
_COUNTS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def stars_text(microstars: int | str) -> str:
    """Stars with at most two decimals: 3666667 is "3.67", 5000000 is "5"."""
    hundredths = (Decimal(microstars) / STAR).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
    return f"{hundredths.normalize():,f}" if hundredths else "0"


def exact_stars(microstars: int) -> str:
    """Stars with all their decimals, for programs: 3666667 is "3.666667"."""
    whole, rest = divmod(microstars, STAR)
    return f"{whole}.{rest:06}".rstrip("0").rstrip(".")


def share_text(share: Fraction | float) -> str:
    """A part of a whole: "one third", "all"; where there is no such word, a percentage."""
    if share == 1:
        return "all"
    if isinstance(share, Fraction) and share.denominator in _PARTS:
        part = _PARTS[share.denominator]
        if share.denominator == 2:
            return "half"
        return f"{_COUNTS[share.numerator]} {part}{'s' if share.numerator > 1 else ''}"
    return percent_text(float(share))


def percent_text(share: float) -> str:
    """A whole percentage for a sentence; only nothing reads "0%", only all reads "100%"."""
    if 0 < share < 0.01:
        return "less than 1%"
    if 0.99 < share < 1:
        return "more than 99%"
    return f"{round(share * 100)}%"


def short_percent(share: float) -> str:
    """A whole percentage for a table or a bar; only nothing reads "0%", only all reads "100%"."""
    if 0 < share < 0.005:
        return "<1%"
    if 0.995 <= share < 1:
        return ">99%"
    return f"{share:.0%}"


def count_text(number: int, one: str, many: str = "") -> str:
    """ "1 ballot", "1,200 ballots"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
