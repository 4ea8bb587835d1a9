"""Rows that the database itself refuses to somebody who writes past the commands, each beside one that it allows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, models, transaction
from django.utils import timezone

from democracy.models import (
    Application,
    Ballot,
    Choice,
    Community,
    Decision,
    DecisionSnapshot,
    Following,
    LedgerEntry,
    Membership,
    StagedBlock,
    Vote,
)
from tests import factories, rules

pytestmark = pytest.mark.django_db

Scene = tuple[Community, dict[str, Membership], Decision]


@pytest.fixture
def scene(db: None) -> Scene:
    community, members = rules.new_community("ada", "ben")
    return community, members, factories.decision(community, members["manager"].user)


def write(row: models.Model) -> None:
    """Write a row as nobody should: without command, receiver or ledger."""
    type(row)._default_manager.bulk_create([row])


def impossible(*rows: models.Model) -> None:
    """The last of these rows is refused, and nothing of it is there."""
    *first, last = rows
    for row in first:
        write(row)
    before = rules.written()
    with pytest.raises(IntegrityError), transaction.atomic():
        write(last)
    assert rules.written() == before


def impossible_change(rows: models.QuerySet[Any], **fields: Any) -> None:
    before = rules.written()
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.update(**fields)
    assert rules.written() == before


def test_two_communities_never_share_a_name_whatever_its_case(scene: Scene) -> None:
    community, _, _ = scene
    impossible(Community(name=community.name.upper()))
    write(Community(name=f"{community.name} II"))


def test_one_membership_per_person_and_community(scene: Scene) -> None:
    community, members, _ = scene
    other, _ = factories.community()
    impossible(Membership(community=community, user=members["ada"].user, left_at=timezone.now()))
    write(Membership(community=other, user=members["ada"].user))


def test_only_voters_are_anonymous(scene: Scene) -> None:
    community, members, _ = scene
    impossible(Membership(community=community, user=factories.person(), role="lobbyist", is_anonymous=True))
    impossible_change(Membership.objects.filter(pk=members["ada"].pk), role="lobbyist", is_anonymous=True)
    write(Membership(community=community, user=factories.person(), role="voter", is_anonymous=True))


def test_one_pending_application_per_person_and_community(scene: Scene) -> None:
    community, _, _ = scene
    user = factories.person()
    impossible(Application(community=community, user=user), Application(community=community, user=user))
    for status in ("rejected", "rejected", "withdrawn", "approved"):
        write(Application(community=community, user=user, status=status))


def test_one_following_per_pair_and_none_of_oneself(scene: Scene) -> None:
    _, members, _ = scene
    ada, ben = members["ada"], members["ben"]
    impossible(Following(follower=ada, followee=ada))
    impossible(Following(follower=ada, followee=ben), Following(follower=ada, followee=ben, tags=["parks"]))
    write(Following(follower=ben, followee=ada))


def test_a_published_decision_opens_before_it_closes(scene: Scene) -> None:
    community, _, decision = scene
    now = timezone.now()
    for opens, closes in ((None, now), (now, None), (now, now), (now, now - timedelta(seconds=1)), (None, None)):
        impossible(Decision(community=community, title="x", published_at=now, opens_at=opens, closes_at=closes))
    impossible_change(Decision.objects.filter(pk=decision.pk), closes_at=decision.opens_at)
    write(Decision(community=community, title="x", opens_at=now, closes_at=now))
    write(
        Decision(community=community, title="x", published_at=now, opens_at=now, closes_at=now + timedelta(seconds=1))
    )


def test_lots_and_titles_of_choices_are_their_own_within_a_decision(scene: Scene) -> None:
    community, members, decision = scene
    sibling = factories.draft(community, members["manager"].user, "Elm", "Oak")
    impossible(Choice(decision=decision, title="Ash"))
    impossible(Choice(decision=decision, title="Elm", lot=1))
    write(Choice(decision=sibling, title="Ash", lot=1))
    write(Choice(decision=sibling, title="Birch"))


def test_one_ballot_per_member_and_decision(scene: Scene) -> None:
    community, members, decision = scene
    sibling = factories.decision(community, members["manager"].user)
    impossible(
        Ballot(decision=decision, membership=members["ada"]),
        Ballot(decision=decision, membership=members["ada"], abstain=True),
    )
    write(Ballot(decision=sibling, membership=members["ada"]))
    write(Ballot(decision=decision, membership=members["ben"]))


class TestVotes:
    @pytest.fixture
    def ballot(self, scene: Scene) -> Ballot:
        _, members, decision = scene
        return Ballot.objects.create(decision=decision, membership=members["ada"])

    def test_one_per_ballot_and_choice(self, scene: Scene, ballot: Ballot) -> None:
        first, second, _ = scene[2].choices.all()
        impossible(Vote(ballot=ballot, choice=first, stars=1), Vote(ballot=ballot, choice=first, stars=2))
        write(Vote(ballot=ballot, choice=second, stars=1))

    @pytest.mark.parametrize("stars", [-1, 6, 1_000, None])
    def test_stars_are_0_to_5(self, scene: Scene, ballot: Ballot, stars: int | None) -> None:
        choice = scene[2].choices.all()[0]
        before = rules.written()
        with pytest.raises(DatabaseError), transaction.atomic():
            write(Vote(ballot=ballot, choice=choice, stars=stars))
        assert rules.written() == before
        for allowed in (0, 5):
            Vote.objects.filter(ballot=ballot).delete()
            write(Vote(ballot=ballot, choice=choice, stars=allowed))


def test_the_ledger_does_not_fork(scene: Scene) -> None:
    community, _, _ = scene
    last = rules.entries(community)[-1]

    def entry(of: Community, revision: int) -> LedgerEntry:
        return LedgerEntry(community=of, revision=revision, time=timezone.now(), kind="ballot", subject="ballot:1:1")

    impossible(entry(community, last.revision))
    write(entry(community, last.revision + 1))
    other, _ = factories.community()
    LedgerEntry.objects.filter(community=other, revision=1).delete()
    write(entry(other, 1))


def test_one_final_result_per_decision_and_one_result_per_revision(scene: Scene) -> None:
    community, members, decision = scene
    sibling = factories.decision(community, members["manager"].user)

    def result(of: Decision, revision: int, *, is_final: bool = False) -> DecisionSnapshot:
        return DecisionSnapshot(
            decision=of, revision=revision, calculated_at=timezone.now(), is_final=is_final, result={}
        )

    impossible(result(decision, 5), result(decision, 5))
    impossible(result(decision, 5, is_final=True), result(decision, 6, is_final=True))
    write(result(decision, 6))
    write(result(sibling, 5, is_final=True))
    assert DecisionSnapshot.objects.count() == 4


def test_one_block_of_staged_ballots_begins_with_a_member(scene: Scene) -> None:
    _, members, decision = scene

    def block(member: Membership) -> StagedBlock:
        return StagedBlock(decision=decision, first=member.pk, revision=1, size=0, tag_sets="[]", **columns)

    columns = dict.fromkeys(("members", "marks", "tags", "microstars"), b"")
    impossible(block(members["ada"]), block(members["ada"]))
    write(block(members["ben"]))
    assert StagedBlock.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_the_ledger_outlives_what_it_speaks_of(transactional_db: None, scene: Scene) -> None:
    community, members, decision = scene
    factories.vote(members["ada"], decision, Ash=5)
    (cast,) = [entry for entry in rules.entries(community) if entry.kind == "ballot"]
    decision.delete()
    members["ada"].user.delete()
    still = LedgerEntry.objects.get(pk=cast.pk)
    assert (still.decision_id, still.membership_id, still.actor_id, still.after, still.hash) == (
        cast.decision_id,
        cast.membership_id,
        cast.actor_id,
        cast.after,
        cast.hash,
    )
    assert not Membership.objects.filter(pk=cast.membership_id).exists()
    assert not Decision.objects.filter(pk=cast.decision_id).exists()
