"""Updates for open pages: the status that they poll, and the events that are pushed to them.

Events only say that there is something to ask for. The view that is asked decides what its viewer gets.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Set
from contextlib import suppress

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

from accounts.errors import DomainError
from accounts.middleware import bearer_token
from accounts.outages import DATABASE_AWAY
from accounts.requests import HtmxRequest
from accounts.returning import no_page
from accounts.services import user_for_token
from democracy import access
from democracy.access import Viewer
from democracy.live.hub import (
    access_topic,
    hub,
    notices_topic,
    overview_topic,
    readers_topic,
    result_topic,
    status_topic,
)
from democracy.reading import communities
from democracy.views._decisions import decision_frame, news_of_decision, result_panel, tell_what_is_new
from democracy.views._errors import answered
from democracy.views._frames import news_of_community

# Seconds between signs of life: less than the minute after which proxies give up on a silent connection. Pages
# (live.js) give up after two that failed to come.
HEARTBEAT = 20.0


@no_page
@require_safe
@answered
def decision_status(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """The calculation status of a decision and, on its own page, the result in short. Raises Http404 where the viewer
    may not see the decision.
    """
    context = decision_frame(request.user, community_id, decision_id)
    context |= result_panel(context) | {"place": request.GET.get("place", "")}
    response = render(request, "democracy/_decision_panel.html", context)
    patch_cache_control(response, private=True, no_store=True)
    return tell_what_is_new(request, response, context["seen"])


@no_page
async def decision_events(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponseBase:
    """Server-sent events: `status` and `result` when there is a new one, `notices` when the viewer got or
    read some, `alive` now and then, `end` when there is
    nothing more for this viewer. Raises Http404 where the viewer may not see the decision.
    """
    return await _followed(
        request,
        community_id,
        topics={result_topic(decision_id), status_topic(decision_id)},
        may_see=lambda viewer: access.require_decision(viewer, decision_id).community_id == community_id,
        news=lambda seen: news_of_decision(decision_id, seen),
    )


@no_page
async def community_events(request: HtmxRequest, community_id: int) -> HttpResponseBase:
    """Server-sent events: `community` when its page shows something new, `alive` now and then, `end` when there is
    nothing more for this viewer. Raises Http404 where the viewer may not read the community.
    """
    return await _followed(
        request,
        community_id,
        topics={overview_topic(community_id)},
        may_see=lambda viewer: communities.readable_community(viewer, community_id).pk == community_id,
        news=lambda seen: news_of_community(community_id, seen),
    )


async def _followed(
    request: HtmxRequest,
    community_id: int,
    *,
    topics: Set[str],
    may_see: Callable[[Viewer], bool],
    news: Callable[[str], tuple[str | None, str]],
) -> HttpResponseBase:
    """Answer with the stream of events about these topics; with 404 unless `may_see`.

    `seen` in the address names what the page shows. `news` takes that, and returns the event that brings the page up to
    date (None if it is) and what the page shows after it.
    """

    def may_see_now() -> bool:
        try:
            return may_see(_viewer_now(request))
        except DomainError:
            return False

    if not await sync_to_async(may_see_now)():
        return HttpResponse(status=404)
    viewer_id = (await request.auser()).pk or 0
    rights = {readers_topic(community_id), access_topic(viewer_id)}
    events = _events(
        topics,
        rights,
        bell=notices_topic(viewer_id),
        seen=request.GET.get("seen", ""),
        may_see=sync_to_async(may_see_now),
        news=sync_to_async(news),
    )
    response = StreamingHttpResponse(events, content_type="text/event-stream")
    patch_cache_control(response, private=True, no_store=True)
    # Proxies that collect what they pass on would hold events back.
    response["X-Accel-Buffering"] = "no"
    return response


async def _events(
    topics: Set[str],
    rights: Set[str],
    *,
    bell: str,
    seen: str,
    may_see: Callable[[], Awaitable[bool]],
    news: Callable[[str], Awaitable[tuple[str | None, str]]],
) -> AsyncIterator[str]:
    # If the database is away, the stream just ends: the page connects again by itself.
    with suppress(*DATABASE_AWAY):
        async with hub.subscribe(*topics, *rights, bell) as inbox:
            # Subscribe first and look second, so that changes since the page was made are told. News of a topic are a
            # hint to look again; a page that is up to date hears nothing.
            heard: Set[str] = topics
            while True:
                if rights & heard and not await may_see():
                    yield END
                    return
                if topics & heard:
                    event, seen = await news(seen)
                    if event is not None:
                        yield _event(event)
                if bell in heard:
                    yield BELL
                try:
                    heard = (await asyncio.wait_for(inbox.next(), HEARTBEAT)).keys()
                except TimeoutError:
                    heard = rights
                    yield ALIVE


def _event(name: str) -> str:
    return f"event: {name}\ndata:\n\n"


ALIVE, END, BELL = _event("alive"), _event("end"), _event("notices")


def _viewer_now(request: HtmxRequest) -> Viewer:
    """The viewer by the session as it is now: an open connection outlives a sign-out."""
    token = bearer_token(request.headers.get("Authorization", ""))
    if token is not None:
        return user_for_token(token) or AnonymousUser()
    now = HttpRequest()
    now.session = type(request.session)(request.session.session_key)
    return get_user(now)
