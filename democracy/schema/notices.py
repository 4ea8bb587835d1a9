"""Mutations and the subscription on one's own notices."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated, TypeAlias

import strawberry
from asgiref.sync import sync_to_async

from accounts.api import Info, Input, Payload, mutation, pk_of
from accounts.models import User
from democracy import access, services
from democracy.access import Viewer
from democracy.live.grants import Grant, grants
from democracy.live.hub import access_topic, hub, notices_topic
from democracy.reading.notices import unread_count
from democracy.schema.subscriptions import next_news, renewed
from democracy.schema.types.notices import NoticeNews, NoticePreference, SetNoticePreferencesInput, preferences_of

NoticeIds: TypeAlias = Annotated[
    list[strawberry.ID] | None,
    strawberry.argument(description="Notices of yours; others are passed over. Left out: all of yours."),
]


@strawberry.type(description="The answer to `markNoticesRead`.")
class MarkNoticesReadPayload(Payload):
    unread: int | None = strawberry.field(default=None, description="The number of notices that are unread now.")


@strawberry.type(description="The answer to `setNoticePreferences`.")
class SetNoticePreferencesPayload(Payload):
    preferences: list[NoticePreference] | None = strawberry.field(
        default=None, description="How you are told in that community now, of every kind."
    )


@strawberry.type
class NoticeMutation:
    @mutation
    def mark_notices_read(self, info: Info, ids: NoticeIds = None) -> MarkNoticesReadPayload:
        """Mark these notices of yours as read, or all of them without `ids`."""
        keys = None if ids is None else [pk_of("Notice", one, field="ids") for one in ids]
        services.mark_notices_read(info.context.viewer, keys)
        return MarkNoticesReadPayload(unread=unread_count(info.context.viewer))

    @mutation
    def set_notice_preferences(
        self, info: Info, input: Input[SetNoticePreferencesInput]
    ) -> SetNoticePreferencesPayload:
        """Choose how you want to be told of what happens in a community of yours, from now on."""
        pk = pk_of("Community", input.community_id, field="community_id")
        ways = {one.kind.value: one.way.value for one in input.preferences}
        services.set_notice_preferences(info.context.viewer, pk, ways)
        return SetNoticePreferencesPayload(preferences=preferences_of(info.context.viewer, [pk])[pk])


@strawberry.type
class NoticeSubscription:
    @strawberry.subscription(description="The number of your unread notices: now, and whenever you get or read some.")
    async def notices(self, info: Info) -> AsyncGenerator[NoticeNews, None]:
        context = info.context
        who = access.require_user(context.viewer)

        def granted(viewer: Viewer) -> Grant[User]:
            return grants.open(context.credential(), None, lambda: access.require_user(viewer))

        async with hub.subscribe(notices_topic(who.pk), access_topic(who.pk)) as inbox:
            grant = await sync_to_async(granted)(who)
            try:
                while True:
                    yield NoticeNews(unread=await sync_to_async(unread_count)(who))
                    news: dict[str, object] = {}
                    while notices_topic(who.pk) not in news:
                        news = await next_news(inbox.next, grant.ends_at)
                        if not grant.is_good:
                            grant = await renewed(context, grant, granted)
            finally:
                grants.close(grant)
