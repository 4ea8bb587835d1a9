"""Decisions and applications that wait for somebody, across all communities they are in: the content of their start
page.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Exists, OuterRef, QuerySet
from django.utils import timezone

from democracy import access
from democracy.access import Viewer
from democracy.models import Application, Ballot, DecisionSnapshot, Membership, Notice, StagedBallot
from democracy.models.decisions import DecisionQuerySet
from democracy.models.viewers import user_id
from democracy.reading.ballots import ShownBallot

# For so long a final result is new.
NEW_FOR = timedelta(days=14)
# What closes within this time, closes soon.
SOON = timedelta(hours=48)


@dataclass(frozen=True)
class Waiting:
    """A community that the viewer manages, with the number of applications to decide."""

    community_id: int
    name: str
    number: int


@dataclass(frozen=True)
class Move:
    """The microstars of an inherited ballot, by choice in order, as they were before it last moved, and the time."""

    before: tuple[int, ...]
    at: datetime


# --- Decisions of all communities that the viewer is a member of ------------------------------------------------------
# Each with its community, and with `has_ballot`: whether the viewer has a ballot of their own there.


def open_decisions(viewer: Viewer, *, voted: bool | None = None) -> DecisionQuerySet:
    """The open decisions, those that close first first; with `voted` only those with, or without, an own ballot."""
    found = _own_decisions(viewer).open(timezone.now())
    if voted is not None:
        found = found.filter(_has_voted(viewer) if voted else ~_has_voted(viewer))
    return found.order_by("closes_at", "pk")


def new_results(viewer: Viewer) -> DecisionQuerySet:
    """The decisions with a final result that closed within NEW_FOR, the newest first."""
    now = timezone.now()
    final = DecisionSnapshot.objects.filter(decision=OuterRef("pk"), is_final=True)
    closed = _own_decisions(viewer).closed(now).filter(Exists(final), closes_at__gt=now - NEW_FOR)
    return closed.order_by("-closes_at", "-pk")


def own_drafts(viewer: Viewer) -> DecisionQuerySet:
    """The drafts in the communities that the viewer manages, the newest first."""
    return _own_decisions(viewer).drafts().order_by("-pk")


def pinned_decisions(viewer: Viewer) -> DecisionQuerySet:
    """The decisions that managers pinned, those that close last first."""
    return _own_decisions(viewer).published().filter(is_pinned=True).order_by("-closes_at", "-pk")


def _own_decisions(viewer: Viewer) -> DecisionQuerySet:
    mine = Membership.objects.of(viewer).current().filter(community=OuterRef("community"))
    own = access.decisions_visible_to(viewer).filter(Exists(mine))
    return own.annotate(has_ballot=_has_voted(viewer)).select_related("community")


def _has_voted(viewer: Viewer) -> Exists:
    return Exists(Ballot.objects.of(viewer).filter(decision=OuterRef("pk")))


# --- Applications -----------------------------------------------------------------------------------------------------


def waiting_applications(viewer: Viewer) -> QuerySet[Application]:
    """The pending applications to the communities that the viewer manages, with users."""
    pending = access.applications_visible_to(viewer).pending().exclude(user=user_id(viewer))
    return pending.select_related("user")


def waiting_by_community(viewer: Viewer) -> list[Waiting]:
    """The number of applications in each community where some wait for the viewer, by name."""
    rows = waiting_applications(viewer).order_by().values_list("community", "community__name")
    counted = rows.annotate(number=Count("pk")).order_by("community__name", "community")
    return [Waiting(*row) for row in counted]


# --- How an inherited ballot moved ------------------------------------------------------------------------------------


def moves(viewer: Viewer, ballots: Iterable[ShownBallot]) -> dict[int, Move]:
    """The last move of each of these ballots that the viewer inherits, by decision; those that never moved by as much
    as people are told of are left out.
    """
    inherited = {
        one.decision.pk: len(one.microstars)
        for one in ballots
        if one.kind == StagedBallot.Kind.INHERITED and access.is_self(viewer, one.membership)
    }
    told = Notice.objects.filter(
        person=user_id(viewer) or 0, kind=Notice.Kind.INHERITED_MOVED, decision__in=inherited, data__has_key="before"
    )
    columns = ("decision", "data__before", "created_at")
    rows = told.order_by("created_at", "pk").values_list(*columns)
    return {decision: Move(tuple(before), at) for decision, before, at in rows if len(before) == inherited[decision]}
