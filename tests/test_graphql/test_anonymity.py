"""Nobody but an anonymous member learns how that member voted; nobody but they and the managers learns who they are."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.models import Model

from accounts.models import User
from democracy import access, recalculation, services
from democracy.models import Community, Decision, Membership
from democracy.recalculation.staging import forget_everything
from tests import factories
from tests.test_graphql.api import ask, id_of, post
from tests.test_graphql.documents import COMMUNITY, DECISION, LEDGER, NODE, WHAT_IF

pytestmark = pytest.mark.django_db


@dataclass
class Scene:
    """`hidden` voted in one decision, inherits in the other, was followed by `ann` and follows `ben`."""

    community: Community
    members: dict[str, Membership]
    cast: Decision
    inherited: Decision
    viewers: dict[str, User | None]

    @property
    def hidden(self) -> Membership:
        return self.members["hidden"]


def count_on_from_the_largest(model: type[Model]) -> None:
    """Let the next row get the number after the largest: SQLite does so anyway, PostgreSQL only when told."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [model]):
            cursor.execute(statement)


@pytest.fixture(scope="module", params=[Community.Visibility.PUBLIC, Community.Visibility.MEMBERS])
def written(request: pytest.FixtureRequest, module_rows: None) -> Iterator[Scene]:
    forget_everything()
    # The second scene has the numbers of the first.
    with transaction.atomic():
        # Numbers that no other number contains by chance.
        User.objects.create_user("far@example.org", handle="far", name="Far", pk=7_700_000)
        count_on_from_the_largest(User)
        community, members = factories.community("ann", "ben", visibility=request.param)
        Membership.objects.create(pk=8_800_000, community=community, user=factories.person("last"))
        count_on_from_the_largest(Membership)
        members["hidden"] = factories.join(community, factories.person("zoe_quux", name="Zoé Quux-Name"))
        manager, ann, ben, hidden = (members[name] for name in ("manager", "ann", "ben", "hidden"))
        cast, inherited = (factories.decision(community, manager.user) for _ in range(2))
        factories.follow(ann, hidden)
        factories.follow(hidden, ben, "roads")
        services.set_anonymity(hidden.user, community.pk, anonymous=True, confirmed=True)
        factories.vote(hidden, cast, tags=["budget"], Ash=5, Birch=3)
        for decision in (cast, inherited):
            factories.vote(ben, decision, tags=["roads"], Cedar=4)
        recalculation.recalculate_community(community.pk)
        viewers = {"visitor": None, "stranger": factories.person(), "member": ann.user, "manager": manager.user}
        yield Scene(community, members, cast, inherited, viewers)
        transaction.set_rollback(True)


@pytest.fixture
def scene(written: Scene, db: None) -> Scene:
    return copy.deepcopy(written)


def everything(scene: Scene, viewer: User | None) -> dict[str, Any]:
    """The answers to every query that there is, errors included, by what was asked."""
    unfollow = {"unfollow": {"memberId": id_of(scene.members["ben"])}}
    answers = {
        f"{decision.title} {number}": post(viewer, query, id=id_of(decision), **more)
        for decision in (scene.cast, scene.inherited)
        for number, (query, more) in enumerate([(DECISION, {}), (WHAT_IF, {"changes": [unfollow]})])
    }
    answers["what if one followed them"] = post(
        viewer, WHAT_IF, id=id_of(scene.cast), changes=[{"follow": {"memberId": id_of(scene.hidden)}}]
    )
    answers["node"] = post(viewer, NODE, id=id_of(scene.hidden))
    answers["community"] = post(viewer, COMMUNITY, id=id_of(scene.community))
    for order in (True, False):
        answers[f"ledger {order}"] = post(viewer, LEDGER, id=id_of(scene.community), newestFirst=order)
    return answers


def traces_of(member: Membership) -> list[str]:
    """All that would give the member away: names, address, numbers, and the ids that the API has for them."""
    kinds = ("Member", "User", "Me", "Account", "Membership")
    ids = [base64.b64encode(f"{kind}:{pk}".encode()).decode() for kind in kinds for pk in (member.pk, member.user_id)]
    return ["zoe", "quux", "zoé", "zo\\u00e9", str(member.pk), str(member.user_id), *ids]


