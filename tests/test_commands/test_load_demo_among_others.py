"""The demo communities in a database that others use already."""

from __future__ import annotations

import pytest

from democracy import demo
from democracy.models import LedgerEntry, Membership
from tests import factories
from tests.test_commands.running import run

pytestmark = pytest.mark.django_db


def test_a_real_community_and_a_real_person_of_the_same_name_are_left_alone(monkeypatch):
    monkeypatch.setattr(demo, "COMMUNITIES", demo.COMMUNITIES[:2])
    town, _ = factories.community("ann", name="springfield")
    factories.person("mei_tanaka")
    before = list(LedgerEntry.objects.filter(community=town).values())
    assert run("load_demo")[1] == "springfield is there already"
    assert list(LedgerEntry.objects.filter(community=town).values()) == before
    mei = Membership.objects.select_related("user").get(community__name="Maple Court", file_id="mei_tanaka")
    assert (mei.user.handle, mei.user.is_demo) == ("mei_tanaka_2", True)
