"""What a following would change, before it is saved: one's own ballot in each open decision. Writes nothing.

Where a decision's ballots are hidden nothing is calculated: whoever could try out followings would read every ballot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.utils import timezone

from democracy import access
from democracy.access import Viewer
from democracy.errors import PermissionDenied
from democracy.explaining.sources import under_pseudonyms
from democracy.models import Ballot, Choice, Decision, Membership
from democracy.recalculation.staging import LiveCalculation, open_calculations
from democracy.services.followings import require_pair
from democracy.tags import normalise_tags
from graph import FollowingRemoved, FollowingSet, StagedBallot

# Each of them is calculated while somebody waits.
_MOST_DECISIONS = 20


class Outcome(StrEnum):
    VOTED = "voted"
    HIDDEN = "hidden"
    SAME = "same"
    CHANGED = "changed"


@dataclass(frozen=True)
class ChoicePreview:
    """One choice on one's own ballot, in microstars; None: no ballot, or an abstention."""

    title: str
    before: int | None
    after: int | None


@dataclass(frozen=True)
class BallotPreview:
    """One open decision. `choices` are given where one's ballot changes; `others`: how many other members' ballots
    change with it, because they inherit from the viewer, without those under pseudonyms.
    """

    decision: Decision
    outcome: Outcome
    choices: tuple[ChoicePreview, ...] = ()
    others: int = 0


@dataclass(frozen=True)
class FollowingPreview:
    """The open decisions that close first, all that were looked at; `are_cut`: there are more."""

    decisions: tuple[BallotPreview, ...]
    are_cut: bool

    @property
    def changed(self) -> list[BallotPreview]:
        return [one for one in self.decisions if one.outcome == Outcome.CHANGED]

    @property
    def unchanged(self) -> list[BallotPreview]:
        return [one for one in self.decisions if one.outcome in {Outcome.VOTED, Outcome.SAME}]

    @property
    def hidden(self) -> list[BallotPreview]:
        return [one for one in self.decisions if one.outcome == Outcome.HIDDEN]


def preview_following(viewer: Viewer, followee_id: int, *, tags: Iterable[str] | None) -> FollowingPreview:
    """The viewer's own ballot in each open decision if they followed this member on these tags (none: everything; None:
    not at all).

    Raises PermissionDenied, SelfFollowing, InvalidTag.
    """
    followee, follower = require_pair(viewer, followee_id)
    if followee.is_anonymous or not followee.is_current:
        raise PermissionDenied
    change: FollowingSet | FollowingRemoved
    if tags is None:
        change = FollowingRemoved(follower.pk, followee.pk)
    else:
        change = FollowingSet(follower.pk, followee.pk, frozenset(normalise_tags(tags)))
    found = _open_decisions(viewer, follower)
    decisions = found[:_MOST_DECISIONS]
    voted = set(Ballot.objects.filter(decision__in=decisions, membership=follower).values_list("decision", flat=True))
    asked = [one.pk for one in decisions if one.pk not in voted and access.shows_ballots(one)]
    titles = dict(Choice.objects.filter(decision__in=asked).values_list("pk", "title"))
    hidden = under_pseudonyms(decisions)
    with open_calculations(follower.community_id, asked) as live:
        previews = tuple(
            _preview(one, live[one.pk], titles, follower, change, hidden[one.pk])
            if one.pk in live
            else BallotPreview(one, Outcome.VOTED if one.pk in voted else Outcome.HIDDEN)
            for one in decisions
        )
    return FollowingPreview(previews, are_cut=len(found) > len(decisions))


def _open_decisions(viewer: Viewer, follower: Membership) -> list[Decision]:
    """One more than are looked at, where there are more."""
    now = timezone.now()
    decisions = access.decisions_visible_to(viewer).filter(
        community=follower.community_id, published_at__isnull=False, opens_at__lte=now, closes_at__gt=now
    )
    return list(decisions.order_by("closes_at", "pk")[: _MOST_DECISIONS + 1])


def _preview(
    decision: Decision,
    live: LiveCalculation,
    titles: Mapping[int, str],
    follower: Membership,
    change: FollowingSet | FollowingRemoved,
    hidden: frozenset[int],
) -> BallotPreview:
    before, after, changed = _what_if(live, follower.pk, change)
    others = len(changed - {follower.pk} - hidden)
    if before == after:
        return BallotPreview(decision, Outcome.SAME, others=others)
    nothing = (None,) * len(live.choices)
    rows = zip(live.choices, before or nothing, after or nothing, strict=True)
    choices = tuple(ChoicePreview(titles[choice], was, becomes) for choice, was, becomes in rows)
    return BallotPreview(decision, Outcome.CHANGED, choices, others)


def _what_if(
    live: LiveCalculation, member: int, change: FollowingSet | FollowingRemoved
) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None, frozenset[int]]:
    """The member's microstars before and after the change, and whose ballots change with it."""
    calculation = live.calculation.copy()
    before = _microstars(calculation.staged(member))
    graph = calculation.graph.updated([change], revision=live.revision)
    changed = calculation.update(graph, changes=[change], ballots={})
    return before, _microstars(calculation.staged(member)), changed


def _microstars(ballot: StagedBallot | None) -> tuple[int, ...] | None:
    return None if ballot is None or ballot.kind == "abstained" else ballot.microstars
