"""Answers to "what if": a result, ballots and sources after a change that nobody made. Nothing is written.

Decisions that hide their ballots are left out: trying out changes would read every ballot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.utils import timezone

from democracy import access
from democracy.access import Viewer
from democracy.errors import (
    BallotsHidden,
    DecisionCalledOff,
    DecisionClosed,
    DecisionNotOpen,
    InvalidInput,
    PermissionDenied,
)
from democracy.explaining.sources import NamedSource, copy_of, members_under_pseudonyms, members_with, named_source
from democracy.models import Ballot, Choice, Decision, Membership
from democracy.models.results import DecisionResult
from democracy.reading.ballots import ShownBallot
from democracy.recalculation.staging import LiveCalculation, open_calculations
from democracy.services.ballots import check_stars
from democracy.services.followings import followable
from democracy.tags import normalise_tags
from graph import CastBallot, FollowingRemoved, FollowingSet, Result, StagedBallot

MAX_CHANGES = 20
# Each of them is calculated while somebody waits.
_MOST_DECISIONS = 20

Edge = FollowingSet | FollowingRemoved


@dataclass(frozen=True)
class Follow:
    """Follow a member, or follow them on other tags; without tags on everything."""

    member_id: int
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unfollow:
    """Follow a member no longer."""

    member_id: int


@dataclass(frozen=True)
class Cast:
    """Cast a ballot: stars by choice id, or an abstention. `tags`: None for those that it would get without a word on
    them.
    """

    stars: tuple[tuple[int, int], ...]
    tags: tuple[str, ...] | None = ()
    abstain: bool = False


@dataclass(frozen=True)
class Withdraw:
    """Have no ballot of one's own."""


TriedChange = Follow | Unfollow | Cast | Withdraw


# --- One decision -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WhatIf:
    """The result and one's own ballot as they stand and as they would be. `others_changed` leaves ballots under
    pseudonyms out.
    """

    decision: Decision
    revision: int
    before: DecisionResult
    after: DecisionResult
    ballot_before: ShownBallot | None
    ballot_after: ShownBallot | None
    sources_after: list[NamedSource]
    others_changed: int


def what_if(viewer: Viewer, decision_id: int, changes: Sequence[TriedChange]) -> WhatIf:
    """Try out changes in an open decision as if the viewer had made them in this order.

    Raises PermissionDenied for whoever is no member, BallotsHidden, DecisionNotOpen, DecisionClosed, and what the
    commands raise for such a change.
    """
    decision, member = _require_shown(viewer, decision_id)
    edges = _edges(viewer, member, changes)
    votes = [change for change in changes if isinstance(change, Cast | Withdraw)]
    for vote in votes:
        if isinstance(vote, Cast):
            check_stars(decision, dict(vote.stars), abstain=vote.abstain)
    live = copy_of(decision)
    ballots = {member.pk: _cast(votes[-1], live.choices, _tags_kept(decision, member))} if votes else {}
    trial = _try(live, member.pk, edges, ballots)
    sources = live.calculation.sources(member.pk)
    members = members_with({one for source in sources for one in source.path})
    hidden = members_under_pseudonyms([decision])[decision.pk]
    return WhatIf(
        decision=decision,
        revision=live.revision,
        before=DecisionResult.of(trial.result_before, live.choices),
        after=DecisionResult.of(live.calculation.result, live.choices),
        ballot_before=_shown(decision, member, trial.before),
        ballot_after=_shown(decision, member, trial.after),
        sources_after=[named_source(source, members, hidden - {member.pk}) for source in sources],
        others_changed=trial.others_changed(hidden),
    )


def _require_shown(viewer: Viewer, decision_id: int) -> tuple[Decision, Membership]:
    """An open decision that shows its ballots, and the viewer's membership. Raises as `what_if` does."""
    decision = access.require_decision(viewer, decision_id)
    member = access.require_member(viewer, decision.community_id)
    if decision.status == Decision.Status.CALLED_OFF:
        raise DecisionCalledOff
    if decision.status == Decision.Status.CLOSED:
        raise DecisionClosed("Voting has closed; the result is final.")
    if decision.status != Decision.Status.OPEN:
        raise DecisionNotOpen("Voting has not opened yet.")
    if not access.shows_ballots(decision):
        raise BallotsHidden("This decision shows its results after closing; until then nobody can try out changes.")
    return decision, member


