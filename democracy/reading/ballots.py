"""Ballots as a viewer may see them: all those of one decision, as a table; those of several decisions; one member's.

No list is ordered by ids or times of anonymous members.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt
from django.db.models import Count, F, QuerySet, Window
from django.db.models.functions import RowNumber

from accounts.models import named
from accounts.text import search_words, whole_number
from democracy import access
from democracy.access import Viewer
from democracy.caches import BoundedCache
from democracy.models import Ballot, Decision, Membership, StagedBallot
from democracy.models.packed import TAGS_TEXT, tag_set, unpack, unpack_one
from democracy.models.viewers import user_id

Kind = StagedBallot.Kind
_ROWS = 10_000
# A member's tags are taken from their newest ballots; topics of long ago suggest little.
_BALLOTS_FOR_TAGS = 100


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
    """The staged ballots of a decision as stored, kept until it is calculated again. `choices`: how many it has."""
    key = (decision.pk, decision.calculated_revision, decision.last_calculated)
    columns = _kept.get(key)
    if columns is None:
        columns = _read(decision, choices)
        _kept.put(key, columns)
    return columns


def forget_columns() -> None:
    """Read the columns from the database again."""
    _kept.clear()


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


# --- All ballots of one decision --------------------------------------------------------------------------------------
# Callers ask first whether they are shown (`access.shows_ballots`).


@dataclass(frozen=True)
class Owner:
    """The owner of a ballot, whatever their role, as the viewer may know them. `key` names the ballot in addresses and
    tells no more than the name. `handle`: "" for somebody anonymous.
    """

    key: str
    name: str
    handle: str
    is_lobbyist: bool
    is_self: bool


@dataclass(frozen=True)
class BallotRow:
    owner: Owner
    kind: str
    microstars: tuple[int, ...]
    tags: tuple[str, ...]
    is_counted: bool
    comment: str = ""


ANONYMOUS_KEY = "a-"
MEMBER_KEY = "m-"


def rows_under_pseudonyms(decision: Decision, columns: Columns) -> frozenset[int]:
    """The rows that are shown under pseudonyms: those stored so, and inherited ballots of members anonymous now."""
    members = Membership.objects.filter(community=decision.community_id, is_anonymous=True)
    now = set(members.values_list("pk", flat=True))
    return frozenset(
        row
        for row, (member, kind, anonymous) in enumerate(
            zip(columns.members, columns.kinds, columns.anonymous, strict=True)
        )
        if anonymous or (kind == Kind.INHERITED and member in now)
    )


def owners(
    viewer: Viewer, decision: Decision, member_ids: Sequence[int], *, hidden: Mapping[int, str]
) -> dict[int, Owner]:
    """The owners of ballots in a decision, by membership id, as the viewer may know them.

    `hidden`: the members whose ballots bear pseudonyms, with the kinds of these ballots.
    """
    rows = Membership.objects.filter(community=decision.community_id, pk__in=member_ids)
    people = rows.values_list("pk", "user_id", "user__name", "user__handle", "role")
    found = {}
    for pk, user, name, handle, role in people.iterator(_ROWS):
        is_self = user == user_id(viewer)
        if pk in hidden:
            # Lobbyists are not anonymous: whoever became one since cast this as a voter.
            name_here = access.pseudonym(decision.pk, pk, kind=hidden[pk])
            found[pk] = Owner(_anonymous_key(name_here), name_here, "", is_lobbyist=False, is_self=is_self)
        else:
            is_lobbyist = role == Membership.Role.LOBBYIST
            found[pk] = Owner(f"{MEMBER_KEY}{pk}", name, handle, is_lobbyist, is_self)
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
    """The rows of the columns to list, in order.

    `search`: words in names, handles or pseudonyms; `kind`: a kind of staged ballot, or "lobbyist"; `tag`: a tag on the
    ballots. `sort`: "" by name, with those under pseudonyms after all others; "-name" the other way round; the place of
    a choice ("2") by its stars, the fewest first ("-2": the most first).
    """
    row_of = columns.row_of
    hidden = rows_under_pseudonyms(decision, columns)
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
    """The rows with these words in the name or handle, in the order of the list.

    The database orders the names: reading 100,000 of them takes several times as long as sorting them there.
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
    """The tags of a row; none of a ballot inherited under a pseudonym, since they tell whom somebody follows."""
    return frozenset() if row in hidden and columns.kinds[row] == Kind.INHERITED else columns.tags[row]


