"""The checker of fault runs finds what is wrong in histories made up to be wrong, and nothing in good ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.checker import check
from tests.faults.history import Kind, Operation, Outcome
from tests.faults.state import ClaimWritten, DecisionState, ResultStored, Shown, Sighting, StagedBallot
from tests.test_faults.made_up import ADA, FOLLOWING, ballot, cast, edge, entry, found, refused, said, state, unknown

# --- What people were told, and what is stored ------------------------------------------------------------------------


def test_what_was_acknowledged_and_stands_is_right():
    operations = [
        cast(0, 1, 3, receipt=1),
        said(2, 3, Kind.TAG, {"tags": ["roads"]}, receipt=2),
        cast(4, 5, 5, receipt=3),
        said(6, 7, Kind.WITHDRAW, receipt=4),
    ]
    entries = [entry(1, ballot(3)), entry(2, ballot(3, tags=["roads"])), entry(3, ballot(5)), entry(4, None)]
    assert found(operations, entries) == []


def test_an_acknowledged_vote_that_is_nowhere_is_lost():
    assert found([cast(0, 1, 3, receipt=1), cast(2, 3, 4, receipt=2)], [entry(1, ballot(3))]) == [
        "RECEIPT_NOT_IN_LEDGER"
    ]


def test_a_receipt_of_another_ballots_entry_is_no_receipt():
    assert found([cast(0, 1, 3, receipt=2)], [entry(1, ballot(3)), entry(2, ballot(3), of="ballot:1:8")]) == [
        "RECEIPT_NOT_IN_LEDGER",
        # And nobody cast the other one.
        "NO_ORDER_EXPLAINS",
    ]


def test_a_receipt_of_an_entry_that_says_something_else_is_wrong():
    assert found([cast(0, 1, 3, receipt=1)], [entry(1, ballot(4))]) == ["NO_ORDER_EXPLAINS"]


def test_an_acknowledged_vote_that_the_tables_have_lost_is_found_though_the_ledger_has_it():
    assert found([cast(0, 1, 3, receipt=1)], [entry(1, ballot(3))], contents={}) == ["TABLES_DIFFER_FROM_LEDGER"]


def test_an_older_vote_that_comes_back_is_found_in_the_tables_and_in_the_ledger():
    operations = [cast(0, 1, 3, receipt=1), cast(2, 3, 4, receipt=2)]
    entries = [entry(1, ballot(3)), entry(2, ballot(4))]
    assert found(operations, entries, contents={ADA: ballot(3)}) == ["TABLES_DIFFER_FROM_LEDGER"]
    assert found(operations, [*entries, entry(3, ballot(3))]) == ["NO_ORDER_EXPLAINS"]


def test_votes_stored_in_another_order_than_they_were_acknowledged_are_wrong():
    operations = [cast(0, 1, 3, receipt=2), cast(2, 3, 4, receipt=1)]
    assert found(operations, [entry(1, ballot(4)), entry(2, ballot(3))]) == ["NO_ORDER_EXPLAINS"]


def test_concurrent_votes_may_be_stored_in_either_order():
    operations = [cast(0, 2, 3, receipt=2), cast(1, 3, 4, receipt=1)]
    assert found(operations, [entry(1, ballot(4)), entry(2, ballot(3))]) == []


def test_a_ballot_that_nobody_cast_is_found():
    assert found([], [entry(1, ballot(5))]) == ["NO_ORDER_EXPLAINS"]


def test_an_unknown_vote_may_have_happened_or_not_and_may_happen_late():
    first, second = cast(0, 1, 3, receipt=1), cast(5, 6, 4, receipt=2)
    lost = unknown(2, Kind.CAST, ballot(5))
    assert found([first, lost], [entry(1, ballot(3))]) == []
    assert found([first, lost], [entry(1, ballot(3)), entry(2, ballot(5))]) == []
    # A request that was held up somewhere arrives after a later one.
    late = [entry(1, ballot(3)), entry(2, ballot(4)), entry(3, ballot(5))]
    assert found([first, lost, second], late) == []


def test_an_unknown_vote_happens_once_and_not_before_it_was_asked_for():
    first, second = cast(0, 1, 3, receipt=1), cast(2, 3, 4, receipt=3)
    twice = [entry(1, ballot(3)), entry(2, ballot(5)), entry(3, ballot(4)), entry(4, ballot(5))]
    assert found([first, unknown(1.5, Kind.CAST, ballot(5)), second], twice) == ["NO_ORDER_EXPLAINS"]
    too_early = [entry(1, ballot(3)), entry(2, ballot(5)), entry(3, ballot(4))]
    assert found([first, second, unknown(4, Kind.CAST, ballot(5))], too_early) == ["NO_ORDER_EXPLAINS"]


def test_a_vote_repeated_after_no_answer_has_the_receipt_of_the_entry_that_stood_already():
    operations = [unknown(0, Kind.CAST, ballot(3)), cast(2, 3, 3, receipt=1)]
    assert found(operations, [entry(1, ballot(3))]) == []


def test_what_never_reached_a_server_did_not_happen():
    never = said(0, 1, Kind.CAST, ballot(3), outcome=Outcome.UNREACHED)
    assert found([never], []) == []
    assert found([never], [entry(1, ballot(3))]) == ["NO_ORDER_EXPLAINS"]


def test_a_refusal_needs_its_cause():
    vote, withdrawal = cast(0, 1, 3, receipt=1), refused(2, 3, Kind.WITHDRAW, "NO_BALLOT")
    assert found([withdrawal], []) == []
    # Whoever is told that they have no ballot, although theirs was acknowledged, was shown an older state.
    assert found([vote, withdrawal], [entry(1, ballot(3))]) == ["NO_ORDER_EXPLAINS"]
    again = said(4, 5, Kind.WITHDRAW, receipt=2)
    both = [entry(1, ballot(3)), entry(2, None)]
    assert found([vote, said(2, 3, Kind.WITHDRAW, receipt=2), again], both) == []
    assert found([vote, said(2, 3, Kind.WITHDRAW, receipt=1), again], both) == ["NO_ORDER_EXPLAINS"]
    turned_away = refused(2, 3, Kind.CAST, "PERMISSION_DENIED")
    assert found([vote, turned_away], [entry(1, ballot(3))]) == ["REFUSED_WITHOUT_CAUSE"]


def test_followings_have_no_receipts_and_are_judged_by_what_stands():
    follow = said(0, 1, Kind.FOLLOW, edge("roads"), of=FOLLOWING)
    unfollow = said(2, 3, Kind.UNFOLLOW, of=FOLLOWING)
    one, two = entry(1, edge("roads"), of=FOLLOWING), entry(2, None, of=FOLLOWING)
    assert found([follow, unfollow], [one, two]) == []
    assert found([follow], [one]) == []
    assert found([follow], []) == ["NO_ORDER_EXPLAINS"]
    assert found([follow, unfollow], [one]) == ["NO_ORDER_EXPLAINS"]
    assert found([follow, unknown(2, Kind.UNFOLLOW, of=FOLLOWING)], [one]) == []
    assert found([follow, unfollow, said(4, 5, Kind.UNFOLLOW, of=FOLLOWING)], [one, two]) == []
    assert found([refused(2, 3, Kind.UNFOLLOW, "PERMISSION_DENIED", of=FOLLOWING)], []) == ["REFUSED_WITHOUT_CAUSE"]


def test_what_stood_before_the_run_stands_until_somebody_changes_it():
    before = {ADA: entry(1, ballot(2))}
    assert found([], [], before=before, contents={ADA: ballot(2)}) == []
    assert found([], [], before=before, contents={}) == ["TABLES_DIFFER_FROM_LEDGER"]
    assert found([cast(0, 1, 2, receipt=1)], [], before=before, contents={ADA: ballot(2)}) == []


def test_faults_of_the_ledger_are_passed_on():
    assert found([], [], ledger_faults=["entry 3 is missing"]) == ["LEDGER_FAULT"]


# --- Runs -------------------------------------------------------------------------------------------------------------


def claim(transaction: int, at: float, fence: int, expires_at: float, holder: str = "one") -> ClaimWritten:
    return ClaimWritten(transaction, at, f"worker-{holder}", 1, fence, holder, f"worker-{holder}", expires_at)


def released(transaction: int, at: float, fence: int, by: str = "one") -> ClaimWritten:
    return ClaimWritten(transaction, at, f"worker-{by}", 1, fence, "", "", at)


def store(transaction: int, at: float, revision: int, by: str = "one") -> ResultStored:
    return ResultStored(transaction, at, f"worker-{by}", 1, 1, revision)


RUN = [released(0, 0, 0), claim(1, 0, 1, 5), claim(2, 1, 1, 6), store(2, 1, 10), released(3, 2, 1)]


def test_runs_one_after_the_other_are_right():
    next_run = [claim(4, 3, 2, 8, "two"), claim(5, 4, 2, 9, "two"), store(5, 4, 12, "two"), released(6, 5, 2, "two")]
    assert found([], [], runs=[*RUN, *next_run]) == []


def test_a_run_may_take_over_when_the_lease_of_a_dead_one_is_over_and_not_before():
    assert found([], [], runs=[*RUN[:4], claim(4, 6.5, 2, 11, "two")]) == []
    assert found([], [], runs=[*RUN[:4], claim(4, 5.5, 2, 11, "two")]) == ["RUNS_OVERLAPPED"]


def test_two_holders_of_one_fence_are_found():
    assert found([], [], runs=[*RUN[:2], claim(2, 1, 1, 6, "two")]) == ["RUNS_OVERLAPPED"]


def test_a_frozen_run_that_comes_back_may_not_renew_its_claim():
    assert found([], [], runs=[*RUN[:4], claim(4, 7, 2, 12, "two"), claim(5, 8, 1, 13)]) == ["FENCE_OUT_OF_ORDER"]


def test_a_frozen_run_that_comes_back_may_not_store():
    taken_over = [*RUN[:4], claim(4, 7, 2, 12, "two")]
    assert found([], [], runs=[*taken_over, store(5, 8, 11)]) == ["STORED_WITHOUT_CLAIM"]
    # Nor in the transaction in which it held the claim before.
    assert found([], [], runs=[*taken_over, store(2, 8, 11)]) == ["STORED_WITHOUT_CLAIM"]


def test_a_run_may_not_use_the_claim_of_another_process():
    taken_over = [*RUN[:4], claim(4, 7, 2, 12, "two")]
    renewed = replace(claim(5, 8, 2, 13, "two"), writer="worker-one")
    assert found([], [], runs=[*taken_over, renewed]) == ["WROTE_ANOTHERS_CLAIM"]
    assert found([], [], runs=[*taken_over, released(5, 8, 2)]) == ["WROTE_ANOTHERS_CLAIM"]
    assert found([], [], runs=[*taken_over, claim(5, 8, 2, 13, "two"), store(5, 8, 11)]) == ["STORED_WITHOUT_CLAIM"]


def test_a_run_may_not_store_after_it_has_released_its_claim():
    assert found([], [], runs=[*RUN, store(3, 2, 11)]) == ["STORED_WITHOUT_CLAIM"]


def test_an_older_result_may_not_replace_a_newer_one():
    held = [*RUN[:4], claim(3, 2, 1, 7)]
    assert found([], [], runs=[*held, store(3, 2, 9)]) == ["OLDER_STORED_OVER_NEWER"]
    assert found([], [], runs=[*held, store(3, 2, 10)]) == ["OLDER_STORED_OVER_NEWER"]
    assert found([], [], runs=[*held, replace(store(3, 2, 10), final=True)]) == []


# --- Results and who watches them -------------------------------------------------------------------------------------

FIRST, SECOND, FINAL = Shown(False, 10), Shown(False, 12), Shown(True, 12)
DECISION = DecisionState(1, 1, 12, 12, {FIRST: "Ash", SECOND: "Birch"}, {}, choices=(11,))
CAST = {"7": StagedBallot("cast", (3_000_000,), frozenset(), True, False)}


def judged(
    decision: DecisionState, *seen: tuple[str, Shown, str], watching: Iterable[str] = (), **more: Any
) -> list[str]:
    sightings = [Sighting(watcher, at, 1, shown, content) for at, (watcher, shown, content) in enumerate(seen)]
    final = state(more.pop("entries", []), decisions=[decision], **more)
    return [one.kind for one in check([], sightings, final, watching=[(name, 1) for name in watching])]


def test_a_current_result_that_all_have_seen_is_right():
    seen = [("ben", FIRST, "Ash"), ("eve", SECOND, "Birch"), ("ben", SECOND, "Birch")]
    assert judged(DECISION, *seen, watching=["ben", "eve"]) == []


def test_a_result_that_is_not_the_verifiers_is_wrong():
    assert judged(replace(DECISION, complaints=["score of 11"])) == ["DIFFERS_FROM_VERIFIER"]


def test_a_decision_that_is_never_calculated_is_stale():
    assert judged(replace(DECISION, input_revision=13)) == ["STALE"]


@pytest.mark.parametrize(
    ("finals", "violations"), [([], ["STALE"]), ([FINAL], []), ([FINAL, Shown(True, 13)], ["STALE"])]
)
def test_a_closed_decision_has_one_final_result(finals, violations):
    closed = replace(DECISION, closed_at=100.0, snapshots={SECOND: "Birch", **dict.fromkeys(finals, "Birch")})
    assert judged(closed) == violations


def test_after_closing_votes_are_refused_and_not_before():
    closed = replace(DECISION, closed_at=100.0, snapshots={FINAL: "Birch"}, exported={ADA: ballot(3)}, staged=CAST)
    vote, late = cast(0, 1, 3, receipt=1), refused(20, 21, Kind.CAST, "DECISION_CLOSED")

    def kinds(*operations: Operation, time: float = 99.0) -> list[str]:
        stored = state([entry(1, ballot(3), time=time)], contents={ADA: ballot(3)}, decisions=[closed])
        return [violation.kind for violation in check(operations, [], stored, closing={1: 20.5})]

    assert kinds(vote, late) == []
    assert kinds(vote, replace(late, completed=20.2)) == ["REFUSED_WITHOUT_CAUSE"]
    # And it counts.
    assert kinds(vote, time=100.0) == ["ACCEPTED_AFTER_CLOSING", "STAGED_DIFFERS", "EXPORT_DIFFERS"]


def test_an_export_without_a_ballot_that_stands_is_wrong():
    decision = replace(DECISION, staged=CAST)
    cast_before = {"before": {ADA: entry(1, ballot(3))}, "contents": {ADA: ballot(3)}}
    assert judged(decision, **cast_before) == ["EXPORT_DIFFERS"]
    exported = {"stars": {"11": 3, "12": 0}, "tags": [], "abstain": False}
    assert judged(replace(decision, exported={ADA: exported}), **cast_before) == []
    abstains = replace(decision, exported={ADA: exported | {"abstain": True}})
    assert judged(abstains, **cast_before) == ["EXPORT_DIFFERS"]


def test_a_watcher_that_ends_on_an_old_result_or_saw_none_is_stuck():
    assert judged(DECISION, ("ben", FIRST, "Ash")) == ["ENDED_ON_OLD_RESULT"]
    assert judged(DECISION, ("ben", SECOND, "Birch"), watching=["ben", "eve"]) == ["ENDED_ON_OLD_RESULT"]


def test_a_watcher_must_not_be_taken_back():
    seen = [("ben", SECOND, "Birch"), ("ben", FIRST, "Ash"), ("ben", SECOND, "Birch")]
    assert judged(DECISION, *seen) == ["WENT_BACK"]
    final = replace(DECISION, closed_at=100.0, snapshots={SECOND: "Birch", FINAL: "Birch"})
    assert judged(final, ("ben", FINAL, "Birch"), ("ben", SECOND, "Birch"), ("ben", FINAL, "Birch")) == ["WENT_BACK"]


def test_a_watcher_must_not_see_what_is_not_stored():
    assert judged(DECISION, ("ben", Shown(False, 11), "Elm"), ("ben", SECOND, "Birch")) == ["SAW_WHAT_IS_NOT_STORED"]
    assert judged(DECISION, ("ben", SECOND, "Ash")) == ["SAW_WHAT_IS_NOT_STORED"]
