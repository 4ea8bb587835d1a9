"""Accounts in the GraphQL API: signing in, the profile, API tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeAlias

import strawberry
import strawberry_django
from django.contrib.auth import logout
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts import addresses, models, passkeys, services
from accounts.api import DONE, Info, Input, Node, Payload, RowType, column, mutation, pk_of
from accounts.errors import DomainError, SignInFirst
from accounts.ratelimit import client_of

_NAME = "What others call you: 1 to 80 characters."
_HANDLE = "2 to 40 of a-z, 0-9 and _; public, and unique on the site."

Email: TypeAlias = Annotated[str, strawberry.argument(description="The address that gets the mail.")]
Token: TypeAlias = Annotated[str, strawberry.argument(description="The last part of the link's path.")]
Code: TypeAlias = Annotated[str, strawberry.argument(description="The six figures in the mail.")]
TokenName: TypeAlias = Annotated[str, strawberry.argument(description="What it is for, in 1 to 80 characters.")]
PasskeyName: TypeAlias = Annotated[str, strawberry.argument(description="Where it is kept, in 1 to 80 characters.")]
TokenId: TypeAlias = Annotated[strawberry.ID, strawberry.argument(description="Of one of your API tokens.")]
PasskeyId: TypeAlias = Annotated[strawberry.ID, strawberry.argument(description="Of one of your passkeys.")]


class OnlyOverHttp(DomainError):
    """A sign-in or sign-out over a WebSocket, which cannot set the cookie that a session needs."""

    code = "ONLY_OVER_HTTP"


def _request(info: Info) -> HttpRequest:
    if info.context.request is None:
        raise OnlyOverHttp("Signing in and out works over HTTP only.")
    return info.context.request


def _person(info: Info) -> models.User:
    viewer = info.context.viewer
    if not isinstance(viewer, models.User) or not viewer.is_active:
        raise SignInFirst
    return viewer


@strawberry_django.type(
    models.ApiToken, description="An API token as its owner sees it. The token itself is shown once, when it is made."
)
class ApiToken(Node):
    name: str = column("What it is for.")
    created_at: datetime = column("When it was made.")
    last_used_at: datetime | None = column("To the minute; null where it was never used.")

    @classmethod
    def get_queryset(cls, queryset: QuerySet[models.ApiToken], info: Info) -> QuerySet[models.ApiToken]:
        return queryset.filter(user=info.context.viewer.pk or 0, revoked_at=None)


@strawberry_django.type(
    models.Passkey,
    description="A key that one of your devices keeps, which signs you in. It is added in a browser.",
)
class Passkey(Node):
    name: str = column("Where it is kept.")
    created_at: datetime = column("When it was added.")
    last_used_at: datetime | None = column("When it last signed you in; null where it never has.")

    @classmethod
    def get_queryset(cls, queryset: QuerySet[models.Passkey], info: Info) -> QuerySet[models.Passkey]:
        return queryset.filter(user=info.context.viewer.pk or 0)


@strawberry_django.type(models.User, description="Your own account. Nobody else sees your e-mail address.")
class Account(RowType):
    name: str = column("What you are called.")
    handle: str = column("Public and unique.")
    email: str | None = column("The address that you sign in with. Only you see it; null where you have none.")


def tokens_of(viewer: object, users: list[int]) -> dict[int, list[models.ApiToken]]:
    """Return the valid tokens of these people, the newest first."""
    tokens: dict[int, list[models.ApiToken]] = {user: [] for user in users}
    for token in models.ApiToken.objects.filter(user__in=users, revoked_at=None).order_by("-pk"):
        tokens[token.user_id].append(token)
    return tokens


def passkeys_of(viewer: object, users: list[int]) -> dict[int, list[models.Passkey]]:
    """Return the passkeys of these people, the newest first."""
    found: dict[int, list[models.Passkey]] = {user: [] for user in users}
    for passkey in models.Passkey.objects.filter(user__in=users).order_by("-pk"):
        found[passkey.user_id].append(passkey)
    return found


@strawberry.input(description="What is left out stays.")
class UpdateProfileInput:
    name: str | None = strawberry.field(default=None, description=_NAME)
    handle: str | None = strawberry.field(default=None, description=_HANDLE)


@strawberry.type(description="The answer to `requestSignInLink`, whether the address has an account or not.")
class RequestSignInLinkPayload(Payload):
    message: str | None = strawberry.field(default=None, description=DONE)


@strawberry.type(description="The answer to `signIn` and `signInWithCode`. The session cookie comes with it.")
class SignInPayload(Payload):
    account: Account | None = strawberry.field(default=None, description="Whoever is signed in now.")


@strawberry.type(description="The answer to `signOut`.")
class SignOutPayload(Payload):
    message: str | None = strawberry.field(default=None, description=DONE)


@strawberry.type(description="The answer to `updateProfile`.")
class UpdateProfilePayload(Payload):
    account: Account | None = strawberry.field(default=None, description="Yours, after the change.")


@strawberry.type(description="The answer to `requestAddressChange`, whether the address is free or not.")
class RequestAddressChangePayload(Payload):
    message: str | None = strawberry.field(default=None, description=DONE)


@strawberry.type(description="The answer to `confirmAddressChange`.")
class ConfirmAddressChangePayload(Payload):
    account: Account | None = strawberry.field(default=None, description="Yours, with the new address.")


@strawberry.type(description="The answer to `createApiToken`, the only one that has the token itself.")
class CreateApiTokenPayload(Payload):
    token: str | None = strawberry.field(default=None, description="The bearer token. It cannot be had again: keep it.")
    api_token: ApiToken | None = strawberry.field(default=None, description="What is kept of it.")


@strawberry.type(description="The answer to `revokeApiToken`.")
class RevokeApiTokenPayload(Payload):
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the token that has ended, for clients that keep it."
    )
    message: str | None = strawberry.field(default=None, description=DONE)


@strawberry.type(description="The answer to `renamePasskey`.")
class RenamePasskeyPayload(Payload):
    passkey: Passkey | None = strawberry.field(default=None, description="With its new name.")


@strawberry.type(description="The answer to `removePasskey`.")
class RemovePasskeyPayload(Payload):
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the passkey that is gone, for clients that keep it."
    )
    message: str | None = strawberry.field(default=None, description=DONE)


@strawberry.type
class Mutation:
    @mutation
    def request_sign_in_link(self, info: Info, email: Email) -> RequestSignInLinkPayload:
        """Mail a link and a code that sign in or, for a new address, sign up. The answer is the same for both.

        The code is for `signInWithCode` with the session cookie of this answer.
        """
        request = _request(info)
        services.request_sign_in_link(email, client=client_of(request), session=request.session)
        return RequestSignInLinkPayload(message="If the address is right, a sign-in link is on its way to it.")

    @mutation
    def sign_in(self, info: Info, token: Token) -> SignInPayload:
        """Use up the token of a sign-in link: the last part of its path. Sets the session cookie."""
        info.context.viewer = user = services.sign_in(token, _request(info))
        return SignInPayload(account=Account.of(user))

    @mutation
    def sign_in_with_code(self, info: Info, code: Code) -> SignInPayload:
        """Use up the six-figure code of the mail that this session asked for last. Sets the session cookie."""
        info.context.viewer = user = services.sign_in_with_code(code, _request(info))
        return SignInPayload(account=Account.of(user))

    @mutation
    def sign_out(self, info: Info) -> SignOutPayload:
        """End the session of this browser. Subscriptions that are open end, too."""
        _person(info)
        logout(_request(info))
        return SignOutPayload(message="You are signed out.")

    @mutation
    def update_profile(self, info: Info, input: Input[UpdateProfileInput]) -> UpdateProfilePayload:
        """Change your name or handle; what is left out stays."""
        user = services.update_profile(_person(info), name=input.name, handle=input.handle)
        return UpdateProfilePayload(account=Account.of(user))

    @mutation
    def request_address_change(self, info: Info, email: Email) -> RequestAddressChangePayload:
        """Mail a code to the address that you want to sign in with from now on; your old address is told."""
        person, request = _person(info), _request(info)
        addresses.request_change(person, email, client=client_of(request), session=request.session)
        return RequestAddressChangePayload(message="If the address is right, a code is on its way to it.")

    @mutation
    def confirm_address_change(self, info: Info, code: Code) -> ConfirmAddressChangePayload:
        """Change your address by the code that was mailed to the new one, with the session that asked for it."""
        user = addresses.confirm_change(_person(info), code, session=_request(info).session)
        return ConfirmAddressChangePayload(account=Account.of(user))

    @mutation
    def create_api_token(self, info: Info, name: TokenName) -> CreateApiTokenPayload:
        """Make a bearer token for programs, which may do all that you may. It is shown this once."""
        made, raw = services.create_api_token(_person(info), name)
        return CreateApiTokenPayload(token=raw, api_token=ApiToken.of(made))

    @mutation
    def revoke_api_token(self, info: Info, id: TokenId) -> RevokeApiTokenPayload:
        """End an API token. From now on it is refused."""
        services.revoke_api_token(_person(info), pk_of("ApiToken", id))
        return RevokeApiTokenPayload(deleted_id=id, message="The API token was revoked.")

    @mutation
    def rename_passkey(self, info: Info, id: PasskeyId, name: PasskeyName) -> RenamePasskeyPayload:
        """Call one of your passkeys otherwise."""
        return RenamePasskeyPayload(passkey=Passkey.of(passkeys.rename(_person(info), pk_of("Passkey", id), name)))

    @mutation
    def remove_passkey(self, info: Info, id: PasskeyId) -> RemovePasskeyPayload:
        """Forget one of your passkeys: it no longer signs you in."""
        passkeys.remove(_person(info), pk_of("Passkey", id))
        return RemovePasskeyPayload(deleted_id=id, message="The passkey was removed.")
