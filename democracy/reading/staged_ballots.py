"""Stored staged ballots, for callers who asked `access` who may see them. Of the blocks, and of their columns, those
alone are read that an answer needs (Note [Staged ballots in blocks] in `recalculation.blocks`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

import numpy as np
from django.db.models import Sum

from democracy.caches import BoundedCache
from democracy.models import BallotColumns, Decision, Membership, StagedBallot, StagedBlock
from democracy.models.packed import tag_sets
from democracy.models.staged_ballots import (
    BallotMarks,
    Integers,
    Mask,
    expand_marks,
    expand_members,
    expand_tags,
    is_of_kind,
)

# Blocks read at a time.
_BLOCKS = 100
_kept: BoundedCache[tuple[int, int, datetime | None], BallotColumns] = BoundedCache(8)


def columns_of(decision: Decision, choices: int) -> BallotColumns:
    """All staged ballots of a decision, kept until it is calculated again. `choices`: how many it has."""
    key = (decision.pk, decision.calculated_revision, decision.last_calculated)
    columns = _kept.get(key)
    if columns is None:
        columns = read_columns(decision, choices)
        _kept.put(key, columns)
    return columns


def forget_columns() -> None:
    """Read the columns from the database again."""
    _kept.clear()


def read_columns(decision: Decision, choices: int) -> BallotColumns:
    """Read all staged ballots of a decision. `choices`: how many it has."""
    blocks = StagedBlock.objects.filter(decision=decision).order_by("first")
    return BallotColumns.joined([block.columns(choices=choices) for block in blocks.iterator(_BLOCKS)], choices=choices)


def staged_ballot(decision_id: int, member: int) -> StagedBallot | None:
    """The staged ballot of one member."""
    block = StagedBlock.objects.filter(decision=decision_id, first__lte=member).order_by("-first").first()
    return None if block is None else block.columns().ballot_of(member)


def staged_ballots(wanted: Mapping[int, Collection[int]]) -> dict[tuple[int, int], StagedBallot]:
    """The staged ballots of several members, by decision and member; those without one are left out.

    `wanted`: members by decision.
    """
    firsts: defaultdict[int, list[int]] = defaultdict(list)
    blocks = StagedBlock.objects.filter(decision__in=[pk for pk, members in wanted.items() if members])
    for decision, first in blocks.order_by("decision", "first").values_list("decision", "first"):
        firsts[decision].append(first)
    there: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for decision, begins in firsts.items():
        for member in wanted[decision]:
            there[decision, begins[bisect_right(begins, member) - 1]].append(member)
    found = {}
    for block in blocks.filter(first__in={first for _, first in there}):
        if members := there.get((block.decision_id, block.first)):
            columns = block.columns()
            ballots = ((member, columns.ballot_of(member)) for member in members)
            found.update({(block.decision_id, member): ballot for member, ballot in ballots if ballot is not None})
    return found


def marks_of(decisions: Iterable[Decision]) -> dict[int, BallotMarks]:
    """The members with a staged ballot in each of these decisions, and its kind."""
    parts: dict[int, list[BallotMarks]] = {one.pk: [] for one in decisions}
    blocks = StagedBlock.objects.filter(decision__in=parts).order_by("decision", "first")
    for decision, size, members, marks in blocks.values_list("decision", "size", "members", "marks").iterator(_BLOCKS):
        parts[decision].append(BallotMarks(expand_members(members, size), expand_marks(marks, size)))
    return {
        decision: BallotMarks(
            np.concatenate([np.empty(0, np.int64), *(part.members for part in of_decision)]),
            np.concatenate([np.empty(0, np.uint8), *(part.marks for part in of_decision)]),
        )
        for decision, of_decision in parts.items()
    }


def under_pseudonyms(ballots: BallotMarks, anonymous: Integers) -> Mask:
    """Mark the ballots that are shown under pseudonyms: those stored so, and inherited ones of members anonymous now.

    See Note [Whether a ballot bears a name] in `access`. `anonymous`: those members.
    """
    inherited = ballots.of_kind(StagedBallot.Kind.INHERITED)
    return ballots.anonymous | (inherited & np.isin(ballots.members, anonymous))


def anonymous_members(community_ids: Iterable[int]) -> Integers:
    """The members of these communities who are anonymous now."""
    members = Membership.objects.filter(community__in=community_ids, is_anonymous=True)
    return np.array(list(members.values_list("pk", flat=True)), dtype=np.int64)


def members_under_pseudonyms(decisions: Collection[Decision]) -> dict[int, dict[int, str]]:
    """The members whose staged ballots are shown under pseudonyms, with the kinds of these ballots, by decision."""
    found: dict[int, dict[int, str]] = {}
    anonymous = anonymous_members({one.community_id for one in decisions})
    for decision, ballots in marks_of(decisions).items():
        hidden = ballots.rows(under_pseudonyms(ballots, anonymous))
        found[decision] = dict(zip(hidden.members.tolist(), hidden.kinds, strict=True))
    return found


def numbers_of_ballots(decision_ids: Iterable[int]) -> dict[int, int]:
    """The number of staged ballots in each of these decisions that has any."""
    blocks = StagedBlock.objects.filter(decision__in=decision_ids).order_by()
    return dict(blocks.values("decision").annotate(number=Sum("size")).values_list("decision", "number"))


def tags_on_cast_ballots(decision_ids: Iterable[int]) -> dict[int, set[str]]:
    """The tags on the ballots that are staged as cast, by decision."""
    found: defaultdict[int, set[str]] = defaultdict(set)
    blocks = StagedBlock.objects.filter(decision__in=decision_ids).exclude(tag_sets="[[]]").order_by()
    columns = ("decision", "size", "marks", "tag_sets", "tags")
    for decision, size, marks, sets, tags in blocks.values_list(*columns).iterator(_BLOCKS):
        cast = is_of_kind(expand_marks(marks, size), StagedBallot.Kind.CAST)
        for place in np.unique(expand_tags(tags, size)[cast]).tolist():
            found[decision].update(tag_sets(sets)[place])
    return found
