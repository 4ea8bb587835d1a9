"""Accounts of imported people: without an e-mail address, with a handle made from the name."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Protocol

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.core.exceptions import ValidationError

from accounts.models import User
from accounts.text import handle_letters
from democracy.files import lengths

_BATCH = 5_000


class Person(Protocol):
    """The data that an account is made of. `handle`: of an account of the demo, which is used again where it exists."""

    @property
    def name(self) -> str: ...
    @property
    def handle(self) -> str: ...
    @property
    def is_demo(self) -> bool: ...


def accounts_for(members: Iterable[Person], joined: datetime) -> Iterator[User]:
    """Make an account for each member, in order; the demo's own is taken where it exists.

    They have no e-mail address, and are made some at a time, shortly before they are asked for.
    """
    handles = _Handles()
    waiting = iter(members)
    while batch := list(islice(waiting, _BATCH)):
        wanted = [member.handle for member in batch if member.handle]
        present = {user.handle: user for user in User.objects.filter(handle__in=wanted, is_demo=True, email=None)}
        new = [member for member in batch if member.handle not in present]
        made = [
            User(name=member.name, handle=handle, is_demo=member.is_demo, date_joined=joined, password=_no_password())
            for member, handle in zip(new, handles.free(new), strict=True)
        ]
        User.objects.bulk_create(made)
        accounts = iter(made)
        for member in batch:
            yield present[member.handle] if member.handle in present else next(accounts)


def _no_password() -> str:
    """Make an unusable password as Django does, but in a hundredth of the time."""
    return UNUSABLE_PASSWORD_PREFIX + secrets.token_hex(20)


class _Handles:
    """Handles made from names, free and all different; remembers how far it has counted for each."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def free(self, members: Sequence[Person]) -> list[str]:
        """Find a free handle for each. Those given before are in the database by now."""
        bases = [_base_of_handle(member) for member in members]
        handles = [""] * len(bases)
        used: set[str] = set()
        waiting = list(range(len(bases)))
        while waiting:
            for index in waiting:
                handles[index] = self._next(bases[index], used)
                used.add(handles[index])
            some = [handles[index] for index in waiting]
            taken = set(User.objects.filter(handle__in=some).values_list("handle", flat=True))
            waiting = [index for index in waiting if handles[index] in taken]
        return handles

    def _next(self, base: str, used: set[str]) -> str:
        while True:
            number = self._numbers[base] = self._numbers.get(base, 0) + 1
            ending = f"_{number}" if number > 1 else ""
            handle = base[: lengths.HANDLE - len(ending)] + ending
            if handle not in used:
                return handle


def _base_of_handle(member: Person) -> str:
    # Room is left for a number.
    base = handle_letters(member.handle or member.name)[: lengths.HANDLE - 8]
    try:
        User._meta.get_field("handle").run_validators(base)
    except ValidationError:
        base = f"member_{base}".rstrip("_")
    return base or "member"
