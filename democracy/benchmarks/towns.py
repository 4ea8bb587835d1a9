"""Made-up communities in the database."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from democracy import ledger
from democracy.benchmarks.networks import Town
from democracy.database import bulk
from democracy.models import Ballot, Choice, Community, Decision, Following, Membership, Vote
from democracy.models.decisions import MAX_STARS
from democracy.services.recalculations import recalculation_change

_BATCH = 10_000


@dataclass(frozen=True)
class StoredTown:
    community: Community
    decision: Decision
    choices: list[Choice]
    memberships: list[Membership]


def store(name: str, town: Town) -> StoredTown:
    """Store the town with one open decision, stale.

    Written without ledger entries of its own, which would take ten times as long and are no part of what is measured;
    one entry makes the decision stale.
    """
    now = timezone.now()
    with transaction.atomic():
        community = Community(name=name)
        Community.objects.bulk_create([community])
        users = [User(name=f"Member {n}", handle=f"{name}_{n}", password="!") for n in range(1, town.members + 1)]
        User.objects.bulk_create(users, batch_size=_BATCH)
        memberships = [Membership(community=community, user=user, is_manager=not n) for n, user in enumerate(users)]
        Membership.objects.bulk_create(memberships, batch_size=_BATCH)
        Following.objects.bulk_create(
            [Following(follower=memberships[a - 1], followee=memberships[b - 1]) for a, b in town.followings],
            batch_size=_BATCH,
        )
        decision = Decision(
            community=community,
            title="Which?",
            published_at=now,
            opens_at=now,
            closes_at=now + timedelta(days=7),
        )
        Decision.objects.bulk_create([decision])
        choices = [Choice(decision=decision, title=f"Choice {n}", position=n, lot=n + 1) for n in range(town.choices)]
        Choice.objects.bulk_create(choices)
        ballots = [Ballot(decision=decision, membership=memberships[voter - 1]) for voter in town.ballots]
        Ballot.objects.bulk_create(ballots, batch_size=_BATCH)
        Vote.objects.bulk_create(
            [
                Vote(ballot=ballot, choice=choice, stars=stars)
                for ballot, cast in zip(ballots, town.ballots.values(), strict=True)
                for choice, stars in zip(choices, cast.stars, strict=True)
            ],
            batch_size=_BATCH,
        )
        with ledger.recording(community.pk) as recording:
            recording.add(recalculation_change(decision.pk))
    return StoredTown(community, decision, choices, memberships)


def add_decisions(town: StoredTown, number: int, *, cast: float = 0.2) -> None:
    """Add open decisions, stale, each with ballots of other members."""
    now, chance = timezone.now(), random.Random(number)
    with transaction.atomic():
        for n in range(number):
            decision = Decision(
                community=town.community,
                title=f"Which of {n}?",
                published_at=now,
                opens_at=now,
                closes_at=now + timedelta(days=7),
            )
            Decision.objects.bulk_create([decision])
            choices = [
                Choice(decision=decision, title=one.title, position=one.position, lot=one.lot) for one in town.choices
            ]
            Choice.objects.bulk_create(choices)
            voters = chance.sample(town.memberships, int(len(town.memberships) * cast))
            Ballot.objects.bulk_create((Ballot(decision=decision, membership=one) for one in voters), batch_size=_BATCH)
            ballots = Ballot.objects.filter(decision=decision).order_by("pk").values_list("pk", flat=True)
            votes = ((pk, one.pk, chance.randint(0, MAX_STARS)) for pk in list(ballots) for one in choices)
            bulk.insert(Vote._meta.db_table, ("ballot_id", "choice_id", "stars"), votes)
        with ledger.recording(town.community.pk) as recording:
            recording.add(recalculation_change(None))


def revision(town: StoredTown) -> int:
    """Read the revision of the town's ledger now."""
    town.community.refresh_from_db(fields=["revision"])
    return town.community.revision
