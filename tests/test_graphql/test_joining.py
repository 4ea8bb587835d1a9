"""The ways in which people join a community: the field, its deprecated forerunner, and invitations."""

from __future__ import annotations

import pytest

from democracy.models import Community
from tests import factories
from tests.test_graphql.api import ask, id_of

pytestmark = pytest.mark.django_db

CREATE = "mutation($input: CreateCommunityInput!) { done: createCommunity(input: $input) { community { %s } } }"
UPDATE = "mutation($input: UpdateCommunityInput!) { done: updateCommunity(input: $input) { community { %s } } }"
HOW = "joining autoApprove"


def test_how_people_join_is_said_by_either_field_and_the_new_one_wins() -> None:
    founder = factories.person()

    def made(name: str, **how: object) -> dict[str, object]:
        answer: dict[str, object] = ask(founder, CREATE % HOW, input={"name": name, **how})["done"]["community"]
        return answer

    assert made("Asking") == {"joining": "REQUEST", "autoApprove": False}
    assert made("Open", joining="OPEN") == {"joining": "OPEN", "autoApprove": True}
    assert made("As before", autoApprove=True) == {"joining": "OPEN", "autoApprove": True}
    assert made("Both", joining="INVITED", autoApprove=True) == {"joining": "INVITED", "autoApprove": False}
    community = Community.objects.get(name="Both")

    def changed(**how: object) -> str:
        change = {"communityId": id_of(community), **how}
        joining: str = ask(founder, UPDATE % HOW, input=change)["done"]["community"]["joining"]
        return joining

    assert [changed(description="x"), changed(autoApprove=True), changed(autoApprove=False)] == [
        "INVITED",
        "OPEN",
        "REQUEST",
    ]
