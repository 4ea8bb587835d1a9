"""Texts that people type, before they are written."""

from __future__ import annotations

import pytest

from democracy.errors import InvalidInput
from democracy.services import validation


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Spring   field \n", "Spring field"),
        ("Budget\u202e 2027", "Budget 2027"),
        ("👩\u200d🌾 garden", "👩\u200d🌾 garden"),
        ("e\u0301t\u00e9", "\u00e9t\u00e9"),
    ],
)
def test_a_line_is_kept_as_it_can_be_read(typed: str, kept: str) -> None:
    assert validation.line(typed, field="name") == kept


@pytest.mark.parametrize("typed", ["", "   ", "\u202e\u202e", "\u200d", "\ufeff \u2066"])
def test_a_line_with_nothing_to_see_is_empty(typed: str) -> None:
    with pytest.raises(InvalidInput, match="empty") as refusal:
        validation.line(typed, field="name")
    assert refusal.value.field == "name"


@pytest.mark.parametrize("typed", ["a\x00b", "a\x1b[31mb", "\x85x\x7f", "a\ud800"])
def test_a_line_with_control_characters_is_refused(typed: str) -> None:
    with pytest.raises(InvalidInput, match="control characters"):
        validation.line(typed, field="title")
