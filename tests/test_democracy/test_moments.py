"""The one rule for moments that people set."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError

from democracy.errors import InvalidInput
from democracy.models import Decision
from democracy.moments import checked_moment
from tests.moments import BEYOND_THE_CALENDAR, JUST_WITHIN


@pytest.mark.parametrize("moment", [*BEYOND_THE_CALENDAR, "2026-01-01T00:00:00"])
def test_moments_beyond_the_calendar_or_without_a_zone_are_refused_by_rows_as_by_commands(moment: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        checked_moment(datetime.fromisoformat(moment), field="closes_at")
    assert caught.value.field == "closes_at"
    with pytest.raises(ValidationError) as invalid:
        Decision(closes_at=datetime.fromisoformat(moment)).clean()
    assert invalid.value.message_dict == {"closes_at": [caught.value.message]}


@pytest.mark.parametrize("moment", JUST_WITHIN)
def test_moments_within_are_the_same_in_utc(moment: str) -> None:
    checked = checked_moment(datetime.fromisoformat(moment), field="closes_at")
    assert (checked, checked.tzinfo) == (datetime.fromisoformat(moment), UTC)
    Decision(opens_at=datetime.fromisoformat(moment)).clean()
