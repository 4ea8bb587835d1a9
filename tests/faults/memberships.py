"""Whether people had the right to what they did: who belonged, in which role, and by name or not, as the ledger has it.

The revisions of a community are in one order, so what somebody was when an entry was made is known exactly. When it
became so for others is not: between the reading of the clock and the commit a process may be frozen.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from tests.faults.history import Content, Kind, Operation, Outcome
from tests.faults.state import Entry
from tests.faults.violations import Violation

# Seconds after an entry's time within which it was committed.
SLACK = 20.0


class Memberships:
    """A record of what each member was, from which entry on. Whoever has no entry is no member."""

    def __init__(self, entries: Iterable[Entry], before: Mapping[str, Entry]) -> None:
        self._of: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in [*before.values(), *sorted(entries, key=lambda entry: entry.revision)]:
            if entry.parts[0] == "membership":
                self._of[entry.parts[1]].append(entry)
        # Those whose first entry is of before the run.
        self._there_before = {one.parts[1] for one in before.values() if one.parts[0] == "membership"}

    def at(self, member: str, revision: int) -> Content:
        """Look up what the member was at a revision; None: no member yet."""
        standing: Content = None
        for entry in self._of[member]:
            if entry.revision <= revision:
                standing = entry.after
        return standing

    def may_lack(self, member: str, begin: float, end: float, *, name: bool = False) -> bool:
        """Whether somebody may have seen the member gone, between two times; `name`: or anonymous."""
        entries = self._of[member]
        if member not in self._there_before and (not entries or begin <= entries[0].time + SLACK):
            return True
        for number, entry in enumerate(entries):
            until = entries[number + 1].time + SLACK if number + 1 < len(entries) else math.inf
            since = -math.inf if number == 0 and member in self._there_before else entry.time
            after = entry.after or {}
            lacks = not after.get("active") or (name and after.get("anonymous"))
            if lacks and begin <= until and end >= since:
                return True
        return False

    def turned_anonymous(self) -> set[tuple[str, float]]:
        """The members who became anonymous, and when."""
        return {
            (member, now.time)
            for member, entries in self._of.items()
            for was, now in pairwise(entries)
            if not (was.after or {}).get("anonymous") and (now.after or {}).get("anonymous")
        }


def may_be_denied(operation: Operation, memberships: Memberships, *, began_at: float) -> bool:
    """Whether somebody may have had no right to this when they asked. `began_at`: when the operations' clock began."""
    kind, *keys = operation.register.split(":")
    begin, end = began_at + operation.invoked, began_at + operation.completed
    if kind == "ballot":
        return memberships.may_lack(keys[1], begin, end)
    if kind == "following":
        follower, followee = keys
        return memberships.may_lack(follower, begin, end) or memberships.may_lack(followee, begin, end, name=True)
    return False


def ended_for_others(entries: Iterable[Entry], memberships: Memberships) -> Iterator[Operation]:
    """The followings that ended because their followee became anonymous, as operations that nobody asked for."""
    turned = memberships.turned_anonymous()
    for entry in entries:
        if entry.parts[0] == "following" and entry.after is None and (entry.parts[2], entry.time) in turned:
            yield Operation(entry.subject, Kind.UNFOLLOW, -math.inf, -math.inf, Outcome.UNKNOWN)


def check_rights(
    entries: Sequence[Entry], before: Mapping[str, Entry], memberships: Memberships
) -> Iterator[Violation]:
    """Nobody did what they had no right to; ballots bear the right names; nobody follows somebody anonymous."""
    ordered = sorted(entries, key=lambda entry: entry.revision)
    turned = memberships.turned_anonymous()
    named: dict[str, Entry] = {}
    for entry in ordered:
        kind, *keys = entry.parts
        if kind == "ballot":
            yield from _check_ballot(entry, keys[1], named.get(entry.subject), memberships)
            if entry.after is not None:
                named[entry.subject] = entry
        elif kind == "following":
            yield from _check_following(entry, memberships, turned)
    for entry in {entry.subject: entry for entry in (*before.values(), *ordered)}.values():
        if entry.parts[0] == "following" and entry.after is not None:
            followee = memberships.at(entry.parts[2], sys.maxsize)
            if followee and followee["anonymous"]:
                yield Violation("FOLLOWED_THE_ANONYMOUS", entry.subject, f"{entry.after} stands")


def _check_ballot(entry: Entry, caster: str, earlier: Entry | None, memberships: Memberships) -> Iterator[Violation]:
    member = memberships.at(caster, entry.revision)
    if not (member and member["active"]):
        yield Violation("VOTED_WITHOUT_RIGHT", entry.subject, f"entry {entry.revision}, by {member}")
    if entry.after is not None:
        # A ballot keeps the name under which its caster's first one in that decision was cast.
        is_anonymous = bool(earlier.pseudonym) if earlier else bool(member and member["anonymous"])
        if bool(entry.pseudonym) != is_anonymous:
            yield Violation("WRONG_NAME", entry.subject, f"entry {entry.revision} bears {entry.pseudonym or 'a name'}")


def _check_following(entry: Entry, memberships: Memberships, turned: set[tuple[str, float]]) -> Iterator[Violation]:
    _, follower, followee = entry.parts
    if entry.after is None and (followee, entry.time) in turned:
        return
    one, other = memberships.at(follower, entry.revision), memberships.at(followee, entry.revision)
    is_followable = entry.after is None or (other and other["active"] and not other["anonymous"])
    if not (one and one["active"] and is_followable):
        yield Violation("FOLLOWED_WITHOUT_RIGHT", entry.subject, f"entry {entry.revision}, of {one} after {other}")
