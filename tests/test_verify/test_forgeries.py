"""Files forged so that each alone fits: invented inheritance, two receipts for one ballot, an end before the end."""

from __future__ import annotations

import copy
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from democracy import services
from democracy.ledger import checkpoints, contents, signing
from democracy.management import foreground
from democracy.models import Decision
from democracy.reading import receipts
from tests import factories
from tests.test_verify.bundles import bundle, verifier
from tests.test_verify.desks import Desk, recalculated


def member_id(files: dict[str, Any], desk: Desk, handle: str) -> str:
    """Return the id in the bundle of a member who bears a name."""
    pk = desk.members[handle].pk
    return next(row["member"] for row in files["bundle.json"]["ledger_members"] if row["membership"] == pk)


def ballot_of(files: dict[str, Any], member: str) -> dict[str, Any]:
    ballots: list[dict[str, Any]] = files["bundle.json"]["decisions"][0]["ballots"]
    return next(row for row in ballots if row["member"] == member)


def signed_anew(bundle: dict[str, Any], moment: datetime) -> None:
    """Have the site sign another checkpoint of the bundle's revision."""
    old = bundle["checkpoint"]
    signed = checkpoints.signed(old["community"], old["revision"], old["hash"], moment)
    bundle["checkpoint"] = checkpoints.content(signed)


def signed_question(bundle: dict[str, Any]) -> None:
    """Have the site sign another question."""
    read = verifier.read_bundle(json.dumps(bundle))
    bundle["decisions"][0]["signature"] = signing.sign(verifier.question(read, read.decisions[0]))


def vote_and_calculate(desk: Desk, handle: str, **stars: int) -> None:
    factories.vote(desk.members[handle], desk.decision, **stars)
    desk.clock.advance(minutes=1)
    assert not foreground.calculate(desk.community.pk, patience=60).failed


# --- Inherited ballots that are given ---------------------------------------------------------------------------------


def given(followings: list[str], by_name: dict[str, int], pseudonyms: dict[str, int]) -> dict[str, Any]:
    """Make a bundle in which these ballots are given, with stars for A; c has cast a ballot."""
    made = bundle({"c": {"A": 5}}, followings, choices="AB", bystanders=[*by_name, *pseudonyms])
    made["version"] = 2
    for member in made["members"]:
        member["anonymous"] = member["id"] in pseudonyms
    made["decisions"][0]["staged"] = [
        {"member": name, "kind": "inherited", "microstars": {"A": stars, "B": 0}, "tags": [], "given": True}
        for name, stars in {**by_name, **pseudonyms}.items()
    ]
    made["decisions"][0]["result"] = {}
    recalculated(made)
    return made


LOOP = ["f > g", "g > f"]
UNSUPPORTED = "is given a ballot that rests on none of a pseudonym"


@pytest.mark.parametrize(
    ("followings", "by_name", "pseudonyms", "found"),
    [
        (LOOP, {"f": 5_000_000, "g": 5_000_000}, {}, [UNSUPPORTED] * 2),
        (LOOP, {"f": 5_000_000, "g": 5_000_000}, {"h": 1_000_000}, [UNSUPPORTED] * 2),
        (["e > f", "f > g", "g > e"], dict.fromkeys("efg", 4_000_000), {"h": 1_000_000}, [UNSUPPORTED] * 3),
        # One of them follows a pseudonym, and the other that one.
        (LOOP, {"f": 1_000_000, "g": 1_000_000}, {"h": 1_000_000}, []),
        (LOOP, {"f": 3_000_000, "g": 3_000_000}, {"h": 1_000_000, "i": 5_000_000}, []),
        (["f > g"], {"f": 1_000_000, "g": 1_000_000}, {"h": 1_000_000}, []),
        # No further than followings are active: g's ballot has no tags.
        (["f > g: parks"], {"f": 5_000_000, "g": 1_000_000}, {"h": 1_000_000}, ["those on whom it can rest"]),
        # Whoever follows one that is given inherits from it, and can't be left out.
        (["e > g"], {"g": 1_000_000}, {"h": 1_000_000}, ['"e" is given no ballot, and follows "g", who is']),
        (["c > g", "e > g: parks"], {"g": 1_000_000}, {"h": 1_000_000}, []),
    ],
)
def test_every_named_ballot_that_is_given_leads_to_one_of_a_pseudonym(
    followings: list[str], by_name: dict[str, int], pseudonyms: dict[str, int], found: list[str]
) -> None:
    read = verifier.read_bundle(json.dumps(given(followings, by_name, pseudonyms)))
    differences, _ = verifier.verify(read, read.decisions[0])
    assert len(differences) == len(found), differences
    assert all(words in line for words, line in zip(found, differences, strict=True)), differences


