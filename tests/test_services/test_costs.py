"""A command costs the same however many rows it writes: they are written in bulk, and one change is said of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.db.models.signals import post_delete, post_save
from django.test.utils import CaptureQueriesContext

from democracy import ledger, services
from democracy.models import Decision, Following, Membership, Vote
from tests import factories, histories, rules
from tests.towns import Town

pytestmark = pytest.mark.django_db

Act = Callable[[], Any]


@contextmanager
def heard() -> Iterator[Counter[str]]:
    """Signals that rows were saved or deleted, by model."""
    counts: Counter[str] = Counter()

    def listen(sender: type, **kwargs: object) -> None:
        counts[sender.__name__] += 1

    for signal in (post_save, post_delete):
        signal.connect(listen)
    try:
        yield counts
    finally:
        for signal in (post_save, post_delete):
            signal.disconnect(listen)


def cost(act: Act) -> tuple[int, dict[str, int]]:
    """Queries and signals of a command."""
    with heard() as signals, CaptureQueriesContext(connection) as queries:
        act()
    return len(queries), dict(signals)


def decision(town: Town, choices: int) -> Decision:
    return factories.decision(town.community, town.manager, *(f"Choice {number}" for number in range(choices)))


def steps(town: Town, choices: int) -> dict[str, tuple[int, dict[str, int]]]:
    """The cost of each thing that somebody does with a ballot."""
    one = decision(town, choices)
    ids = [choice.pk for choice in one.choices.all()]
    ada = town.ada.user
    acts: dict[str, Act] = {
        "cast": lambda: services.cast_ballot(ada, one.pk, stars=dict.fromkeys(ids, 3)),
        "change": lambda: services.cast_ballot(ada, one.pk, stars=dict.fromkeys(ids, 4)),
        "rate fewer": lambda: services.cast_ballot(ada, one.pk, stars={ids[0]: 4}),
        "withdraw": lambda: services.withdraw_ballot(ada, one.pk),
    }
    costs = {}
    for name, act in acts.items():
        before = rules.revision(town.community)
        costs[name] = cost(act)
        (entry,) = rules.entries(town.community, after=before)
        assert (entry.kind, entry.decision_id, entry.membership_id) == ("ballot", one.pk, town.ada.pk)
    assert not Vote.objects.filter(ballot__decision=one).exists()
    return costs


def test_a_ballot_of_thirty_choices_costs_what_one_of_three_does(town: Town) -> None:
    few, many = steps(town, 3), steps(town, 30)
    assert few == many
    # Other stars alone leave the row of the ballot as it is.
    saved = {"cast": {"Ballot": 1}, "change": {}, "rate fewer": {}, "withdraw": {"Ballot": 1}}
    assert {name: signals for name, (_, signals) in many.items()} == saved
    assert max(queries for queries, _ in many.values()) <= 20
    assert histories.replayed(town.community) == histories.contents(town.community)
    town.community.refresh_from_db()
    assert list(ledger.faults(town.community)) == []


def test_a_draft_of_thirty_choices_costs_what_one_of_three_does(town: Town) -> None:
    def drafted(choices: int) -> list[tuple[int, dict[str, int]]]:
        made: list[Decision] = []
        titles = [services.ChoiceInput(f"Choice {number}") for number in range(choices)]
        first = cost(
            lambda: made.append(
                services.create_decision(town.manager, town.community.pk, title="Trees?", choices=titles)
            )
        )
        ids = [choice.pk for choice in made[0].choices.all()]
        # One goes, one is new, and the others take each other's titles.
        wanted = [services.ChoiceInput(f"Choice {number}", id=pk) for number, pk in enumerate(ids[:0:-1])]
        wanted.append(services.ChoiceInput("Another"))
        second = cost(lambda: services.update_decision(town.manager, made[0].pk, choices=wanted))
        rows = [(choice.title, choice.pk) for choice in made[0].choices.all()]
        assert [(choice.title, choice.id or rows[-1][1]) for choice in wanted] == rows
        return [first, second]

    few, many = drafted(3), drafted(30)
    assert few == many
    assert [signals for _, signals in many] == [{"Decision": 1}, {"Decision": 1}]
    assert histories.replayed(town.community) == histories.contents(town.community)


def test_followings_are_ordered_and_ended_in_bulk_and_each_has_its_entry(town: Town) -> None:
    ada, others = town.ada, [town.ben, town.cleo, town.dan]
    for other in others:
        factories.follow(ada, other)
        factories.follow(other, ada)
    order = [other.pk for other in reversed(others)]
    before = rules.revision(town.community)
    _, signals = cost(lambda: services.reorder_followings(ada.user, town.community.pk, order))
    assert signals == {}
    followed = Following.objects.filter(follower=ada).order_by("order")
    assert list(followed.values_list("followee", flat=True)) == order
    # The one in the middle stays where it was.
    assert [entry.kind for entry in rules.entries(town.community, after=before)] == ["following"] * 2
    before = rules.revision(town.community)
    hide = lambda: services.set_anonymity(ada.user, town.community.pk, anonymous=True, confirmed=True)  # noqa: E731
    assert cost(hide)[1] == {"Membership": 1}
    assert (Following.objects.filter(followee=ada).count(), followed.count()) == (0, 3)
    ended = rules.entries(town.community, after=before)
    assert [(entry.kind, entry.after is None) for entry in ended] == [("following", True)] * 3 + [("membership", False)]
    assert Membership.objects.get(pk=ada.pk).is_anonymous
    assert histories.replayed(town.community) == histories.contents(town.community)
