"""Documents that clients send by their hash: automatic persisted queries, as Apollo's clients speak them.

An operation brings `extensions.persistedQuery`, with version 1 and the document's SHA-256 in hexadecimal digits. With
the document, that is kept; without it, the one that was kept is run. A client whose hash is not known sends both.
In place of a document, `documentId` is the same hash, as the appendix on persisted documents of GraphQL over HTTP has
it. Where the operator lists documents (API_DOCUMENTS), no other is run, and none is kept.

# Note [What is kept is nobody's]
Whoever knows a document sees by its hash whether it is kept, so whether somebody has sent it. Thus one that has strings
in it, such as the id of a choice in a vote, is not kept: values belong in variables, and nobody else would send it.

# Note [Room for documents]
A cache may have no bound of its own. So there are so many shelves, a hash belongs on one of them, and each takes so
many documents, the newest: at most 40 million characters in all.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from typing import Any, TypeAlias

from django.conf import settings
from django.core.cache import BaseCache
from django.core.exceptions import ImproperlyConfigured
from graphql import GraphQLError, GraphQLSchema, OperationDefinitionNode, validate
from strawberry.extensions import SchemaExtension

from accounts import ratelimit
from accounts.errors import DomainError
from crowdvote.api import documents, limits

# See Note [Room for documents].
_SHELVES = 1_024
_PER_SHELF = 4
_KEPT_CHARACTERS = 10_000
_KEPT_SECONDS = 24 * 60 * 60
# The documents of a shelf: hash, text, and the end of its time.
_Shelf: TypeAlias = tuple[tuple[str, str, float], ...]

# The extensions of an operation over WebSocket, which Strawberry does not hand on.
extensions_of_message: ContextVar[Mapping[str, Any] | None] = ContextVar("extensions_of_message", default=None)


class DocumentRefused(DomainError):
    """An operation whose document is not known, not listed, or not the one that its hash says.

    `status` is that of the answer; None: as of any operation that is not run.
    """

    code = "BAD_REQUEST"
    status: int | None = 400


class UnknownDocument(DocumentRefused):
    """A hash that is not known. Clients look for the very message, and old ones give up hashes at any other status."""

    code = "PERSISTED_QUERY_NOT_FOUND"
    status = 200

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotFound")


class DocumentNotListed(DocumentRefused):
    code = "DOCUMENT_NOT_ALLOWED"
    status = None

    def __init__(self) -> None:
        super().__init__("This site runs only the documents that its operator has listed, and this is none of them.")


async def document(query: str | None, extensions: Mapping[str, Any] | None) -> str | None:
    """Return the text of an operation's document: what it brings, or what its hash names. Raises DocumentRefused."""
    name = _hash_in(extensions)
    # A text that is too long to be read is too long to be hashed, and will be refused.
    if len(query or "") > limits.MAX_CHARACTERS:
        return query
    if query and name is not None and sha256(query) != name:
        raise DocumentRefused("`extensions.persistedQuery.sha256Hash` is not the SHA-256 of this document.")
    if settings.API_DOCUMENTS is not None:
        return _listed(sha256(query) if query else name, settings.API_DOCUMENTS)
    if query or name is None:
        return query
    found = await asyncio.to_thread(_kept, name)
    if found is None:
        raise UnknownDocument
    return found


def with_name(extensions: dict[str, Any] | None, name: object) -> dict[str, Any] | None:
    """Return the extensions of an operation without a document, its `documentId` among them as the hash that it is."""
    if name is None:
        return extensions
    sha256_hash = name.removeprefix("sha256:") if isinstance(name, str) else name
    return {**(extensions or {}), "persistedQuery": {"version": 1, "sha256Hash": sha256_hash}}


def sha256(text: str) -> str:
    """Return the hash of a document, in hexadecimal digits. JSON may have halves of characters, which are none."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _hash_in(extensions: Mapping[str, Any] | None) -> str | None:
    """Return the hash that an operation brings, or None. Raises DocumentRefused for what is none."""
    sent = (extensions or {}).get("persistedQuery")
    if sent is None:
        return None
    name = sent.get("sha256Hash") if isinstance(sent, dict) and sent.get("version") == 1 else None
    if not isinstance(name, str) or not re.fullmatch("[0-9a-f]{64}", name):
        raise DocumentRefused(
            "`extensions.persistedQuery` has `version` 1 and a `sha256Hash` of 64 small hexadecimal digits; "
            "`documentId` has these digits, behind `sha256:` or alone."
        )
    return name


def check_listed(schema: GraphQLSchema) -> None:
    """Raise ImproperlyConfigured if the schema cannot run one of the listed documents. All that are wrong are named."""
    listed = settings.API_DOCUMENTS or {}
    wrong = [f"  {name}{fault}" for name, text in listed.items() if (fault := _fault(schema, text))]
    if wrong:
        raise ImproperlyConfigured(
            f"CROWDVOTE_API_DOCUMENTS: of the documents in {settings.API_DOCUMENTS_FILE!r}, the API cannot run\n"
            + "\n".join(wrong)
        )


def _fault(schema: GraphQLSchema, text: str) -> str | None:
    """Return the names of a document's operations and its first fault with the line; None if the schema can run it."""
    operations = ""
    try:
        document = documents.read(text)
        found = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
        operations = ", ".join(one.name.value for one in found if one.name)
        faults = validate(schema, document) if found else [GraphQLError("It has no operation.")]
    except GraphQLError as error:
        faults = [error]
    if not faults:
        return None
    line = f", line {faults[0].locations[0].line}" if faults[0].locations else ""
    return f" ({operations}){line}: {faults[0].message}" if operations else f"{line}: {faults[0].message}"


def _listed(name: str | None, listed: Mapping[str, str]) -> str | None:
    """Return the listed document of this hash; None without a hash. Raises DocumentNotListed."""
    if name is None:
        return None
    if name not in listed:
        raise DocumentNotListed
    return listed[name]


def _kept(name: str) -> str | None:
    """Return the document of this hash, or None."""
    found: _Shelf = ratelimit.in_cache(lambda cache: cache.get(_shelf(name), ()))
    return next((text for other, text, until in found if other == name and until > time.time()), None)


def _keep(text: str) -> None:
    """Keep a document for a day, unless newer ones need its place."""
    name = sha256(text)
    if _kept(name) is not None:
        return

    def put(cache: BaseCache) -> None:
        others: _Shelf = cache.get(_shelf(name), ())
        newest = ((name, text, time.time() + _KEPT_SECONDS), *(one for one in others if one[0] != name))
        cache.set(_shelf(name), newest[:_PER_SHELF], timeout=_KEPT_SECONDS)

    ratelimit.in_cache(put)


def _shelf(name: str) -> str:
    return f"documents:{int(name, 16) % _SHELVES}"


class KeptDocuments(SchemaExtension):
    """Keep a document that came with its hash. Stands behind the limits and validation: only what passed is kept."""

    async def on_validate(self) -> AsyncIterator[None]:
        context = self.execution_context
        text = context.query or ""
        if (
            not context.pre_execution_errors
            and settings.API_DOCUMENTS is None
            and _hash_in(context.operation_extensions) is not None
            and len(text) <= _KEPT_CHARACTERS
            # See Note [What is kept is nobody's].
            and '"' not in text
        ):
            await asyncio.to_thread(_keep, text)
        yield