def test_what_is_given_needs_followings_of_which_the_ledger_has_closed_entries(desk: Desk) -> None:
    """Ben follows ada alone, and eve, under a pseudonym, has what ben has."""
    files = copy.deepcopy(desk.files)
    ben = member_id(files, desk, "ben")
    next(row for row in files["bundle.json"]["decisions"][0]["staged"] if row["member"] == ben)["given"] = True
    assert desk.check("bundle.json", files=files)[0] == 0
    code, said = desk.check("bundle.json", "ledger.jsonl", files=files)
    assert (code, "2 followings at least are needed for what is given, the ledger has room for 1" in said) == (1, True)


def test_whoever_followed_somebody_by_name_who_became_anonymous_is_given_and_agrees(desk: Desk) -> None:
    """The loop of two who follow each other, and one of them eve, who bears a pseudonym after the closing."""
    services.set_anonymity(desk.members["eve"].user, desk.community.pk, anonymous=False)
    factories.follow(desk.members["ben"], desk.members["manager"])
    factories.follow(desk.members["manager"], desk.members["ben"])
    factories.follow(desk.members["manager"], desk.members["eve"])
    desk.clock.advance(days=30)
    assert not foreground.calculate(desk.community.pk, patience=60).failed
    services.set_anonymity(desk.members["eve"].user, desk.community.pk, anonymous=True, confirmed=True)
    desk.export()
    desk.fetch()
    code, said = desk.check()
    assert (code, "3 taken as given: 1 of anonymous members, 2 that rest on theirs" in said) == (0, True), said


# --- Receipts ---------------------------------------------------------------------------------------------------------


def test_a_receipt_is_bound_to_its_pseudonym_by_its_commitment(desk: Desk) -> None:
    """Two vote alike under pseudonyms; who forges gives one's pseudonym to the other, whose ballot becomes free."""
    vote_and_calculate(desk, "eve", Birch=5)
    desk.export()
    files = desk.files | {"eve.json": desk.receipt("eve"), "ledger.jsonl": desk.fetch()}
    assert desk.check(files=files)[0] == 0
    dora, eve = (files[name]["content"]["after"]["pseudonym"] for name in ("dora.json", "eve.json"))
    forged = copy.deepcopy(files)
    ballot = ballot_of(forged, eve)
    ballot["stars"] = {choice: 5 - stars for choice, stars in ballot["stars"].items()}
    recalculated(forged["bundle.json"])
    # Beside what the hashes cover, a receipt may say what it likes.
    forged["eve.json"]["pseudonym"] = dora
    code, said = desk.check(files=forged)
    assert (code, f'"{eve}" has stars' in said, "the receipt is for stars" in said) == (1, True, True), said
    forged["eve.json"]["content"]["after"]["pseudonym"] = dora
    code, said = desk.check(files=forged)
    assert (code, "commitment: the file says" in said) == (1, True), said


