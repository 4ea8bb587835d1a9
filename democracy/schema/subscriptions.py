"""Subscriptions: the present value first, then every newer one. A slow client gets the newest, not all.

# Note [One value for all]
All who watch share the values of the hub: the next result costs a subscriber no query. A subscription holds a grant
(`democracy.live.grants`), and checks again whether its viewer may see it when that has ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Annotated, Any, TypeAlias, TypeVar

import strawberry
from asgiref.sync import sync_to_async

from accounts.api import Info, RequestContext, node_id, pk_of
from democracy import access, models
from democracy.access import Viewer
from democracy.errors import SignInFirst
from democracy.live.grants import Grant, grants
from democracy.live.hub import access_topic, community_topic, hub, readers_topic, result_topic, status_topic
from democracy.reading import communities, decisions
from democracy.schema.arguments import CommunityId, DecisionId
from democracy.schema.scalars import BigInt
from democracy.schema.types.belonging import community_of
from democracy.schema.types.communities import Community
from democracy.schema.types.results import CalculationStatus, Result

T = TypeVar("T")
Granted = TypeVar("Granted", bound=Grant[Any])

After: TypeAlias = Annotated[
    BigInt | None,
    strawberry.argument(
        description="The revision that you have seen last, to go on after a break: nothing is sent at once unless "
        "something came after it. A final result always is."
    ),
]


@strawberry.type(description="A sign that something happened in a community; its ledger says what.")
class CommunityActivity:
    community_pk: strawberry.Private[int]
    revision: BigInt = strawberry.field(description="Of the ledger's newest entry.")

    @strawberry.field(description="Where it happened.")
    def community_id(self) -> strawberry.ID:
        return node_id("Community", self.community_pk)

    @strawberry.field(description="So that what a client keeps of it is brought up to date.")
    async def community(self, info: Info) -> Community:
        return await community_of(info, self.community_pk)


async def _watch(
    info: Info,
    *,
    topic: str,
    community_id: int,
    may: Callable[[Viewer], object],
    read: Callable[[], T],
    is_newer: Callable[[T, T], bool],
    is_known: Callable[[T], bool],
) -> AsyncGenerator[T, None]:
    """The values of a topic: what `read` finds, unless the client knows it, then what the hub carries. Ends with
    PermissionDenied once `may` raises it, or with SignInFirst once the viewer is somebody else: signed out.
    """
    context = info.context
    who = context.viewer.pk
    topics = [topic, readers_topic(community_id)] + ([access_topic(who)] if who is not None else [])

    def granted(viewer: Viewer) -> Grant[object]:
        return grants.open(context.credential(), community_id, lambda: may(viewer))

    async with hub.subscribe(*topics) as inbox:
        grant = await sync_to_async(granted)(context.viewer)
        try:
            last = await sync_to_async(read)()
            if not is_known(last):
                yield last
            while True:
                news = await next_news(inbox.next, grant.ends_at)
                if not grant.is_good:
                    grant = await renewed(context, grant, granted)
                if topic in news and is_newer(news[topic], last):
                    last = news[topic]
                    yield last
        finally:
            grants.close(grant)


async def renewed(context: RequestContext, grant: Granted, granted: Callable[[Viewer], Granted]) -> Granted:
    """Return a new grant in place of one that has ended. Raises SignInFirst once the viewer is somebody else."""
    viewer = await context.identify()
    if viewer.pk != grant.credential.viewer_id:
        raise SignInFirst("You are signed out.")
    grants.close(grant)
    return await sync_to_async(granted)(viewer)


async def next_news(wait: Callable[[], Any], until: float) -> dict[str, Any]:
    """Wait for the next news; empty where none come until then."""
    try:
        news: dict[str, Any] = await asyncio.wait_for(wait(), max(0.0, until - time.monotonic()))
    except TimeoutError:
        return {}
    return news


def _is_newer_status(new: decisions.CalculationState, old: decisions.CalculationState) -> bool:
    return _revisions(new) >= _revisions(old) and new != old


def _revisions(state: decisions.CalculationState) -> tuple[int, int]:
    return state.calculated_revision or 0, state.input_revision or 0


def _is_newer_result(new: models.DecisionSnapshot | None, old: models.DecisionSnapshot | None) -> bool:
    if new is None or old is None:
        return old is None and new is not None
    return (new.is_final, new.revision) > (old.is_final, old.revision)


def _knows_status(after: BigInt | None, state: decisions.CalculationState) -> bool:
    """Whether a client that has seen this revision has seen this status: what runs or has failed is told anyway."""
    is_current = state.status == models.Decision.CalculationStatus.CURRENT and state.input_revision is not None
    return after is not None and is_current and max(_revisions(state)) <= after


def _knows_result(after: BigInt | None, snapshot: models.DecisionSnapshot | None) -> bool:
    """Whether a client that has seen this revision has seen this result. The final one may have that of one before, and
    one whose revision is not told is never known.
    """
    if after is None or snapshot is None or snapshot.is_final:
        return False
    revision = access.shown_revision(snapshot)
    return revision is not None and revision <= after


def _newest_result(decision_id: int) -> models.DecisionSnapshot | None:
    return next(iter(decisions.newest_snapshots([decision_id])), None)


@strawberry.type
class Subscription:
    @strawberry.subscription(description="Whether a decision's result is current: now, and whenever that changes.")
    async def calculation_status(
        self, info: Info, decision_id: DecisionId, after: After = None
    ) -> AsyncGenerator[CalculationStatus, None]:
        pk = pk_of("Decision", decision_id, field="decision_id")
        decision = await sync_to_async(access.require_decision)(info.context.viewer, pk)
        states = _watch(
            info,
            topic=status_topic(pk),
            community_id=decision.community_id,
            may=lambda viewer: access.require_decision(viewer, pk),
            read=lambda: decisions.calculation_states([pk])[0],
            is_newer=_is_newer_status,
            is_known=partial(_knows_status, after),
        )
        async for state in states:
            yield CalculationStatus(state=state)

    @strawberry.subscription(description="A decision's result: now, null where there is none, and every newer one.")
    async def decision_result(
        self, info: Info, decision_id: DecisionId, after: After = None
    ) -> AsyncGenerator[Result | None, None]:
        pk = pk_of("Decision", decision_id, field="decision_id")
        decision = await sync_to_async(access.require_decision)(info.context.viewer, pk)
        snapshots = _watch(
            info,
            topic=result_topic(pk),
            community_id=decision.community_id,
            may=lambda viewer: access.require_decision(viewer, pk),
            read=lambda: _newest_result(pk),
            is_newer=_is_newer_result,
            is_known=partial(_knows_result, after),
        )
        choices: list[models.Choice] = []
        async for snapshot in snapshots:
            # Results are of published decisions, whose choices are frozen: read once.
            if snapshot is not None and not choices:
                choices = (await sync_to_async(decisions.choices_of)([pk]))[pk]
            yield None if snapshot is None else Result.of(snapshot, choices)

    @strawberry.subscription(description="The revision of a community's ledger: now, and whenever something happens.")
    async def community_activity(
        self, info: Info, community_id: CommunityId, after: After = None
    ) -> AsyncGenerator[CommunityActivity, None]:
        pk = pk_of("Community", community_id, field="community_id")
        revisions = _watch(
            info,
            topic=community_topic(pk),
            community_id=pk,
            may=lambda viewer: communities.readable_community(viewer, pk),
            read=lambda: communities.revisions([pk])[0][1],
            is_newer=lambda new, old: new > old,
            is_known=lambda revision: after is not None and revision <= after,
        )
        async for revision in revisions:
            yield CommunityActivity(community_pk=pk, revision=BigInt(revision))
