"""The community that a member or a decision belongs to, and the decision of a result.

Types refer to each other in circles: a community has decisions, each of which has its community. Modules import one
another in one direction, from results and people by way of ballots and decisions to communities, and this is the one
way back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias, cast

import strawberry

from accounts.api import Info
from democracy import models
from democracy.access import Viewer
from democracy.reading import communities

if TYPE_CHECKING:
    from democracy.schema.types.communities import Community
    from democracy.schema.types.decisions import Decision

ItsCommunity: TypeAlias = Annotated["Community", strawberry.lazy("democracy.schema.types.communities")]

ItsDecision: TypeAlias = Annotated["Decision", strawberry.lazy("democracy.schema.types.decisions")]


async def decision_of(info: Info, pk: int) -> Decision | None:
    """A decision by its number; None once the viewer may not see it any more."""
    from democracy.schema.types.decisions import Decision, decisions_by_id

    row = await info.context.load(decisions_by_id, pk)
    return None if row is None else Decision(row=row)


async def community_of(info: Info, pk: int) -> Community:
    """A community by its number; every community is listed for everybody."""
    from democracy.schema.types.communities import Community

    return Community(row=cast(models.Community, await info.context.load(communities_by_id, pk)))


def communities_by_id(viewer: Viewer, ids: list[int]) -> dict[int, models.Community]:
    return {row.pk: row for row in communities.communities_listed(viewer).filter(pk__in=ids)}
