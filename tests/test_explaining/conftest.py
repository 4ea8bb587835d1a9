"""Fixtures shared with other rooms: a town, its bystander, and a clock."""

from tests.towns import bystander, clock, town, written

__all__ = ["bystander", "clock", "town", "written"]
