"""Blocks of staged ballots hold what was calculated, each member in one place, and only what changed is written."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest

from democracy.models import BallotColumns, Decision, StagedBallot, StagedBlock
from democracy.notices.inheritance import Move
from democracy.recalculation import blocks
from democracy.recalculation.staging import StagedDecision
from graph import Participation, StagedColumns, star, tally
from graph import StagedBallot as CalculatedBallot
from tests import factories
from tests.staged import stored

TAGS = (frozenset[str](), frozenset({"budget"}), frozenset({"budget", "roads"}))
Ballots = dict[int, StagedBallot]


def some_ballots(chance: random.Random, before: Ballots) -> Ballots:
    """Draw ballots: as they were but for a few, or all anew."""
    kept = {} if chance.random() < 0.3 else before
    count = chance.choice([0, 1, 3, 15])
    drawn = {
        member: StagedBallot(
            member,
            chance.choice(["cast", "inherited", "abstained"]),
            tuple(chance.choice([0, 1, 256, 5_000_000]) for _ in range(3)),
            chance.choice(TAGS),
            is_counted=chance.random() < 0.5,
            is_anonymous=chance.random() < 0.5,
        )
        for member in chance.sample(range(1, 40), count)
    }
    gone = chance.sample(sorted(kept), min(len(kept), chance.choice([0, 1, 10])))
    return {member: one for member, one in (kept | drawn).items() if member not in gone}


def different(before: Ballots, after: Ballots) -> set[int]:
    return {member for member in before | after if before.get(member) != after.get(member)}


def staging(after: Ballots, before: Ballots | None) -> StagedDecision:
    """A staging of these ballots: by what differs from those before, or all in columns."""
    anonymous = frozenset(member for member, ballot in after.items() if ballot.is_anonymous)
    calculated = {
        member: CalculatedBallot(member, one.kind, one.microstars, one.tags, one.is_counted)  # type: ignore[arg-type]
        for member, one in sorted(after.items())
    }
    result = star(tally(np.zeros((0, 3), np.int32)), [1, 2, 3], Participation(0, 0, 0, 0, 0, 0, 0))
    if before is not None:
        changed = {
            member: calculated.get(member) for member in before | after if before.get(member) != after.get(member)
        }
        return StagedDecision(1, (1, 2, 3), result, changed, None, anonymous)
    rows = calculated.values()
    columns = StagedColumns(
        list(calculated),
        [one.kind for one in rows],
        np.array([one.microstars for one in rows], dtype=np.int32).reshape(-1, 3),
        [one.tags for one in rows],
        np.array([one.counted for one in rows], dtype=np.bool_),
    )
    return StagedDecision(1, (1, 2, 3), result, {}, columns, anonymous)


def layout(decision: Decision) -> list[tuple[int, int, int]]:
    """(first, revision, size) of each block."""
    return list(
        StagedBlock.objects.filter(decision=decision).order_by("first").values_list("first", "revision", "size")
    )


@pytest.mark.parametrize("seed", range(8))
def test_whatever_changed_the_blocks_hold_what_was_calculated(
    db: None, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 3)
    chance = random.Random(seed)
    community, members = factories.community()
    decision = factories.decision(community, members["manager"].user)
    before: Ballots = {}
    for revision in range(1, 9):
        after, was = some_ballots(chance, before), layout(decision)
        changes = blocks.compare(decision, staging(after, chance.choice([None, before])))
        blocks.write(decision, changes, revision)
        assert set(changes.members.tolist()) == different(before, after)
        assert stored(decision) == after
        now = layout(decision)
        assert (not now and not after) or now[0][0] == 0
        assert all(size < 2 * 3 for _, _, size in now)
        # Those without a changed ballot were not touched.
        for (first, written, size), (stop, _, _) in pairwise([*was, (10**9, 0, 0)]):
            if not any(first <= member < stop for member in different(before, after)):
                assert (first, written, size) in now
        decision.calculated_revision = revision
        assert list(blocks.staged_faults(decision, BallotColumns.of_ballots(after.values(), choices=3))) == []
        before = after


def columns(*ballots: StagedBallot) -> BallotColumns:
    return BallotColumns.of_ballots(ballots, choices=2)


def inherited(member: int, *stars: int, kind: str = "inherited") -> StagedBallot:
    return StagedBallot(member, kind, stars, frozenset({"roads"}), is_counted=True, is_anonymous=False)


def changes(before: BallotColumns, after: BallotColumns) -> blocks.Changes:
    return blocks.Changes(before, after, blocks.different(before, after), [])


class TestMoves:
    def test_a_star_or_another_leading_choice_is_a_move_and_less_is_none(self) -> None:
        before = columns(*(inherited(member, 3_000_000, 2_000_000) for member in range(1, 6)))
        after = columns(
            inherited(1, 3_999_999, 2_000_000),
            inherited(2, 4_000_000, 2_000_000),
            inherited(3, 2_500_000, 2_500_000),
            inherited(4, 3_000_000, 1_000_000),
            inherited(5, 3_000_000, 2_000_000),
        )
        assert changes(before, after).moved() == [2, 3, 4]

    def test_only_what_was_and_is_inherited_moves(self) -> None:
        before = columns(inherited(1, 0, 0), inherited(2, 0, 0, kind="cast"), inherited(3, 0, 0))
        after = columns(inherited(1, 0, 5_000_000, kind="cast"), inherited(2, 5_000_000, 0), inherited(4, 5_000_000, 0))
        assert changes(before, after).moved() == []

    def test_a_move_has_both_ballots_and_the_tags_of_both(self) -> None:
        before = columns(inherited(1, 1, 2), inherited(2, 3, 4), inherited(3, 5, 6))
        after = columns(
            inherited(1, 1, 2),
            StagedBallot(2, "inherited", (7, 8), frozenset({"budget"}), is_counted=True, is_anonymous=True),
        )
        found = changes(before, after)
        assert found.move(1) is None
        assert found.move(2) == Move((3, 4), (7, 8), frozenset({"budget", "roads"}), is_anonymous=True)
        assert found.move(3) == Move((5, 6), (), frozenset({"roads"}), is_anonymous=False)
        assert found.move(4) is None


class TestFaults:
    @pytest.fixture
    def decision(self, db: None, monkeypatch: pytest.MonkeyPatch) -> Decision:
        """Write a decision with four ballots in two blocks."""
        monkeypatch.setattr(blocks, "BLOCK", 2)
        community, members = factories.community()
        decision = factories.decision(community, members["manager"].user)
        made = self.expected(1, 2, 3, 4)
        ballots = {ballot.member: ballot for ballot in map(made.ballot, range(4))}
        blocks.write(decision, blocks.compare(decision, staging(ballots, {})), 3)
        decision.calculated_revision = 3
        assert layout(decision) == [(0, 3, 2), (3, 3, 2)]
        return decision

    def expected(self, *members: int) -> BallotColumns:
        return BallotColumns.of_ballots([inherited(member, member, 0, 0, kind="cast") for member in members], choices=3)

    def faults(self, decision: Decision, *members: int) -> list[str]:
        return list(blocks.staged_faults(decision, self.expected(*members)))

    def test_blocks_that_hold_what_they_should_have_none(self, decision: Decision) -> None:
        assert self.faults(decision, 1, 2, 3, 4) == []

    def test_a_ballot_too_many_and_one_too_few_are_told(self, decision: Decision) -> None:
        name = f"the staged ballot of membership {{}} in decision {decision.pk}"
        assert self.faults(decision, 1, 3, 4, 5) == [
            f"{name.format(2)} is not what the ledger gives",
            f"{name.format(5)} is missing",
        ]

    def test_a_ballot_outside_of_its_block_is_told(self, decision: Decision) -> None:
        StagedBlock.objects.filter(decision=decision, first=3).update(first=4)
        [fault] = self.faults(decision, 1, 2, 3, 4)
        assert fault == (
            f"the block of staged ballots of decision {decision.pk} from membership 4 on "
            "has ballots of members who are not in it"
        )

    def test_a_missing_first_block_is_told(self, decision: Decision) -> None:
        StagedBlock.objects.filter(decision=decision, first=0).delete()
        assert self.faults(decision, 3, 4) == [
            f"the first block of staged ballots of decision {decision.pk} is missing"
        ]

    def test_a_block_from_a_revision_that_was_not_calculated_is_told(self, decision: Decision) -> None:
        StagedBlock.objects.filter(decision=decision, first=0).update(revision=4)
        [fault] = self.faults(decision, 1, 2, 3, 4)
        assert fault.endswith("from membership 0 on says that it changed at revision 4, when nothing was calculated")

    @pytest.mark.parametrize("column", ["members", "marks", "tag_sets", "tags", "microstars"])
    def test_a_damaged_column_is_told(self, decision: Decision, column: str) -> None:
        StagedBlock.objects.filter(decision=decision, first=3).update(**{column: "[" if column == "tag_sets" else b"?"})
        [fault] = self.faults(decision, 1, 2, 3, 4)
        assert "from membership 3 on can't be read: " in fault
