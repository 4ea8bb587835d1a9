"""Refusal of a file, and the place in it that is at fault."""

from __future__ import annotations

from democracy.errors import InvalidInput


class Malformed(InvalidInput):
    """A fault in a file, which is refused. `field` is its place: line and column, or a path in JSON; empty for all."""

    code = "MALFORMED"

    def __init__(self, place: str, message: str) -> None:
        super().__init__(message, field=place)

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


def on_line(line: int) -> str:
    """Name a line as a place; none for 0, as graphs are read without lines."""
    return f"line {line}" if line else ""
