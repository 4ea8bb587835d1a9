"""A results page that is open while its result comes: the parts that appear then ask for themselves, and no others."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from democracy.models import Decision
from democracy.recalculation import recalculate_community
from tests import factories
from tests.test_views.browsing import as_, text

pytestmark = pytest.mark.django_db

HEADINGS = ("How close it is", "Whose ballots carry most")


class Open:
    """A decision of a community for members, while it is open: Ada votes, and Ben looks on."""

    def __init__(self, **fields: Any) -> None:
        self.community, self.members = factories.community("ada", "ben", visibility="members")
        self.decision = factories.decision(self.community, self.members["manager"].user, **fields)
        self.address = reverse("decision-results", args=(self.community.pk, self.decision.pk))

    def vote(self) -> None:
        factories.vote(self.members["ada"], self.decision, Ash=5, Birch=3)
        recalculate_community(self.community.pk)

    def close(self) -> None:
        factories.close(self.decision, at=timezone.now() + timedelta(microseconds=1))
        recalculate_community(self.community.pk)

    def part(self, name: str, who: str = "ben") -> str:
        """Return what a page is answered that asks for this part."""
        headers = {"HX-Request": "true", "HX-Target": name}
        return text(as_(self.members[who].user).get(self.address, headers=headers))


def asks(part: str) -> list[str]:
    """Return the events at which the first element of a part asks for it again."""
    (element,) = re.findall(r"^(?:<[!/][^>]*>|\s)*(<(?:div|section)\b[^>]*>)", part)
    return re.findall(r'hx-trigger="(\w+) from:body"', element)


@pytest.mark.parametrize("visibility", [Decision.Visibility.LIVE, Decision.Visibility.AFTER_CLOSE])
def test_how_close_it_is_asks_until_the_ballots_are_shown_and_then_each_part_for_itself(visibility: str) -> None:
    scene = Open(results_visibility=visibility)
    page = text(as_(scene.members["ben"].user).get(scene.address))
    before = scene.part("closeness")
    assert before in page
    assert ([heading in before for heading in HEADINGS], asks(before)) == ([False, False], ["calculated"])
    scene.vote()
    if visibility == Decision.Visibility.AFTER_CLOSE:
        assert scene.part("closeness") == before
        scene.close()
    shown = scene.part("closeness")
    assert ([heading in shown for heading in HEADINGS], asks(shown)) == ([True, True], [])
    assert shown.count('hx-trigger="load, calculated from:body"') == 2


def test_a_result_without_its_ballots_says_how_close_it_is_and_goes_on_asking() -> None:
    scene = Open(results_visibility=Decision.Visibility.BATCHED)
    for member in factories.voters(scene.community, [f"voter_{scene.community.pk}_{one}" for one in range(5)]):
        factories.vote(member, scene.decision, Ash=5, Birch=3)
    recalculate_community(scene.community.pk)
    interim = scene.part("closeness")
    assert ([heading in interim for heading in HEADINGS], asks(interim)) == ([True, False], ["calculated"])
    assert "load" not in interim


def test_a_manager_is_offered_to_publish_once_voting_has_closed() -> None:
    scene = Open()
    scene.vote()
    before = scene.part("telling", "manager")
    assert ("Publish the result" in before, asks(before)) == (False, ["phase"])
    scene.close()
    offered = scene.part("telling", "manager")
    assert ("Publish the result" in offered, asks(offered)) == (True, [])


def test_who_has_nothing_to_publish_asks_for_nothing_to_tell() -> None:
    scene = Open()
    assert "<section" not in scene.part("telling")
    scene.community.visibility = "public"
    scene.community.save()
    for who in ("ben", "manager"):
        public = scene.part("telling", who)
        assert ("Everybody may read this." in public, asks(public)) == (True, [])
