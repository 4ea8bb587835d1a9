"""The queries. What is asked for by an id that does not exist, or that the viewer may not see, is null.

Every root is nullable: one that is refused is null beside its error, and takes no other with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias

import strawberry
from asgiref.sync import sync_to_async

from accounts.api import Info, Node, pk_of, read_id
from accounts.models import User
from accounts.schema import ApiToken, Passkey, passkeys_by_id, tokens_by_id
from democracy import access, models
from democracy.access import Viewer
from democracy.errors import InvalidInput
from democracy.explaining.what_if import MAX_CHANGES
from democracy.reading.followings import followings_shown
from democracy.reading.notices import shown_notices
from democracy.reading.webhooks import webhooks_by_key
from democracy.schema.arguments import After, CommunityId, DecisionId, First, OfStatus, Search
from democracy.schema.paging import DEFAULT_PAGE, MAX_PAGE, Connection, Page
from democracy.schema.scalars import LedgerKind
from democracy.schema.types.belonging import communities_by_id
from democracy.schema.types.communities import COMMUNITIES, Application, Community, Me
from democracy.schema.types.decisions import ALL_DECISIONS, DECISIONS, Decision, decisions_by_id
from democracy.schema.types.invitations import (
    Invitation,
    InvitationLink,
    invitation_links_by_id,
    invitations_by_id,
)
from democracy.schema.types.ledger import Checkpoint, LedgerEntry, checkpoint_of, ledger_page
from democracy.schema.types.notices import Notice
from democracy.schema.types.people import Following, Member, members_by_id
from democracy.schema.types.results import Choice
from democracy.schema.types.webhooks import Webhook
from democracy.schema.types.whatif import ChangeInput, WhatIf, what_if

AnyId: TypeAlias = Annotated[strawberry.ID, strawberry.argument(description="As any field `id` has it.")]
AnyIds: TypeAlias = Annotated[
    list[strawberry.ID], strawberry.argument(description=f"As fields `id` have them; at most {MAX_PAGE}.")
]
Mine: TypeAlias = Annotated[
    bool, strawberry.argument(description="Only those in which you are a member; for visitors, none.")
]
InCommunity: TypeAlias = Annotated[
    strawberry.ID | None, strawberry.argument(description="Only this community's. Null: all that you may see.")
]
Changes: TypeAlias = Annotated[
    list[ChangeInput], strawberry.argument(description=f"At most {MAX_CHANGES}, each made after those before it.")
]
OfKind: TypeAlias = Annotated[
    LedgerKind | None, strawberry.argument(description="Only entries of this kind. Null: of every kind.")
]
AboutDecision: TypeAlias = Annotated[
    strawberry.ID | None, strawberry.argument(description="Only entries about this decision. Null: about anything.")
]
NewestFirst: TypeAlias = Annotated[
    bool, strawberry.argument(description="Whether to go back in time: then `after` leads to older entries.")
]


def _applications_by_id(viewer: Viewer, ids: list[int]) -> Mapping[int, models.Application]:
    rows = access.applications_visible_to(viewer).select_related("user").filter(pk__in=ids)
    return {row.pk: row for row in rows}


def _choices_by_id(viewer: Viewer, ids: list[int]) -> Mapping[int, models.Choice]:
    visible = access.decisions_visible_to(viewer)
    return models.Choice.objects.filter(decision__in=visible).in_bulk(ids)


def _notices_by_key(viewer: Viewer, keys: list[int]) -> Mapping[int, models.Notice]:
    return {row.key: row for row in shown_notices(viewer).filter(key__in=keys)}


def _followings_by_ends(viewer: Viewer, ends: list[tuple[int, ...]]) -> Mapping[tuple[int, ...], models.Following]:
    rows = followings_shown(viewer).select_related("follower__user", "followee__user")
    rows = rows.filter(follower__in=[pair[0] for pair in ends], followee__in=[pair[-1] for pair in ends])
    return {(row.follower_id, row.followee_id): row for row in rows}


_NODES: dict[str, tuple[Callable[[Viewer, list[int]], Mapping[int, Any]], Callable[..., Node]]] = {
    "ApiToken": (tokens_by_id, ApiToken),
    "Application": (_applications_by_id, Application),
    "Choice": (_choices_by_id, Choice),
    "Community": (communities_by_id, Community),
    "Decision": (decisions_by_id, Decision),
    "Invitation": (invitations_by_id, Invitation),
    "InvitationLink": (invitation_links_by_id, InvitationLink),
    "Member": (members_by_id, Member),
    "Notice": (_notices_by_key, Notice),
    "Passkey": (passkeys_by_id, Passkey),
    "Webhook": (webhooks_by_key, Webhook),
}


async def _node(info: Info, id: strawberry.ID) -> Node | None:
    kind, numbers = read_id(id)
    if kind == "Following":
        following = await info.context.load(_followings_by_ends, numbers)
        return Following.of(following) if following is not None else None
    read, of = _NODES.get(kind, (None, None))
    row = await info.context.load(read, numbers[0]) if read and len(numbers) == 1 else None
    return of(row=row) if of and row is not None else None


@strawberry.type
class Query:
    @strawberry.field(description="You; null for visitors.")
    def me(self, info: Info) -> Me | None:
        return Me(row=info.context.viewer) if isinstance(info.context.viewer, User) else None

    @strawberry.field(description="Anything that has an id: null where there is no such thing, or you may not see it.")
    async def node(self, info: Info, id: AnyId) -> Node | None:
        return await _node(info, id)

    @strawberry.field(
        description="At most 100 things that have an id, in the order of their ids: null where there is no such thing, "
        "or you may not see it."
    )
    async def nodes(self, info: Info, ids: AnyIds) -> list[Node | None]:
        if len(ids) > MAX_PAGE:
            raise InvalidInput(f"At most {MAX_PAGE} ids at once.", field="ids")
        return await asyncio.gather(*[_node(info, id) for id in ids])

    @strawberry.field(description="One of the communities; null where there is no such one, or you may not see it.")
    async def community(self, info: Info, id: CommunityId) -> Community | None:
        row = await info.context.load(communities_by_id, pk_of("Community", id))
        return Community(row=row) if row is not None else None

    @strawberry.field(
        description="All communities by name, or your own; those that have all words of `search`, of which ten count."
    )
    async def communities(
        self, info: Info, search: Search = "", mine: Mine = False, first: First = DEFAULT_PAGE, after: After = None
    ) -> Connection[Community] | None:
        return await COMMUNITIES.page(info, Page.of(first, after), Community.of, search=search, mine=mine)

    @strawberry.field(description="One of the decisions; null where there is no such one, or you may not see it.")
    async def decision(self, info: Info, id: DecisionId) -> Decision | None:
        row = await info.context.load(decisions_by_id, pk_of("Decision", id))
        return Decision(row=row) if row is not None else None

    @strawberry.field(
        description="The decisions that you may see, of a community or of all, those that close last first; those that "
        "have all words of `search` in the question, its description or the title of a choice, of which ten count."
    )
    async def decisions(
        self,
        info: Info,
        community_id: InCommunity = None,
        status: OfStatus = None,
        search: Search = "",
        first: First = DEFAULT_PAGE,
        after: After = None,
    ) -> Connection[Decision] | None:
        page = Page.of(first, after)
        given = {"status": status.value if status else None, "search": search}
        if community_id is None:
            return await ALL_DECISIONS.page(info, page, Decision.of, parent=None, **given)
        parent = pk_of("Community", community_id, field="community_id")
        return await DECISIONS.page(info, page, Decision.of, parent=parent, **given)

    @strawberry.field(
        description="An open decision after changes that you might make, in their order. For members; not where "
        "ballots are hidden."
    )
    async def what_if(self, info: Info, decision_id: DecisionId, changes: Changes) -> WhatIf | None:
        return await sync_to_async(what_if)(info.context.viewer, decision_id, changes)

    @strawberry.field(description="The events of a community, oldest first: follow it with `after`.")
    async def ledger(
        self,
        info: Info,
        community_id: CommunityId,
        kind: OfKind = None,
        decision_id: AboutDecision = None,
        newest_first: NewestFirst = False,
        first: First = DEFAULT_PAGE,
        after: After = None,
    ) -> Connection[LedgerEntry] | None:
        pk, page = pk_of("Community", community_id, field="community_id"), Page.of(first, after)
        about = pk_of("Decision", decision_id, field="decision_id") if decision_id else None
        read = sync_to_async(ledger_page)
        kind_value = kind.value if kind else ""
        return await read(info.context.viewer, pk, page, kind=kind_value, decision=about, newest_first=newest_first)

    @strawberry.field(
        description="The state of a community's ledger now, signed: keep it, and compare with later ones."
    )
    async def checkpoint(self, info: Info, community_id: CommunityId) -> Checkpoint | None:
        pk = pk_of("Community", community_id, field="community_id")
        return await sync_to_async(checkpoint_of)(info.context.viewer, pk)
