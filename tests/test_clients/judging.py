"""Judgement on what clients got by querying, watching, voting and receiving the next event, alike for all."""

from __future__ import annotations

from typing import Any


def assert_walked(*, visitor: dict[str, Any], voter: dict[str, Any]) -> None:
    """Assert that both read and received the event of a vote: ada's own, and as a visitor, whose own is refused."""
    assert (visitor["me"], visitor["vote"]["receipt"]) == (None, None)
    assert [error["code"] for error in visitor["vote"]["errors"]] == ["SIGN_IN"]
    assert (voter["me"]["handle"], voter["vote"]["errors"]) == ("ada_1", [])
    assert voter["vote"]["receipt"]
    assert visitor["title"] == voter["title"] != ""
    for walked in (visitor, voter):
        first, *_, last = walked["events"]
        before = first["winner"] and first["winner"]["title"]
        assert last["winner"]["title"] == walked["wanted"] != before
        assert last["revision"] > first["revision"]
