"""Accounts of imported people: without an e-mail address, with a handle made from the name."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.core.exceptions import ValidationError

from accounts.models import User

_BATCH = 5_000
_LONGEST_HANDLE = 40


class Person(Protocol):
    """What an account is made of. `handle`: of an account of the demo, which is used again where it exists."""

    @property
    def name(self) -> str: ...
    @property
    def handle(self) -> str: ...
    @property
    def is_demo(self) -> bool: ...


def accounts_for(members: Sequence[Person], joined: datetime) -> list[User]:
    """An account for each member: the demo's own where it exists, else a new one without an e-mail address."""
    wanted = [member.handle for member in members if member.handle]
    present = {user.handle: user for user in User.objects.filter(handle__in=wanted, is_demo=True, email=None)}
    new = [member for member in members if member.handle not in present]
    made = [
        User(name=member.name, handle=handle, is_demo=member.is_demo, date_joined=joined, password=_no_password())
        for member, handle in zip(new, _free_handles(new), strict=True)
    ]
    User.objects.bulk_create(made, batch_size=_BATCH)
    accounts = iter(made)
    return [present[member.handle] if member.handle in present else next(accounts) for member in members]


def _no_password() -> str:
    """As Django makes it, but in a hundredth of the time."""
    return UNUSABLE_PASSWORD_PREFIX + secrets.token_hex(20)


def _free_handles(members: Sequence[Person]) -> list[str]:
    """A handle for each, free and all different, made from its name."""
    bases = [_base_of_handle(member) for member in members]
    handles = [""] * len(bases)
    used: set[str] = set()
    numbers: dict[str, int] = {}
    waiting = list(range(len(bases)))
    while waiting:
        for index in waiting:
            handles[index] = _next_handle(bases[index], numbers, used)
            used.add(handles[index])
        taken: set[str] = set()
        for start in range(0, len(waiting), _BATCH):
            some = [handles[index] for index in waiting[start : start + _BATCH]]
            taken.update(User.objects.filter(handle__in=some).values_list("handle", flat=True))
        waiting = [index for index in waiting if handles[index] in taken]
    return handles


def _next_handle(base: str, numbers: dict[str, int], used: set[str]) -> str:
    while True:
        number = numbers[base] = numbers.get(base, 0) + 1
        ending = f"_{number}" if number > 1 else ""
        handle = base[: _LONGEST_HANDLE - len(ending)] + ending
        if handle not in used:
            return handle


def _base_of_handle(member: Person) -> str:
    plain = unicodedata.normalize("NFKD", member.handle or member.name).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[: _LONGEST_HANDLE - 8]
    try:
        User._meta.get_field("handle").run_validators(base)
    except ValidationError:
        base = f"member_{base}".rstrip("_")
    return base or "member"
