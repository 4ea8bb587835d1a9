"""Accounts of imported people: without an e-mail address, with a handle made from the name."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Protocol, cast

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.core.validators import RegexValidator
from django.db import connection

from accounts.models import User
from accounts.text import handle_letters
from democracy.database import bulk
from democracy.files import lengths

_BATCH = 5_000
_COLUMNS = (
    *("id", "password", "is_superuser", "email", "name", "sort_name", "handle", "is_staff", "is_active", "is_demo"),
    "date_joined",
)
# Each pattern that a handle has to match, or must not.
_RULES = [
    (cast("re.Pattern[str]", rule.regex).search, rule.inverse_match)
    for rule in User._meta.get_field("handle").validators
    if isinstance(rule, RegexValidator)
]


class Person(Protocol):
    """The data that an account is made of. `handle`: of an account of the demo, which is used again where it exists."""

    @property
    def name(self) -> str: ...
    @property
    def handle(self) -> str: ...
    @property
    def is_demo(self) -> bool: ...


class Accounts:
    """Makes the accounts of a file's people, and remembers how far it has counted in their handles."""

    def __init__(self) -> None:
        self._handles = _Handles()

    def made_for(self, members: Iterable[Person], joined: datetime) -> Iterator[int]:
        """Make an account for each member, in order, and return its number; the demo's own is taken where it exists.

        They have no e-mail address, and are made some at a time, shortly before they are asked for.
        """
        waiting = iter(members)
        while batch := list(islice(waiting, _BATCH)):
            wanted = [member.handle for member in batch if member.handle]
            demo = User.objects.filter(handle__in=wanted, is_demo=True, email=None) if wanted else User.objects.none()
            present = dict(demo.values_list("handle", "pk"))
            new = [member for member in batch if member.handle not in present]
            made = iter(_make(new, self._handles.free(new), joined))
            for member in batch:
                yield present[member.handle] if member.handle in present else next(made)

    def remember(self, members: Iterable[tuple[Person, str]]) -> None:
        """Count on from these members of the file, who have their accounts and handles already."""
        for member, handle in members:
            self._handles.remember(member, handle)


def _make(people: Sequence[Person], handles: Sequence[str], joined: datetime) -> Sequence[int]:
    table = User._meta.db_table
    pks, at = bulk.new_keys(table, len(people)), connection.ops.adapt_datetimefield_value(joined)
    rows = (
        (
            *(pk, _no_password(), False, None, person.name, person.name.casefold(), handle),
            *(False, True, person.is_demo, at),
        )
        for pk, person, handle in zip(pks, people, handles, strict=True)
    )
    bulk.insert(table, _COLUMNS, rows)
    return pks


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

    def remember(self, person: Person, handle: str) -> None:
        base = _base_of_handle(person)
        number = handle.removeprefix(base).removeprefix("_")
        if number.isdecimal() or not number:
            self._numbers[base] = max(self._numbers.get(base, 0), int(number or 1))

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
    if any(bool(search(base)) == is_forbidden for search, is_forbidden in _RULES):
        base = f"member_{base}".rstrip("_")
    return base or "member"
