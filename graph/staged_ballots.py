"""Staged ballots of one decision: the last full staging, and beside it those that were staged since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from graph.arrays import GraphArrays
from graph.delegation import DelegationGraph
from graph.fixedpoint import units
from graph.staging import ABSTAINED, CAST, INHERITED, KIND_NAMES, NONE, Staging
from graph.structure import Structure
from graph.values import NO_TAGS, STAR, CastBallot, Kind, Member, StagedColumns


class Staged(NamedTuple):
    """One member's staged ballot, with its fixed-point values and an error bound for all of them."""

    kind: Kind
    microstars: tuple[int, ...]
    tags: frozenset[str]
    fixed: tuple[int, ...]
    error: float


def written(ballot: CastBallot) -> Staged:
    """Make the staged form of a ballot that its member wrote."""
    kind: Kind = "abstained" if ballot.abstain else "cast"
    return Staged(kind, tuple(star * STAR for star in ballot.stars), ballot.tags, units(ballot.stars), 0.0)


# Bytes of a list's entry, and of a staged ballot of its own in a dictionary.
_POINTER, _STAGED = 8, 500

_NAMES = np.array(KIND_NAMES, dtype=object)

Published = tuple[Kind, tuple[int, ...], frozenset[str]]
"""Kind, microstars and tags of a staged ballot: all of it that is published."""


