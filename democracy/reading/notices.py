"""Notices as their reader may see them now: a community may have been left since."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Count, Max, Prefetch, Q, QuerySet

from accounts.prepared import prepared
from democracy import access
from democracy.access import Viewer
from democracy.models import DecisionSnapshot, Notice, NoticePreference
from democracy.models.notices import NoticeQuerySet
from democracy.models.viewers import user_id


def notices_visible_to(viewer: Viewer) -> NoticeQuerySet:
    """The viewer's notices, without those on decisions that they may not see any more, or of a hidden community but
    that it is hidden.
    """
    visible = Q(decision=None) | Q(decision__in=access.decisions_visible_to(viewer))
    told = Q(community=None) | Q(community__is_hidden=False) | Q(kind=Notice.Kind.HIDDEN)
    return Notice.objects.filter(visible, told, person=user_id(viewer) or 0)


def shown_notices(viewer: Viewer) -> NoticeQuerySet:
    """The viewer's notices with what their words need."""
    return with_what_words_need(notices_visible_to(viewer))


def with_what_words_need(notices: NoticeQuerySet) -> NoticeQuerySet:
    """Load what the words of these notices are made of."""
    finals = Prefetch("decision__snapshots", DecisionSnapshot.objects.filter(is_final=True))
    found = notices.select_related("community", "decision__community")
    return found.prefetch_related("decision__choices", "decision__clarifications", finals)


def chosen_ways(viewer: Viewer, community_ids: Collection[int]) -> dict[tuple[int, str], str]:
    """The ways the viewer chose to be told, by community and kind; without an entry, as the kind usually is."""
    chosen = NoticePreference.objects.filter(person=user_id(viewer) or 0, community__in=community_ids)
    return {(community, kind): way for community, kind, way in chosen.values_list("community", "kind", "way")}


def unread_count(viewer: Viewer) -> int:
    """The number of notices that the viewer has not read."""
    # Every page asks, and mostly there is none: whether they may still be seen is asked of those that are there.
    is_any_unread = viewer.is_authenticated and _an_unread_one(viewer.pk)
    return notices_visible_to(viewer).filter(read_at=None).count() if is_any_unread else 0


@prepared
def _an_unread_one(person: int) -> QuerySet[Notice, int]:
    return Notice.objects.filter(person=person, read_at=None).order_by().values_list("pk", flat=True)[:1]


def notice_states(user_ids: Collection[int]) -> list[tuple[int, tuple[int, int]]]:
    """For each of these people, numbers that change whenever they get or read a notice."""
    rows = Notice.objects.filter(person__in=user_ids).values("person")
    states = rows.annotate(newest=Max("pk"), unread=Count("pk", filter=Q(read_at=None)))
    return [(row["person"], (row["newest"], row["unread"])) for row in states]
