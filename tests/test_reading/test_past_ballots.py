"""Ballots as of a past result are those that it was calculated from, as far as they may still be shown."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from pytest_django import Settings

from accounts.models import User
from democracy import services
from democracy.explaining.past_followings import past_followings
from democracy.models import Decision, DecisionSnapshot, Membership, PastBlock
from democracy.reading.past_ballots import past_ballots
from democracy.recalculation import blocks, pruning, recalculate_community
from democracy.recalculation.inputs import inputs_at
from graph import Calculation
from tests import factories, rules
from tests.rules import Clock
from tests.staged import stored
from tests.test_graphql.api import ask, id_of

pytestmark = pytest.mark.django_db
VISITOR = AnonymousUser()
ASKED = """query Past($id: ID!, $revision: BigInt!) {
  decision(id: $id) {
    history(first: 50) { edges { node { revision keepsBallots } } }
    asOf(revision: $revision) {
      revision
      result { revision winner { title } }
      delegationGraph { nodes { voter { name } kind } edges { follower followee tags } isComplete }
      ballots(first: 2) {
        totalCount
        edges { node { kind isCounted tags member { name } stars { choice { title } microstars } } }
      }
    }
  }
}"""


Told = dict[str, tuple[str, tuple[int, ...]]] | None


class Town:
    """A public community of five members, with one decision; results keep their ballots every minute."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
        self.clock = Clock(monkeypatch)
        self.community, self.members = rules.new_community("ada", "ben", "cleo", "dan", "eve")
        services.update_community(self["manager"].user, self.community.pk, visibility="public")
        self.decision = factories.decision(self.community, self["manager"].user, **fields)

    def __getitem__(self, handle: str) -> Membership:
        return self.members[handle]

    def vote(self, handle: str, **stars: int) -> None:
        factories.vote(self[handle], self.decision, **stars)

    def calculate(self, *, seconds: int = 70) -> int:
        """Calculate as of now, and let time pass. Returns the revision."""
        assert recalculate_community(self.community.pk)
        self.clock.advance(seconds=seconds)
        self.decision.refresh_from_db()
        return self.decision.calculated_revision

    def told(
        self, revision: int, viewer: User | AnonymousUser = VISITOR
    ) -> dict[str, tuple[str, tuple[int, ...]]] | None:
        """(kind, microstars) of each ballot as of a revision, by handle; None where they are not told."""
        past = past_ballots(viewer, self.decision, revision)
        handles = {member.user.handle: handle for handle, member in self.members.items()}
        if past is None:
            return None
        shown = past[0:100]
        assert len(shown) == len(past)
        assert [one for place in range(len(past)) for one in past[place : place + 1]] == shown
        return {handles[one.membership.user.handle]: (one.kind, one.microstars) for one in shown}

    def followings(self, revision: int) -> set[tuple[int, int]]:
        """The active followings as of a revision."""
        past = past_ballots(VISITOR, self.decision, revision)
        assert past is not None
        found = past_followings(past, most=100)
        pks = [member.pk for member, _ in found.members]
        return {(pks[follower], pks[followee]) for follower, followee, _ in found.followings}


def calculation_at(decision: Decision, revision: int) -> Calculation:
    """Calculate a decision from its inputs as they stood."""
    then = inputs_at(decision.community_id, [decision.pk], revision)
    one = then.decisions[decision.pk]
    return Calculation.from_scratch(then.graph(), lots=one.lots, ballots=one.ballots)


@pytest.fixture
def keeping(settings: Settings) -> None:
    settings.HISTORY_BALLOTS = 60


@pytest.fixture
def town(keeping: None, monkeypatch: pytest.MonkeyPatch) -> Town:
    return Town(monkeypatch)


def stars(*microstars: int) -> tuple[int, ...]:
    return tuple(number * 1_000_000 for number in microstars)


