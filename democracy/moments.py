"""Moments that people set, such as when voting closes: one check for pages, API, files and rows."""

from datetime import UTC, datetime

from democracy.errors import InvalidInput

# Far enough from the ends of the calendar to convert to every time zone and add some years.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


def checked_moment(moment: datetime, *, field: str) -> datetime:
    """Return a moment in UTC.

    Raises InvalidInput naming the field where it has no time zone, or lies before 1900 or after 9000.
    """
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise InvalidInput("Give the time zone, too, such as 2026-01-31T18:00:00Z.", field=field)
    # Compared before it is converted, which is impossible at the very ends of the calendar.
    if not EARLIEST <= moment <= LATEST:
        raise InvalidInput("This must be a time between the years 1900 and 9000.", field=field)
    return moment.astimezone(UTC)
