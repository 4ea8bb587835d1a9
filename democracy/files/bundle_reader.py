"""Reading a bundle (`docs/bundle.md`) strictly: from text to `NewCommunity`; what is wrong is named by its path.

Keys that are not of the format are passed over, as are `result` and `staged`: an import calculates for itself.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn, TypeVar, overload

import numpy as np
from django.utils import timezone

from democracy.errors import InvalidInput
from democracy.files import lengths
from democracy.files.json_lists import JsonList, parse
from democracy.files.malformed import Malformed
from democracy.files.new_community import (
    OPEN_FOR,
    NewBallot,
    NewCallingOff,
    NewChoice,
    NewClarification,
    NewCommunity,
    NewDecision,
    NewFollowing,
    NewMember,
)
from democracy.models import (
    LONGEST_REASON,
    MAX_CHOICES,
    MAX_CLARIFICATIONS,
    MAX_FOLLOWINGS,
    MAX_STARS,
    MIN_CHOICES,
    Community,
    Decision,
    Membership,
)
from democracy.moments import LATEST, checked_moment
from democracy.services import validation
from democracy.tags import normalise_tags

FORMAT, VERSION = "crowdvote-bundle", 2
_READABLE = (1, VERSION)

Value = TypeVar("Value", str, int, bool, list[Any], dict[str, Any])
_KINDS: dict[type, str] = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


def read_bundle(text: str, *, name: str | None = None, now: datetime | None = None) -> NewCommunity:
    """Read the community in a bundle, under another name if one is given. Raises Malformed naming the path at fault.

    Decisions without times open `now`.
    """
    bundle = _Place("", parse(text, deep=("decisions",)))
    if bundle.value.get("format") != FORMAT:
        raise Malformed("format", f"must be {FORMAT!r}.")
    if bundle.take("version", int) not in _READABLE:
        raise Malformed("version", f"only the versions {' and '.join(map(str, _READABLE))} are known here.")
    community = bundle.inside("community")
    members = list(_members(bundle))
    by_id = {member.id: member for member in members}
    followings = _followings(bundle, by_id)
    if name is not None:
        community.value["name"] = name
    visibility = community.one_of("visibility", Community.Visibility.values, Community.Visibility.MEMBERS)
    return NewCommunity(
        name=community.line("name", lengths.COMMUNITY_NAME),
        description=community.text("description", lengths.COMMUNITY_DESCRIPTION),
        visibility=visibility,
        members=members,
        followings=followings,
        decisions=list(_decisions(bundle, by_id, now or timezone.now())),
    )


def _members(bundle: _Place) -> Iterator[NewMember]:
    seen: set[str] = set()
    # Asked once: an enumeration makes its values anew each time.
    roles, usual = Membership.Role.values, Membership.Role.VOTER.value
    for row in bundle.rows("members"):
        member = NewMember(
            id=row.new_id(seen),
            name=row.line("name", lengths.MEMBER_NAME),
            role=row.one_of("role", roles, usual),
            is_manager=row.take("manager", bool, default=False),
            is_anonymous=row.take("anonymous", bool, default=False),
        )
        if member.is_anonymous and member.role != usual:
            row.fail("anonymous", "only voters can be anonymous.")
        yield member
    if not seen:
        raise Malformed("members", "a community has at least one member.")


def _followings(bundle: _Place, members: Mapping[str, NewMember]) -> list[NewFollowing]:
    """Read the followings. Of the pairs that there were two numbers are kept, which is little beside a set of them."""
    found: list[NewFollowing] = []
    numbers = {member: number for number, member in enumerate(members)}
    pairs = array("q")
    places: Counter[str] = Counter()
    for row in bundle.rows("followings", default=[]):
        follower, followee = row.known("follower", members), row.known("followee", members)
        if follower == followee:
            row.fail("followee", "nobody follows themselves.")
        if members[followee].is_anonymous:
            row.fail("followee", "an anonymous member cannot be followed.")
        pairs.append(numbers[follower] * len(members) + numbers[followee])
        places[follower] += 1
        if places[follower] > MAX_FOLLOWINGS:
            row.fail("follower", f"nobody follows more than {MAX_FOLLOWINGS:,} members.")
        order = row.take("order", int, default=places[follower])
        if not 0 <= order <= MAX_FOLLOWINGS:
            row.fail("order", f"must be a number from 0 to {MAX_FOLLOWINGS}.")
        found.append(NewFollowing(follower, followee, row.tags(), order))
    again = _first_again(pairs)
    if again is not None:
        repeated = found[again]
        bundle.fail(f"followings[{again}]", f"{repeated.follower!r} follows {repeated.followee!r} twice.")
    return found


def _first_again(numbers: array[int]) -> int | None:
    """The place of the first number that was there before; None if all are different."""
    is_first = np.zeros(len(numbers), dtype=bool)
    is_first[np.unique(np.asarray(numbers), return_index=True)[1]] = True
    return None if is_first.all() else int(np.argmin(is_first))


def _decisions(bundle: _Place, members: Mapping[str, NewMember], now: datetime) -> Iterator[NewDecision]:
    seen: set[str] = set()
    for row in bundle.rows("decisions", default=[]):
        file_id = row.new_id(seen)
        title = row.line("title", lengths.DECISION_TITLE)
        choices = list(_choices(row))
        opens_at, closes_at = _times(row, now)
        choice_ids = {choice.id: choice.id for choice in choices}
        topics = row.tags("topics")
        yield NewDecision(
            id=file_id,
            title=title,
            description=row.text("description", lengths.DECISION_DESCRIPTION),
            choices=choices,
            opens_at=opens_at,
            closes_at=closes_at,
            results_visibility=row.one_of("results_visibility", Decision.Visibility.values, Decision.Visibility.LIVE),
            ballots=list(_ballots(row, members, choice_ids, topics)),
            clarifications=list(_clarifications(row, opens_at)),
            topics=topics,
            called_off=_called_off(row, closes_at),
        )


def _called_off(decision: _Place, closes_at: datetime) -> NewCallingOff | None:
    if decision.value.get("called_off") is None:
        return None
    row = decision.inside("called_off")
    reason, at = row.text("reason", LONGEST_REASON), row.time("at")
    if not reason:
        row.fail("reason", "must not be empty.")
    if at is None or at >= closes_at:
        row.fail("at", "must be a time before the closing.")
    return NewCallingOff(reason, at)


def _clarifications(decision: _Place, opens_at: datetime) -> Iterator[NewClarification]:
    rows = list(decision.rows("clarifications", default=[]))
    if len(rows) > MAX_CLARIFICATIONS:
        decision.fail("clarifications", f"a decision has at most {MAX_CLARIFICATIONS} clarifications.")
    for row in rows:
        text = row.text("text", lengths.CLARIFICATION)
        if not text:
            row.fail("text", "must not be empty.")
        yield NewClarification(text, row.time("at") or opens_at)


def _choices(decision: _Place) -> Iterator[NewChoice]:
    seen: set[str] = set()
    titles: set[str] = set()
    rows = list(decision.rows("choices"))
    if not MIN_CHOICES <= len(rows) <= MAX_CHOICES:
        decision.fail("choices", f"a decision has {MIN_CHOICES} to {MAX_CHOICES} choices, not {len(rows)}.")
    lots = [row.take("lot", int) for row in rows if row.value.get("lot") is not None]
    if lots and sorted(lots) != list(range(1, len(rows) + 1)):
        decision.fail("choices", f"either no choice has a lot, or they are the numbers 1 to {len(rows)}.")
    for row in rows:
        choice_id, title = row.new_id(seen), row.line("title", lengths.CHOICE_TITLE)
        if title.casefold() in titles:
            row.fail("title", f"there is a choice {title!r} already.")
        titles.add(title.casefold())
        yield NewChoice(choice_id, title, row.text("description", lengths.CHOICE_DESCRIPTION), row.value.get("lot"))


def _times(decision: _Place, now: datetime) -> tuple[datetime, datetime]:
    """Without times a decision is open for a week from now; with one of them, for the week after or before it."""
    opens_at, closes_at = decision.time("opens_at"), decision.time("closes_at")
    if opens_at is None:
        opens_at = now if closes_at is None or closes_at > now else closes_at - OPEN_FOR
    if closes_at is None:
        closes_at = opens_at + OPEN_FOR
        if closes_at > LATEST:
            decision.fail("opens_at", "is too late to be open for a week.")
    if closes_at <= opens_at:
        decision.fail("closes_at", "a decision closes after it opens.")
    return opens_at, closes_at


def _ballots(
    decision: _Place, members: Mapping[str, NewMember], choices: Mapping[str, str], topics: Sequence[str]
) -> Iterator[NewBallot]:
    """A ballot that says nothing of tags bears the decision's topics."""
    seen: set[str] = set()
    for row in decision.rows("ballots", default=[]):
        member = row.known("member", members)
        if member in seen:
            row.fail("member", f"{member!r} has a ballot already.")
        seen.add(member)
        abstain = row.take("abstain", bool, default=False)
        stars = row.inside("stars", default={})
        for choice in stars.value:
            if choice not in choices:
                stars.fail(choice, "no such choice.")
            if not 0 <= stars.take(choice, int) <= MAX_STARS:
                stars.fail(choice, f"stars are whole numbers from 0 to {MAX_STARS}.")
        if bool(stars.value) == abstain:
            row.fail("stars", "rate at least one choice, or say abstain; not both.")
        comment = row.text("comment", lengths.COMMENT)
        tags = row.tags() if "tags" in row.value else topics
        rated = {choices[choice]: count for choice, count in stars.value.items()}
        yield NewBallot(member, rated, tags, abstain, comment)


