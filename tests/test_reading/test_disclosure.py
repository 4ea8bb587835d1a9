"""Which entries of the ledger somebody may open, where no command makes such an entry today."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser

from democracy import services
from democracy.models import LedgerEntry
from democracy.reading.disclosure import Disclosure
from tests import rules

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
