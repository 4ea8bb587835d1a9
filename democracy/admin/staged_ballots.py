"""Staged ballots on the page of their decision. See Note [Operators know no more]."""

from __future__ import annotations

from django.utils.html import format_html_join
from django.utils.safestring import mark_safe

from democracy.models import Decision
from democracy.reading.ballots import ballots_of

# The site's own list has them all.
MOST_STAGED = 100


def staged_by_name(decision: Decision) -> str:
    """Write a line for each of the first staged ballots by name; "-" where there is none, or they are hidden."""
    rows = (
        (
            one.membership.user.handle,
            one.kind,
            ", ".join(f"{number:,}" for number in one.microstars),
            ", ".join(one.tags) or "-",
            "counted" if one.is_counted else "not counted",
        )
        for one in ballots_of([decision], most=MOST_STAGED)[decision.pk]
        if not one.is_anonymous
    )
    return format_html_join(mark_safe("<br>"), "{}: {}; {}; {}; {}", rows) or "-"
