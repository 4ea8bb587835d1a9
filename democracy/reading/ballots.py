"""Ballots as a viewer may see them: all those of one decision, as a table; those of several decisions; one member's.

No list is ordered by ids or times of anonymous members.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeAlias

import numpy as np
from django.db.models import Count

from accounts.models import named
from accounts.text import search_words, whole_number
from democracy import access
from democracy.access import Viewer
from democracy.models import Ballot, BallotColumns, Decision, Membership, StagedBallot
from democracy.models.staged_ballots import Integers
from democracy.models.viewers import user_id
from democracy.reading import staged_ballots

Kind = StagedBallot.Kind
_ROWS = 10_000
# A member's tags are taken from their newest ballots; topics of long ago suggest little.
_BALLOTS_FOR_TAGS = 100


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


def rows_under_pseudonyms(decision: Decision, columns: BallotColumns) -> frozenset[int]:
    """The rows that are shown under pseudonyms."""
    now = staged_ballots.anonymous_members([decision.community_id])
    return frozenset(np.flatnonzero(staged_ballots.under_pseudonyms(columns, now)).tolist())


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


def ballot_behind(decision: Decision, key: str) -> ShownBallot | None:
    """The staged ballot that a key names in this decision, as its own member sees it."""
    hidden = staged_ballots.members_under_pseudonyms([decision])[decision.pk]
    member = whole_number(key.removeprefix(MEMBER_KEY)) if key.startswith(MEMBER_KEY) else None
    if member is None or member in hidden:
        pseudonyms = ((pk, access.pseudonym(decision.pk, pk, kind=kind)) for pk, kind in hidden.items())
        member = next((pk for pk, pseudonym in pseudonyms if key == _anonymous_key(pseudonym)), 0)
    staged = staged_ballots.staged_ballot(decision.pk, member)
    if staged is None:
        return None
    return shown_ballot(staged, Membership.objects.get(pk=member), decision)


def _anonymous_key(pseudonym: str) -> str:
    return ANONYMOUS_KEY + pseudonym.rsplit(" ", 1)[-1]


def ballot_rows(
    decision: Decision, columns: BallotColumns, *, search: str = "", kind: str = "", tag: str = "", sort: str = ""
) -> list[int]:
    """The rows of the columns to list, in order.

    `search`: words in names, handles or pseudonyms; `kind`: a kind of staged ballot, or "lobbyist"; `tag`: a tag on the
    ballots. `sort`: "" by name, with those under pseudonyms after all others; "-name" the other way round; the place of
    a choice ("2") by its stars, the fewest first ("-2": the most first).
    """
    hidden = rows_under_pseudonyms(decision, columns)
    rows = _found(decision, columns, hidden, search)
    if kind:
        lobbyists = set(_rows_of(columns, _lobbyists(decision))) - hidden
        if kind == "lobbyist":
            rows = [row for row in rows if row in lobbyists]
        else:
            is_wanted = columns.of_kind(kind).tolist()
            rows = [row for row in rows if is_wanted[row] and row not in lobbyists]
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


def _found(decision: Decision, columns: BallotColumns, hidden: Set[int], search: str) -> list[int]:
    """The rows with these words in the name or handle, in the order of the list.

    The database orders the names: reading 100,000 of them takes several times as long as sorting them there.
    """
    members = Membership.objects.filter(community=decision.community_id)
    in_order = members.filter(*map(named, search_words(search))).order_by("user__sort_name", "user__handle")
    found = _rows_of(columns, in_order.values_list("pk", flat=True))
    words = search_words(search.casefold())
    pseudonyms = sorted(
        (access.pseudonym(decision.pk, one.member, kind=one.kind).casefold(), row)
        for row, one in ((row, columns.ballot(row)) for row in hidden)
    )
    return [
        *(row for row in found if row not in hidden),
        *(row for pseudonym, row in pseudonyms if all(word in pseudonym for word in words)),
    ]


def _rows_of(columns: BallotColumns, members: Iterable[int]) -> list[int]:
    """The rows of those of the members who have a ballot, in the order of the members."""
    rows, is_there = columns.find(np.array(list(members), dtype=np.int64))
    found: list[int] = rows[is_there].tolist()
    return found


def _tags_shown(columns: BallotColumns, hidden: Set[int], row: int) -> frozenset[str]:
    """The tags of a row; none of a ballot inherited under a pseudonym, since they tell whom somebody follows."""
    is_untold = row in hidden and columns.ballot(row).kind == Kind.INHERITED
    return frozenset() if is_untold else columns.tag_sets[columns.tags[row]]


def _lobbyists(decision: Decision) -> set[int]:
    members = Membership.objects.filter(community=decision.community_id, role=Membership.Role.LOBBYIST)
    return set(members.values_list("pk", flat=True))


def read_rows(viewer: Viewer, decision: Decision, columns: BallotColumns, rows: Sequence[int]) -> Iterator[BallotRow]:
    """These rows with names, tags and comments."""
    ballots = {row: columns.ballot(row) for row in rows}
    members = [ballot.member for ballot in ballots.values()]
    hidden = rows_under_pseudonyms(decision, columns)
    unnamed = {ballot.member: ballot.kind for row, ballot in ballots.items() if row in hidden}
    people = owners(viewer, decision, members, hidden=unnamed)
    comments = dict(
        Ballot.objects.filter(decision=decision, membership__in=members)
        .exclude(comment="")
        .values_list("membership_id", "comment")
    )
    for row, ballot in ballots.items():
        yield BallotRow(
            owner=people[ballot.member],
            kind=ballot.kind,
            microstars=ballot.microstars,
            tags=tuple(sorted(_tags_shown(columns, hidden, row))),
            is_counted=ballot.is_counted,
            # Until it is calculated, a ballot just cast still stands as inherited, perhaps under another name.
            comment="" if ballot.kind == Kind.INHERITED else comments.get(ballot.member, ""),
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


def shown_ballot(staged: StagedBallot, membership: Membership, decision: Decision) -> ShownBallot:
    """The stored staged ballot of a member, as that member sees it."""
    is_anonymous = access.bears_pseudonym(membership, kind=staged.kind, is_anonymous=staged.is_anonymous)
    return ShownBallot(
        decision,
        membership,
        staged.kind,
        staged.microstars,
        tuple(sorted(staged.tags)),
        staged.is_counted,
        is_anonymous,
    )


def as_others_see(ballot: ShownBallot) -> ShownBallot:
    """The ballot as others see it: inherited under a pseudonym it has no tags, which tell whom somebody follows."""
    is_inherited = ballot.kind == StagedBallot.Kind.INHERITED
    return replace(ballot, tags=()) if is_inherited and ballot.is_anonymous else ballot


def ballot_counts(decisions: Iterable[Decision]) -> dict[int, int]:
    """The number of ballots in each of these decisions that shows its ballots."""
    return staged_ballots.numbers_of_ballots([one.pk for one in decisions if access.shows_ballots(one)])


# Whether a ballot is under a pseudonym, and its name: handle or pseudonym.
Name: TypeAlias = tuple[bool, str]


def name_of(ballot: ShownBallot) -> Name:
    """The name by which a ballot stands in the list of its decision's."""
    if not ballot.is_anonymous:
        return False, ballot.membership.user.handle
    return True, access.pseudonym(ballot.decision.pk, ballot.membership.pk, kind=ballot.kind)


