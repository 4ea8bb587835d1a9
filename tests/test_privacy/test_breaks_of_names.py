"""Ways in which the law was once broken, in a town where everybody begins under their name.

The numbers are those of their report.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from democracy import services
from democracy.models import Community, DecisionSnapshot, Membership
from democracy.recalculation import audits
from tests.test_privacy import surfaces
from tests.test_privacy.worlds import HELPERS, Cast, Content, Town, World, again, committing, kept

pytestmark = pytest.mark.django_db

BALLOT = Content((5, 0, 3), ("roads",), "Mine.")


@pytest.fixture(scope="module")
def written(module_rows: None) -> World:
    return kept(Town("a secret that is long enough for everybody who looks at it", "public"))


# 2
def test_what_five_who_work_together_inherit_in_the_end_is_not_in_steps(written: World) -> None:
    """The difference of two steps, of which they know every changed ballot, says nothing of Ben's."""

    def moved(bens: Content) -> list[int]:
        with again(written) as one:
            for who in ("ann", "cleo", "mia", "ben", "eve", *HELPERS):
                one.cast(Cast(who, "batched", bens if who == "ben" else BALLOT))
            one.calculate()
            one.do(services.follow, "eve", one.members["ben"].pk)
            for who in HELPERS:
                one.cast(Cast(who, "batched", Content((1, 1, 1))))
            one.cast(Cast("eve", "batched", None))
            one.calculate()
            first, second = DecisionSnapshot.objects.filter(decision=one.decisions["batched"]).order_by("revision")
            assert second.result["participation"]["inherited"] == 0
            scores = zip(first.result["scores"].values(), second.result["scores"].values(), strict=True)
            return [after - before for before, after in scores]

    assert moved(Content((4, 0, 2))) == moved(Content((0, 5, 1)))


# 2
def moved_by(written: World, change: Callable[[World], None], bens: Content | None) -> tuple[list[int], dict[str, int]]:
    """The difference of two results in steps, between which five change their ballots, and who took part then."""
    with again(written) as one:
        for who in ("ann", "cleo", "eve", "mia", *HELPERS):
            one.cast(Cast(who, "batched", BALLOT))
        if bens is not None:
            one.cast(Cast("ben", "batched", bens))
        one.calculate()
        change(one)
        for who in ("mia", *HELPERS):
            one.cast(Cast(who, "batched", Content((1, 1, 1))))
        one.calculate()
        first, second = DecisionSnapshot.objects.filter(decision=one.decisions["batched"]).order_by("revision")
        assert first.result["participation"]["eligible"] == second.result["participation"]["eligible"]
        assert audits_find_nothing(one)
        scores = zip(first.result["scores"].values(), second.result["scores"].values(), strict=True)
        return [after - before for before, after in scores], second.result["participation"]


def audits_find_nothing(one: World) -> bool:
    return list(audits.faults(Community.objects.get(pk=one.community.pk))) == []


# 2
@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.do(services.remove_member, "mia", one.members["ben"].pk),
        lambda one: one.do(services.leave_community, "ben", one.community.pk),
        lambda one: one.do(services.update_membership, "mia", one.members["ben"].pk, role=Membership.Role.LOBBYIST),
    ],
    ids=["removed", "left", "made a lobbyist"],
)
def test_no_result_in_steps_moves_by_what_a_manager_does_to_somebody(
    change: Callable[[World], None], written: World
) -> None:
    one, other, none = (moved_by(written, change, bens) for bens in (Content((4, 0, 2)), Content((0, 5, 1)), None))
    assert one == other
    assert one[0] == none[0]
    # That ben had voted was told by the first result, and the second says no more.
    differing = {key: one[1][key] - number for key, number in none[1].items() if one[1][key] != number}
    assert differing == {"cast": 1, "counted": 1, "none": -1}


# 2
def test_whoever_was_a_lobbyist_when_voting_is_counted_in_steps_once_they_vote_again(written: World) -> None:
    with again(written) as one:
        one.do(services.update_membership, "mia", one.members["ben"].pk, role=Membership.Role.LOBBYIST)
        for who in ("ben", "ann", "cleo", "eve", "mia", "hal"):
            one.cast(Cast(who, "batched", BALLOT))
        one.do(services.update_membership, "mia", one.members["ben"].pk, role=Membership.Role.VOTER)

        def counted() -> int:
            newest = DecisionSnapshot.objects.filter(decision=one.decisions["batched"]).latest("revision")
            return newest.read_result().counted

        assert counted() == 5
        for who in ("ben", "ann", "cleo", "eve", "mia"):
            one.cast(Cast(who, "batched", Content((1, 1, 1))))
        one.calculate()
        assert counted() == 6


# 4
def test_whom_the_anonymous_follow_is_told_nowhere_though_a_ballot_bears_their_name(written: World) -> None:
    with again(written) as town:
        town.cast(Cast("xena", "live", BALLOT))
        town.cast(Cast("ben", "live", Content((1, 2, 3), ("secret",))))
        town.calculate()
        town.become_anonymous()
        town.do(services.follow, "xena", town.members["ben"].pk, tags=["secret"])
        asked = """influence { edges { node { ballots } } } delegationGraph { nodes { voter { name } } }
            ballots(first: 9) { edges { node { sources { path { name } } } } }"""

        def told() -> tuple[Any, str, list[Any]]:
            bundle = json.loads(surfaces.page(town, "decision-export", "live", "visitor"))
            drawn = surfaces.page(town, "decision-network-data", "live", "visitor")
            return surfaces.told_of(town, "live", "eve", asked), drawn, bundle["followings"]

        answers, drawn, followings = told()
        assert answers["delegationGraph"]["nodes"] == followings == []
        assert "xena" not in drawn
        # Until it is calculated, what is stored is her own ballot.
        town.cast(Cast("xena", "live", None))
        key = f"m-{town.members['xena'].pk}"
        address = reverse("decision-ballot", args=(town.community.pk, town.decisions["live"].pk, key))
        assert town.client("eve").get(address).status_code in {403, 404}
        answers, drawn, followings = told()
        assert answers["delegationGraph"]["nodes"] == followings == []
        assert "xena" not in drawn
        assert [edge["node"]["ballots"] for edge in answers["influence"]["edges"]] == [1.0]
        for edge in answers["ballots"]["edges"]:
            assert all(len(source["path"]) == 1 for source in edge["node"]["sources"] or ())


# 4
def test_no_ballot_cast_under_a_pseudonym_is_explained_by_name_before_it_is_calculated(written: World) -> None:
    with again(written) as town:
        town.do(services.follow, "xena", town.members["ben"].pk)
        town.cast(Cast("ben", "live", Content((1, 2, 3))))
        town.calculate()
        user, community = town.people["xena"], town.community.pk
        with committing():
            services.set_anonymity(user, community, anonymous=True, confirmed=True)
        town.cast(Cast("xena", "live", Content((0, 4, 1))))
        with committing():
            services.set_anonymity(user, community, anonymous=False, confirmed=True)
        key = f"m-{town.members['xena'].pk}"
        address = reverse("decision-ballot", args=(community, town.decisions["live"].pk, key))
        assert town.client("eve").get(address).status_code in {403, 404}
        asked = "ballots(first: 9) { edges { node { voter { name } sources { path { name } } } } }"
        nodes = [edge["node"] for edge in surfaces.told_of(town, "live", "eve", asked)["ballots"]["edges"]]
        assert {node["voter"]["name"]: node["sources"] for node in nodes}["xena"] is None
