"""Inputs as the rows hold them: every star of every choice, and what a ballot says beside stars."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from democracy import services
from democracy.recalculation import inputs
from graph import CastBallot
from tests import factories
from tests.towns import Town, new_town

pytestmark = pytest.mark.django_db


@pytest.fixture
def town(db: None) -> Town:
    return new_town("ada", "ben", "cleo", "dan")


def ballots(town: Town, titles: Sequence[str], stars: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """Let the members vote on a decision of these choices; return the stars that are read, in their order."""
    decision = factories.decision(town.community, town.manager, *titles)
    members = list(town.members.values())[: len(stars)]
    for member, given in zip(members, stars, strict=True):
        # Without a star on some choice it would be an abstention.
        factories.vote(member, decision, **{title: one for title, one in zip(titles, given, strict=True) if one})
    found = inputs.decision_inputs([decision.pk])[decision.pk].ballots
    assert set(found) == {member.pk for member in members}
    return [found[member.pk].stars for member in members]


@pytest.mark.parametrize("choices", [2, 20, 21, 22, 43, 50])
def test_stars_are_read_as_they_were_given_however_many_choices_there_are(town: Town, choices: int) -> None:
    chance = random.Random(choices)
    titles = [f"C{place}" for place in range(choices)]
    stars = [
        (5,) * choices,
        tuple(5 * (place == choices - 1) for place in range(choices)),
        (*(chance.randint(0, 5) for _ in range(choices - 1)), 1),
    ]
    assert ballots(town, titles, stars) == stars


def test_each_ballot_has_its_own_tags_and_says_whether_it_abstains_and_bears_a_name(town: Town) -> None:
    ids = [choice.pk for choice in town.decision.choices.order_by("position")]
    for member in (town.ben, town.dan):
        services.set_anonymity(member.user, town.community.pk, anonymous=True)
    services.cast_ballot(town.ada.user, town.decision.pk, stars={ids[1]: 0}, tags=["parks", "roads"])
    services.cast_ballot(town.ben.user, town.decision.pk, stars={ids[0]: 4})
    for member in (town.cleo, town.dan):
        services.cast_ballot(member.user, town.decision.pk, stars={}, abstain=True)
    none = (0,) * len(ids)
    assert inputs.decision_inputs([town.decision.pk])[town.decision.pk].ballots == {
        town.ada.pk: CastBallot(none, frozenset({"parks", "roads"})),
        town.ben.pk: CastBallot((4, *none[1:]), anonymous=True),
        town.cleo.pk: CastBallot(none, abstain=True),
        town.dan.pk: CastBallot(none, abstain=True, anonymous=True),
    }
