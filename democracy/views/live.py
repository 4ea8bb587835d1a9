"""Updates for open pages: the status that they poll, and the events that are pushed to them.

# Note [What is pushed]
What all viewers of a kind are shown alike is rendered once and comes with its event: a decision's panel. Own ballots
that members inherit are rendered for all who watch, after the panel, and each goes to its own member alone. Of all else
that differs by viewer an event says only that there is something to ask for, to those only who may have something new,
and the view that is asked decides what its viewer gets.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Set
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

from accounts.credentials import credential_of
from accounts.errors import DomainError
from accounts.middleware import bearer_token
from accounts.outages import DATABASE_AWAY
from accounts.requests import HtmxRequest
from accounts.returning import no_page
from accounts.services import user_for_token
from democracy import access
from democracy.access import Viewer
from democracy.errors import PermissionDenied
from democracy.live.grants import Grant, grants
from democracy.live.hub import (
    access_topic,
    hub,
    notices_topic,
    overview_topic,
    readers_topic,
    result_topic,
    status_topic,
)
from democracy.live.polls import polls
from democracy.models import Membership
from democracy.reading import communities
from democracy.views._decisions import shows_this_result, tell_what_is_new, to_ask_for
from democracy.views._errors import answered
from democracy.views._frames import news_of_community
from democracy.views._panels import PanelKey, awaited_panel, panel
from democracy.views._watching import watching

# Seconds between signs of life: less than the minute after which proxies give up on a silent connection. Pages
# (live.js) give up after two that failed to come.
HEARTBEAT = 20.0

Found = TypeVar("Found")


@no_page
@require_safe
@answered
def decision_status(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """The calculation status of a decision and, on its own page, the result in short; nothing (204) for a page that
    shows it. Raises Http404 where the viewer may not see the decision.
    """
    place = request.GET.get("place", "")

    def key(membership: Membership | None) -> PanelKey:
        return PanelKey(decision_id, place, is_manager=membership is not None and membership.is_manager)

    membership = polls.found(
        request, community_id, check=lambda: _membership(request.user, community_id, decision_id), key=key
    )
    shown = panel(key(membership))
    is_known = bool(request.htmx) and shown.is_on(request.GET.get("seen", ""))
    response = HttpResponse(status=204) if is_known else HttpResponse(shown.html)
    patch_cache_control(response, private=True, no_store=True)
    return tell_what_is_new(request, response, shown.seen)


def _membership(viewer: Viewer, community_id: int, decision_id: int) -> Membership | None:
    """The membership of a viewer who may see this decision of this community. Raises PermissionDenied."""
    if access.require_decision(viewer, decision_id).community_id != community_id:
        raise PermissionDenied
    return access.membership_of(viewer, community_id)


@no_page
async def decision_events(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponseBase:
    """Server-sent events: `status` and `result`, with the panel for a page that says its `place`, when there is a new
    one; then `phase`, `calculated` and `own` where more is to be asked for, `own` perhaps with the viewer's own ballot;
    `notices` when the viewer got or read some, `alive` now and then, `end` when there is nothing more for this viewer.
    Raises Http404 where the viewer may not see the decision.
    """
    place = request.GET.get("place")

    async def news(membership: Membership | None, seen: str) -> AsyncIterator[tuple[str, str]]:
        is_manager = membership is not None and membership.is_manager
        shown = await awaited_panel(PanelKey(decision_id, place or "", is_manager))
        if shown.is_on(seen):
            if membership is not None and shown.shows_ballots:
                await watching.remember(decision_id, membership.pk)
            return
        name = "status" if shows_this_result(seen, shown.seen) else "result"
        asked_for = to_ask_for(seen, shown.seen)
        html = shown.html if place is not None else ""
        yield "".join([_event(name, html), *map(_event, asked_for)]), shown.seen
        if asked_for and membership is not None:
            # While ballots are hidden all are told alike, whatever a page says that it shows: whose own ballot moved
            # tells whether somebody whom they follow has voted.
            hides = not shown.shows_ballots
            own = "" if hides else await watching.own_news(decision_id, membership.pk, since=seen)
            if own is not None:
                yield _event("own", own if place == "" else ""), shown.seen

    return await _followed(
        request,
        _Watched(
            community_id,
            frozenset({result_topic(decision_id), status_topic(decision_id)}),
            check=lambda viewer: _membership(viewer, community_id, decision_id),
            news=news,
            counted=lambda membership: watching.of(decision_id, membership.pk if membership is not None else None),
        ),
    )


@no_page
async def community_events(request: HtmxRequest, community_id: int) -> HttpResponseBase:
    """Server-sent events: `community` when its page shows something new, `notices`, `alive` and `end` as those of a
    decision. Raises Http404 where the viewer may not read the community.
    """

    async def news(_: object, seen: str) -> AsyncIterator[tuple[str, str]]:
        event, now = await sync_to_async(news_of_community)(community_id, seen)
        yield _event(event) if event is not None else "", now

    return await _followed(
        request,
        _Watched(
            community_id,
            frozenset({overview_topic(community_id)}),
            check=lambda viewer: communities.readable_community(viewer, community_id),
            news=news,
        ),
    )


@dataclass(frozen=True)
class _Watched(Generic[Found]):
    """A thing that a page follows. `check` says what there is to know of a viewer who may see it, or raises a
    DomainError. `news` takes that and what the page shows, and yields the events that bring the page up to date, each
    with what the page shows after it. `counted` holds for as long as the page is open.
    """

    community_id: int
    topics: Set[str]
    check: Callable[[Viewer], Found]
    news: Callable[[Found, str], AsyncIterator[tuple[str, str]]]
    counted: Callable[[Found], AbstractContextManager[None]] = lambda found: nullcontext()


async def _followed(request: HtmxRequest, watched: _Watched[Found]) -> HttpResponseBase:
    """Answer with the stream of events about a thing; with 404 for whoever may not see it.

    `seen` in the address names what the page shows, and `viewer` for whom it was made.
    """
    who = (await request.auser()).pk
    if request.GET.get("viewer", str(who or "")) != str(who or ""):
        # Somebody else is signed in now: nothing of theirs goes to that page.
        return _stream(_ended())

    def granted() -> Grant[Found]:
        viewer = _viewer_now(request)
        if viewer.pk != who:
            raise PermissionDenied
        token = bearer_token(request.headers.get("Authorization", ""))
        credential = credential_of(who, session=request.session, token=token)
        return grants.open(credential, watched.community_id, lambda: watched.check(viewer))

    try:
        await sync_to_async(lambda: watched.check(_viewer_now(request)))()
    except DomainError:
        return HttpResponse(status=404)
    return _stream(_events(watched, sync_to_async(granted), who or 0, seen=request.GET.get("seen", "")))


def _stream(events: AsyncIterator[str]) -> StreamingHttpResponse:
    response = StreamingHttpResponse(events, content_type="text/event-stream")
    patch_cache_control(response, private=True, no_store=True)
    # Proxies that collect what they pass on would hold events back.
    response["X-Accel-Buffering"] = "no"
    return response


async def _ended() -> AsyncIterator[str]:
    yield END


async def _events(
    watched: _Watched[Found], granted: Callable[[], Awaitable[Grant[Found]]], viewer_id: int, *, seen: str
) -> AsyncIterator[str]:
    rights = {readers_topic(watched.community_id), access_topic(viewer_id)}
    bell = notices_topic(viewer_id)
    grant: Grant[Found] | None = None
    # If the database is away, the stream just ends: the page connects again by itself.
    with suppress(*DATABASE_AWAY):
        async with hub.subscribe(*watched.topics, *rights, bell) as inbox:
            try:
                grant = await granted()
                with watched.counted(grant.found):
                    # Subscribe first and look second, so that changes since the page was made are told. News of a topic
                    # are a hint to look again; a page that is up to date hears nothing.
                    heard: Set[str] = watched.topics
                    while True:
                        if not grant.is_good:
                            grants.close(grant)
                            grant = await granted()
                        if watched.topics & heard:
                            now = seen
                            async for events, shown in watched.news(grant.found, seen):
                                if not grant.mark.is_fresh:
                                    break
                                now = shown
                                if events:
                                    yield events
                            if not grant.mark.is_fresh:
                                # The rights are checked anew, and what was not told is told then.
                                continue
                            seen = now
                        if bell in heard:
                            yield BELL
                        try:
                            heard = (await asyncio.wait_for(inbox.next(), HEARTBEAT)).keys()
                        except TimeoutError:
                            heard = frozenset()
                            yield ALIVE
            except DomainError:
                yield END
            finally:
                if grant is not None:
                    grants.close(grant)


def _event(name: str, content: str = "") -> str:
    lines = "".join(f"data: {line}\n" for line in content.splitlines()) or "data:\n"
    return f"event: {name}\n{lines}\n"


ALIVE, END, BELL = _event("alive"), _event("end"), _event("notices")


def _viewer_now(request: HtmxRequest) -> Viewer:
    """The viewer by the session as it is now: an open connection outlives a sign-out."""
    token = bearer_token(request.headers.get("Authorization", ""))
    if token is not None:
        return user_for_token(token) or AnonymousUser()
    now = HttpRequest()
    now.session = type(request.session)(request.session.session_key)
    return get_user(now)
