"""Shared parts of the GraphQL API: the context of a request, ids, and mutations with their refusals."""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import typing
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeAlias, TypeVar, cast, overload
from weakref import WeakKeyDictionary

import strawberry
import strawberry_django
from django.contrib.auth.models import AnonymousUser
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from strawberry.dataloader import DataLoader
from strawberry.types.info import Info as StrawberryInfo

from accounts.credentials import Credential, credential_of
from accounts.errors import AccountError, DomainError
from accounts.middleware import token_of_socket, user_for_scope
from accounts.models import User
from accounts.stepping import blocking

if TYPE_CHECKING:
    from crowdvote.api.error_codes import ErrorCode

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
# Reads many things at once for a viewer. Things that are missing from its answer are None.
Reader: TypeAlias = Callable[[User | AnonymousUser, list[Key]], Mapping[Key, Value]]


class RequestContext:
    """The viewer of a request, and batched reading on that viewer's behalf."""

    def __init__(
        self,
        viewer: User | AnonymousUser,
        *,
        request: HttpRequest | None = None,
        response: HttpResponse | None = None,
        scope: Mapping[str, Any] | None = None,
    ) -> None:
        self.viewer = viewer
        # None over a WebSocket: nobody can sign in or out there, because its session cannot set a cookie.
        self.request = request
        # The source of the answer's status and headers; None over a WebSocket.
        self.response = response
        # True once the one operation of an HTTP request is counted and its document found.
        self.is_admitted = False
        self.connection_params: dict[str, Any] = {}
        self.scope = _scope_of(request) if request is not None else scope or {}
        # True where a server runs it; else the thread that asks has the connection to the database.
        self.is_served: bool = self.scope.get("served", False)
        # By event loop: the operations of one WebSocket run at the same time, each in a loop of its own.
        self._loaders: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, DataLoader[Any, Any]]] = (
            WeakKeyDictionary()
        )

    async def identify(self) -> User | AnonymousUser:
        """Look up the viewer anew, and return them.

        A connection outlives a sign-out. A token that was revoked makes the viewer anonymous.
        """
        try:
            self.viewer = await user_for_scope(self.scope, self.connection_params)
        except AccountError:
            self.viewer = AnonymousUser()
        return self.viewer

    def credential(self) -> Credential:
        """Return what the viewer was identified by."""
        token = token_of_socket(self.scope, self.connection_params)
        return credential_of(self.viewer.pk, session=self.scope.get("session"), token=token)

    async def load(self, read: Reader[Key, Value], key: Key) -> Value | None:
        """Return what `read` finds for `key`, or None.

        One call of `read` serves all keys that are wanted at the same time.
        """
        loaders = self._loaders.setdefault(asyncio.get_running_loop(), {})
        loader = loaders.get(read)
        if loader is None:

            async def load(keys: list[Key]) -> Sequence[Value | None]:
                found = await blocking(read, self.viewer, list(dict.fromkeys(keys)))
                return [found.get(key) for key in keys]

            # Without a cache: the context of a WebSocket lasts, and its next event must not be shown the last one's
            # rows.
            loader = loaders[read] = DataLoader(load, cache=False)
        value: Value | None = await loader.load(key)
        return value


def _scope_of(request: HttpRequest) -> Mapping[str, Any]:
    """Convert a request into the scope that `user_for_scope` expects."""
    headers = {b"authorization": "HTTP_AUTHORIZATION", b"x-forwarded-for": "HTTP_X_FORWARDED_FOR"}
    present = [(name, request.META[key].encode("latin-1")) for name, key in headers.items() if key in request.META]
    return {
        "headers": present,
        "client": (request.META.get("REMOTE_ADDR", ""),),
        "session": request.session,
        "served": getattr(request, "scope", {}).get("served", False),
    }


Info = StrawberryInfo[RequestContext, None]


# --- Ids --------------------------------------------------------------------------------------------------------------


class InvalidId(DomainError):
    """An id that cannot be read, or that belongs to another kind of thing. It hides whether the thing exists."""

    code = "INVALID_ID"
    field = "id"


