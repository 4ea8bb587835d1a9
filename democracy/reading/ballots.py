"""All ballots of a decision as they were staged, listed for a viewer.

Who may see them is asked first (`access.shows_ballots`): every function here takes that for granted. What they give is
never ordered by ids or times of anonymous members.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt

from accounts.models import named
from accounts.text import search_words, whole_number
from democracy import access
from democracy.access import Viewer
from democracy.caches import BoundedCache
from democracy.models import Ballot, Decision, Membership, StagedBallot
from democracy.models.packed import TAGS_TEXT, tag_set, unpack
from democracy.models.viewers import user_id

Kind = StagedBallot.Kind
_ROWS = 10_000


@dataclass(frozen=True, eq=False)
class Columns:
    """The staged ballots of one decision; row i of each column is the ballot of `members[i]`. Microstars: ballots x
    choices, the choices in their order. `anonymous`: as the rows say (`access.bears_pseudonym`).
    """

    members: tuple[int, ...]
    kinds: tuple[str, ...]
    microstars: npt.NDArray[np.int32]
    tags: tuple[frozenset[str], ...]
    counted: npt.NDArray[np.bool_]
    anonymous: tuple[bool, ...]

    @cached_property
    def row_of(self) -> dict[int, int]:
        """The row of each member."""
        return {member: row for row, member in enumerate(self.members)}


_kept: BoundedCache[tuple[int, int, datetime | None], Columns] = BoundedCache(8)


def columns_of(decision: Decision, choices: int) -> Columns:
    """The staged ballots as stored; kept until the decision is calculated again."""
    key = (decision.pk, decision.calculated_revision, decision.last_calculated)
    columns = _kept.get(key)
    if columns is None:
        columns = _read(decision, choices)
        _kept.put(key, columns)
    return columns


def _read(decision: Decision, choices: int) -> Columns:
    rows = StagedBallot.objects.filter(decision=decision).exclude(kind=Kind.NONE).annotate(tags_text=TAGS_TEXT)
    columns = rows.values_list("membership_id", "kind", "microstars", "tags_text", "is_counted", "is_anonymous")
    found = list(columns.iterator(_ROWS))
    packed = b"".join(bytes(row[2]) for row in found)
    return Columns(
        members=tuple(row[0] for row in found),
        kinds=tuple(row[1] for row in found),
        microstars=unpack(packed, choices=choices),
        tags=tuple(tag_set(row[3]) for row in found),
        counted=np.fromiter((row[4] for row in found), dtype=np.bool_, count=len(found)),
        anonymous=tuple(row[5] for row in found),
    )


# --- Listing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Voter:
    """Whose ballot it is, as the viewer may know it. `key` names the ballot in addresses: it tells no more than the
    name. `handle`: "" for somebody anonymous.
    """

    key: str
    name: str
    handle: str
    is_lobbyist: bool
    is_self: bool


@dataclass(frozen=True)
class BallotRow:
    voter: Voter
    kind: str
    microstars: tuple[int, ...]
    tags: tuple[str, ...]
    is_counted: bool
    comment: str = ""


ANONYMOUS_KEY = "a-"
MEMBER_KEY = "m-"


def under_pseudonyms(decision: Decision, columns: Columns) -> frozenset[int]:
    """The rows that are shown under pseudonyms."""
    members = Membership.objects.filter(community=decision.community_id, is_anonymous=True)
    now = set(members.values_list("pk", flat=True))
    return frozenset(
        row
        for row, (member, kind, anonymous) in enumerate(
            zip(columns.members, columns.kinds, columns.anonymous, strict=True)
        )
        if anonymous or (kind == Kind.INHERITED and member in now)
    )


def voters(
    viewer: Viewer, decision: Decision, member_ids: Sequence[int], *, hidden: Mapping[int, str]
) -> dict[int, Voter]:
    """The people behind ballots of a decision, as the viewer may know them; `hidden`: the kinds of those ballots that
    bear pseudonyms.
    """
    rows = Membership.objects.filter(community=decision.community_id, pk__in=member_ids)
    people = rows.values_list("pk", "user_id", "user__name", "user__handle", "role")
    found = {}
    for pk, user, name, handle, role in people.iterator(_ROWS):
        is_self = user == user_id(viewer)
        if pk in hidden:
            # Lobbyists are not anonymous: whoever became one since cast this as a voter.
            name_here = access.pseudonym(decision.pk, pk, kind=hidden[pk])
            found[pk] = Voter(_anonymous_key(name_here), name_here, "", is_lobbyist=False, is_self=is_self)
        else:
            is_lobbyist = role == Membership.Role.LOBBYIST
            found[pk] = Voter(f"{MEMBER_KEY}{pk}", name, handle, is_lobbyist, is_self)
    return found


def ballot_behind(decision: Decision, key: str) -> StagedBallot | None:
    """The staged ballot that a key names in this decision, with its membership."""
    staged = StagedBallot.objects.filter(decision=decision).exclude(kind=Kind.NONE).select_related("membership")
    number = whole_number(key.removeprefix(MEMBER_KEY))
    if key.startswith(MEMBER_KEY) and number is not None:
        return staged.filter(access.named_ballots(), membership=number).first()
    rest = staged.exclude(access.named_ballots())
    found = (
        pk
        for pk, member, kind in rest.values_list("pk", "membership", "kind")
        if key == _anonymous_key(access.pseudonym(decision.pk, member, kind=kind))
    )
    return staged.filter(pk=next(found, 0)).first()


def _anonymous_key(pseudonym: str) -> str:
    return ANONYMOUS_KEY + pseudonym.rsplit(" ", 1)[-1]


def ballot_rows(
    decision: Decision, columns: Columns, *, search: str = "", kind: str = "", tag: str = "", sort: str = ""
) -> list[int]:
    """Which rows of the columns are listed, in order: by name, those under pseudonyms after all others; or by the stars
    for the choice at a place (`sort` "2", the most last: "-2").
    """
    row_of = columns.row_of
    hidden = under_pseudonyms(decision, columns)
    rows = _found(decision, columns, hidden, search)
    if kind:
        lobbyists = {row_of[member] for member in _lobbyists(decision) if member in row_of} - hidden
        if kind == "lobbyist":
            rows = [row for row in rows if row in lobbyists]
        else:
            rows = [row for row in rows if columns.kinds[row] == kind and row not in lobbyists]
    if tag:
        rows = [row for row in rows if tag in _tags_shown(columns, hidden, row)]
    if sort == "-name":
        rows.reverse()
    place = whole_number(sort.removeprefix("-"))
    if place is not None and 0 < place <= columns.microstars.shape[1]:
        stars = columns.microstars[:, place - 1].tolist()
        # A stable sort: ballots alike stay in the order of names.
        rows.sort(key=lambda row: -stars[row] if sort.startswith("-") else stars[row])
    return rows


def _found(decision: Decision, columns: Columns, hidden: Set[int], search: str) -> list[int]:
    """The rows whose name or handle has these words in it, as listed.

    The database puts the known in order: to read the names of 100,000 takes several times as long as to sort them.
    """
    members = Membership.objects.filter(community=decision.community_id)
    in_order = members.filter(*map(named, search_words(search))).order_by("user__sort_name", "user__handle")
    found = (columns.row_of.get(pk) for pk in in_order.values_list("pk", flat=True))
    words = search_words(search.casefold())
    pseudonyms = sorted(
        (access.pseudonym(decision.pk, columns.members[row], kind=columns.kinds[row]).casefold(), row) for row in hidden
    )
    return [
        *(row for row in found if row is not None and row not in hidden),
        *(row for pseudonym, row in pseudonyms if all(word in pseudonym for word in words)),
    ]


def _tags_shown(columns: Columns, hidden: Set[int], row: int) -> frozenset[str]:
    """None of what is inherited under a pseudonym: they tell whom somebody follows."""
    return frozenset() if row in hidden and columns.kinds[row] == Kind.INHERITED else columns.tags[row]


def _lobbyists(decision: Decision) -> set[int]:
    members = Membership.objects.filter(community=decision.community_id, role=Membership.Role.LOBBYIST)
    return set(members.values_list("pk", flat=True))


def read_rows(viewer: Viewer, decision: Decision, columns: Columns, rows: Sequence[int]) -> Iterator[BallotRow]:
    """These rows with names, tags and comments."""
    members = [columns.members[row] for row in rows]
    hidden = under_pseudonyms(decision, columns)
    people = voters(viewer, decision, members, hidden={columns.members[row]: columns.kinds[row] for row in hidden})
    comments = dict(
        Ballot.objects.filter(decision=decision, membership__in=members)
        .exclude(comment="")
        .values_list("membership_id", "comment")
    )
    for row in rows:
        member = columns.members[row]
        yield BallotRow(
            voter=people[member],
            kind=columns.kinds[row],
            microstars=tuple(columns.microstars[row].tolist()),
            tags=tuple(sorted(_tags_shown(columns, hidden, row))),
            is_counted=bool(columns.counted[row]),
            # Until it is calculated, a ballot just cast still stands as inherited, perhaps under another name.
            comment="" if columns.kinds[row] == Kind.INHERITED else comments.get(member, ""),
        )
