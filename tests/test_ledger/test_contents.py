"""Contents of ballots in the ledger: one that bears no name says under which pseudonym it stands."""

from __future__ import annotations

import pytest

from democracy import services
from democracy.ledger.pseudonyms import pseudonym_id
from democracy.models import LedgerEntry
from tests import factories, rules

pytestmark = pytest.mark.django_db


def test_a_ballot_names_its_pseudonym_exactly_if_it_bears_no_name() -> None:
    community, members = rules.new_community("ada", "dora")
    services.set_anonymity(members["dora"].user, community.pk, anonymous=True)
    decision = factories.decision(community, members["manager"].user)
    for handle in ("ada", "dora"):
        factories.vote(members[handle], decision, Ash=5)
    services.set_anonymity(members["dora"].user, community.pk, anonymous=False)
    services.tag_ballot(members["dora"].user, decision.pk, tags=["parks"])
    services.withdraw_ballot(members["dora"].user, decision.pk)
    factories.vote(members["dora"], decision, Birch=5)
    entries = LedgerEntry.objects.filter(community=community, kind="ballot").order_by("revision")
    dora = pseudonym_id(decision.pk, members["dora"].pk)
    written = [
        (entry.membership_id, [(content or {}).get("pseudonym") for content in (entry.before, entry.after)])
        for entry in entries
    ]
    assert written == [
        (members["ada"].pk, [None, None]),
        (members["dora"].pk, [None, dora]),
        (members["dora"].pk, [dora, dora]),
        (members["dora"].pk, [dora, None]),
        (members["dora"].pk, [None, dora]),
    ]
    assert "pseudonym" not in (entries[0].after or {})
