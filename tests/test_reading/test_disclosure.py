"""Which entries of the ledger somebody may open, where no command makes such an entry today."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser

from democracy import services
from democracy.access import Viewer
from democracy.ledger.pseudonyms import pseudonym_id
from democracy.models import LedgerEntry
from democracy.reading import ledger_feed, receipts
from democracy.reading.disclosure import Disclosure
from tests import factories, rules

pytestmark = pytest.mark.django_db


def test_what_an_anonymous_member_did_to_a_following_of_others_is_closed() -> None:
    community, members = rules.new_community("ada", "ben", "cleo")
    services.update_community(members["manager"].user, community.pk, visibility="public")
    ends = {"follower": members["ada"].pk, "followee": members["ben"].pk}
    entry = LedgerEntry(
        community=community, kind=LedgerEntry.Kind.FOLLOWING, actor=members["cleo"].user, before=ends, after=None
    )
    assert Disclosure(AnonymousUser(), community).opens(entry)
    services.set_anonymity(members["cleo"].user, community.pk, anonymous=True)
    for viewer in (AnonymousUser(), members["ada"].user, members["manager"].user):
        assert not Disclosure(viewer, community).opens(entry)


def test_the_pseudonym_in_an_entry_on_a_ballot_is_told_to_its_caster_alone() -> None:
    community, members = rules.new_community("ada", "dora")
    services.update_community(members["manager"].user, community.pk, visibility="public")
    services.set_anonymity(members["dora"].user, community.pk, anonymous=True)
    decision = factories.decision(community, members["manager"].user)
    factories.vote(members["dora"], decision, Ash=5)
    pseudonym = pseudonym_id(decision.pk, members["dora"].pk)
    community.refresh_from_db()

    def told(viewer: Viewer) -> tuple[bool, bool]:
        feed = [(item.before, item.after, item.opened) for item in ledger_feed.feed(viewer, community, first=100)]
        return pseudonym in repr(feed), pseudonym in "".join(receipts.ledger_file(viewer, community))

    people = {name: member.user for name, member in members.items()}
    assert {name: told(user) for name, user in {**people, "guest": AnonymousUser()}.items()} == {
        "manager": (False, False),
        "ada": (False, False),
        "dora": (True, True),
        "guest": (False, False),
    }
