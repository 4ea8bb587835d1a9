"""The start page of somebody who is signed in: their decisions in all communities, with what they inherit in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from democracy.access import Viewer
from democracy.models import Community, Decision, StagedBallot
from democracy.models.decisions import DecisionQuerySet
from democracy.presenting import wording
from democracy.reading import start as reading
from democracy.reading.communities import communities_listed
from democracy.reading.decisions import DecisionRow, choices_of, decision_rows
from democracy.reading.own_ballots import own_ballots
from democracy.reading.start import Waiting

# So many of each are shown; of decisions to vote on more, since they are what the page is for.
_TO_VOTE, _SHOWN = 30, 10


@dataclass(frozen=True)
class Inherited:
    """A ballot that somebody inherits, in a sentence; `moved` says how it last moved, and `at` when; "" and None where
    it did not.
    """

    sentence: str
    moved: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class OpenRow:
    """An open decision without an own ballot, and what the viewer inherits there, if that is told."""

    row: DecisionRow
    inherited: Inherited | None
    closes_soon: bool


@dataclass(frozen=True)
class Start:
    """The parts of a start page; each may be empty. `pinned`: those in no other part. `has_more`: more decisions wait
    for a ballot than are shown.
    """

    to_vote: tuple[OpenRow, ...]
    has_more: bool
    waiting: tuple[Waiting, ...]
    results: tuple[DecisionRow, ...]
    voted: tuple[DecisionRow, ...]
    drafts: tuple[DecisionRow, ...]
    pinned: tuple[DecisionRow, ...]
    communities: tuple[Community, ...]
    has_more_communities: bool


def start_of(viewer: Viewer) -> Start:
    """Gather the start page of somebody who is signed in."""
    to_vote = list(reading.open_decisions(viewer, voted=False)[: _TO_VOTE + 1])
    parts = {
        "results": reading.new_results(viewer),
        "voted": reading.open_decisions(viewer, voted=True),
        "drafts": reading.own_drafts(viewer),
        "pinned": reading.pinned_decisions(viewer),
    }
    found = {name: _first(rows) for name, rows in parts.items()}
    elsewhere = {one.pk for rows in (to_vote, found["results"], found["voted"]) for one in rows}
    found["pinned"] = [one for one in found["pinned"] if one.pk not in elsewhere]
    rows = {
        row.decision.pk: row for row in decision_rows([*to_vote, *(one for some in found.values() for one in some)])
    }
    inherited = _inherited(viewer, to_vote)
    communities = list(communities_listed(viewer, mine=True)[: _SHOWN + 1])
    soon = timezone.now() + reading.SOON
    return Start(
        to_vote=tuple(
            OpenRow(rows[one.pk], inherited.get(one.pk), one.closes_at is not None and one.closes_at <= soon)
            for one in to_vote[:_TO_VOTE]
        ),
        has_more=len(to_vote) > _TO_VOTE,
        waiting=tuple(reading.waiting_by_community(viewer)),
        communities=tuple(communities[:_SHOWN]),
        has_more_communities=len(communities) > _SHOWN,
        **{name: tuple(rows[one.pk] for one in some) for name, some in found.items()},
    )


def _first(rows: DecisionQuerySet) -> list[Decision]:
    return list(rows[:_SHOWN])


def _inherited(viewer: Viewer, decisions: Sequence[Decision]) -> dict[int, Inherited]:
    """Say the ballots that the viewer inherits in these decisions, where they are told."""
    ballots = {pk: one for pk, one in own_ballots(viewer, decisions).items() if one.kind == StagedBallot.Kind.INHERITED}
    moves = reading.moves(viewer, ballots.values())
    choices = choices_of(ballots)
    found = {}
    for pk, ballot in ballots.items():
        titles = [choice.title for choice in choices[pk]]
        sentence = wording.inherited_sentence(titles, ballot.microstars)
        move = moves.get(pk)
        said = wording.moved_sentence(titles, move.before, ballot.microstars) if move is not None else ""
        found[pk] = Inherited(sentence, said, move.at if move is not None and said else None)
    return found
