"""Formats of dates and times in the administration, the same as on the pages."""

DATE_FORMAT = "j M Y"
DATETIME_FORMAT = r"j M Y, H:i \U\T\C"
