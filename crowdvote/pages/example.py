"""The example on the start page: a live decision of a community that the operator chose, or a made-up one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from democracy import access
from democracy.models import Decision, DecisionSnapshot
from democracy.models.results import DecisionResult
from democracy.reading import decisions
from graph import FIVE_STARS, STAR, Participation, star, tally

# The number of newest decisions to look at: in some, nobody may have voted.
_CANDIDATES = 20


@dataclass(frozen=True)
class Row:
    """One choice: its average in microstars, its share of five stars, and how far it got."""

    title: str
    microstars: int
    share: float
    is_winner: bool
    is_finalist: bool


@dataclass(frozen=True)
class Example:
    """A decision as a visitor sees it. `decision` and `snapshot` are None for the made-up one."""

    question: str
    rows: tuple[Row, ...]
    winner: str
    runner_up: str
    ahead: int
    behind: int
    equal: int
    cast: int
    inherited: int
    decision: Decision | None = None
    snapshot: DecisionSnapshot | None = None

    @property
    def counted(self) -> int:
        return self.cast + self.inherited


def live_example() -> Example | None:
    """Return the operator's newest open decision that every visitor may see and that has a winner so far."""
    if not settings.EXAMPLE_COMMUNITY:
        return None
    now = timezone.now()
    visible = access.decisions_visible_to(AnonymousUser()).filter(
        community=settings.EXAMPLE_COMMUNITY,
        results_visibility=Decision.Visibility.LIVE,
        opens_at__lte=now,
        closes_at__gt=now,
    )
    newest = list(visible.select_related("community").order_by("-published_at", "-pk")[:_CANDIDATES])
    shown = {snapshot.decision_id: snapshot for snapshot in decisions.newest_snapshots([one.pk for one in newest])}
    for decision in newest:
        snapshot = shown.get(decision.pk)
        if snapshot is not None and (result := snapshot.read_result()).winner is not None:
            titles = {choice.pk: choice.title for choice in decision.choices.all()}
            return _example(decision.title, titles, result, decision, snapshot)
    return None


def _example(
    question: str,
    titles: Mapping[int, str],
    result: DecisionResult,
    decision: Decision | None = None,
    snapshot: DecisionSnapshot | None = None,
) -> Example:
    """Return the panel for a result that has a winner; `titles` are those of the choices."""
    winner, runner_up = result.winner, result.runner_up
    assert winner is not None
    assert runner_up is not None
    in_order = sorted(titles, key=lambda choice: (-result.scores[choice], titles[choice]))
    return Example(
        question=question,
        rows=tuple(
            Row(
                title=titles[choice],
                microstars=round(Fraction(result.scores[choice], result.counted)),
                share=result.scores[choice] / (result.counted * FIVE_STARS),
                is_winner=choice == winner,
                is_finalist=choice in result.finalists,
            )
            for choice in in_order
        ),
        winner=titles[winner],
        runner_up=titles[runner_up],
        ahead=result.runoff_for[winner],
        behind=result.runoff_for[runner_up],
        equal=result.runoff_equal,
        cast=result.participation.cast,
        inherited=result.participation.inherited,
        decision=decision,
        snapshot=snapshot,
    )


_TITLES = ("Repair it once more", "Replace it next summer", "Wait for two years")
# Stars in that order, and how many ballots give them.
_BALLOTS = {(1, 5, 2): 6, (5, 3, 0): 4, (4, 4, 1): 2}
_VOTERS = Participation(eligible=12, cast=7, inherited=5, abstained=0, none=0, lobbyists=0, counted=12)


def _worked() -> Example:
    rows = np.repeat(np.array(list(_BALLOTS), dtype=np.int32), list(_BALLOTS.values()), axis=0)
    result = star(tally(rows * STAR), lots=range(len(_TITLES)), participation=_VOTERS)
    ids = tuple(range(len(_TITLES)))
    return _example("What do we do about the roof?", dict(enumerate(_TITLES)), DecisionResult.of(result, ids))


WORKED = _worked()