class TestKeeping:
    def test_each_result_has_the_ballots_that_it_was_calculated_from(self, town: Town) -> None:
        factories.follow(town["ben"], town["ada"])
        town.vote("ada", Ash=5)
        first = town.calculate()
        town.vote("ada", Birch=3)
        town.vote("cleo", Cedar=1)
        second = town.calculate()
        services.withdraw_ballot(town["ada"].user, town.decision.pk)
        third = town.calculate()
        assert town.told(first) == {"ada": ("cast", stars(5, 0, 0)), "ben": ("inherited", stars(5, 0, 0))}
        assert town.told(second) == {
            "ada": ("cast", stars(0, 3, 0)),
            "ben": ("inherited", stars(0, 3, 0)),
            "cleo": ("cast", stars(0, 0, 1)),
        }
        assert town.told(third) == {"cleo": ("cast", stars(0, 0, 1))}
        assert town.told(first - 1) is None
        assert town.told(third + 1) is None

    @pytest.mark.parametrize("seed", range(3))
    def test_however_often_blocks_are_replaced_and_divided(
        self, town: Town, monkeypatch: pytest.MonkeyPatch, seed: int
    ) -> None:
        monkeypatch.setattr(blocks, "BLOCK", 2)
        chance = random.Random(seed)
        then: dict[int, dict[int, tuple[str, tuple[int, ...]]]] = {}
        for _ in range(12):
            one, another = (town[handle] for handle in chance.sample(sorted(town.members), 2))
            match chance.randrange(4):
                case 0 if town.decision.ballots.filter(membership=one).exists():
                    services.withdraw_ballot(one.user, town.decision.pk)
                case 1 if one.followings.filter(followee=another).exists():
                    services.unfollow(one.user, another.pk)
                case 2 | 3:
                    factories.follow(one, another, *chance.choice([[], ["parks"]]))
            tags = chance.choice([[], ["parks"], ["roads"]])
            factories.vote(another, town.decision, tags, Ash=chance.randrange(6), Birch=chance.randrange(6))
            revision = town.calculate(seconds=chance.choice([5, 70]))
            if DecisionSnapshot.objects.filter(revision=revision, keeps_ballots=True).exists():
                then[revision] = {m: (one.kind, one.microstars) for m, one in stored(town.decision).items()}
            else:
                assert town.told(revision) is None
        pks = {member.pk: handle for handle, member in town.members.items()}
        assert len(then) > 2
        for revision, ballots in then.items():
            assert town.told(revision) == {pks[member]: ballot for member, ballot in ballots.items()}
            assert town.followings(revision) == set(calculation_at(town.decision, revision).active_followings())

    def test_a_result_keeps_its_ballots_once_the_time_since_the_last_has_passed(self, town: Town) -> None:
        revisions = []
        for number in range(4):
            town.vote("ada", Ash=number + 1)
            revisions.append(town.calculate(seconds=40))
        kept = DecisionSnapshot.objects.filter(keeps_ballots=True).order_by("revision")
        assert list(kept.values_list("revision", flat=True)) == [revisions[0], revisions[2]]
        # What stood between is not needed.
        assert PastBlock.objects.count() == 2

    def test_none_does_if_the_operator_wants_none_but_the_final_one(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.HISTORY_BALLOTS = 0
        town = Town(monkeypatch)
        town.vote("ada", Ash=5)
        first = town.calculate()
        town.vote("ada", Ash=4)
        town.calculate()
        town.clock.advance(days=8)
        final = town.calculate()
        assert (town.told(first), PastBlock.objects.count()) == (None, 0)
        assert town.told(final) == {"ada": ("cast", stars(4, 0, 0))}

    def test_pruned_results_take_their_ballots_along_and_others_keep_theirs(self, town: Town) -> None:
        revisions = []
        for number in range(3):
            town.vote("ada", Ash=number + 1)
            revisions.append(town.calculate())
        town.clock.advance(days=3)
        town.vote("ada", Ash=5)
        last = town.calculate()
        assert PastBlock.objects.count() == 3
        assert pruning.prune_history(days=1, now=town.clock.now + timedelta(days=1)) == 2
        assert [town.told(revision) for revision in revisions[:2]] == [None, None]
        assert town.told(revisions[2]) == {"ada": ("cast", stars(3, 0, 0))}
        assert town.told(last) == {"ada": ("cast", stars(5, 0, 0))}
        assert PastBlock.objects.count() == 1


class TestWhatIsTold:
    @pytest.mark.parametrize("visibility", ["after_close", "batched"])
    def test_what_a_decision_hid_stays_hidden_but_for_its_final_ballots(
        self, keeping: None, monkeypatch: pytest.MonkeyPatch, visibility: str
    ) -> None:
        town = Town(monkeypatch, results_visibility=visibility)
        for handle in town.members:
            town.vote(handle, Ash=5)
        first = town.calculate()
        town.vote("ada", Birch=1)
        second = town.calculate()
        told = [town.told(one, viewer) for one in (first, second) for viewer in (VISITOR, town["manager"].user)]
        town.clock.advance(days=8)
        final = town.calculate()
        assert told == [None] * 4
        assert (town.told(first), PastBlock.objects.count()) == (None, 0)
        assert final == second
        assert (ballots := town.told(final)) is not None
        assert ballots["ada"] == ("cast", stars(0, 1, 0))

    def test_ballots_under_pseudonyms_are_left_out_then_and_now(self, town: Town) -> None:
        services.set_anonymity(town["eve"].user, town.community.pk, anonymous=True)
        factories.follow(town["dan"], town["ada"])
        factories.follow(town["ben"], town["ada"])
        for handle in ("ada", "cleo", "eve"):
            town.vote(handle, Ash=5)
        first = town.calculate()
        everybody = {"ada", "ben", "cleo", "dan"}
        assert (ballots := town.told(first)) is not None
        assert set(ballots) == everybody
        # Neither a cast nor an inherited ballot is named of whoever has become anonymous.
        for handle in ("cleo", "dan"):
            services.set_anonymity(town[handle].user, town.community.pk, anonymous=True)
        # A pseudonym of then gets no name.
        services.set_anonymity(town["eve"].user, town.community.pk, anonymous=False)
        town.vote("ben", Birch=1)
        second = town.calculate()
        for revision in (first, second):
            for viewer in (VISITOR, town["manager"].user, town["dan"].user):
                assert (ballots := town.told(revision, viewer)) is not None
                assert set(ballots) == {"ada", "ben"}

    def test_nobody_who_has_left_is_named(self, town: Town) -> None:
        for handle in ("ada", "ben"):
            town.vote(handle, Ash=5)
        first = town.calculate()
        services.leave_community(town["ben"].user, town.community.pk)
        town.calculate()
        assert town.told(first) == {"ada": ("cast", stars(5, 0, 0))}

    def test_strangers_read_nothing_of_a_members_only_community(self, town: Town) -> None:
        town.vote("ada", Ash=5)
        first = town.calculate()
        services.update_community(town["manager"].user, town.community.pk, visibility="members")
        assert town.told(first) is None
        assert town.told(first, town["ben"].user) == {"ada": ("cast", stars(5, 0, 0))}

    def test_a_decision_that_was_called_off_tells_none(self, town: Town) -> None:
        town.vote("ada", Ash=5)
        first = town.calculate()
        services.call_off(town["manager"].user, town.decision.pk, reason="It rains.")
        town.decision = Decision.objects.get(pk=town.decision.pk)
        assert town.told(first) is None


def test_the_api_tells_a_decision_as_of_a_result(town: Town) -> None:
    factories.follow(town["ben"], town["ada"], "parks")
    factories.vote(town["ada"], town.decision, ["parks"], Ash=5)
    first = town.calculate()
    town.vote("cleo", Birch=4)
    town.vote("ada", Birch=1)
    factories.follow(town["dan"], town["cleo"])
    services.unfollow(town["ben"].user, town["ada"].pk)
    second = town.calculate()

    def asked(revision: int) -> Any:
        return ask(None, ASKED, id=id_of(town.decision), revision=revision)["decision"]

    def ballot(handle: str, kind: str, *given: int) -> Any:
        rated = [
            {"choice": {"title": t}, "microstars": n} for t, n in zip(("Ash", "Birch", "Cedar"), given, strict=True)
        ]
        name = town[handle].user.handle
        return {"node": {"kind": kind, "isCounted": True, "tags": ["parks"], "member": {"name": name}, "stars": rated}}

    told = asked(first)
    assert [edge["node"] for edge in told["history"]["edges"]] == [
        {"revision": first, "keepsBallots": True},
        {"revision": second, "keepsBallots": True},
    ]
    assert told["asOf"] == {
        "revision": first,
        "result": {"revision": first, "winner": {"title": "Ash"}},
        "delegationGraph": {
            "nodes": [
                {"voter": {"name": town["ada"].user.handle}, "kind": "CAST"},
                {"voter": {"name": town["ben"].user.handle}, "kind": "INHERITED"},
            ],
            "edges": [{"follower": 1, "followee": 0, "tags": ["parks"]}],
            "isComplete": True,
        },
        "ballots": {
            "totalCount": 2,
            "edges": [ballot("ada", "CAST", 5_000_000, 0, 0), ballot("ben", "INHERITED", 5_000_000, 0, 0)],
        },
    }
    assert asked(second)["asOf"]["ballots"]["totalCount"] == 3
    names = [node["voter"]["name"] for node in asked(second)["asOf"]["delegationGraph"]["nodes"]]
    assert names == [town["cleo"].user.handle, town["dan"].user.handle]
    services.set_anonymity(town["ada"].user, town.community.pk, anonymous=True)
    assert asked(first)["asOf"]["delegationGraph"]["nodes"] == []
    assert asked(second + 1)["asOf"] is None