def test_two_members_with_receipts_for_one_pseudonym_are_found(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The site itself can write so into its ledger: each of the two alone sees their ballot counted."""
    dora = desk.files["dora.json"]["content"]["after"]["pseudonym"]
    monkeypatch.setattr(contents, "pseudonym_id", lambda decision, member: dora)
    vote_and_calculate(desk, "eve", Birch=5)
    eve = desk.receipt("eve")
    desk.export()
    desk.fetch()
    alone = {name: desk.files[name] for name in ("bundle.json", "eve.json", "ledger.jsonl")}
    code, said = desk.check(files=alone)
    assert (code, "this ballot is counted there" in said) == (0, True), said
    together = f'"{dora}" is one member\'s in entry {desk.files["dora.json"]["revision"]}'
    code, said = desk.check("bundle.json", "dora.json", "eve.json")
    assert (code, together in said, f"another's in entry {eve['revision']}" in said) == (1, True, True), said
    # The ledgers that each of them downloads open as much.
    desk.fetch(desk.members["dora"].user, name="doras.jsonl")
    desk.fetch(desk.members["eve"].user, name="eves.jsonl")
    code, said = desk.check("doras.jsonl", "eves.jsonl")
    assert (code, together in said) == (1, True), said


def test_two_receipts_for_one_ballot_are_said_to_be_counted_once(desk: Desk) -> None:
    note = "are for one ballot, which is counted once"
    assert note not in desk.check()[1]
    code, said = desk.check(files=desk.files | {"again.json": desk.files["dora.json"]})
    assert (code, said.count(note)) == (0, 1), said


def test_a_named_receipt_is_for_the_ballot_under_that_name(desk: Desk) -> None:
    """Ada's ballot is dropped, and cleo has one like it."""
    files = copy.deepcopy(desk.files)
    ada, cleo = (member_id(files, desk, handle) for handle in ("ada", "cleo"))
    ballot_of(files, cleo).update({key: ballot_of(files, ada)[key] for key in ("stars", "tags")})
    decision = files["bundle.json"]["decisions"][0]
    decision["ballots"] = [row for row in decision["ballots"] if row["member"] != ada]
    files["ada.json"]["pseudonym"] = cleo
    recalculated(files["bundle.json"])
    code, said = desk.check("ada.json", "bundle.json", files=files)
    assert (code, f'"{ada}" has no ballot there' in said) == (1, True), said


def made_up(receipt: dict[str, Any]) -> None:
    """Make up an entry that opens: nobody who has no ledger can tell."""
    del receipt["checkpoint"]
    receipt["commitment"] = verifier.commitment({key: receipt[key] for key in ("salt", "content", "time")})
    receipt["hash"] = verifier.chain_hash(receipt["previous_hash"], receipt["revision"], receipt["commitment"])


def test_a_receipt_and_the_member_in_the_bundle_are_both_anonymous_or_neither(desk: Desk) -> None:
    files = copy.deepcopy(desk.files)
    receipt, ada = files["ada.json"], member_id(files, desk, "ada")
    receipt["content"]["after"] |= {"pseudonym": ada, "anonymous": True}
    made_up(receipt)
    code, said = desk.check("ada.json", "bundle.json", files=files)
    assert (code, ".anonymous: the file says false, calculated true" in said) == (1, True), said


@pytest.mark.parametrize(
    ("handle", "change", "message"),
    [
        ("ada", {"pseudonym": "anonymous-0"}, 'pseudonym: "anonymous-0", for a ballot that bears a name'),
        ("dora", {"pseudonym": None}, "pseudonym: missing, and the ballot bears no name"),
        ("dora", {"pseudonym": 7}, "pseudonym: missing, and the ballot bears no name"),
    ],
)
def test_an_entry_on_a_ballot_names_a_pseudonym_exactly_if_it_bears_no_name(
    desk: Desk, handle: str, change: dict[str, Any], message: str
) -> None:
    receipt = copy.deepcopy(desk.files[f"{handle}.json"])
    receipt["content"]["after"] |= change
    made_up(receipt)
    code, said = desk.check(files={"receipt.json": receipt})
    assert (code, message in said) == (1, True), said


def test_an_entry_on_a_ballot_is_of_the_member_whom_its_subject_names(desk: Desk) -> None:
    receipt = copy.deepcopy(desk.files["ada.json"])
    receipt["content"]["membership"] += 1
    made_up(receipt)
    code, said = desk.check(files={"receipt.json": receipt})
    assert (code, "content.subject: the file says" in said) == (1, True), said


def test_a_receipt_for_taking_a_ballot_back_agrees_that_it_is_gone(desk: Desk) -> None:
    recorded = services.withdraw_ballot(desk.members["dora"].user, desk.decision.pk)
    desk.clock.advance(minutes=1)
    assert not foreground.calculate(desk.community.pk, patience=60).failed
    withdrawn = receipts.Receipt(recorded.entry).file
    files = {"bundle.json": desk.export(), "withdrawn.json": withdrawn, "ledger.jsonl": desk.fetch()}
    code, said = desk.check(files=files)
    assert (code, "this ballot was withdrawn, and is not there" in said) == (0, True), said
    code, said = desk.check(files=files | {"old.json": desk.files["dora.json"]})
    assert (code, "has no ballot there, the receipt is for stars" in said) == (1, True), said


# --- The end ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def early(desk: Desk) -> dict[str, Any]:
    """A result from shortly before the closing, said to be final; eve votes after it, under a pseudonym, in time."""
    desk.decision.refresh_from_db()
    closes_at = (desk.decision.closes_at + timedelta(hours=1)).replace(minute=30)
    services.update_decision(desk.members["manager"].user, desk.decision.pk, closes_at=closes_at)
    desk.clock.set(closes_at - timedelta(minutes=10))
    vote_and_calculate(desk, "cleo", Cedar=3)
    early = copy.deepcopy(desk.export())
    vote_and_calculate(desk, "eve", Birch=5, Cedar=5)
    desk.files["checkpoint.json"] = desk.export("live.json")["checkpoint"]
    desk.clock.set(closes_at + timedelta(minutes=1))
    assert not foreground.calculate(desk.community.pk, patience=60).failed
    early["exported_at"] = desk.export()["exported_at"]
    early["decisions"][0]["status"] = "closed"
    early["decisions"][0]["result"]["final"] = True
    desk.fetch()
    return early


def test_a_final_result_is_of_a_checkpoint_from_after_the_closing(desk: Desk, early: dict[str, Any]) -> None:
    code, said = desk.check("bundle.json", "ledger.jsonl")
    assert (code, "NOTE bundle" in said) == (0, False), said
    code, said = desk.check(files={"bundle.json": early})
    assert (code, "its checkpoint was signed before the decision closed" in said) == (1, True), said
    # The closing was moved later. It is the newest of the ledger that counts.
    early["decisions"][0]["closes_at"] = desk.decision.closes_at.isoformat()
    code, said = desk.check(files={"bundle.json": early})
    assert code == 0, said
    code, said = desk.check(files={"bundle.json": early, "ledger.jsonl": desk.files["ledger.jsonl"]})
    assert (code, "signed before the closing that the ledger names" in said) == (1, True), said


def test_an_end_before_the_end_that_the_site_signed_itself_is_doubted(desk: Desk, early: dict[str, Any]) -> None:
    signed_anew(early, desk.clock.now)
    files = {"bundle.json": early, "ledger.jsonl": desk.files["ledger.jsonl"]}
    code, said = desk.check(files=files)
    assert (code, ": 1 closed entries that are not in this final result" in said) == (0, True), said
    # Whoever voted then, and whoever kept a checkpoint of then, can show it.
    code, said = desk.check(files=files | {"eve.json": desk.receipt("eve")})
    assert (code, "is from before the closing, and not in it" in said) == (1, True), said
    code, said = desk.check(files={"bundle.json": early, "checkpoint.json": desk.files["checkpoint.json"]})
    assert (code, "and before the closing there were" in said) == (1, True), said


def test_a_final_result_has_no_entry_from_after_the_closing(desk: Desk) -> None:
    desk.clock.advance(days=30)
    services.update_community(desk.members["manager"].user, desk.community.pk, description="After the closing.")
    assert not foreground.calculate(desk.community.pk, patience=60).failed
    desk.export()
    rows = desk.fetch()
    assert desk.check()[0] == 0
    late = copy.deepcopy(desk.files["bundle.json"])
    last = {"revision": rows[-1]["revision"], "hash": rows[-1]["hash"]}
    late["ledger"] = dict(last)
    late["checkpoint"] |= last
    late["community"]["description"] = "After the closing."
    signed_anew(late, desk.clock.now)
    code, said = desk.check(files={"bundle.json": late, "ledger.jsonl": rows})
    assert (code, f"entry {last['revision']} is from after the closing, and in it" in said) == (1, True), said
    assert "1 differences" in said


# --- Invented pseudonyms ----------------------------------------------------------------------------------------------


def stuffed(files: dict[str, Any], times: int) -> dict[str, Any]:
    """Add voters under pseudonyms."""
    files = copy.deepcopy(files)
    decision = files["bundle.json"]["decisions"][0]
    for number in range(times):
        name = f"anonymous-ffffffffff0{number}"
        files["bundle.json"]["members"].append({"id": name, "name": "X", "role": "voter", "anonymous": True})
        decision["ballots"].append({"member": name, "stars": {decision["choices"][0]["id"]: 5}})
    recalculated(files["bundle.json"])
    return files


def test_the_entries_of_one_who_changed_a_ballot_have_room_for_invented_ones_which_is_said(desk: Desk) -> None:
    for stars in (4, 3, 2):
        vote_and_calculate(desk, "dora", Birch=stars)
    desk.export()
    desk.fetch()
    names = ("bundle.json", "ledger.jsonl")
    said = desk.check(*names)[1]
    assert ": 1 ballots are under pseudonyms, and by the entries there can be up to 4; that none is invented" in said
    # As many as there are entries; with a receipt one less, since an entry before it is of the same ballot.
    desk.receipt("dora")
    fits = {
        (more, times): "by the ledger's entries" not in desk.check(*names, *more, files=stuffed(desk.files, times))[1]
        for more in ((), ("dora.json",))
        for times in (2, 3, 4)
    }
    assert [times for (more, times), fit in fits.items() if fit] == [2, 3, 2]
    # There is room for them among the members, too: two were named before.
    assert [desk.check(*names, files=stuffed(desk.files, times))[0] for times in (2, 3)] == [0, 1]
    # Her own ledger opens them all.
    desk.fetch(desk.members["dora"].user)
    assert desk.check(*names)[0] == 0
    code, said = desk.check(*names, files=stuffed(desk.files, 1))
    assert (code, "2 under pseudonyms, by the ledger's entries there are at most 1" in said) == (1, True), said


def test_a_ballot_under_a_pseudonym_is_compared_with_a_ledger_that_opens_it(desk: Desk) -> None:
    desk.fetch(desk.members["dora"].user)
    files = copy.deepcopy(desk.files)
    dora = files["dora.json"]["content"]["after"]["pseudonym"]
    ballot_of(files, dora)["tags"] = ["forged"]
    recalculated(files["bundle.json"])
    code, said = desk.check("bundle.json", "ledger.jsonl", files=files)
    assert (code, f'"{dora}" has stars' in said) == (1, True), said


# --- Words ------------------------------------------------------------------------------------------------------------


def test_comments_descriptions_and_the_community_are_the_ledgers(desk: Desk) -> None:
    services.cast_ballot(
        desk.members["cleo"].user, desk.decision.pk, stars={desk.decision.choices.all()[2].pk: 4}, comment="Shade."
    )
    assert not foreground.calculate(desk.community.pk, patience=60).failed
    services.request_recalculation(desk.members["manager"].user, desk.decision.pk)
    desk.clock.advance(minutes=1)
    assert not foreground.calculate(desk.community.pk, patience=60).failed
    desk.export()
    desk.fetch()
    names = ("bundle.json", "ledger.jsonl")
    assert desk.check(*names)[0] == 0
    cleo = member_id(desk.files, desk, "cleo")
    assert ballot_of(desk.files, cleo)["comment"] == "Shade."

    def found(change: Any) -> str:
        files = copy.deepcopy(desk.files)
        change(files)
        signed_question(files["bundle.json"])
        assert desk.check("bundle.json", files=files)[0] == 0
        code, said = desk.check(*names, files=files)
        assert code == 1, said
        return said

    ada = member_id(desk.files, desk, "ada")
    assert 'has the comment "I was paid.", the ledger "Shade."' in found(
        lambda files: ballot_of(files, cleo).update(comment="I was paid.")
    )
    assert 'has the comment "", the ledger "Shade."' in found(lambda files: ballot_of(files, cleo).pop("comment"))
    assert 'has the comment "Never said.", the ledger ""' in found(
        lambda files: ballot_of(files, ada).update(comment="Never said.")
    )
    assert "number, title, description or lot of one is not" in found(
        lambda files: files["bundle.json"]["decisions"][0]["choices"][0].update(description="And a tax for all.")
    )
    for key in ("name", "description", "visibility"):
        said = found(lambda files, key=key: files["bundle.json"]["community"].update({key: "another"}))
        assert f'community.{key}: the file says "another", the ledger' in said


def test_a_pseudonym_has_no_comment_in_a_file(desk: Desk) -> None:
    files = copy.deepcopy(desk.files)
    ballot_of(files, files["dora.json"]["content"]["after"]["pseudonym"])["comment"] = "It was me."
    code, said = desk.check("bundle.json", files=files)
    assert (code, "has a comment under a pseudonym" in said) == (1, True), said


def test_names_are_said_not_to_be_the_ledgers(desk: Desk) -> None:
    assert "names of members are not in it" in desk.check()[1]


def test_what_makes_no_result_stale_is_exported_as_it_stood_then(desk: Desk) -> None:
    """A comment, a clarification and another name of the community are newer than the result."""
    rated = {desk.decision.choices.all()[2].pk: 4}
    manager = desk.members["manager"].user
    name = desk.files["bundle.json"]["community"]["name"]
    services.cast_ballot(desk.members["cleo"].user, desk.decision.pk, stars=rated, comment="Shade.")
    services.add_clarification(manager, desk.decision.pk, text="Only in the park.")
    services.update_community(manager, desk.community.pk, name=f"{name} and around")
    assert not Decision.objects.get(pk=desk.decision.pk).is_stale
    exported = desk.export()
    desk.fetch()
    asked = exported["decisions"][0]
    assert exported["community"]["name"] == name
    assert [one["text"] for one in asked["clarifications"]] == ["Only trees."]
    assert "Shade." not in json.dumps(exported)
    code, said = desk.check("bundle.json", "ledger.jsonl")
    assert code == 0, said
    # Once it is calculated again, the file has them all.
    vote_and_calculate(desk, "ben", Ash=1)
    exported = desk.export()
    desk.fetch()
    assert exported["community"]["name"] == f"{name} and around"
    assert [one["text"] for one in exported["decisions"][0]["clarifications"]] == ["Only trees.", "Only in the park."]
    assert "Shade." in json.dumps(exported)
    code, said = desk.check("bundle.json", "ledger.jsonl")
    assert code == 0, said


def test_a_pseudonym_stays_what_the_receipt_says_if_somebody_is_imported_with_it_as_id(desk: Desk) -> None:
    pseudonym = desk.files["dora.json"]["content"]["after"]["pseudonym"]
    member = desk.members["ben"]
    member.file_id = pseudonym
    member.save()
    exported = desk.export()
    ids = {row["membership"]: row["member"] for row in exported["ledger_members"]}
    assert ids[member.pk] == f"{pseudonym}~"
    code, said = desk.check("bundle.json", "dora.json")
    assert (code, "this ballot is counted there" in said) == (0, True), said
