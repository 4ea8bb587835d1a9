"""Fixtures shared with other rooms: a town, its bystander, an operator who hides words in it, and a clock."""

from tests.hiding import open_town, root
from tests.towns import bystander, clock, town, written

__all__ = ["bystander", "clock", "open_town", "root", "town", "written"]
