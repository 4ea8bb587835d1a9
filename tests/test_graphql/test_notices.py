"""One's own notices by the API."""

from __future__ import annotations

import pytest

from democracy.models import Membership, Notice
from democracy.notices import outbox
from democracy.notices.kinds import Kind
from tests import factories
from tests.test_graphql.api import ask, client_of, id_of, post

LIST = """{ me { unreadNotices notices(first: 50) { totalCount edges { node {
  id kind title text url readAt community { name } decision { title } } } } } }"""


@pytest.fixture
def town(db: None) -> dict[str, Membership]:
    """Ada has three notices, Ben has one."""
    community, members = factories.community("ada", "ben", name="Larch Lane")
    decision = factories.decision(community, members["manager"].user, title="A bench?")
    for name, kind in (("ada", Kind.OPENED), ("ada", Kind.RESULT), ("ada", Kind.NEW_FOLLOWER), ("ben", Kind.OPENED)):
        about = None if kind == Kind.NEW_FOLLOWER else decision.pk
        outbox.add(kind, "x", person_id=members[name].user_id, community_id=community.pk, decision_id=about)
    return members


def test_everybody_asks_for_their_own_and_marks_them_as_read(town, django_assert_max_num_queries) -> None:
    ada = client_of(town["ada"].user)
    ask(ada, LIST)
    with django_assert_max_num_queries(12):
        me = ask(ada, LIST)["me"]
    first, *others = [edge["node"] for edge in me["notices"]["edges"]]
    assert (me["unreadNotices"], me["notices"]["totalCount"], len(others)) == (3, 3, 2)
    assert (first["kind"], first["decision"], first["community"]) == ("NEW_FOLLOWER", None, {"name": "Larch Lane"})
    assert (others[0]["decision"], others[0]["url"].endswith("/results/")) == ({"title": "A bench?"}, True)
    of_ben = id_of(Notice.objects.get(person=town["ben"].user))
    mark = "mutation($ids: [ID!]) { done: markNoticesRead(ids: $ids) { unread errors { code } } }"
    assert ask(ada, mark, ids=[first["id"], of_ben])["done"] == {"unread": 2, "errors": []}
    assert ask(ada, mark)["done"] == {"unread": 0, "errors": []}
    assert Notice.objects.get(person=town["ben"].user).read_at is None
    assert ask(None, '{ node(id: "' + of_ben + '") { id } }')["node"] is None


def test_preferences_are_chosen_by_community_and_kind(town) -> None:
    ada, community = client_of(town["ada"].user), id_of(town["ada"].community)
    choose = """mutation($input: SetNoticePreferencesInput!) { done: setNoticePreferences(input: $input) {
      preferences { kind way } errors { code } } }"""
    chosen = {"communityId": community, "preferences": [{"kind": "RESULT", "way": "DAILY"}]}
    done = ask(ada, choose, input=chosen)["done"]
    assert {"kind": "RESULT", "way": "DAILY"} in done["preferences"]
    query = "query($c: ID!) { me { noticePreferences(communityId: $c) { kind way } } }"
    assert ask(ada, query, c=community)["me"]["noticePreferences"] == done["preferences"]
    invited = chosen | {"preferences": [{"kind": "INVITED", "way": "SITE"}]}
    assert post(ada, choose, input=invited)["data"]["done"]["errors"] == [{"code": "INVALID"}]
