"""Followings from an edge list: `from to [weight ...]` a line, as trust networks are commonly published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from django.db import transaction
from django.db.models import Count, Max, QuerySet

from democracy import contents, eventlog, ledger
from democracy.errors import InvalidInput
from democracy.ledger import Recording
from democracy.models import MAX_FOLLOWINGS, Community, Following, Membership
from democracy.services import validation
from democracy.services.importing import Malformed, NewMember, add_followings, add_members, found, with_a_manager
from democracy.tags import normalise_tag

Pair: TypeAlias = tuple[str, str]

_LONGEST_ID = 80
_LONGEST_NAME = 120
# First lines that say what the columns are, where no weight gives them away.
_COLUMN_NAMES = {"from", "to", "source", "target", "follower", "followee", "truster", "trustee", "src", "dst"}
# Beyond this a weight is no tag, and no weight either.
_MOST_DIGITS = 30


@dataclass(frozen=True)
class Edge:
    line: int
    tags: tuple[str, ...] = ()


@dataclass
class EdgeList:
    """`edges` by (follower, followee), in the order of the file; of a pair that is there again, the last counts."""

    ids: set[str] = field(default_factory=set)
    edges: dict[Pair, Edge] = field(default_factory=dict)
    self_loops: int = 0
    negative: int = 0
    repeated: int = 0
    header: str = ""


@dataclass
class Followings:
    """What an import of followings did."""

    community: Community
    new_members: int
    followings: int


def read_edge_list(text: str, *, tag_by_weight: bool = False) -> EdgeList:
    """`#` comments, empty lines and a header line are passed over; spaces, tabs or commas stand between the columns.

    With `tag_by_weight` a weight becomes the following's tag (".8" is "0.8"). Raises Malformed naming the line.
    """
    found_edges = EdgeList()
    is_first = True
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        columns = _columns(line)
        was_first, is_first = is_first, False
        if was_first and _is_header(columns):
            found_edges.header = line.strip()
            continue
        _take(found_edges, columns, number, tag_by_weight=tag_by_weight)
    if not found_edges.ids:
        raise Malformed("", "There is no line with two ids.")
    return found_edges


def _columns(line: str) -> list[str]:
    separator = "," if "," in line else "\t" if "\t" in line.strip() else None
    return [column.strip() for column in line.split(separator)]


def _is_header(columns: list[str]) -> bool:
    if len(columns) > 2:
        return _weight(columns[2]) is None and not any(column.isdecimal() for column in columns[:2])
    return {column.casefold() for column in columns[:2]} <= _COLUMN_NAMES


def _take(into: EdgeList, columns: list[str], number: int, *, tag_by_weight: bool) -> None:
    place = f"line {number}"
    if len(columns) < 2:
        raise Malformed(place, "two ids are needed: from and to.")
    follower, followee = (_id(column, place) for column in columns[:2])
    written = columns[2] if len(columns) > 2 else ""
    weight = _weight(written) if written else None
    if written and weight is None:
        raise Malformed(place, f"the weight {written!r} is not a number.")
    if tag_by_weight and weight is None:
        raise Malformed(place, "there is no weight to make a tag of.")
    into.ids.update((follower, followee))
    if follower == followee:
        into.self_loops += 1
    elif weight is not None and weight < 0:
        into.negative += 1
    else:
        into.repeated += (follower, followee) in into.edges
        tags = (_tag(weight),) if tag_by_weight and weight is not None else ()
        into.edges[follower, followee] = Edge(number, tags)


def _id(text: str, place: str) -> str:
    if not 1 <= len(text) <= _LONGEST_ID or not text.isprintable():
        raise Malformed(place, f"an id has 1 to {_LONGEST_ID} printable characters.")
    return text


def _weight(text: str) -> Decimal | None:
    try:
        weight = Decimal(text)
    except InvalidOperation:
        return None
    return weight if weight.is_finite() and abs(weight.adjusted()) < _MOST_DIGITS and len(text) < _MOST_DIGITS else None


def _tag(weight: Decimal) -> str:
    """A weight as a tag, however it was written: .8 and 0.80 are "0.8"."""
    return normalise_tag(format(abs(weight).normalize(), "f"))


def by_number(file_id: str) -> tuple[int, int, str]:
    """Key that puts ids which are numbers first, as numbers, and the others after them."""
    return (0, int(file_id), file_id) if file_id.isascii() and file_id.isdecimal() else (1, 0, file_id)


def community_name(name: str) -> str:
    """A name a community can have. Raises InvalidInput."""
    cleaned = validation.line(name, field="community")
    if len(cleaned) > _LONGEST_NAME:
        raise InvalidInput(f"A community's name has at most {_LONGEST_NAME} characters.", field="community")
    return cleaned


@contextmanager
def adding_to(name: str) -> Iterator[tuple[Recording, bool]]:
    """A recording of the community of this name, made if it is missing, and whether it was."""
    with transaction.atomic():
        community = Community.objects.filter(name__iexact=name).first()
        is_new = community is None
        if community is None:
            community = found(name)
            transaction.on_commit(lambda: eventlog.community_created(eventlog.SYSTEM, name), robust=True)
        with ledger.recording(community.pk) as recording:
            if is_new:
                recording.add(contents.community_change(community))
            yield recording, is_new


def new_members(recording: Recording, ids: Iterable[str], *, is_new: bool) -> dict[str, int]:
    """Members by these ids of a file, their numbers; in a new community the first of them manages it."""
    members = [NewMember(file_id, f"Member {file_id}" if file_id.isdecimal() else file_id) for file_id in ids]
    return add_members(recording, with_a_manager(members) if is_new else members)


def import_followings(edges: EdgeList, *, community: str) -> Followings:
    """Add members and followings to the community of this name, or make it; all or nothing.

    Members are known by the ids of the files they came with. Raises Malformed naming the line, InvalidInput.
    """
    with adding_to(community_name(community)) as (recording, is_new):
        known = Membership.objects.filter(community=recording.community).exclude(file_id="")
        _check(edges, known)
        pks = dict(known.values_list("file_id", "pk"))
        missing = sorted(edges.ids - pks.keys(), key=by_number)
        pks |= new_members(recording, missing, is_new=is_new)
        places = _places(recording.community)
        rows = []
        for (follower, followee), edge in edges.edges.items():
            pk = pks[follower]
            if (pk, pks[followee]) not in places.present:
                places.count[pk] += 1
                places.last[pk] += 1
                if places.count[pk] > MAX_FOLLOWINGS:
                    raise Malformed(
                        f"line {edge.line}", f"{follower!r} would follow more than {MAX_FOLLOWINGS:,} members."
                    )
            rows.append((pk, pks[followee], edge.tags, places.last[pk]))
        changed = add_followings(recording, rows)
    return Followings(recording.community, len(missing), changed)


def _check(edges: EdgeList, members: QuerySet[Membership]) -> None:
    """Nobody follows for somebody who left, nor anybody who is anonymous."""
    former = set(members.filter(left_at__isnull=False).values_list("file_id", flat=True))
    anonymous = set(members.filter(is_anonymous=True).values_list("file_id", flat=True))
    for (follower, followee), edge in edges.edges.items():
        for end in (follower, followee):
            if end in former:
                raise Malformed(f"line {edge.line}", f"{end!r} has left the community.")
        if followee in anonymous:
            raise Malformed(f"line {edge.line}", f"{followee!r} cannot be followed.")


@dataclass
class _Places:
    """The followings that are there, and by follower how many they are and the last place among them."""

    present: set[tuple[int, int]]
    count: Counter[int]
    last: Counter[int]


def _places(community: Community) -> _Places:
    rows = Following.objects.filter(follower__community=community)
    of_each = rows.values_list("follower_id").annotate(Count("pk"), Max("order"))
    counts = [(follower, count, last) for follower, count, last in of_each]
    return _Places(
        set(rows.values_list("follower_id", "followee_id")),
        Counter({follower: count for follower, count, _ in counts}),
        Counter({follower: last for follower, _, last in counts}),
    )
