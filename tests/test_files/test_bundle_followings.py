"""The followings of a bundle: those between named members, in order of their ids, as the file has them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from democracy.files.bundle_followings import following_rows
from democracy.files.json_pieces import TextRows, in_pieces
from democracy.models import Following
from tests import factories

pytestmark = pytest.mark.django_db
NO_TAGS: frozenset[str] = frozenset()


def read(rows: TextRows) -> list[dict[str, Any]]:
    text = "".join(in_pieces({"followings": rows}))
    found: list[dict[str, Any]] = json.loads(text)["followings"]
    # A row a line, as `in_pieces` writes any other list.
    assert text == "".join(in_pieces({"followings": iter(found)}))
    return found


def test_the_rows_are_those_between_named_members_in_order_of_their_ids() -> None:
    community, members = factories.community("ada", "ben", "cleo", "dora")
    ada, ben, cleo, dora = (members[name].pk for name in ("ada", "ben", "cleo", "dora"))
    for follower, followee in (("ada", "ben"), ("ben", "ada"), ("dora", "ada")):
        factories.follow(members[follower], members[followee])
    Following.objects.filter(follower=ada).update(order=7)
    followings = {
        (ada, ben): NO_TAGS,
        (ben, ada): frozenset({"ä “b”", 'a"b'}),
        (ben, cleo): NO_TAGS,  # has ended since
        (ada, cleo): NO_TAGS,  # hidden below
        (dora, ada): NO_TAGS,  # not told
        (ada, dora): NO_TAGS,
    }
    told = {pair: tags for pair, tags in followings.items() if pair != (ada, cleo)}
    ids = {dora: "Ä", ben: 'b"', cleo: "c", ada: "m1"}
    order = Following.objects.get(follower=ben).order
    assert read(following_rows(community.pk, told, list(ids), [dora], list(ids.values()))) == [
        {"follower": 'b"', "followee": "c", "tags": []},
        {"follower": 'b"', "followee": "m1", "tags": ['a"b', "ä “b”"], "order": order},
        {"follower": "m1", "followee": "Ä", "tags": []},
        {"follower": "m1", "followee": 'b"', "tags": [], "order": 7},
    ]
    # Without cleo, who is not named; and where nobody is.
    named = {pk: id for pk, id in ids.items() if pk != cleo}
    rows = read(following_rows(community.pk, followings, list(named), [], list(named.values())))
    assert [(row["follower"], row["followee"]) for row in rows] == [
        ("Ä", "m1"),
        ('b"', "m1"),
        ("m1", "Ä"),
        ("m1", 'b"'),
    ]
    assert read(following_rows(community.pk, followings, [], [], [])) == []
    assert read(following_rows(community.pk, {}, list(ids), [], list(ids.values()))) == []
