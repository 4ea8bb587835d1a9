"""Adding the followings of an edge list to a community, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Max

from democracy.files.bulk_writing import add_followings, retag_followings
from democracy.files.edge_lists import EdgeList
from democracy.files.imported_members import (
    KnownMember,
    KnownMembers,
    adding_to,
    by_number,
    community_name,
    is_address,
    make_members,
    new_member,
)
from democracy.files.malformed import Malformed, on_line
from democracy.files.progress import Progress
from democracy.models import MAX_FOLLOWINGS, Community, Following


@dataclass
class Followings:
    """The outcome of an import of followings."""

    community: Community
    new_members: int
    followings: int


def import_followings(edges: EdgeList, *, community: str, progress: Progress | None = None) -> Followings:
    """Add members and followings to the community of this name, or make it; all or nothing.

    Members are known by the ids of the files they came with, or by their handles. Raises Malformed naming the line,
    InvalidInput.
    """
    told = progress or Progress()
    with adding_to(community_name(community)) as (recording, is_new):
        pks = _known(edges, KnownMembers(recording.community))
        missing = sorted(edges.ids - pks.keys(), key=by_number)
        told.expect(len(missing) + len(edges.edges))
        pks |= make_members(recording, [new_member(file_id) for file_id in missing], is_new=is_new, progress=told)
        places = _places(recording.community)
        new: list[tuple[int, int, Sequence[str], int]] = []
        retagged: dict[tuple[int, int], Sequence[str]] = {}
        for (follower, followee), edge in edges.edges.items():
            pair = pk, _ = pks[follower], pks[followee]
            if pair in places.present:
                retagged[pair] = edge.tags
                continue
            places.count[pk] += 1
            places.last[pk] += 1
            if places.count[pk] > MAX_FOLLOWINGS:
                raise Malformed(on_line(edge.line), f"{follower!r} would follow more than {MAX_FOLLOWINGS:,} members.")
            new.append((*pair, edge.tags, places.last[pk]))
        add_followings(recording, new, told)
        changed = len(new) + retag_followings(recording, retagged)
    return Followings(recording.community, len(missing), changed)


def _known(edges: EdgeList, members: KnownMembers) -> dict[str, int]:
    """Find the members that are there, by the file's ids. Refuses those who have left, and following the anonymous."""
    lines = {end: edge.line for pair, edge in reversed(edges.edges.items()) for end in pair}
    known: dict[str, KnownMember] = {}
    ids: dict[int, str] = {}
    for file_id in sorted(edges.ids, key=lambda each: (lines.get(each, 0), each)):
        member = members.find(file_id, on_line(lines.get(file_id, 0)))
        if member is None:
            if is_address(file_id):
                raise Malformed(
                    on_line(lines.get(file_id, 0)),
                    f"{file_id!r} is an e-mail address and no member's: whoever is made from it would be shown by it. "
                    "Use names or numbers.",
                )
            continue
        other = ids.setdefault(member.pk, file_id)
        if other != file_id:
            raise Malformed(on_line(lines.get(file_id, 0)), f"{file_id!r} and {other!r} are the same member.")
        known[file_id] = member
    for (_, followee), edge in edges.edges.items():
        if followee in known and known[followee].is_anonymous:
            raise Malformed(on_line(edge.line), f"{followee!r} cannot be followed.")
    return {file_id: member.pk for file_id, member in known.items()}


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
