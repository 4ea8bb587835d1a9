"""What keeps open pages up to date: the status that is polled, and the events that are pushed.

Events only say that there is something to ask for; what a viewer then gets is decided where it is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

from accounts.errors import DomainError
from accounts.middleware import bearer_token
from accounts.services import user_for_token
from democracy import access, selectors
from democracy.access import Viewer
from democracy.publishing import access_topic, hub, readers_topic, result_topic, status_topic
from democracy.views._decisions import decision_frame, result_panel, tell_what_is_new
from democracy.views._errors import answered

# Seconds between signs of life: less than the minute after which proxies give up on a silent connection.
HEARTBEAT = 20.0
END = "event: end\ndata:\n\n"


@require_safe
@answered
def decision_status(request: HttpRequest, community_id: int, decision_id: int) -> HttpResponse:
    """The calculation status of a decision and, on its own page, the result in short."""
    context = decision_frame(request.user, community_id, decision_id)
    context |= result_panel(context) | {"place": request.GET.get("place", "")}
    response = render(request, "democracy/_decision_panel.html", context)
    patch_cache_control(response, private=True, no_store=True)
    return tell_what_is_new(request, response, context["seen"])


async def decision_events(request: HttpRequest, community_id: int, decision_id: int) -> HttpResponseBase:
    """Server-sent events: `status` and `result` when there is a new one, `end` when there is nothing more for this
    viewer.
    """
    if not await sync_to_async(_may_see)(request, community_id, decision_id):
        return HttpResponse(status=404)
    response = StreamingHttpResponse(_events(request, community_id, decision_id), content_type="text/event-stream")
    patch_cache_control(response, private=True, no_store=True)
    # Proxies that collect what they pass on would hold events back.
    response["X-Accel-Buffering"] = "no"
    return response


async def _events(request: HttpRequest, community_id: int, decision_id: int) -> AsyncIterator[str]:
    topics = {result_topic(decision_id): "result", status_topic(decision_id): "status"}
    rights = {readers_topic(community_id), access_topic((await request.auser()).pk or 0)}
    seen = request.GET.get("seen", "")
    async with hub.subscribe(*topics, *rights) as inbox:
        # Subscribed first, looked second: what changed between the page and this is told.
        if seen and seen.partition(".")[2] != await sync_to_async(_present)(decision_id):
            yield _event("result")
        while True:
            try:
                news = await asyncio.wait_for(inbox.next(), HEARTBEAT)
            except TimeoutError:
                news = dict.fromkeys(rights)
                yield ": still here\n\n"
            if rights & news.keys() and not await sync_to_async(_may_see)(request, community_id, decision_id):
                yield END
                return
            for topic in topics.keys() & news.keys():
                yield _event(topics[topic])


def _event(name: str) -> str:
    return f"event: {name}\ndata:\n\n"


def _may_see(request: HttpRequest, community_id: int, decision_id: int) -> bool:
    """Whether the viewer may still see the decision. The database connection is given back: an open page holds none."""
    try:
        return access.require_decision(_viewer_now(request), decision_id).community_id == community_id
    except DomainError:
        return False
    finally:
        _give_back()


def _viewer_now(request: HttpRequest) -> Viewer:
    """Who asks, by their session as it is now: an open connection outlives a sign-out."""
    token = bearer_token(request.headers.get("Authorization", ""))
    if token is not None:
        return user_for_token(token) or AnonymousUser()
    now = HttpRequest()
    now.session = type(request.session)(request.session.session_key)
    return get_user(now)


def _present(decision_id: int) -> str:
    try:
        states, snapshots = selectors.calculation_states([decision_id]), selectors.newest_snapshots([decision_id])
        return f"{states[0].calculated_revision}.{snapshots[0].pk if snapshots else 0}"
    finally:
        _give_back()


def _give_back() -> None:
    if not connection.in_atomic_block:
        connection.close()
