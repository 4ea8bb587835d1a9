"""Captions of the people of the demo: what one sees by entering as each of them.

They stand where everybody reads them, so they say nothing of anonymous members, and of ballots only what is public.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from accounts.models import User
from democracy import access
from democracy.models import Ballot, Decision, Membership


def captions(people: Iterable[User]) -> dict[int, str]:
    """The captions by account: what each manages or lobbies in, and what they have not voted on."""
    members = Membership.objects.current().filter(user__in=people, is_anonymous=False, user__is_demo=True)
    shown = members.filter(community__is_hidden=False)
    rows = shown.select_related("community").order_by("user", "community__name", "pk")
    open_decisions = _readable()
    cast = set(Ballot.objects.filter(decision__in=open_decisions).values_list("decision", "membership"))
    return {
        user: " · ".join(_said(theirs, open_decisions, cast))
        for user, theirs in groupby(rows, key=lambda member: member.user_id)
    }


def _readable() -> list[Decision]:
    """The open decisions whose ballots a visitor can read, those that close first first."""
    found = access.decisions_visible_to(AnonymousUser()).open(timezone.now()).order_by("closes_at", "pk")
    return [one for one in found if access.shows_ballots(one)]


def _said(members: Iterator[Membership], decisions: list[Decision], cast: set[tuple[int, int]]) -> Iterator[str]:
    managed, lobbied, unvoted = [], [], []
    for member in members:
        if member.is_manager:
            managed.append(member.community.name)
        if member.role == Membership.Role.LOBBYIST:
            lobbied.append(member.community.name)
        own = [one for one in decisions if one.community_id == member.community_id]
        unvoted += [one.title for one in own if (one.pk, member.pk) not in cast]
    if managed:
        yield f"Manages {' and '.join(managed)}"
    if lobbied:
        yield f"Speaks for an interest in {' and '.join(lobbied)}, and is not counted"
    if unvoted:
        yield f"Has not voted on “{unvoted[0]}”"
