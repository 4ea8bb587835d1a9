"""Tags and filters that draw results. Widths are attributes of SVG elements, as style attributes are forbidden."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from democracy.models import Choice
from democracy.presenting.counting import Distribution
from democracy.presenting.numbers import stars_text
from democracy.presenting.results import Outcome
from democracy.presenting.wording import turnout_in_short
from democracy.reading.decisions import DecisionRow
from graph import Participation

register = template.Library()

_COLUMN, _GAP, _HEIGHT = 26, 8, 72


@register.filter
def total_stars(microstars: int) -> str:
    """ "178 stars in all"."""
    text = stars_text(microstars)
    return f"{text} {'star' if text == '1' else 'stars'} in all"


@register.filter
def with_choices(microstars: Sequence[int], choices: Sequence[Choice]) -> Iterable[tuple[Choice, int]]:
    """Pair a ballot's stars with the choices."""
    return zip(choices, microstars, strict=True)


@register.simple_tag
def turnout_of(row: DecisionRow) -> str:
    """ "12 voted"; "" before voting opens."""
    if row.ballots is None:
        return ""
    return turnout_in_short(row.ballots, is_exact=row.shows_exact_turnout)


@register.simple_tag
def direct_average(direct: Outcome, choice: Choice) -> int | None:
    """A choice's average without inherited ballots, in microstars; None where there are none."""
    if not direct.counted:
        return None
    return next(row.average for row in direct.rows if row.choice == choice)


@register.filter
def series_of(choice: Choice, outcome: Outcome | None) -> int:
    """The number of a choice's colour on the page; 0 for none."""
    rows = outcome.rows if outcome is not None else ()
    return next((row.series for row in rows if row.choice == choice), 0)


@register.simple_tag
def participation_bar(who: Participation) -> SafeString:
    """Eligible voters in one bar: cast, inherited, abstained, the rest empty. The numbers are said beside it."""
    eligible = who.eligible or 1
    parts, start = [], 0.0
    for kind, number in (("cast", who.cast), ("inherited", who.inherited), ("abstained", who.abstained)):
        width = number / eligible * 100
        parts.append((kind, f"{start:.2f}%", f"{width:.2f}%"))
        start += width
    return format_html(
        '<svg class="participation" aria-hidden="true" focusable="false">'
        '<rect class="track" width="100%" height="100%" rx="4"/>{}</svg>',
        format_html_join("", '<rect class="{}" x="{}" width="{}" height="100%"/>', parts),
    )


@register.simple_tag
def distribution_columns(distribution: Distribution) -> SafeString:
    """Six columns for 0 to 5 stars with their counts."""
    rows = []
    for stars, (count, share) in enumerate(zip(distribution.counts, distribution.shares, strict=True)):
        height = max(share * _HEIGHT, 1.5 if count else 0)
        x, top = stars * (_COLUMN + _GAP), 14 + _HEIGHT - height
        rows.append((x, f"{top:.1f}", _COLUMN, f"{height:.1f}", x + _COLUMN / 2, f"{top - 4:.1f}", f"{count:,}"))
    columns = format_html_join(
        "",
        '<rect class="column" x="{}" y="{}" width="{}" height="{}" rx="2"/>'
        '<text class="count-label" x="{}" y="{}" text-anchor="middle">{}</text>',
        rows,
    )
    axis = format_html_join(
        "",
        '<text x="{}" y="{}" text-anchor="middle">{}★</text>',
        ((stars * (_COLUMN + _GAP) + _COLUMN / 2, 14 + _HEIGHT + 16, stars) for stars in range(6)),
    )
    width, base = 6 * (_COLUMN + _GAP) - _GAP, 14 + _HEIGHT
    said = ", ".join(
        f"{stars} {'star' if stars == 1 else 'stars'}: {count:,}" for stars, count in enumerate(distribution.counts)
    )
    return format_html(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}: {}">{}'
        '<line class="axis" x1="0" x2="{}" y1="{}" y2="{}"/>{}</svg>',
        width,
        base + 20,
        distribution.choice.title,
        said,
        columns,
        width,
        base,
        base,
        axis,
    )
