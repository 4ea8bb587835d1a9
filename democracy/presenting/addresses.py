"""Whole addresses of this site, for whatever leaves it: share previews, feeds, calendars, embeds and print."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse

from democracy.models import Decision


def whole(path: str) -> str:
    """The whole address of a path. It never depends on a request's Host header."""
    return f"{settings.SITE_URL}{path}"


def of_decision(name: str, decision: Decision) -> str:
    """The whole address of a decision's page, by the page's name."""
    return whole(reverse(name, args=(decision.community_id, decision.pk)))


def of_token(name: str, token: str) -> str:
    """The whole address of a page of a published result."""
    return whole(reverse(name, args=(token,)))


def of_community(name: str, community_id: int) -> str:
    return whole(reverse(name, args=(community_id,)))
