"""A right bundle is accepted; one changed number, name or tag in what it claims is not."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.test_verify.bundles import answered, bundle, differences, verifier

BUNDLES = {
    "inheritance, tags, lobbyists and abstentions": bundle(
        {
            "m1": {"A": 5, "B": 2, "tags": ["roads", "parks"]},
            "m2": {"A": 1, "B": 4, "C": 5, "tags": ["roads"]},
            "m3": {"abstain": True},
            "m4": {"abstain": True, "tags": ["parks"]},
            "L": {"C": 5},
        },
        ["m5 > m1", "m5 > m6: roads", "m6 > m5", "m6 > m2", "m7 > m3", "m8 > L", "K > m1: parks"],
        choices="ABC",
        lobbyists=["K", "L"],
    ),
    "ties in both rounds": bundle(
        {"m1": {"A": 5, "C": 2}, "m2": {"B": 5, "C": 1}, "m3": {"C": 2}}, choices="ABC", bystanders=["m4"]
    ),
    "no ballots": bundle({"m1": {"abstain": True}, "m3": {"abstain": True}}, ["m2 > m1"], choices="AB"),
}


def leaves(value: Any, path: tuple) -> Iterator[tuple[tuple, Any]]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*path, key))
    else:
        yield path, value


def containers(value: Any, path: tuple) -> Iterator[tuple[tuple, Any]]:
    if isinstance(value, dict | list):
        yield path, value
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from containers(item, (*path, key))


def at(record: dict[str, Any], path: tuple) -> Any:
    place: Any = record["decisions"][0]
    for key in path:
        place = place[key]
    return place


def others(leaf: Any) -> list[Any]:
    """Return what could stand in a leaf's place and must not."""
    if isinstance(leaf, bool):
        return [int(leaf)]
    if isinstance(leaf, int):
        return [leaf + 1, leaf - 1, float(leaf), str(leaf), None, bool(leaf)]
    if isinstance(leaf, str):
        return [leaf + "x", "A" if leaf != "A" else "B", "", None]
    return ["A", 0, False]


def rejected(record: dict[str, Any]) -> bool:
    try:
        return bool(differences(record))
    except verifier.Malformed:
        return True


UNPROVABLE = {"revision", "final"}  # see the tests of contradictions
IGNORABLE = {"reason", "numbers"}  # may be absent


@pytest.mark.parametrize("name", BUNDLES)
def test_what_is_right_is_accepted(name):
    assert differences(answered(BUNDLES[name])) == []


@pytest.mark.parametrize("name", BUNDLES)
def test_every_single_change_of_a_claim_is_found(name):
    record = answered(BUNDLES[name])
    tried, accepted = 0, []
    for part in ("result", "staged"):
        for path, leaf in leaves(at(record, (part,)), (part,)):
            for other in others(leaf) if path[-1] not in UNPROVABLE else ():
                changed = copy.deepcopy(record)
                at(changed, path[:-1])[path[-1]] = other
                tried += 1
                if not rejected(changed):
                    accepted.append((path, other))
    assert accepted == []
    assert tried > 80


@pytest.mark.parametrize("name", BUNDLES)
def test_everything_missing_or_added_is_found(name):
    record = answered(BUNDLES[name])
    accepted = []
    for part in ("result", "staged"):
        for path, container in containers(at(record, (part,)), (part,)):
            for key in list(container) if isinstance(container, dict) else range(len(container)):
                changed = copy.deepcopy(record)
                del at(changed, path)[key]
                if key not in IGNORABLE and not rejected(changed):
                    accepted.append(("without", *path, key))
            named_by_ids = path[-1] in {"scores", "microstars", "for", "numbers"} or "preferences" in path
            if isinstance(container, list) or named_by_ids:
                changed = copy.deepcopy(record)
                place = at(changed, path)
                if isinstance(place, list):
                    place.append(copy.deepcopy(place[0]) if place else "A")
                else:
                    place["Z"] = 0
                if not rejected(changed):
                    accepted.append(("with more in", *path))
    # A tag written twice is one tag; tags of an abstention need not be shown.
    assert [change for change in accepted if "tags" not in change] == []


