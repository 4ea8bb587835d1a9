"""`verify_ledger` finds ledgers that are not as they were written."""

from __future__ import annotations

import pytest

from democracy.models import Application, Community, LedgerEntry, Membership
from tests import factories
from tests.test_commands.running import refused, run

pytestmark = pytest.mark.django_db


@pytest.fixture
def two():
    return factories.community("ann", name="Town")[0], factories.community("bob", name="Village")[0]


def test_ledgers_as_written_are_said_to_be(two):
    town, village = two
    town.refresh_from_db()
    village.refresh_from_db()
    assert run("verify_ledger") == [
        f"community {one.pk} “{one.name}”: {one.revision} entries, all as written" for one in (town, village)
    ]


def test_a_changed_entry_fails_the_command_and_the_other_community_is_fine(two):
    town, village = two
    LedgerEntry.objects.filter(community=town, revision=2).update(after={"user": 1})
    with refused("faults found."):
        run("verify_ledger")
    with refused("faults found."):
        run("verify_ledger", "--community", town.pk)
    assert run("verify_ledger", "--community", village.pk) != []


def test_a_community_that_is_gone_is_missed(two):
    town, village = two
    for model in (Application, Membership):
        model.objects.filter(community=town).delete()
    Community.objects.filter(pk=town.pk)._raw_delete(using="default")
    with refused("1 fault found."):
        run("verify_ledger")
    assert run("verify_ledger", "--community", village.pk) != []


def test_a_community_that_does_not_exist_is_refused(two):
    with refused("There is no community 0."):
        run("verify_ledger", "--community", 0)
