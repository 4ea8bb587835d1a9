"""The community that a member or a decision belongs to, and the decision of a result.

Types refer to each other in circles: a community has decisions, each of which has its community. Modules import one
another in one direction, from results and people by way of ballots and decisions to communities, and this is the one
way back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias, cast

import strawberry

from accounts.api import Info
from democracy.schema.rows import by_id

if TYPE_CHECKING:
    from democracy.schema.types.communities import Community
    from democracy.schema.types.decisions import Decision

ItsCommunity: TypeAlias = Annotated["Community", strawberry.lazy("democracy.schema.types.communities")]

ItsDecision: TypeAlias = Annotated["Decision", strawberry.lazy("democracy.schema.types.decisions")]


async def decision_of(info: Info, pk: int) -> Decision | None:
    """A decision by its number; None once the viewer may not see it any more."""
    from democracy.schema.types.decisions import Decision

    return await by_id(info, Decision, pk)


async def community_of(info: Info, pk: int) -> Community:
    """A community by its number; every community is listed for everybody."""
    from democracy.schema.types.communities import Community

    return cast(Community, await by_id(info, Community, pk))