def node_id(kind: str, *numbers: int) -> strawberry.ID:
    """Return the opaque id of a thing. Several numbers are those of the things that it connects."""
    return strawberry.ID(base64.urlsafe_b64encode(f"{kind}:{'-'.join(map(str, numbers))}".encode()).decode())


def read_id(text: str) -> tuple[str, tuple[int, ...]]:
    """Return the kind and the numbers of an id. Raises InvalidId."""
    try:
        kind, _, named = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True).decode().partition(":")
    except (UnicodeError, binascii.Error, ValueError):
        kind, named = "", ""
    numbers = named.split("-")
    if not (kind.isalpha() and len(numbers) <= 2 and all(map(_is_number, numbers))):
        raise InvalidId("This is not an id.")
    return kind, tuple(map(int, numbers))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19 and text[0] != "0"


def pk_of(kind: str, text: str, *, field: str = "id") -> int:
    """Return the number in an id of this kind. Raises InvalidId, naming the input `field`."""
    try:
        found, numbers = read_id(text)
    except InvalidId:
        found, numbers = "", ()
    if found != kind or len(numbers) != 1:
        raise InvalidId(f"This is not the id of a thing of type {kind}.", field=field)
    return numbers[0]


class RowType:
    """A type whose objects are the rows of a model, which resolvers are given as `root`."""

    @overload
    @classmethod
    def of(cls, row: Model) -> Self: ...

    @overload
    @classmethod
    def of(cls, row: None) -> None: ...

    @classmethod
    def of(cls, row: Model | None) -> Self | None:
        """Return a row, for type checkers: what the library takes as an object of this type."""
        return cast(Self, row)


@strawberry.interface(description="A thing that can be asked for again by its id, with `node`.")
class Node(RowType):
    @strawberry.field(description="Opaque, and unique among all kinds of things.")
    def id(self, info: Info, root: Model) -> strawberry.ID:
        return node_id(cast(str, info.path.typename), root.pk)


def column(description: str) -> Any:
    """Declare a field that is a column of the type's model."""
    return strawberry_django.field(description=description)


# --- Mutations --------------------------------------------------------------------------------------------------------

Given = TypeVar("Given")
# The one argument of most mutations.
Input: TypeAlias = Annotated[Given, strawberry.argument(description="All that the mutation takes, as one object.")]

# The description of a payload's `message`.
DONE = "What was done, as a sentence for people."


# The codes of all apps are listed where the apps meet.
_ErrorCode: TypeAlias = Annotated["ErrorCode", strawberry.lazy("crowdvote.api.error_codes")]


@strawberry.type(description="Why a mutation was refused. Nothing was written.")
class InputError:
    field: str = strawberry.field(description="The input at fault; empty where no single one is.")
    code: _ErrorCode = strawberry.field(description="For programs: what they can act on.")
    message: str = strawberry.field(description="For people: what is wrong, and what to do about it.")

    @classmethod
    def of(cls, refusal: DomainError) -> InputError:
        """Return a refusal as the API tells it."""
        # The enum writes its members by their values.
        return cls(field=camel(refusal.field), code=cast("ErrorCode", refusal.code), message=refusal.message)


@strawberry.interface(
    description="What every mutation answers: `errors` is empty where it did what was asked. Else nothing was written, "
    "and all other fields are null."
)
class Payload:
    errors: list[InputError] = strawberry.field(
        default_factory=list, description="Why the mutation was refused: all faults that were found."
    )


def mutation(run: Callable[..., Any]) -> Any:
    """Make a mutation of a function that calls a command.

    The function runs in a thread. A refusal (DomainError) becomes the errors of its payload. Its docstring is the
    description, its return annotation the payload, whose fields must have defaults.
    """

    @functools.wraps(run)
    async def resolver(*args: Any, **kwargs: Any) -> Any:
        try:
            return await blocking(run, *args, **kwargs)
        except DomainError as error:
            payload = typing.get_type_hints(run)["return"]
            return payload(errors=[InputError.of(one) for one in error.parts])

    return strawberry.mutation(resolver=resolver, description=" ".join((run.__doc__ or "").split()))


def camel(name: str) -> str:
    """Return a field's name as the API spells it."""
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
