"""Votes that wait for one another commit together, and each is as if it had been alone: entry, receipt, refusal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from accounts.errors import DomainError
from democracy import ledger, services
from democracy.errors import ChangedMeanwhile
from democracy.models import Ballot, LedgerEntry, Membership
from tests import factories, histories, rules
from tests.lines import let_go_together
from tests.towns import Town, new_town

pytestmark = [
    pytest.mark.skipif(connection.vendor != "sqlite", reason="other databases have many writers"),
    pytest.mark.django_db(transaction=True),
]

Act = Callable[[], services.RecordedBallot]


@contextmanager
def told() -> Iterator[list[tuple[int, int]]]:
    """Collect what is told of commits: community and revision."""
    heard: list[tuple[int, int]] = []

    def listen(sender: type, community_id: int, revision: int, **kwargs: Any) -> None:
        heard.append((community_id, revision))

    ledger.committed.connect(listen)
    try:
        yield heard
    finally:
        ledger.committed.disconnect(listen)


def at_once(**acts: Act) -> dict[str, Any]:
    """Do these at once, in this order: each finds somebody else writing. Returns what each gave, or its error."""
    outcomes: dict[str, Any] = {}

    def do(name: str, act: Act) -> None:
        try:
            outcomes[name] = act()
        except DomainError as error:
            outcomes[name] = type(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=do, args=one, daemon=True) for one in acts.items()]
    let_go_together(threads)
    return outcomes


def entry_of(member: Membership, town: Town) -> LedgerEntry:
    return LedgerEntry.objects.get(community=town.community, kind="ballot", membership=member)


def test_each_has_an_entry_and_a_receipt_of_their_own_and_a_refusal_is_its_own_askers_alone() -> None:
    town, other = new_town("ada", "ben", "cleo"), new_town("eve")
    factories.vote(town.ben, town.decision, Ash=1)
    before, others = rules.revision(town.community), rules.revision(other.community)
    stars = {choice.pk: 4 for choice in factories.choices(town.decision).values()}
    with told() as heard:
        outcomes = at_once(
            ada=lambda: factories.vote(town.ada, town.decision, Ash=5),
            ben=lambda: services.cast_ballot(town.ben.user, town.decision.pk, stars=stars, if_revision=before - 1),
            eve=lambda: factories.vote(other.eve, other.decision, Birch=3),
            cleo=lambda: factories.vote(town.cleo, town.decision, Birch=2),
        )
    assert outcomes["ben"] is ChangedMeanwhile
    assert [(entry.actor_id, entry.revision) for entry in rules.entries(town.community, after=before)] == [
        (town.ada.user_id, before + 1),
        (town.cleo.user_id, before + 2),
    ]
    for name, where in (("ada", town), ("cleo", town), ("eve", other)):
        member = where.members[name]
        assert outcomes[name].entry_hash == entry_of(member, where).hash
        assert outcomes[name].ballot == Ballot.objects.get(membership=member)
    # Of each community once, when all of it had committed.
    assert sorted(heard) == sorted([(town.community.pk, before + 2), (other.community.pk, others + 1)])
    for one in (town, other):
        one.community.refresh_from_db()
        assert list(ledger.faults(one.community)) == []
        assert histories.replayed(one.community) == histories.contents(one.community)
        one.decision.refresh_from_db()
        assert one.decision.input_revision == one.community.revision


def test_of_two_votes_of_one_member_the_later_stands_and_both_are_recorded() -> None:
    town = new_town("ada", "ben")
    before = rules.revision(town.community)
    outcomes = at_once(
        first=lambda: factories.vote(town.ada, town.decision, Ash=5),
        again=lambda: factories.vote(town.ada, town.decision, Ash=5),
        other=lambda: factories.vote(town.ada, town.decision, Ash=2),
    )
    first, second = rules.entries(town.community, after=before)
    # Sent again, it is the same vote.
    hashes = {name: outcome.entry_hash for name, outcome in outcomes.items()}
    assert hashes == {"first": first.hash, "again": first.hash, "other": second.hash}
    assert [vote.stars for vote in Ballot.objects.get(membership=town.ada).votes.all()] == [2]
    assert second.before == first.after
