"""Decisions that were called off, and topics, in bundles: written, verified, and read again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from democracy import services
from democracy.files import bundle_writer
from democracy.files.bundle_writer import NothingToExport
from democracy.files.imported_community import import_bundle
from democracy.files.malformed import Malformed
from democracy.models import Ballot, Decision
from democracy.reading.receipts import ledger_file
from democracy.recalculation import audits, recalculate_community
from democracy.recalculation.staging import forget_everything
from tests import factories
from tests.test_verify.bundles import verifier
from tests.towns import Town

pytestmark = pytest.mark.django_db
WHY = "The roof is mended."


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    forget_everything()


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
    assert list(verifier.check_bundle_in_ledger(verifier.bundle_of(bundle), ledger)[0]) == []
    for key, other in (("topics", []), ("called_off", decision["called_off"] | {"reason": "Another"})):
        forged = bundle | {"decisions": [decision | {key: other}]}
        found = verifier.check_bundle_in_ledger(verifier.bundle_of(forged), ledger)[0]
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
