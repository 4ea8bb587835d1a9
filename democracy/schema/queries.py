"""The queries. What is asked for by an id that does not exist, or that the viewer may not see, is null.

Every root is nullable: one that is refused is null beside its error, and takes no other with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

import strawberry
from asgiref.sync import sync_to_async

from accounts.api import Info, Node, pk_of, read_id
from accounts.models import User
from accounts.schema import ApiToken, Passkey
from democracy import models
from democracy.access import Viewer
from democracy.errors import InvalidInput
from democracy.explaining.what_if import MAX_CHANGES
from democracy.reading.followings import followings_shown
from democracy.reading.notices import shown_notices
from democracy.schema import orders
from democracy.schema.arguments import After, CommunityId, DecisionId, First, OfStatus, Search
from democracy.schema.orders import CommunityOrder, DecisionOrder, OfCommunities, OfDecisions
from democracy.schema.paging import DEFAULT_PAGE, MAX_PAGE, Connection, Page
from democracy.schema.rows import by_id
from democracy.schema.scalars import LedgerKind
from democracy.schema.types.communities import COMMUNITIES, Application, Community, Me
from democracy.schema.types.decisions import ALL_DECISIONS, DECISIONS, Decision
from democracy.schema.types.invitations import Invitation, InvitationLink
from democracy.schema.types.ledger import Checkpoint, LedgerEntry, checkpoint_of, ledger_page
from democracy.schema.types.notices import Notice
from democracy.schema.types.people import Following, Member
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


def _notices_by_key(viewer: Viewer, keys: list[int]) -> Mapping[int, models.Notice]:
    return {row.key: row for row in shown_notices(viewer).filter(key__in=keys)}


def _followings_by_ends(viewer: Viewer, ends: list[tuple[int, ...]]) -> Mapping[tuple[int, ...], models.Following]:
    rows = followings_shown(viewer).select_related("follower__user", "followee__user")
    rows = rows.filter(follower__in=[pair[0] for pair in ends], followee__in=[pair[-1] for pair in ends])
    return {(row.follower_id, row.followee_id): row for row in rows}


# Types whose ids have the number of their row.
_BY_NUMBER: dict[str, type[Node]] = {
    kind.__name__: kind
    for kind in (
        ApiToken,
        Application,
        Choice,
        Community,
        Decision,
        Invitation,
        InvitationLink,
        Member,
        Passkey,
        Webhook,
    )
}


async def _node(info: Info, id: strawberry.ID) -> Node | None:
    kind, numbers = read_id(id)
    if kind == "Following":
        return Following.of(await info.context.load(_followings_by_ends, numbers))
    if len(numbers) != 1:
        return None
    if kind == "Notice":
        return Notice.of(await info.context.load(_notices_by_key, numbers[0]))
    return await by_id(info, _BY_NUMBER[kind], numbers[0]) if kind in _BY_NUMBER else None


@strawberry.type
class Query:
    @strawberry.field(description="You; null for visitors.")
    def me(self, info: Info) -> Me | None:
        return Me.of(info.context.viewer) if isinstance(info.context.viewer, User) else None

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
        return await by_id(info, Community, pk_of("Community", id))

    @strawberry.field(
        description="All communities, or your own; those that have all words of `search`, of which ten count."
    )
    async def communities(
        self,
        info: Info,
        search: Search = "",
        mine: Mine = False,
        order: OfCommunities = CommunityOrder.NAME,
        first: First = DEFAULT_PAGE,
        after: After = None,
    ) -> Connection[Community] | None:
        page, columns = Page(first, after), orders.COMMUNITIES[order]
        return await COMMUNITIES.page(info, page, Community.of, order=columns, search=search, mine=mine)

    @strawberry.field(description="One of the decisions; null where there is no such one, or you may not see it.")
    async def decision(self, info: Info, id: DecisionId) -> Decision | None:
        return await by_id(info, Decision, pk_of("Decision", id))

    @strawberry.field(
        description="The decisions that you may see, of a community or of all; those that have all words of "
        "`search` in the question, its description or the title of a choice, of which ten count."
    )
    async def decisions(
        self,
        info: Info,
        community_id: InCommunity = None,
        status: OfStatus = None,
        search: Search = "",
        order: OfDecisions = DecisionOrder.CLOSING_LAST,
        first: First = DEFAULT_PAGE,
        after: After = None,
    ) -> Connection[Decision] | None:
        page = Page(first, after)
        given: dict[str, Any] = {
            "order": orders.DECISIONS[order],
            "status": status.value if status else None,
            "search": search,
        }
        if community_id is None:
            return await ALL_DECISIONS.page(info, page, Decision.of, **given)
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
        pk, page = pk_of("Community", community_id, field="community_id"), Page(first, after)
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