def told(answer: object) -> str:
    """An answer as text, without cursors: they are sealed, and letters of a name come up in them by chance."""
    return re.sub(r"\brow\.[A-Za-z0-9_-]{64,}=*", "", json.dumps(answer)).lower()


@pytest.mark.parametrize("who", ["visitor", "stranger", "member"])
def test_no_query_tells_who_an_anonymous_member_is(scene: Scene, who: str) -> None:
    for asked, answer in everything(scene, scene.viewers[who]).items():
        text = told(answer)
        found = [trace for trace in traces_of(scene.hidden) if trace.lower() in text]
        assert found == [], asked


def test_a_manager_finds_them_on_the_roll_and_nowhere_near_ballots_or_followings(scene: Scene) -> None:
    answers = everything(scene, scene.viewers["manager"])
    roll = answers.pop("community")["data"]["community"]["members"]["edges"]
    (row,) = [edge["node"] for edge in roll if edge["node"]["isAnonymous"]]
    assert row["handle"] == scene.hidden.user.handle
    assert row["followings"]["edges"] == row["followers"]["edges"] == []
    assert answers.pop("node")["data"]["node"]["handle"] == scene.hidden.user.handle
    for order in (True, False):
        entries = [edge["node"] for edge in answers.pop(f"ledger {order}")["data"]["ledger"]["edges"]]
        assert {entry["kind"] for entry in entries if "zoe" in told(entry)} == {"APPLICATION", "MEMBERSHIP"}
    for asked, answer in answers.items():
        assert [trace for trace in traces_of(scene.hidden) if trace.lower() in told(answer)] == [], asked


def test_their_ballots_bear_pseudonyms_that_differ_and_come_last_in_order(scene: Scene) -> None:
    names = {}
    for decision in (scene.cast, scene.inherited):
        ballots = ask(scene.viewers["member"], DECISION, id=id_of(decision))["decision"]["ballots"]["edges"]
        names[decision.pk] = [edge["node"]["voter"]["name"] for edge in ballots]
    kinds = ((scene.cast, "cast"), (scene.inherited, "inherited"))
    pseudonyms = [access.pseudonym(decision.pk, scene.hidden.pk, kind=kind) for decision, kind in kinds]
    ben = scene.members["ben"].user.handle
    assert names == {scene.cast.pk: [ben, pseudonyms[0]], scene.inherited.pk: [ben, pseudonyms[1]]}
    assert pseudonyms[0] != pseudonyms[1]


def test_they_see_themselves(scene: Scene) -> None:
    ballot = ask(scene.hidden.user, DECISION, id=id_of(scene.cast))["decision"]["myBallot"]
    assert ballot["voter"] == {
        "name": access.pseudonym(scene.cast.pk, scene.hidden.pk),
        "isAnonymous": True,
        "isMe": True,
        "member": {"id": id_of(scene.hidden), "name": scene.hidden.user.name, "handle": scene.hidden.user.handle},
    }


@pytest.mark.parametrize("who", ["member", "manager"])
def test_following_them_is_refused_like_following_nobody(scene: Scene, who: str) -> None:
    query = "mutation($m: ID!) { follow(input: {memberId: $m}) { following { id } errors { code message field } } }"
    answers = [post(scene.viewers[who], query, m=id_of(one)) for one in (scene.hidden, Membership(pk=999_999))]
    assert answers[0] == answers[1]
    assert [error["code"] for error in answers[0]["data"]["follow"]["errors"]] == ["PERMISSION_DENIED"]


def test_no_id_of_a_following_counts_the_followings_of_anonymous_members(scene: Scene) -> None:
    ann, ben, manager = (scene.members[name] for name in ("ann", "ben", "manager"))
    query = """query($id: ID!) { node(id: $id) { ... on Member { followings { edges { node { id } } } } } }"""
    ids = []
    for _ in range(2):
        factories.follow(ann, ben)
        (edge,) = ask(scene.viewers["manager"], query, id=id_of(ann))["node"]["followings"]["edges"]
        ids.append(edge["node"]["id"])
        services.unfollow(ann.user, ben.pk)
        factories.follow(scene.hidden, manager)
    assert ids[0] == ids[1]
