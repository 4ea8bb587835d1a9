"""Errors that say the database is away, and the answer to give then. They pass by themselves."""

from __future__ import annotations

from django.db import InterfaceError, OperationalError

DATABASE_AWAY = (OperationalError, InterfaceError)
# The answer for people and for programs; both may simply ask again.
SORRY = "The database does not answer. Try again in a moment."
# Seconds after which whoever was refused for a moment may ask again.
RETRY_AFTER = 5
