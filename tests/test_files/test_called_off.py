"""Decisions that were called off, and topics, in bundles: written, verified, and read again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from democracy import access, services
from democracy.files import bundle_writer
from democracy.files.bundle_writer import NothingToExport
from democracy.files.imported_bundle import import_bundle
from democracy.files.malformed import Malformed
from democracy.models import Ballot, Decision
from democracy.reading.receipts import ledger_file
from democracy.recalculation import audits, recalculate_community
from tests import factories
from tests.test_verify.bundles import verifier
from tests.towns import Town

pytestmark = pytest.mark.django_db
WHY = "The roof is mended."


def exported(decision: Decision) -> dict[str, Any]:
    found: dict[str, Any] = json.loads("".join(bundle_writer.export(decision)))
    return found


def called_off(town: Town, **fields: Any) -> Decision:
    one = factories.decision(town.community, town.manager, topics=["roads"], **fields)
    factories.follow(town.cleo, town.ada)
    factories.vote(town.ada, one, Ash=5)
    recalculate_community(town.community.pk)
    factories.vote(town.ben, one, [], Birch=4)
    services.call_off(town.manager, one.pk, reason=WHY)
    services.leave_community(town.ben.user, town.community.pk)
    return one


def verified(bundle: dict[str, Any]) -> list[str]:
    read = verifier.read_bundle(json.dumps(bundle))
    return list(verifier.verify(read, read.decisions[0])[0])


def test_the_file_keeps_question_reason_and_ballots_and_has_no_result(town: Town) -> None:
    bundle = exported(called_off(town))
    (decision,) = bundle["decisions"]
    assert (decision["status"], decision["called_off"]["reason"]) == ("called_off", WHY)
    assert (decision["result"], decision["staged"], decision["topics"]) == (None, [], ["roads"])
    assert sorted(ballot["tags"] for ballot in decision["ballots"]) == [[], ["roads"]]
    assert verified(bundle) == []
    town.community.refresh_from_db()
    ledger = verifier.ledger_of("".join(ledger_file(town.ada.user, town.community)).splitlines())
    assert list(verifier.check_bundle_in_ledger(verifier.bundle_of(bundle), ledger.kept())[0]) == []
    for key, other in (("topics", []), ("called_off", decision["called_off"] | {"reason": "Another"})):
        forged = bundle | {"decisions": [decision | {key: other}]}
        found = verifier.check_bundle_in_ledger(verifier.bundle_of(forged), ledger.kept())[0]
        assert [key in line for line in found] == [True]


def test_a_file_that_gives_it_a_result_or_another_status_is_refused(town: Town) -> None:
    bundle = exported(called_off(town))
    (decision,) = bundle["decisions"]
    assert verified(bundle | {"decisions": [decision | {"status": "closed"}]})
    with pytest.raises(verifier.Malformed):
        verified(bundle | {"decisions": [decision | {"result": {"winner": None}}]})


def test_hidden_ballots_are_never_exported(town: Town) -> None:
    with pytest.raises(NothingToExport):
        exported(called_off(town, results_visibility="batched"))


def test_it_is_read_as_it_was_written(town: Town) -> None:
    made = import_bundle(json.dumps(exported(called_off(town))), name="Again")
    (one,) = made.decisions.values()
    one.refresh_from_db()
    assert (one.status, one.called_off_reason, one.topics) == ("called_off", WHY, ["roads"])
    assert Ballot.objects.filter(decision=one).count() == 2
    made.community.refresh_from_db()
    assert list(audits.faults(made.community)) == []


def test_a_ballot_that_says_nothing_of_tags_bears_the_topics(town: Town) -> None:
    bundle = exported(called_off(town))
    (decision,) = bundle["decisions"]
    for ballot in decision["ballots"]:
        del ballot["tags"]
    made = import_bundle(json.dumps(bundle), name="Again")
    assert {tuple(one.tags) for one in Ballot.objects.filter(decision__community=made.community)} == {("roads",)}


@pytest.mark.parametrize("wrong", [{"reason": ""}, {"at": "9999-01-01T00:00:00+00:00"}, {"at": None}])
def test_a_calling_off_needs_a_reason_and_a_time_before_the_closing(town: Town, wrong: dict[str, Any]) -> None:
    bundle = exported(called_off(town))
    bundle["decisions"][0]["called_off"] |= wrong
    with pytest.raises(Malformed) as caught:
        import_bundle(json.dumps(bundle), name="Again")
    assert next(iter(wrong)) in str(caught.value)


class TestBallotsUnderPseudonyms:
    """A decision is called off. Of three anonymous members one changed their ballot, one withdrew it, and one had cast
    theirs under their name, which it goes on bearing.
    """

    @pytest.fixture
    def decision(self, town: Town) -> Decision:
        services.update_community(town.manager, town.community.pk, visibility="public")
        one = factories.decision(town.community, town.manager)
        for member in (town.dan, town.cleo):
            services.set_anonymity(member.user, town.community.pk, anonymous=True)
        factories.follow(town.dan, town.ada)
        factories.vote(town.ada, one, Ash=5)
        factories.vote(town.dan, one, Ash=1)
        factories.vote(town.dan, one, Ash=2)
        factories.vote(town.cleo, one, Birch=1)
        factories.vote(town.ben, one, Birch=2)
        recalculate_community(town.community.pk)
        services.withdraw_ballot(town.cleo.user, one.pk)
        services.set_anonymity(town.ben.user, town.community.pk, anonymous=True, confirmed=True)
        factories.vote(town.ben, one, Birch=3)
        services.call_off(town.manager, one.pk, reason=WHY)
        return one

    def compared(self, town: Town, bundle: dict[str, Any]) -> list[str]:
        """Compare with the ledger as visitors, managers and one of the anonymous have it."""
        found = []
        town.community.refresh_from_db()
        for viewer in (AnonymousUser(), town.manager, town.dan.user):
            ledger = verifier.ledger_of("".join(ledger_file(viewer, town.community)).splitlines())
            assert list(verifier.check_ledger(ledger)) == []
            found += verifier.check_bundle_in_ledger(verifier.bundle_of(bundle), ledger.kept())[0]
        return found

    def test_they_are_counted_as_the_ledger_does_and_name_nobody(self, town: Town, decision: Decision) -> None:
        bundle = exported(decision)
        names = [ballot["member"] for ballot in bundle["decisions"][0]["ballots"]]
        pseudonym = access.pseudonym(decision.pk, town.dan.pk).lower().replace(" ", "-")
        assert [name for name in names if name.startswith("anonymous")] == [pseudonym]
        assert len(names) == 3
        numbers = {one["membership"] for one in bundle["ledger_members"]}
        assert numbers.isdisjoint({town.dan.pk, town.cleo.pk})
        assert {town.ada.pk, town.ben.pk} <= numbers
        assert (verified(bundle), self.compared(town, bundle)) == ([], [])

    def test_what_happens_afterwards_changes_no_file(self, town: Town, decision: Decision) -> None:
        before = exported(decision)["decisions"][0]["ballots"]
        services.leave_community(town.dan.user, town.community.pk)
        services.set_anonymity(town.ben.user, town.community.pk, anonymous=False, confirmed=True)
        services.set_anonymity(town.ada.user, town.community.pk, anonymous=True, confirmed=True)
        bundle = exported(decision)
        assert bundle["decisions"][0]["ballots"] == before
        assert (verified(bundle), self.compared(town, bundle)) == ([], [])

    def test_an_invented_one_and_a_changed_named_one_are_found(self, town: Town, decision: Decision) -> None:
        bundle = exported(decision)
        ballots = bundle["decisions"][0]["ballots"]
        hidden = next(one for one in ballots if one["member"].startswith("anonymous"))
        named = next(one for one in ballots if not one["member"].startswith("anonymous"))
        named["stars"] = dict.fromkeys(named["stars"], 1)
        assert any(".ballots" in one for one in self.compared(town, bundle))
        bundle = exported(decision)
        # The ledger has four closed entries on ballots: two of a ballot that changed, two of one that was withdrawn.
        for number in range(4):
            name = f"anonymous-00000000000{number}"
            bundle["members"].append({"id": name, "name": name, "role": "voter", "manager": False, "anonymous": True})
            bundle["decisions"][0]["ballots"].append(hidden | {"member": name})
        assert any("under pseudonyms" in one for one in self.compared(town, bundle))
