"""Commands that may be sent again: with the same key, they are done once and answered as the first time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction

from accounts.models import User
from democracy import access
from democracy.access import Viewer
from democracy.database import clock
from democracy.database.turns import turn
from democracy.errors import InvalidInput, KeyReused
from democracy.models import LONGEST_KEY, IdempotencyKey

_KEPT_FOR = timedelta(days=1)


@dataclass(frozen=True)
class Sending:
    """One sending of a command. `key`: "" for none; `given`: all that it says, as JSON can."""

    command: str
    key: str
    given: Mapping[str, Any]

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self.given, sort_keys=True, default=str).encode()).hexdigest()


def once(viewer: Viewer, sending: Sending, run: Callable[[], Any]) -> Any:
    """Run a command, or return what it returned when this key came first. It must return what JSON can hold.

    The command and its key are written in one transaction: two at once are done once. Raises what the command raises,
    SignInFirst, InvalidInput, and KeyReused for a key that came with something else.
    """
    user = _sender(viewer, sending)
    if not sending.key:
        return run()
    with turn(), transaction.atomic():
        row, is_new = IdempotencyKey.objects.get_or_create(
            **_of(user, sending), defaults={"given": sending.digest, "created_at": clock.now()}
        )
        if not is_new:
            return _outcome(row, sending)
        row.outcome = run()
        row.save(update_fields=["outcome"])
    return row.outcome


def once_in_parts(viewer: Viewer, sending: Sending, run: Callable[[], Any]) -> Any:
    """Do as `once` for a command of several transactions, which does no harm when it is done twice.

    Its key is written when all is done: two at once are both done. Raises what `once` raises.
    """
    user = _sender(viewer, sending)
    if not sending.key:
        return run()
    row = IdempotencyKey.objects.filter(**_of(user, sending)).first()
    if row is not None:
        return _outcome(row, sending)
    outcome = run()
    with turn(), transaction.atomic():
        IdempotencyKey.objects.get_or_create(
            **_of(user, sending),
            defaults={"given": sending.digest, "outcome": outcome, "created_at": clock.now()},
        )
    return outcome


def _sender(viewer: Viewer, sending: Sending) -> User:
    if len(sending.key) > LONGEST_KEY:
        raise InvalidInput(f"A key has at most {LONGEST_KEY} characters.", field="idempotency_key")
    user = access.require_user(viewer)
    if sending.key:
        IdempotencyKey.objects.filter(user=user, created_at__lt=clock.now() - _KEPT_FOR).delete()
    return user


def _of(user: User, sending: Sending) -> dict[str, Any]:
    return {"user": user, "command": sending.command, "key": sending.key}


def _outcome(row: IdempotencyKey, sending: Sending) -> Any:
    if row.given != sending.digest:
        raise KeyReused("This key came with something else before. Take a new one for each new thing.")
    return row.outcome
