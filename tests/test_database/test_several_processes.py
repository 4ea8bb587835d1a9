"""Several processes calculate one community in turn, each from what it keeps: together they store what one would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from democracy.caches import BoundedCache
from democracy.models import Community, Decision, DecisionSnapshot, StagedBallot
from democracy.recalculation import inputs, recalculate_community, staging
from democracy.recalculation.results import Tally
from democracy.recalculation.staging import forget_everything
from graph import Calculation
from tests import factories, histories
from tests.staged import stored

pytestmark = pytest.mark.django_db

Run = Callable[[str, Community], None]


@pytest.fixture
def run_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Calculate a community with what the process of this name keeps, and no other."""
    keep: dict[str, BoundedCache[int, Any]] = {}

    def run(process: str, community: Community) -> None:
        monkeypatch.setattr(staging, "_kept", keep.setdefault(process, BoundedCache(32)))
        assert recalculate_community(community.pk)

    yield run
    forget_everything()


def afresh(decision: Decision) -> tuple[Any, dict[int, StagedBallot]]:
    """(result, staged ballots) of a decision as they should be stored, from nothing but the inputs."""
    now = inputs.current_inputs(decision.community_id, [decision.pk])
    one = now.decisions[decision.pk]
    made = Calculation.from_scratch(now.graph(), lots=one.lots, ballots=one.ballots)
    columns = made.staged_columns()
    ballots = {
        ballot.member: StagedBallot(
            ballot.member,
            ballot.kind,
            ballot.microstars,
            ballot.tags,
            ballot.counted,
            ballot.member in now.anonymous if ballot.kind == "inherited" else one.ballots[ballot.member].anonymous,
        )
        for ballot in columns
    }
    staged = staging.StagedDecision(now.revision, one.choices, made.result, {}, None, frozenset())
    return Tally().process(staged).to_json(), ballots


class TestTakingTurns:
    def test_a_ballot_that_changed_back_after_another_process_stored_it_is_stored_again(self, run_in: Run) -> None:
        community, members = factories.community("ada", "ben")
        decision = factories.decision(community, members["manager"].user)
        factories.vote(members["ada"], decision, Ash=5)
        run_in("first", community)
        factories.vote(members["ada"], decision, Ash=1)
        run_in("second", community)
        # For the first process nothing has changed: it never saw the one star.
        factories.vote(members["ada"], decision, Ash=5)
        run_in("first", community)
        result, rows = afresh(decision)
        assert stored(decision) == rows
        assert DecisionSnapshot.objects.filter(decision=decision).latest("revision").result == result

    @pytest.mark.parametrize("seed", range(2))
    def test_whoever_calculates_the_tables_are_as_calculated_afresh(self, seed: int, run_in: Run) -> None:
        history = histories.History(seed)
        for _ in range(15):
            history.steps(history.random.choice([1, 1, 2, 4]))
            run_in(history.random.choice("abc"), history.community)
            for decision in Decision.objects.filter(pk__in=[one.pk for one in history.decisions]):
                assert not decision.is_stale
                result, rows = afresh(decision)
                assert stored(decision) == rows
                assert DecisionSnapshot.objects.filter(decision=decision).latest("revision").result == result