def _lobbyists(decision: Decision) -> set[int]:
    members = Membership.objects.filter(community=decision.community_id, role=Membership.Role.LOBBYIST)
    return set(members.values_list("pk", flat=True))


def read_rows(viewer: Viewer, decision: Decision, columns: Columns, rows: Sequence[int]) -> Iterator[BallotRow]:
    """These rows with names, tags and comments."""
    members = [columns.members[row] for row in rows]
    hidden = rows_under_pseudonyms(decision, columns)
    people = owners(viewer, decision, members, hidden={columns.members[row]: columns.kinds[row] for row in hidden})
    comments = dict(
        Ballot.objects.filter(decision=decision, membership__in=members)
        .exclude(comment="")
        .values_list("membership_id", "comment")
    )
    for row in rows:
        member = columns.members[row]
        yield BallotRow(
            owner=people[member],
            kind=columns.kinds[row],
            microstars=tuple(columns.microstars[row].tolist()),
            tags=tuple(sorted(_tags_shown(columns, hidden, row))),
            is_counted=bool(columns.counted[row]),
            # Until it is calculated, a ballot just cast still stands as inherited, perhaps under another name.
            comment="" if columns.kinds[row] == Kind.INHERITED else comments.get(member, ""),
        )


# --- Ballots of several decisions -------------------------------------------------------------------------------------
# Each takes decisions that the viewer may see, or ballots of theirs, and leaves out what they hide.


@dataclass(frozen=True)
class ShownBallot:
    """A ballot that somebody may see. `microstars`: in the order of the decision's choices. `is_anonymous`: others see
    it under a pseudonym.
    """

    decision: Decision
    membership: Membership
    kind: str
    microstars: tuple[int, ...]
    tags: tuple[str, ...]
    is_counted: bool
    is_anonymous: bool


def shown_ballot(staged: StagedBallot, decision: Decision) -> ShownBallot:
    """A stored staged ballot with its membership, as its own member sees it."""
    is_anonymous = access.bears_pseudonym(staged.membership, kind=staged.kind, is_anonymous=staged.is_anonymous)
    return ShownBallot(
        decision,
        staged.membership,
        staged.kind,
        unpack_one(staged.microstars),
        tuple(sorted(staged.tags)),
        staged.is_counted,
        is_anonymous,
    )


def as_others_see(ballot: ShownBallot) -> ShownBallot:
    """The ballot as others see it: inherited under a pseudonym it has no tags, which tell whom somebody follows."""
    is_inherited = ballot.kind == StagedBallot.Kind.INHERITED
    return replace(ballot, tags=()) if is_inherited and ballot.is_anonymous else ballot


def _staged(decisions: Iterable[Decision]) -> QuerySet[StagedBallot]:
    shown = [decision for decision in decisions if access.shows_ballots(decision)]
    return StagedBallot.objects.filter(decision__in=shown).exclude(kind=StagedBallot.Kind.NONE)


def ballot_counts(decisions: Iterable[Decision]) -> dict[int, int]:
    """The number of ballots in each of these decisions that shows its ballots."""
    counts = _staged(decisions).values("decision").annotate(number=Count("pk"))
    return dict(counts.values_list("decision", "number"))


def ballots_of(decisions: Sequence[Decision], *, start: int, stop: int) -> dict[int, list[ShownBallot]]:
    """The ballots with these places in each decision: those that bear names by handle, then the others by pseudonym.

    Nothing where ballots are hidden. Always four queries.
    """
    by_id = {decision.pk: decision for decision in decisions}
    staged = _staged(decisions)
    known = staged.filter(access.named_ballots())
    numbers = dict(known.order_by().values("decision").annotate(number=Count("pk")).values_list("decision", "number"))
    hidden: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)
    rest = staged.exclude(access.named_ballots()).values_list("decision", "membership", "kind", "pk")
    for decision, membership, kind, pk in rest:
        hidden[decision].append((access.pseudonym(decision, membership, kind=kind), pk))
    wanted = (_page_of_one if len(by_id) == 1 else _page_of_each)(known, start, stop)
    for decision, names in hidden.items():
        before = numbers.get(decision, 0)
        wanted += [pk for _, pk in sorted(names)[max(0, start - before) : max(0, stop - before)]]
    rows = {row.pk: row for row in staged.select_related("membership__user").filter(pk__in=wanted)}
    pages: dict[int, list[ShownBallot]] = {pk: [] for pk in by_id}
    for row in (rows[pk] for pk in wanted if pk in rows):
        pages[row.decision_id].append(as_others_see(shown_ballot(row, by_id[row.decision_id])))
    return pages