def _tags_kept(decision: Decision, member: Membership) -> list[str]:
    """The tags of a ballot whose caster says nothing of tags: those of the ballot that is there, else the topics."""
    own = Ballot.objects.filter(decision=decision, membership=member).first()
    return list(decision.topics if own is None else own.tags)


def _cast(vote: Cast | Withdraw, choices: tuple[int, ...], tags_kept: Sequence[str]) -> CastBallot | None:
    if isinstance(vote, Withdraw):
        return None
    stars = dict(vote.stars)
    rated = tuple(stars.get(choice, 0) for choice in choices)
    tags = tags_kept if vote.tags is None else normalise_tags(vote.tags)
    return CastBallot(rated, frozenset(tags), vote.abstain)


def _shown(decision: Decision, member: Membership, ballot: StagedBallot | None) -> ShownBallot | None:
    if ballot is None:
        return None
    return ShownBallot(
        decision,
        member,
        ballot.kind,
        ballot.microstars,
        tuple(sorted(ballot.tags)),
        ballot.counted,
        is_anonymous=member.is_anonymous,
    )


# --- All open decisions -----------------------------------------------------------------------------------------------


def decisions_changed(viewer: Viewer, decision_id: int, changes: Sequence[TriedChange]) -> list[Decision]:
    """Find the open decisions of a decision's community in which the viewer's own ballot would change by followings.

    The 20 that close first are looked at; those that hide their ballots are left out. Raises what `what_if` raises.
    """
    decision, member = _require_shown(viewer, decision_id)
    edges = _edges(viewer, member, changes)
    if not edges:
        return []
    decisions, _ = open_decisions_of(viewer, decision.community_id)
    trials = _try_each([one for one in decisions if access.shows_ballots(one)], member, edges)
    return [one for one in decisions if one.pk in trials and trials[one.pk].after != trials[one.pk].before]


class Effect(StrEnum):
    """Effect of a following on one's own ballot in a decision."""

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
    effect: Effect
    choices: tuple[ChoicePreview, ...] = ()
    others: int = 0


@dataclass(frozen=True)
class FollowingPreview:
    """The open decisions that close first, all that were looked at; `are_cut`: there are more."""

    decisions: tuple[BallotPreview, ...]
    are_cut: bool

    @property
    def changed(self) -> list[BallotPreview]:
        return [one for one in self.decisions if one.effect == Effect.CHANGED]

    @property
    def unchanged(self) -> list[BallotPreview]:
        return [one for one in self.decisions if one.effect in {Effect.VOTED, Effect.SAME}]

    @property
    def hidden(self) -> list[BallotPreview]:
        return [one for one in self.decisions if one.effect == Effect.HIDDEN]


def preview_following(viewer: Viewer, followee_id: int, *, tags: Iterable[str] | None) -> FollowingPreview:
    """Preview a following: the viewer's own ballot in each open decision if they followed this member.

    `tags`: on these (none: on everything); None: not at all. Raises PermissionDenied, SelfFollowing, InvalidTag.
    """
    followee, follower = followable(viewer, followee_id)
    edge = _edge(follower, followee, tags)
    decisions, are_cut = open_decisions_of(viewer, follower.community_id)
    voted = set(Ballot.objects.filter(decision__in=decisions, membership=follower).values_list("decision", flat=True))
    trials = _try_each(
        [one for one in decisions if one.pk not in voted and access.shows_ballots(one)], follower, [edge]
    )
    titles = dict(Choice.objects.filter(decision__in=trials).values_list("pk", "title"))
    hidden = members_under_pseudonyms(decisions)
    previews = tuple(
        _preview(one, trials[one.pk], titles, hidden[one.pk])
        if one.pk in trials
        else BallotPreview(one, Effect.VOTED if one.pk in voted else Effect.HIDDEN)
        for one in decisions
    )
    return FollowingPreview(previews, are_cut)