class StagedBallots:
    """Every member's staged ballot.

    Attributes
    ----------
    base : Staging
        The last full staging; never written, so that a copy is cheap.
    since : dict from member to Staged or None
        Ballots that were staged later, None where a member has none any more.
    structure : Structure or None
        The last that was laid out.
    is_laid_out : bool
        Whether everybody asks now whom they ask in the structure.
    """

    def __init__(
        self,
        base: Staging,
        since: dict[Member, Staged | None] | None = None,
        *,
        structure: Structure | None = None,
        is_laid_out: bool = True,
    ) -> None:
        self.base = base
        self.since: dict[Member, Staged | None] = {} if since is None else since
        self.structure = structure
        self.is_laid_out = is_laid_out
        self._index = base.graph.index
        self._kinds = base.kinds.tobytes()

    @property
    def nbytes(self) -> int:
        """The memory that they take beside the graph, about."""
        base = self.base
        columns = base.kinds.nbytes + base.microstars.nbytes + base.fixed.nbytes + base.errors.nbytes
        columns += self.structure.nbytes if self.structure is not None else 0
        return columns + (_POINTER + 1) * len(base.tags) + _STAGED * len(self.since)

    def copy(self) -> StagedBallots:
        return StagedBallots(self.base, self.since.copy(), structure=self.structure, is_laid_out=self.is_laid_out)

    def look_up(self, member: Member) -> Staged | None:
        """Look up the member's staged ballot; None if there is none."""
        if member in self.since:
            return self.since[member]
        row = self._index.get(member)
        kind = KIND_NAMES[self._kinds[row]] if row is not None else None
        if row is None or kind is None:
            return None
        base = self.base
        fixed, error = self._value(row)
        return Staged(kind, tuple(base.microstars[row].tolist()), base.tags[row], fixed, error)

    def published(self, member: Member) -> Published | None:
        """Look up the published part of the member's staged ballot; None if there is none."""
        if member in self.since:
            staged = self.since[member]
            return None if staged is None else staged[:3]
        row = self._index.get(member)
        kind = KIND_NAMES[self._kinds[row]] if row is not None else None
        if row is None or kind is None:
            return None
        return kind, tuple(self.base.microstars[row].tolist()), self.base.tags[row]

    def tags(self, member: Member) -> frozenset[str] | None:
        """Look up the tags of the member's ballot; None without a ballot with stars."""
        if member in self.since:
            staged = self.since[member]
            return None if staged is None or staged.kind == "abstained" else staged.tags
        row = self._index.get(member)
        if row is None or self._kinds[row] in (NONE, ABSTAINED):
            return None
        return self.base.tags[row]

    def value(self, member: Member) -> tuple[tuple[int, ...], float]:
        """Look up the fixed-point values of a staged ballot, and their error bound."""
        staged = self.since.get(member)
        return (staged.fixed, staged.error) if staged is not None else self._value(self._index[member])

    def gathered(self, graph: GraphArrays) -> StagedBallots:
        """Take what was staged later into the base, on the arrays of the present graph."""
        is_laid_out = self.is_laid_out and graph.members is self.base.graph.members
        return StagedBallots(self.on(graph), structure=self.structure, is_laid_out=is_laid_out)

    def on(self, graph: GraphArrays) -> Staging:
        """Make a staging on these arrays of the present graph, with arrays of its own."""
        base = self.base
        errors = base.errors.copy()
        if graph.members is base.graph.members:
            staging = Staging(graph, base.kinds.copy(), base.microstars.copy(), base.fixed.copy(), errors, base.tags[:])
        else:
            index = self._index
            at = np.fromiter((index.get(member, -1) for member in graph.members), np.int64, len(graph.members))
            known = np.flatnonzero(at >= 0)
            tags = [base.tags[row] if row >= 0 else NO_TAGS for row in at.tolist()]

            def moved(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
                column = np.zeros((len(at), *values.shape[1:]), values.dtype)
                column[known] = values[at[known]]
                return column

            kinds, microstars, fixed = moved(base.kinds), moved(base.microstars), moved(base.fixed)
            staging = Staging(graph, kinds, microstars, fixed, moved(errors), tags)
        self._put_into(staging)
        return staging

    def _put_into(self, staging: Staging) -> None:
        """Write the ballots that were staged later."""
        index = staging.graph.index
        later = [(index[member], ballot) for member, ballot in self.since.items() if member in index]
        rows = [row for row, _ in later]
        if not rows:
            return
        none = (0,) * staging.fixed.shape[1]
        staging.kinds[rows] = [NONE if ballot is None else KIND_NAMES.index(ballot.kind) for _, ballot in later]
        staging.microstars[rows] = [none if ballot is None else ballot.microstars for _, ballot in later]
        staging.fixed[rows] = [none if ballot is None else ballot.fixed for _, ballot in later]
        staging.errors[rows, 0] = [0.0 if ballot is None else ballot.error for _, ballot in later]
        for row, ballot in later:
            staging.tags[row] = NO_TAGS if ballot is None else ballot.tags

    def columns(self, graph: DelegationGraph) -> StagedColumns:
        """Collect all staged ballots in columns, in member order; `graph` is the present one."""
        columns = self._columns_of_base()
        later = {member: staged[:3] for member, staged in self.since.items() if staged is not None}
        counted = [kind != "abstained" and graph.counts(member) for member, (kind, _, _) in later.items()]
        return with_ballots(columns, later, counted) if later else columns

    def _columns_of_base(self) -> StagedColumns:
        """Collect the ballots that still stand as the full staging left them."""
        base, index = self.base, self._index
        keep = base.kinds != NONE
        keep[[index[member] for member in self.since if member in index]] = False
        kept = keep.tolist()
        kinds = base.kinds[keep]
        return StagedColumns(
            list(compress(base.graph.members, kept)),
            _NAMES[kinds].tolist(),
            base.microstars[keep],
            list(compress(base.tags, kept)),
            base.graph.counted[keep] & (kinds != ABSTAINED),
        )

    def _value(self, row: int) -> tuple[tuple[int, ...], float]:
        base = self.base
        return tuple(base.fixed[row].tolist()), float(base.errors[row, 0])


def with_ballots(columns: StagedColumns, ballots: Mapping[Member, Published], counted: Sequence[bool]) -> StagedColumns:
    """Put further ballots among columns that have none of these members, in member order.

    Parameters
    ----------
    columns : StagedColumns
    ballots : mapping from member to Published
        At least one.
    counted : sequence of bool
        Whether each of them is counted.

    Returns
    -------
    StagedColumns
    """
    members = [*columns.members, *ballots]
    kinds = columns.kinds + [kind for kind, _, _ in ballots.values()]
    tags = columns.tags + [tags for _, _, tags in ballots.values()]
    microstars = np.array([microstars for _, microstars, _ in ballots.values()], dtype=np.int32)
    order = sorted(range(len(members)), key=members.__getitem__)
    return StagedColumns(
        [members[row] for row in order],
        [kinds[row] for row in order],
        np.concatenate((columns.microstars, microstars))[order],
        [tags[row] for row in order],
        np.concatenate((columns.counted, np.array(counted, dtype=np.bool_)))[order],
    )


def find_differing(one: npt.NDArray[np.int32], other: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Find the rows that differ, choice by choice: numpy is slow along short rows."""
    differs = np.zeros(len(one), dtype=np.bool_)
    for mine, theirs in zip(one.T, other.T, strict=True):
        differs |= mine != theirs
    return differs


def changed_rows(old: Staging, new: Staging) -> set[Member]:
    """Find the members whose ballot, or its being counted, differs between two full stagings."""
    before, after = old.graph, new.graph
    changed = {member for member, row in before.index.items() if member not in after.index and old.kinds[row] != NONE}
    where = np.array([before.index.get(member, -1) for member in after.members], dtype=np.int64)
    rows = np.flatnonzero(where >= 0)
    were = where[rows]
    kinds = new.kinds[rows]
    differs = kinds != old.kinds[were]
    differs |= find_differing(new.microstars[rows], old.microstars[were])
    differs |= (after.counted[rows] != before.counted[were]) & ((kinds == CAST) | (kinds == INHERITED))
    pairs = zip(map(new.tags.__getitem__, rows.tolist()), map(old.tags.__getitem__, were.tolist()), strict=True)
    retagged = np.fromiter((a is not b and a != b for a, b in pairs), dtype=np.bool_, count=len(rows))
    differs |= retagged & (kinds != NONE)
    changed.update(after.members[row] for row in rows[differs].tolist())
    joined = np.flatnonzero((where < 0) & (new.kinds != NONE))
    changed.update(after.members[row] for row in joined.tolist())
    return changed
