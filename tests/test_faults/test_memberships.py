"""Whether people had the right to what they did, in histories that are made up."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.history import Kind, Operation
from tests.faults.memberships import SLACK
from tests.faults.state import Entry
from tests.test_faults.made_up import (
    ADA,
    FOLLOWING,
    ballot,
    cast,
    edge,
    entry,
    found,
    joined,
    member,
    refused,
    said,
    unknown,
)

MEMBERSHIP = "membership:7"
NEWCOMER = "membership:new9"


def became(revision: int, *, of: str = MEMBERSHIP, time: float = 0.0, **what: Any) -> Entry:
    return entry(revision, member(**what), of=of, time=time)


def asked(invoked: float, kind: Kind, value: dict[str, Any] | None = None, *, of: str = MEMBERSHIP) -> Operation:
    return said(invoked, invoked + 1, kind, value, of=of)


def test_people_leave_come_back_and_change_their_roles_and_names():
    operations = [
        asked(0, Kind.ROLE, {"role": "lobbyist"}),
        asked(2, Kind.LEAVE),
        # Whoever comes back does so as a voter.
        asked(4, Kind.JOIN),
        asked(6, Kind.NAME, {"anonymous": True}),
        asked(8, Kind.JOIN, of=NEWCOMER),
    ]
    entries = [
        became(1, role="lobbyist"),
        became(2, role="lobbyist", active=False),
        became(3),
        became(4, anonymous=True),
        became(5, of=NEWCOMER),
    ]
    assert found(operations, entries) == []
    assert found(operations[:4], entries) == ["NO_ORDER_EXPLAINS"]
    assert found(operations, entries[:4]) == ["NO_ORDER_EXPLAINS"]


def test_somebody_who_comes_back_in_the_role_that_they_had_is_wrong():
    operations = [asked(0, Kind.ROLE, {"role": "lobbyist"}), asked(2, Kind.LEAVE), asked(4, Kind.JOIN)]
    entries = [became(1, role="lobbyist"), became(2, role="lobbyist", active=False), became(3, role="lobbyist")]
    assert found(operations, entries) == ["NO_ORDER_EXPLAINS"]


def test_a_role_that_nobody_gave_and_a_leave_that_is_lost_are_found():
    assert found([], [became(1, role="lobbyist")]) == ["NO_ORDER_EXPLAINS"]
    assert found([asked(0, Kind.LEAVE)], []) == ["NO_ORDER_EXPLAINS"]
    assert found([unknown(0, Kind.LEAVE, of=MEMBERSHIP)], []) == []


@pytest.mark.parametrize(
    ("kind", "code", "stands"),
    [
        (Kind.JOIN, "ALREADY_MEMBER", member()),
        (Kind.LEAVE, "PERMISSION_DENIED", member(active=False)),
        (Kind.ROLE, "PERMISSION_DENIED", member(active=False)),
        (Kind.NAME, "INVALID", member(role="lobbyist")),
    ],
)
def test_a_refusal_is_what_the_membership_gives_cause_for(kind, code, stands):
    value = {Kind.ROLE: {"role": "voter"}, Kind.NAME: {"anonymous": True}}.get(kind)
    turned_away = refused(2, 3, kind, code, of=MEMBERSHIP)
    turned_away = Operation(**{**vars(turned_away), "value": value})
    before = {MEMBERSHIP: joined("7", **stands)}
    assert found([turned_away], [], before=before) == []
    # The other one is there and a voter where this one is not, and the other way round.
    other = joined("7", active=not stands["active"])
    other = joined("7") if code == "INVALID" else other
    assert found([turned_away], [], before={MEMBERSHIP: other}) == ["NO_ORDER_EXPLAINS"]


def test_a_vote_of_somebody_who_is_gone_is_found_and_one_refused_is_right():
    gone, back = became(1, active=False, time=100.0), became(3, time=200.0)
    left, returned = asked(100, Kind.LEAVE), asked(200, Kind.JOIN)
    late = cast(150, 151, 3, receipt=2)
    accepted = [left, late, returned]
    assert found(accepted, [gone, entry(2, ballot(3), time=150.0), back]) == ["VOTED_WITHOUT_RIGHT"]
    turned_away = refused(150, 151, Kind.CAST, "PERMISSION_DENIED")
    assert found([left, turned_away, returned], [gone, back]) == []
    for when in (50, 200 + SLACK + 1):
        early_or_late = refused(when, when + 1, Kind.CAST, "PERMISSION_DENIED")
        assert found([left, early_or_late, returned], [gone, back]) == ["REFUSED_WITHOUT_CAUSE"]


def test_a_newcomer_votes_when_they_are_in():
    register = "ballot:1:new9"
    vote = said(4, 5, Kind.CAST, ballot(3), of=register, receipt=2)
    come, written = asked(2, Kind.JOIN, of=NEWCOMER), entry(2, ballot(3), of=register)
    turned_away = refused(0, 1, Kind.CAST, "PERMISSION_DENIED", of=register)
    assert found([turned_away, come, vote], [became(1, of=NEWCOMER), written]) == []
    assert found([turned_away], []) == []
    assert found([vote], [written]) == ["VOTED_WITHOUT_RIGHT"]


def test_becoming_anonymous_ends_what_points_at_the_member():
    follow, hide = (
        asked(0, Kind.FOLLOW, edge(), of=FOLLOWING),
        asked(2, Kind.NAME, {"anonymous": True}, of="membership:8"),
    )
    stands, ended = entry(1, edge(), of=FOLLOWING), entry(2, None, of=FOLLOWING, time=9.0)
    hidden = became(3, of="membership:8", anonymous=True, time=9.0)
    assert found([follow, hide], [stands, ended, hidden]) == []
    assert found([follow, hide], [stands, hidden]) == ["FOLLOWED_THE_ANONYMOUS"]
    # At another time somebody has to ask for it.
    alone = entry(2, None, of=FOLLOWING, time=8.0)
    assert found([follow, hide], [stands, alone, hidden]) == ["NO_ORDER_EXPLAINS"]
    again = asked(4, Kind.FOLLOW, edge("roads"), of=FOLLOWING)
    after = entry(4, edge("roads"), of=FOLLOWING)
    assert found([follow, hide, again], [stands, ended, hidden, after]) == [
        "FOLLOWED_WITHOUT_RIGHT",
        "FOLLOWED_THE_ANONYMOUS",
    ]
    turned_away = refused(4, 5, Kind.FOLLOW, "PERMISSION_DENIED", of=FOLLOWING)
    assert found([hide, turned_away], [became(1, of="membership:8", anonymous=True, time=3.0)]) == []


def test_a_ballot_bears_the_name_of_the_first_one_in_that_decision():
    hide = asked(0, Kind.NAME, {"anonymous": True})
    votes = [cast(2, 3, 3, receipt=2), said(4, 5, Kind.WITHDRAW, receipt=3), cast(8, 9, 4, receipt=5)]
    show = asked(6, Kind.NAME, {"anonymous": False})

    def entries(first: str, second: str) -> list[Entry]:
        return [
            became(1, anonymous=True),
            entry(2, ballot(3), pseudonym=first),
            entry(3, None),
            became(4),
            entry(5, ballot(4), pseudonym=second),
        ]

    operations = [hide, *votes[:2], show, votes[2]]
    assert found(operations, entries("heron", "heron")) == []
    assert found(operations, entries("heron", "")) == ["WRONG_NAME"]
    assert found(operations, entries("", "")) == ["WRONG_NAME"]
    assert found([votes[0]], [entry(2, ballot(3), pseudonym="heron")]) == ["WRONG_NAME"]
    assert found([votes[0]], [entry(2, ballot(3))], contents={ADA: ballot(3)}) == []