def open_decisions_of(viewer: Viewer, community_id: int) -> tuple[list[Decision], bool]:
    """Find the open decisions of a community that close first, as many as are tried out; and whether there are more."""
    decisions = access.decisions_visible_to(viewer).filter(community=community_id)
    found = list(decisions.open(timezone.now()).order_by("closes_at", "pk")[: _MOST_DECISIONS + 1])
    return found[:_MOST_DECISIONS], len(found) > _MOST_DECISIONS


def _preview(decision: Decision, trial: _Trial, titles: Mapping[int, str], hidden: frozenset[int]) -> BallotPreview:
    before, after = _microstars(trial.before), _microstars(trial.after)
    others = trial.others_changed(hidden)
    if before == after:
        return BallotPreview(decision, Effect.SAME, others=others)
    nothing = (None,) * len(trial.choices)
    rows = zip(trial.choices, before or nothing, after or nothing, strict=True)
    choices = tuple(ChoicePreview(titles[choice], was, becomes) for choice, was, becomes in rows)
    return BallotPreview(decision, Effect.CHANGED, choices, others)


def _microstars(ballot: StagedBallot | None) -> tuple[int, ...] | None:
    return None if ballot is None or ballot.kind == "abstained" else ballot.microstars


# --- Trying out -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Trial:
    """One member's ballot before and after a change, the result before it, and the members whose ballots changed."""

    member: int
    choices: tuple[int, ...]
    result_before: Result
    before: StagedBallot | None
    after: StagedBallot | None
    changed: frozenset[int]

    def others_changed(self, hidden: frozenset[int]) -> int:
        """Count the other members whose ballots changed; those of `hidden` ones would tell how many of them follow."""
        return len(self.changed - {self.member} - hidden)


def _try(
    live: LiveCalculation, member: int, edges: Sequence[Edge], ballots: Mapping[int, CastBallot | None] | None = None
) -> _Trial:
    """Change a copy of a calculation, and compare."""
    calculation = live.calculation
    result, before = calculation.result, calculation.staged(member)
    graph = calculation.graph.updated(edges, revision=live.revision)
    changed = calculation.update(graph, changes=edges, ballots=ballots or {})
    return _Trial(member, live.choices, result, before, calculation.staged(member), changed)


def _try_each(decisions: Sequence[Decision], member: Membership, edges: Sequence[Edge]) -> dict[int, _Trial]:
    """Try out followings of one member in each of these open decisions of a community, all at one revision."""
    with open_calculations(member.community_id, [one.pk for one in decisions]) as live:
        return {pk: _try(one.copy(), member.pk, edges) for pk, one in live.items()}


def _edges(viewer: Viewer, member: Membership, changes: Sequence[TriedChange]) -> list[Edge]:
    """The followings among the changes. Raises InvalidInput for too many changes, and as `_edge_of` does."""
    if len(changes) > MAX_CHANGES:
        raise InvalidInput(f"At most {MAX_CHANGES} changes at once.", field="changes")
    return [_edge_of(viewer, member, change) for change in changes if isinstance(change, Follow | Unfollow)]


def _edge_of(viewer: Viewer, member: Membership, change: Follow | Unfollow) -> Edge:
    """A following tried out by this member. Raises PermissionDenied for somebody of another community, too."""
    followee, follower = followable(viewer, change.member_id)
    if follower.pk != member.pk:
        raise PermissionDenied
    return _edge(member, followee, change.tags if isinstance(change, Follow) else None)


def _edge(follower: Membership, followee: Membership, tags: Iterable[str] | None) -> Edge:
    """Follow on these tags (none: on everything); None: not at all."""
    if tags is None:
        return FollowingRemoved(follower.pk, followee.pk)
    return FollowingSet(follower.pk, followee.pk, frozenset(normalise_tags(tags)))
