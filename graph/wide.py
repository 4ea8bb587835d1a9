"""Wide changes: those that reach many members, staged in arrays from the ballots that stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graph.activity import find_active, find_activity
from graph.delegation import DelegationGraph
from graph.fixedpoint import Ints
from graph.foundation import Tags, find_grown
from graph.incremental import Touched
from graph.propagation import propagate
from graph.staged_ballots import StagedBallots, find_differing
from graph.staging import ABSTAINED, CAST, INHERITED, NONE, Staging
from graph.structure import Structure
from graph.values import NO_TAGS, CastBallot, Member


@dataclass(frozen=True, slots=True)
class WideChange:
    """The ballots after a wide change, and the rows that it changed, with their kinds and microstars before."""

    staged: StagedBallots
    rows: Ints
    kinds: npt.NDArray[np.int8]
    microstars: npt.NDArray[np.int32]


def restage_widely(
    graph: DelegationGraph,
    ballots: Mapping[Member, CastBallot],
    staged: StagedBallots,
    touched: Touched,
    *,
    apart: Iterable[Member],
) -> WideChange | None:
    """Stage all anew whom a change reaches.

    Parameters
    ----------
    graph : DelegationGraph
        The new one.
    ballots : mapping from member to CastBallot
        All written ballots now.
    staged : StagedBallots
        As it was before the change, except for written ballots.
    touched : Touched
    apart : iterable of members
        Members who are left out of what changed.

    Returns
    -------
    WideChange or None
        None where staging everything from scratch is better.

    Raises
    ------
    ValueError
        If a member has more than 4,000 active followings.
    """
    structure = staged.structure if touched.only_stars and staged.is_laid_out else None
    if structure is not None and structure.steps is None:
        return None
    arrays = graph.arrays
    staging = staged.on(arrays)
    kinds, microstars = staging.kinds.copy(), staging.microstars.copy()
    tags: list[frozenset[str]] | None = None
    members = {*touched.sources, *touched.asking}
    starts = np.array([arrays.index[member] for member in members if member in graph], dtype=np.int64)
    if not touched.only_stars:
        tags = staging.tags.copy()
        grown = find_grown(graph, ballots, staged, touched)
        if grown is None:
            _find_all(staging, ballots)
            starts = np.arange(len(arrays.members))
        else:
            _take_over(staging, grown)
            starts = np.union1d(starts, [arrays.index[member] for member in grown]).astype(np.int64)
        gone = np.flatnonzero((staging.kinds == NONE) & (kinds != NONE))
        for values in (staging.fixed, staging.microstars, staging.errors):
            values[gone] = 0
    if structure is None:
        structure = staged.structure = _lay_out(staging, staged.structure)
        staged.is_laid_out = True
    rows = propagate(structure, staging, starts)
    if rows is None:
        return None
    if not touched.only_stars:
        # Who asks anew may have lost the ballot, and if all is found anew anybody.
        changed = np.zeros(len(kinds), dtype=np.bool_)
        changed[rows] = changed[starts] = True
        rows = np.flatnonzero(changed)
    differs = find_differing(np.take(staging.microstars, rows, axis=0), np.take(microstars, rows, axis=0)) | (
        staging.kinds[rows] != kinds[rows]
    )
    # Mostly they are the same objects, which compare at once.
    if tags is not None and staging.tags != tags:
        differs |= [staging.tags[row] != tags[row] for row in rows.tolist()]
    differs &= ~np.isin(rows, [arrays.index[member] for member in apart if member in graph])
    rows = rows[differs]
    return WideChange(StagedBallots(staging, structure=structure), rows, kinds[rows], microstars[rows])


def _find_all(staging: Staging, ballots: Mapping[Member, CastBallot]) -> None:
    """Find everybody's activity anew."""
    index, kinds = staging.graph.index, staging.kinds
    own = np.fromiter(map(index.__getitem__, ballots), dtype=np.int64, count=len(ballots))
    kinds[:] = NONE
    kinds[own] = [ABSTAINED if ballot.abstain else CAST for ballot in ballots.values()]
    cast = own[kinds[own] == CAST]
    cast_tags = [ballot.tags for ballot in ballots.values() if not ballot.abstain]
    activity = find_activity(staging.graph, own=kinds != NONE, cast=cast, cast_tags=cast_tags)
    kinds[activity.holders & (kinds == NONE)] = INHERITED
    staging.tags[:] = activity.tags
    for member, ballot in ballots.items():
        if ballot.abstain:
            staging.tags[index[member]] = ballot.tags


def _take_over(staging: Staging, found: Mapping[Member, Tags]) -> None:
    for member, tags in found.items():
        row = staging.graph.index[member]
        staging.kinds[row] = NONE if tags is None else INHERITED
        staging.tags[row] = tags or NO_TAGS


def _lay_out(staging: Staging, earlier: Structure | None) -> Structure:
    kinds = staging.kinds
    own = (kinds == CAST) | (kinds == ABSTAINED)
    holders = (kinds == CAST) | (kinds == INHERITED)
    followers, followees = find_active(staging.graph, own=own, holders=holders, tags=staging.tags)
    size = len(kinds)
    steps = earlier.steps_by_row() if earlier is not None and earlier.size == size else None
    return Structure(followers, followees, size, steps=steps)
