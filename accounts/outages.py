"""What is nobody's mistake and passes by itself: the database is away, or was when it was asked."""

from __future__ import annotations

from django.db import InterfaceError, OperationalError

DATABASE_AWAY = (OperationalError, InterfaceError)
# What to tell people and programs; both may simply ask again.
SORRY = "The database does not answer. Try again in a moment."
RETRY_AFTER = 5  # seconds