def test_claims_may_come_in_any_order_with_remarks_and_without_abstentions():
    record = answered(BUNDLES["inheritance, tags, lobbyists and abstentions"])
    [decision] = record["decisions"]
    decision["staged"] = [row for row in reversed(decision["staged"]) if row["kind"] != "abstained"]
    decision["result"] = dict(reversed(decision["result"].items())) | {"remark": "checked twice"}
    assert differences(record) == []


def test_tags_are_compared_in_their_one_form():
    record = answered(BUNDLES["inheritance, tags, lobbyists and abstentions"])
    row = next(row for row in record["decisions"][0]["staged"] if row["member"] == "m5")
    assert row["tags"] == ["parks", "roads"]
    row["tags"] = [" ROADS", "ｐarks"]
    assert differences(record) == []


def test_a_difference_names_the_place_and_both_numbers():
    record = answered(BUNDLES["ties in both rounds"])
    [decision] = record["decisions"]
    decision["result"]["scores"]["A"] = 4
    decision["result"]["preferences"]["B"]["Z"] = 1
    del decision["result"]["participation"]["none"]
    decision["staged"][0]["microstars"]["C"] = 2_000_001
    del decision["staged"][2]
    assert differences(record) == [
        "decisions[0].result.scores.A: the file says 4, calculated 5000000",
        "decisions[0].result.participation.none: missing, calculated 1",
        "decisions[0].result.preferences.B.Z: the file says 1, calculated nothing",
        "decisions[0].staged[0].microstars.C: the file says 2000001, calculated 2000000",
        'decisions[0].staged: no ballot of "m3", calculated cast',
    ]


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({}, []),
        ({"revision": 10}, ["decisions[0].result.revision: is 10, after the ledger's 9"]),
        ({"revision": True}, ["decisions[0].result.revision: should be a whole number, is true"]),
        ({"final": None}, ["decisions[0].result.final: should be true or false, is null"]),
    ],
)
def test_revision_and_final_must_not_contradict_the_rest(changes, difference):
    record = answered(BUNDLES["ties in both rounds"])
    record["decisions"][0]["result"] |= {"final": True} | changes
    assert differences(record) == difference


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"status": "open"}, "decisions[0].result.final: is true, but the decision is open"),
        (
            {"closes_at": "2026-03-02T00:00:01Z"},
            "decisions[0].result.final: is true, but the decision closed after the export",
        ),
    ],
)
def test_a_final_result_needs_a_closed_decision(changes, difference):
    record = answered(BUNDLES["ties in both rounds"])
    record["decisions"][0] |= changes
    assert differences(record) == []
    record["decisions"][0]["result"]["final"] = True
    assert differences(record) == [difference]


def test_lots_are_drawn_again_where_the_file_says_how():
    record = bundle({"m1": {"A": 1, "B": 1}}, choices="ABC")
    [decision] = record["decisions"]
    ids = {"A": "101", "B": "102", "C": "103"}
    ranked = sorted(ids, key=lambda choice: hashlib.sha256(f"77:{ids[choice]}".encode()).digest())
    for choice in decision["choices"]:
        choice["lot"] = 1 + ranked.index(choice["id"])
    decision |= {"lots_from": "sha256", "lot_ids": {"decision": "77", "choices": ids}}
    assert differences(answered(record)) == []
    first, second, _ = decision["choices"]
    first["lot"], second["lot"] = second["lot"], first["lot"]
    assert differences(answered(record)) == [
        f"decisions[0].choices[{n}].lot: the file says {one['lot']}, calculated {other['lot']}"
        for n, (one, other) in enumerate([(first, second), (second, first)])
    ]
    del decision["lots_from"]
    assert differences(answered(record)) == []