# Both return keys alone, since there may be a million rows to sort. For one decision a slice is enough: the database
# finds the first few without sorting the others. For several decisions it has to number every row.


def _page_of_one(known: QuerySet[StagedBallot], start: int, stop: int) -> list[int]:
    return list(known.order_by("membership__user__handle").values_list("pk", flat=True)[start:stop])


def _page_of_each(known: QuerySet[StagedBallot], start: int, stop: int) -> list[int]:
    place = Window(RowNumber(), partition_by=F("decision"), order_by="membership__user__handle")
    numbered = known.annotate(place=place).filter(place__gt=start, place__lte=stop)
    return list(numbered.order_by("decision", "place").values_list("pk", flat=True))


def comments_of(ballots: Iterable[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """The comments on cast ballots, by decision and membership."""
    pairs = set(ballots)
    rows = Ballot.objects.filter(
        decision__in={decision for decision, _ in pairs}, membership__in={member for _, member in pairs}
    )
    return {(row.decision_id, row.membership_id): row.comment for row in rows}


TURNOUT_STEP = 5


def turnouts(decisions: Iterable[Decision]) -> dict[int, int]:
    """The number of ballots cast in each of these decisions; while ballots are hidden, rounded down to TURNOUT_STEP.

    Ballots of members who left are among them: otherwise a removal would tell whether that member had voted.
    """
    by_id = {decision.pk: decision for decision in decisions}
    rows = Ballot.objects.filter(decision__in=by_id).order_by().values("decision").annotate(number=Count("pk"))
    cast = dict(rows.values_list("decision", "number"))
    return {
        pk: cast.get(pk, 0) - (cast.get(pk, 0) % TURNOUT_STEP if access.hides_ballots(decision) else 0)
        for pk, decision in by_id.items()
    }


def tags_on_ballots(decisions: Iterable[Decision]) -> dict[int, list[str]]:
    """The tags on the cast ballots of these decisions, in order; decisions that hide their ballots are left out."""
    shown = [decision.pk for decision in decisions if access.shows_ballots(decision)]
    cast = StagedBallot.objects.filter(decision__in=shown, kind=StagedBallot.Kind.CAST)
    tags: dict[int, set[str]] = {decision: set() for decision in shown}
    for decision, on_ballot in cast.values_list("decision", "tags").order_by().distinct():
        tags[decision].update(on_ballot)
    return {decision: sorted(found) for decision, found in tags.items()}


# --- Ballots of one member --------------------------------------------------------------------------------------------


def ballots_shown(viewer: Viewer, of: Membership) -> list[Ballot]:
    """The newest ballots that a member cast by name in decisions whose ballots the viewer may see, newest first, with
    decisions. Viewers get all of their own; of an anonymous member nobody else gets any.
    """
    ballots = (
        Ballot.objects.filter(membership=of, decision__in=access.decisions_visible_to(viewer))
        .select_related("decision")
        .order_by("-cast_at", "-pk")
    )
    if not access.is_self(viewer, of):
        if of.is_anonymous:
            return []
        # Before the cut: how many are hidden must not show in which are left.
        ballots = ballots.filter(access.decisions_that_show_ballots("decision__"), is_anonymous=False)
    return list(ballots[:_BALLOTS_FOR_TAGS])


def tags_by_use(lists: Iterable[Iterable[str]]) -> list[str]:
    """The tags in these lists, the most used first."""
    uses = Counter(tag for tags in lists for tag in tags)
    return sorted(uses, key=lambda tag: (-uses[tag], tag))