class _Place:
    """An object of the file and the path that leads to it. `number`: its place in the list at that path."""

    __slots__ = ("_number", "_path", "value")

    def __init__(self, path: str, value: dict[str, Any], number: int | None = None) -> None:
        self._path, self._number, self.value = path, number, value

    @property
    def path(self) -> str:
        return self._path if self._number is None else f"{self._path}[{self._number}]"

    def at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path and key else self.path or key

    def fail(self, key: str, message: str) -> NoReturn:
        raise Malformed(self.at(key), message)

    @overload
    def take(self, key: str, kind: type[Value]) -> Value: ...
    @overload
    def take(self, key: str, kind: type[Value], *, default: Value) -> Value: ...
    def take(self, key: str, kind: type, *, default: Any = None) -> Any:
        """Take the value at `key`, of exactly this kind (true is no number)."""
        if key not in self.value and default is not None:
            return default
        if key not in self.value:
            self.fail(key, "is missing.")
        found = self.value[key]
        if type(found) is not kind and not (kind is list and type(found) is JsonList):
            self.fail(key, f"must be {_KINDS[kind]}.")
        return found

    def inside(self, key: str, *, default: dict[str, Any] | None = None) -> _Place:
        found = self.take(key, dict) if default is None else self.take(key, dict, default=default)
        return _Place(self.at(key), found)

    def rows(self, key: str, *, default: list[Any] | None = None) -> Iterator[_Place]:
        """The objects of a list."""
        found = self.take(key, list) if default is None else self.take(key, list, default=default)
        path = self.at(key)
        for number, row in enumerate(found):
            if not isinstance(row, dict):
                self.fail(f"{key}[{number}]", "must be an object.")
            yield _Place(path, row, number)

    def line(self, key: str, longest: int) -> str:
        """Take a text of one line that must be there."""
        return self._cleaned(key, validation.line, self.take(key, str), longest)

    def text(self, key: str, longest: int) -> str:
        """Take a text of any number of lines, empty where there is none."""
        return self._cleaned(key, validation.text, self.take(key, str, default=""), longest)

    def _cleaned(self, key: str, clean: Callable[..., str], written: str, longest: int) -> str:
        try:
            found = clean(written, field=key)
        except InvalidInput as error:
            self.fail(key, error.message)
        if len(found) > longest:
            self.fail(key, f"has more than {longest:,} characters.")
        return found

    def new_id(self, seen: set[str]) -> str:
        found = self.take("id", str)
        if not 1 <= len(found) <= lengths.ID or not found.isprintable():
            self.fail("id", f"must be 1 to {lengths.ID} printable characters.")
        if found in seen:
            self.fail("id", f"{found!r} is there twice.")
        seen.add(found)
        return found

    def known(self, key: str, members: Mapping[str, NewMember]) -> str:
        """Take the id of a member: the member's own text, not one more of the same."""
        found = self.take(key, str)
        if found not in members:
            self.fail(key, f"no such member: {found!r}.")
        return members[found].id

    def one_of(self, key: str, values: Sequence[str], default: str) -> str:
        found = self.take(key, str, default=default)
        if found not in values:
            self.fail(key, f"must be one of {', '.join(values)}.")
        return found

    def tags(self, key: str = "tags") -> Sequence[str]:
        found = list(self.take(key, list, default=[]))
        if not found:
            return ()
        for index, tag in enumerate(found):
            if not isinstance(tag, str):
                self.fail(f"{key}[{index}]", "must be text.")
        try:
            return normalise_tags(found)
        except InvalidInput as error:
            self.fail(key, error.message)

    def time(self, key: str) -> datetime | None:
        if self.value.get(key) is None:
            return None
        try:
            found = datetime.fromisoformat(self.take(key, str))
        except (ValueError, OverflowError):
            found = None
        if found is None or found.tzinfo is None:
            self.fail(key, "must be a time with its zone, such as 2026-05-01T12:00:00+00:00.")
        try:
            return checked_moment(found, field=key)
        except InvalidInput as error:
            self.fail(key, error.message)