def ballots_of(decisions: Sequence[Decision], *, most: int, behind: Name | None = None) -> dict[int, list[ShownBallot]]:
    """The first `most` ballots of each decision, or those behind a name: ballots that bear names by handle, then the
    others by pseudonym.

    Nothing where ballots are hidden. Always the same number of queries.
    """
    wanted = _members_behind([one for one in decisions if access.shows_ballots(one)], behind, most)
    staged = staged_ballots.staged_ballots(wanted)
    rows = Membership.objects.select_related("user").filter(pk__in={pk for pks in wanted.values() for pk in pks})
    members = {row.pk: row for row in rows}
    pages: dict[int, list[ShownBallot]] = {}
    for one in decisions:
        ballots = ((member, staged.get((one.pk, member))) for member in wanted[one.pk])
        pages[one.pk] = [
            as_others_see(shown_ballot(ballot, members[member], one)) for member, ballot in ballots if ballot
        ]
    return pages


def _members_behind(decisions: Sequence[Decision], behind: Name | None, most: int) -> defaultdict[int, list[int]]:
    """The members whose ballots come next in each decision."""
    named: dict[Decision, Integers] = {}
    hidden: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)
    anonymous = staged_ballots.anonymous_members({one.community_id for one in decisions})
    marks = staged_ballots.marks_of(decisions)
    for one in decisions:
        ballots = marks[one.pk]
        unnamed = staged_ballots.under_pseudonyms(ballots, anonymous)
        named[one] = ballots.members[~unnamed]
        rest = ballots.rows(unnamed)
        hidden[one.pk] = [
            (access.pseudonym(one.pk, member, kind=kind), member)
            for member, kind in zip(rest.members.tolist(), rest.kinds, strict=True)
        ]
    is_unnamed, name = behind or (False, "")
    pages = members_at({} if is_unnamed else named, 0, most, behind=name)
    for one in named:
        unnamed_ones = sorted(pair for pair in hidden[one.pk] if not is_unnamed or pair[0] > name)
        pages[one.pk] += [member for _, member in unnamed_ones[: most - len(pages[one.pk])]]
    return pages


def members_at(
    named: Mapping[Decision, Integers], start: int, stop: int, *, behind: str = ""
) -> defaultdict[int, list[int]]:
    """Those of these members, by decision, who have these places in order of their handles; of those behind a handle.

    The database orders the handles, and no more are read than it takes to come to the last place.
    """
    pages: defaultdict[int, list[int]] = defaultdict(list)
    waiting = [one for one, members in named.items() if len(members) > start]
    passed = dict.fromkeys(waiting, 0)
    communities = {one.community_id for one in waiting}
    rows = Membership.objects.filter(community__in=communities, user__handle__gt=behind).order_by("user__handle")
    handles = rows.values_list("community_id", "pk").iterator(_ROWS)
    while waiting and (some := list(islice(handles, _ROWS))):
        homes, members = np.array(some, dtype=np.int64).T
        for one in waiting:
            of_community = members[homes == one.community_id]
            found = of_community[np.isin(of_community, named[one])]
            pages[one.pk] += found[max(0, start - passed[one]) : max(0, stop - passed[one])].tolist()
            passed[one] += len(found)
        waiting = [one for one in waiting if passed[one] < min(stop, len(named[one]))]
    return pages


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
    tags = staged_ballots.tags_on_cast_ballots(shown)
    return {decision: sorted(tags[decision]) for decision in shown}


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
