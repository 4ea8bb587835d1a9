"""One's own data in the API, and closing one's account."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry
from asgiref.sync import sync_to_async
from strawberry.scalars import JSON

from accounts.api import DONE, Info, Payload, mutation
from democracy import access, services
from democracy.reading.own_data import own_data

Confirmed: TypeAlias = Annotated[
    bool,
    strawberry.argument(
        description="Your consent. Without it, CLOSING_NEEDS_CONFIRMATION says how many ballots would count no more."
    ),
]


@strawberry.type
class Query:
    @strawberry.field(
        description="Everything that the site keeps of you: account, memberships, applications, followings, ballots "
        "with receipts. Keep it to yourself: the receipts of anonymous ballots show that these are yours."
    )
    async def my_data(self, info: Info) -> JSON | None:
        return JSON(await sync_to_async(own_data)(access.require_user(info.context.viewer)))


@strawberry.type(description="The answer to `closeAccount`.")
class CloseAccountPayload(Payload):
    message: str | None = strawberry.field(default=None, description=DONE)


@strawberry.type
class Mutation:
    @mutation
    def close_account(self, info: Info, confirmed: Confirmed = False) -> CloseAccountPayload:
        """Close your account for good, if `confirmed`. Ballots with your name in open decisions count no more, those in
        closed ones stay under a made-up name, and anonymous ones stay.
        """
        services.close_account(info.context.viewer, confirmed=confirmed)
        return CloseAccountPayload(message="Your account is closed.")
