"""Arguments that recur, with their descriptions."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from democracy.errors import InvalidInput
from democracy.schema.paging import MAX_PAGE
from democracy.schema.scalars import BigInt, DecisionStatus

_WORDS = "Words that all have to occur, of which ten count. Empty: no search."
_REFUSED = "another thing's is refused with INVALID_ID."

First: TypeAlias = Annotated[int, strawberry.argument(description=f"How many nodes at most: 1 to {MAX_PAGE}.")]
After: TypeAlias = Annotated[
    str | None, strawberry.argument(description="A cursor: the page begins behind it. Null: the list's first page.")
]
MOST_NODES = 1_000
Members: TypeAlias = Annotated[
    int, strawberry.argument(description=f"How many members at most, those with most followings: 1 to {MOST_NODES:,}.")
]
PastRevision: TypeAlias = Annotated[
    BigInt, strawberry.argument(description="The `revision` of a result in the decision's `history`.")
]
Search: TypeAlias = Annotated[str, strawberry.argument(description=_WORDS)]
OfStatus: TypeAlias = Annotated[
    DecisionStatus | None, strawberry.argument(description="Only decisions in this phase. Null: in every phase.")
]

CommunityId: TypeAlias = Annotated[
    strawberry.ID, strawberry.argument(description=f"The `id` of a `Community`; {_REFUSED}")
]
DecisionId: TypeAlias = Annotated[
    strawberry.ID, strawberry.argument(description=f"The `id` of a `Decision`; {_REFUSED}")
]
MemberId: TypeAlias = Annotated[strawberry.ID, strawberry.argument(description=f"The `id` of a `Member`; {_REFUSED}")]
ApplicationId: TypeAlias = Annotated[
    strawberry.ID, strawberry.argument(description=f"The `id` of an `Application`; {_REFUSED}")
]
InvitationId: TypeAlias = Annotated[
    strawberry.ID, strawberry.argument(description=f"The `id` of an `Invitation`; {_REFUSED}")
]
LinkId: TypeAlias = Annotated[
    strawberry.ID, strawberry.argument(description=f"The `id` of an `InvitationLink`; {_REFUSED}")
]
WebhookId: TypeAlias = Annotated[strawberry.ID, strawberry.argument(description=f"The `id` of a `Webhook`; {_REFUSED}")]


def require_nodes(first: int) -> None:
    """Refuse another number of nodes than a graph may have. Raises InvalidInput."""
    if not 1 <= first <= MOST_NODES:
        raise InvalidInput(f"The graph has 1 to {MOST_NODES:,} members.", field="first")
