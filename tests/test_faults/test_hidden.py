"""Results that decisions hide, in histories that are made up."""

from __future__ import annotations

from typing import Any

from tests.faults.checker import check
from tests.faults.state import UNTOLD, DecisionState, Shown, Sighting
from tests.test_faults.made_up import ballot, entry, joined, state

PEOPLE = [str(number) for number in range(20, 26)]
VOTES = [entry(number, ballot(3), of=f"ballot:1:{one}") for number, one in enumerate(PEOPLE, 1)]
BEFORE = {f"membership:{one}": joined(one) for one in PEOPLE}


def found(visibility: str, *seen: Shown, **decision: Any) -> set[str]:
    """Check what is hidden, where six people voted and these results, called "Ash", were seen."""
    one = DecisionState(1, 1, 6, 6, **{"snapshots": {}, "exported": None, "visibility": visibility, **decision})
    sightings = [Sighting("ben", at, 1, shown, "Ash") for at, shown in enumerate(seen)]
    ignored = {"NO_ORDER_EXPLAINS", "STAGED_DIFFERS"}
    violations = check([], sightings, state(VOTES, before=BEFORE, decisions=[one]))
    return {violation.kind for violation in violations} - ignored


def test_after_close_shows_nothing_but_the_final_result():
    assert found("after_close") == set()
    assert found("after_close", snapshots={Shown(False, 5): "Ash"}) == {"SHOWN_BEFORE_CLOSING"}
    assert "SHOWN_BEFORE_CLOSING" in found("after_close", Shown(False, UNTOLD))
    final = {Shown(True, 6): "Ash"}
    assert found("after_close", Shown(True, 6), snapshots=final, closed_at=9.0) == set()


def test_batched_shows_a_result_once_five_people_have_voted_and_not_one_more():
    first, second = {Shown(False, 5): "Ash"}, {Shown(False, 6): "Ash"}
    assert found("batched", Shown(False, UNTOLD), snapshots=first) == set()
    assert found("batched", snapshots={Shown(False, 4): "Ash"}) == {"SHOWN_BETWEEN_BATCHES"}
    assert found("batched", snapshots={**first, **second}) == {"SHOWN_BETWEEN_BATCHES"}


def test_the_revision_of_a_batched_result_is_told_to_nobody():
    first = {Shown(False, 5): "Ash"}
    assert found("batched", Shown(False, 5), snapshots=first) == {"TOLD_A_HIDDEN_REVISION"}


def test_hidden_ballots_are_exported_once_the_decision_has_closed():
    # What is missing there is another fault.
    assert found("batched", exported={}) == {"HIDDEN_BALLOTS_EXPORTED", "EXPORT_DIFFERS"}
    final = {Shown(True, 6): "Ash"}
    assert found("batched", exported={}, snapshots=final, closed_at=9.0) == {"EXPORT_DIFFERS"}


def test_a_batched_result_is_known_by_its_content_and_must_not_go_back():
    results = {Shown(False, 5): "Birch", Shown(False, 10): "Ash"}
    seen = [
        Sighting("ben", at, 1, Shown(False, UNTOLD), content) for at, content in enumerate(("Birch", "Ash", "Birch"))
    ]
    one = DecisionState(1, 1, 6, 6, results, None, visibility="batched")

    def kinds(*sightings: Sighting) -> set[str]:
        violations = check([], sightings, state(VOTES, before=BEFORE, decisions=[one]))
        return {violation.kind for violation in violations} - {
            "NO_ORDER_EXPLAINS", "STAGED_DIFFERS", "SHOWN_BETWEEN_BATCHES",
        }  # fmt: skip

    assert kinds(*seen[:2]) == set()
    assert kinds(*seen) == {"WENT_BACK", "ENDED_ON_OLD_RESULT"}
    assert kinds(Sighting("ben", 0, 1, Shown(False, UNTOLD), "Elm")) == {
        "SAW_WHAT_IS_NOT_STORED",
        "ENDED_ON_OLD_RESULT",
    }
