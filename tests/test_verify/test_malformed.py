"""Refusal of files that are no bundles, in one line that names the place."""

from __future__ import annotations

import json

import pytest

from tests.test_verify.bundles import answered, bundle, read, verifier


def village() -> dict:
    return answered(
        bundle({"m1": {"A": 5, "tags": ["roads"]}, "m2": {"B": 4}}, ["m3 > m1", "m3 > m2: parks"], choices="AB")
    )


MISTAKES = [
    ((), "format", "ballots", 'format: should be "crowdvote-bundle"'),
    ((), "version", 3, "version: should be 1 or 2"),
    ((), "version", True, "version: should be a whole number"),
    ((), "community", None, "community: should be an object"),
    ((), "members", {}, "members: should be a list"),
    (("members",), 1, "m2", "members[1]: should be an object"),
    (("members", 1), "id", "m1", "members[1].id: second member with this id: m1"),
    (("members", 1), "id", "", "members[1].id: is empty"),
    (("members", 1), "id", 2, "members[1].id: should be text"),
    (("members", 1), "role", "guest", 'members[1].role: should be "voter" or "lobbyist"'),
    (("followings", 0), "follower", "nobody", "followings[0].follower: no such member: nobody"),
    (("followings", 0), "followee", "m3", "followings[0]: member m3 follows itself"),
    (("followings", 1), "followee", "m1", "followings[1]: second following from m3 to m1"),
    (("followings", 1), "tags", "parks", "followings[1].tags: should be a list"),
    (("followings", 1), "tags", ["parks", 5], "followings[1].tags[1]: should be text"),
    (("followings", 1), "tags", ["parks", " "], "followings[1].tags[1]: is empty"),
    (("decisions", 0), "id", None, "decisions[0].id: should be text"),
    (("decisions", 0, "choices", 1), "id", "A", "decisions[0].choices[1].id: second choice with this id: A"),
    (
        ("decisions", 0, "choices", 1),
        "lot",
        1,
        "decisions[0].choices[1].lot: lots should be the numbers 1 to 2, each once",
    ),
    (
        ("decisions", 0, "choices", 1),
        "lot",
        3,
        "decisions[0].choices[1].lot: lots should be the numbers 1 to 2, each once",
    ),
    (("decisions", 0, "ballots", 1), "member", "nobody", "decisions[0].ballots[1].member: no such member: nobody"),
    (("decisions", 0, "ballots", 1), "member", "m1", "decisions[0].ballots[1]: second ballot of member m1"),
    (("decisions", 0, "ballots", 1), "stars", {"c9": 1}, "decisions[0].ballots[1].stars.c9: no such choice"),
    (("decisions", 0, "ballots", 1), "stars", {"c 9": 1}, 'decisions[0].ballots[1].stars["c 9"]: no such choice'),
    *(
        (
            ("decisions", 0, "ballots", 1, "stars"),
            "B",
            stars,
            "decisions[0].ballots[1].stars.B: should be a whole number from 0 to 5",
        )
        for stars in (6, -1, True, 1.0, "1", None)
    ),
    (("decisions", 0, "ballots", 1), "abstain", True, "decisions[0].ballots[1]: abstains and gives stars"),
    (("decisions", 0, "ballots", 1), "abstain", 0, "decisions[0].ballots[1].abstain: should be true or false"),
    (("decisions", 0), "result", None, "decisions[0].result: should be an object"),
    (("decisions", 0, "staged", 1), "microstars", [], "decisions[0].staged[1].microstars: should be an object"),
]


@pytest.mark.parametrize(("path", "key", "value", "message"), MISTAKES, ids=[mistake[3] for mistake in MISTAKES])
def test_a_mistake_is_refused_with_its_place(path, key, value, message):
    record = village()
    read(record)
    place = record
    for step in path:
        place = place[step]
    place[key] = value
    with pytest.raises(verifier.Malformed) as error:
        read(record)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("path", "key", "place"),
    [
        ((), "followings", "followings"),
        (("community",), "name", "community.name"),
        (("decisions", 0), "ballots", "decisions[0].ballots"),
        (("decisions", 0, "choices", 0), "lot", "decisions[0].choices[0].lot"),
        (("decisions", 0, "ballots", 0), "member", "decisions[0].ballots[0].member"),
        (("decisions", 0, "staged", 0), "member", "decisions[0].staged[0].member"),
    ],
)
def test_what_is_missing_is_named(path, key, place):
    record = village()
    parent = record
    for step in path:
        parent = parent[step]
    del parent[key]
    with pytest.raises(verifier.Malformed) as error:
        read(record)
    assert str(error.value) == f"{place}: missing"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON: Expecting value: line 1 column 1 (char 0)"),
        ("[]", 'format: should be "crowdvote-bundle"'),
        ('{"format": NaN}', "not JSON: NaN"),
        ('{"format": "a", "format": "b"}', 'not a bundle: an object has the key "format" twice'),
    ],
)
def test_what_is_not_an_object_in_json_is_refused(text, message):
    with pytest.raises(verifier.Malformed) as error:
        verifier.read_bundle(text)
    assert str(error.value) == message


def test_brackets_without_end_are_refused():
    with pytest.raises(verifier.Malformed):
        verifier.read_bundle("[" * 1_000_000)


@pytest.mark.parametrize(("key", "other"), [("result", "staged"), ("staged", "result")])
def test_there_must_be_something_to_verify(key, other):
    record = village()
    del record["decisions"][0][key]
    assert other in record["decisions"][0]
    bare = read(record)
    with pytest.raises(verifier.Malformed) as error:
        verifier.verify(bare, bare.decisions[0])
    place = f"decisions[0].{key}"
    assert str(error.value) == f"{place}: missing, nothing to verify (--calculate prints what it should be)"


def test_members_need_no_name_and_ballots_no_tags():
    record = json.loads(json.dumps(village()))
    for row in record["members"]:
        del row["name"]
    for row in record["decisions"][0]["ballots"]:
        row.pop("abstain")
    del record["decisions"][0]["ballots"][1]["tags"]
    village_again = read(record)
    assert verifier.verify(village_again, village_again.decisions[0])[0] == []
