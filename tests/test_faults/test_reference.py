"""The stored staged ballots against the reference, in histories that are made up."""

from __future__ import annotations

from typing import Any

from tests.faults.checker import check
from tests.faults.state import DecisionState, Entry, StagedBallot
from tests.test_faults.made_up import ADA, FOLLOWING, ballot, edge, entry, joined, member, state

BEN = "ballot:1:8"


def differing(stored: dict[str, StagedBallot], *entries: Entry, closed_at: float | None = None, **before: Any) -> int:
    """Count the stored staged ballots that are not the reference's. Ada, 7, follows Ben, 8."""
    decision = DecisionState(1, 1, 12, 12, {}, None, closed_at=closed_at, choices=(11, 12), staged=stored)
    earlier = {
        FOLLOWING: entry(0, edge(), of=FOLLOWING),
        **{f"membership:{k}": joined(k, **v) for k, v in before.items()},
    }
    found = check([], [], state(entries, before=earlier, decisions=[decision]))
    return sum(violation.kind == "STAGED_DIFFERS" for violation in found)


def staged(kind: str, stars: int, *tags: str, counted: bool = True, anonymous: bool = False) -> StagedBallot:
    return StagedBallot(kind, (stars * 1_000_000, 0), frozenset(tags), counted, anonymous)


VOTE = entry(1, ballot(4, tags=["roads"]), of=BEN)
BOTH = {"8": staged("cast", 4, "roads"), "7": staged("inherited", 4, "roads")}


def test_what_is_cast_is_inherited_and_every_difference_is_found():
    assert differing(BOTH, VOTE) == 0
    assert differing({"8": BOTH["8"]}, VOTE) == 1
    assert differing({**BOTH, "7": staged("inherited", 5, "roads")}, VOTE) == 1
    assert differing({**BOTH, "7": staged("inherited", 4)}, VOTE) == 1
    assert differing({**BOTH, "9": staged("cast", 4)}, VOTE) == 1


def test_whoever_left_hands_nothing_on_and_a_lobbyist_is_not_counted():
    gone = entry(2, member(active=False), of="membership:8")
    assert differing({}, VOTE, gone) == 0
    assert differing(BOTH, VOTE, gone) == 2
    lobbyist = entry(2, member(role="lobbyist"), of="membership:7")
    assert differing({**BOTH, "7": staged("inherited", 4, "roads", counted=False)}, VOTE, lobbyist) == 0
    assert differing(BOTH, VOTE, lobbyist) == 1


def test_an_anonymous_ballot_lies_in_the_urn_and_is_handed_on_to_nobody():
    sealed = entry(1, ballot(4, tags=["roads"]), of=BEN, pseudonym="heron")
    gone = entry(2, member(active=False, anonymous=True), of="membership:8")
    cast_without_name = {"8": staged("cast", 4, "roads", anonymous=True)}
    for entries in ((sealed,), (sealed, gone)):
        assert differing(cast_without_name, *entries) == 0
        assert differing({"8": staged("cast", 4, "roads")}, *entries) == 1
        assert differing({**cast_without_name, **BOTH, "8": cast_without_name["8"]}, *entries) == 1


def test_whoever_is_anonymous_or_took_such_a_ballot_back_inherits_under_a_pseudonym():
    unnamed = {**BOTH, "7": staged("inherited", 4, "roads", anonymous=True)}
    hidden = entry(2, member(anonymous=True), of="membership:7")
    assert (differing(unnamed, VOTE, hidden), differing(BOTH, VOTE, hidden)) == (0, 1)
    took_back = [entry(2, ballot(1), of=ADA, pseudonym="heron"), entry(3, None, of=ADA)]
    assert (differing(unnamed, VOTE, *took_back), differing(BOTH, VOTE, *took_back)) == (0, 1)


def test_what_happened_after_closing_changes_nothing():
    later = entry(2, ballot(1), of=BEN, time=100.0)
    assert differing(BOTH, VOTE, later, closed_at=100.0) == 0
    assert differing(BOTH, VOTE, later) == 2
