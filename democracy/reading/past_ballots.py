"""Ballots as of a past result that keeps them (Note [Ballots of past results] in `recalculation.keeping`).

# Note [What past ballots tell]
They are shown where the decision shows its ballots now, and only those that bore names then, of current members who
are not anonymous now. Ballots under pseudonyms are left out: from one result to the next they would tell which
pseudonym belongs to which entry of the ledger, and, of somebody who was or became anonymous between two results, to
whom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from democracy import access
from democracy.access import Viewer
from democracy.models import BallotColumns, Decision, DecisionSnapshot, Membership, PastBlock, StagedBlock
from democracy.models.communities import MembershipQuerySet
from democracy.models.derived import Block
from democracy.reading.ballots import ShownBallot, members_at, shown_ballot


@dataclass(frozen=True, eq=False)
class PastBallots:
    """The ballots of a past result that may be shown, with that result: a list in order of their members' handles, of
    which slices are read.
    """

    snapshot: DecisionSnapshot
    columns: BallotColumns

    def __len__(self) -> int:
        return len(self.columns)

    def __getitem__(self, places: slice) -> list[ShownBallot]:
        decision, (start, stop, _) = self.snapshot.decision, places.indices(len(self))
        wanted = members_at({decision: self.columns.members}, start, stop)[decision.pk]
        members = _named(decision).select_related("user").in_bulk(wanted)
        ballots = ((member, self.columns.ballot_of(member)) for member in wanted if member in members)
        return [shown_ballot(ballot, members[member], decision) for member, ballot in ballots if ballot is not None]


def past_ballots(viewer: Viewer, decision: Decision, revision: int) -> PastBallots | None:
    """The ballots as of the result of this revision; None where there is none that keeps them, and while ballots are
    hidden.
    """
    if not access.shows_ballots(decision):
        return None
    kept = access.snapshots_visible_to(viewer).filter(decision=decision, revision=revision, keeps_ballots=True)
    snapshot = kept.order_by("-is_final").first()
    if snapshot is None or access.shown_revision(snapshot) is None:
        return None
    choices = decision.choices.count()
    columns = BallotColumns.joined(
        [block.columns(choices=choices) for block in blocks_at(decision, revision)], choices=choices
    )
    named = np.array(list(_named(decision).values_list("pk", flat=True)), dtype=np.int64)
    shown = ~columns.anonymous & np.isin(columns.members, named)
    return PastBallots(snapshot, columns.rows(shown))


def _named(decision: Decision) -> MembershipQuerySet:
    """The current members who are not anonymous."""
    return Membership.objects.current().filter(community=decision.community_id, is_anonymous=False)


def blocks_at(decision: Decision, revision: int) -> list[Block]:
    """The blocks, in order, of a past result that keeps its ballots."""
    # Those that stand first: one that a run replaces meanwhile is then found twice, and not missed.
    stand: list[Block] = list(StagedBlock.objects.filter(decision=decision, revision__lte=revision))
    past: list[Block] = list(PastBlock.objects.filter(decision=decision, revision__lte=revision, until__gt=revision))
    blocks = {block.first: block for block in [*stand, *past]}
    return [blocks[first] for first in sorted(blocks)]
