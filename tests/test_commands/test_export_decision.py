"""Decisions as bundles: true to the stored result, discreet, and accepted by the independent verifier."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from dataclasses import replace

import pytest
from django.utils import timezone

from democracy import access, ledger, services
from democracy.files.imported_bundle import import_bundle
from democracy.models import Decision, Membership
from tests import factories
from tests.factories import close, follow, vote
from tests.rules import Clock
from tests.staged import forge
from tests.test_commands.running import exported, refused, run
from tests.test_verify.bundles import VERIFIER, differences, verifier
from tests.test_verify.test_comparison import at, leaves, others, rejected

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def written(module_rows: None):
    """Create a community with a loop, tags, a lobbyist, an anonymous member, an abstention, and a decision with
    ballots.
    """
    made, members = factories.community("ann", "bob", "cat", "dan", "eve", "flo", "gus", name="Town")
    one = factories.decision(made, members["manager"].user)
    services.update_membership(members["manager"].user, members["flo"].pk, role="lobbyist")
    services.set_anonymity(members["gus"].user, made.pk, anonymous=True)
    vote(members["ann"], one, tags=["roads", "parks"], Ash=5, Birch=2)
    vote(members["bob"], one, tags=["roads"], Ash=1, Birch=4, Cedar=5)
    vote(members["flo"], one, Cedar=5)
    vote(members["manager"], one)
    follow(members["cat"], members["ann"])
    follow(members["cat"], members["dan"])
    follow(members["dan"], members["cat"], "roads")
    follow(members["dan"], members["bob"])
    follow(members["eve"], members["flo"])
    follow(members["gus"], members["bob"], "roads")
    follow(members["gus"], members["eve"], "swimming")
    run("recalculate")
    one.refresh_from_db()
    return made, members, one


@pytest.fixture
def town(written):
    return copy.deepcopy(written)


def verified(bundle):
    """Return the differences that the verifier finds in a bundle's one decision, and its words if there are none."""
    read = verifier.read_bundle(json.dumps(bundle))
    return verifier.verify(read, read.decisions[0])


def test_the_verifier_accepts_what_is_exported(town, tmp_path):
    _, _, one = town
    file = tmp_path / "bundle.json"
    assert run("export_decision", one.pk, "--output", file) == []
    verified = subprocess.run(
        [sys.executable, "-I", VERIFIER, file], capture_output=True, text=True, check=False, timeout=60
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    assert verified.stdout.startswith(f"OK {file}")
    assert "lots drawn again" in verified.stdout


def test_the_verifier_rejects_every_single_changed_number_and_name(town):
    bundle = exported(town[2])
    [decision] = bundle["decisions"]
    checked = 0
    for part in ("result", "staged"):
        for path, leaf in leaves(decision[part], (part,)):
            if path[-1] in {"revision", "final", "reason"}:
                continue
            for other in others(leaf):
                wrong = copy.deepcopy(bundle)
                at(wrong, path[:-1])[path[-1]] = other
                assert rejected(wrong), (path, other)
                checked += 1
    assert checked > 200


def test_a_closed_decision_is_exported_as_it_was_at_closing(town, monkeypatch):
    made, members, one = town
    live = exported(one)["decisions"][0]
    clock = Clock(monkeypatch)
    clock.set(one.closes_at)
    services.unfollow(members["cat"].user, members["ann"].pk)
    services.leave_community(members["bob"].user, made.pk)
    factories.join(made, factories.person())
    run("recalculate")
    bundle = exported(Decision.objects.get(pk=one.pk))
    [closed] = bundle["decisions"]
    assert closed["result"]["final"] is True
    assert closed["staged"] == live["staged"]
    assert len(bundle["members"]) == 8
    assert differences(bundle) == []


def test_the_ledger_hash_is_that_of_the_revision_the_result_reflects(town):
    made, members, one = town
    vote(members["eve"], one, Ash=3)
    bundle = exported(one, "--stale-ok")
    one.refresh_from_db()
    assert bundle["ledger"] == {
        "revision": one.calculated_revision,
        "hash": ledger.hash_at(made.pk, one.calculated_revision),
    }
    assert bundle["decisions"][0]["result"]["revision"] == one.calculated_revision


def test_newer_inputs_are_not_mixed_into_a_stale_result(town):
    made, members, one = town
    before = exported(one)
    vote(members["eve"], one, Ash=3)
    services.unfollow(members["cat"].user, members["ann"].pk)
    factories.join(made, factories.person())
    with refused("is stale"):
        run("export_decision", one.pk)
    stale = exported(one, "--stale-ok")
    assert differences(stale) == []
    for key in ("ballots", "staged", "result"):
        assert stale["decisions"][0][key] == before["decisions"][0][key]


def test_an_unchanged_result_is_exported_for_the_newest_revision(town):
    made, _, one = town
    run("recalculate", "--decision", one.pk, "--from-scratch")
    made.refresh_from_db()
    bundle = exported(one)
    assert bundle["decisions"][0]["result"]["revision"] == made.revision
    assert differences(bundle) == []


def test_an_anonymous_member_has_a_pseudonym_and_nothing_else(town):
    _, members, one = town
    gus = members["gus"]
    services.cast_ballot(gus.user, one.pk, stars={c.pk: 3 for c in one.choices.all()}, comment="My own words")
    run("recalculate")
    bundle = exported(one)
    text = json.dumps(bundle)
    assert "gus" not in text.lower()
    assert "own words" not in text
    assert "@" not in text
    pseudonym = access.pseudonym(one.pk, gus.pk)
    [row] = [row for row in bundle["members"] if row["name"] == pseudonym]
    assert row == {
        "id": pseudonym.lower().replace(" ", "-"),
        "name": pseudonym,
        "role": "voter",
        "manager": False,
        "anonymous": True,
    }
    assert str(gus.pk) not in {other["id"] for other in bundle["members"]}
    assert [following for following in bundle["followings"] if row["id"] in following.values()] == []
    assert differences(bundle) == []


def test_what_an_anonymous_member_inherits_stands_as_given_without_whom_they_follow(town):
    _, members, one = town
    bundle = exported(one)
    gus = access.pseudonym(one.pk, members["gus"].pk, kind="inherited").lower().replace(" ", "-")
    assert [row for row in bundle["followings"] if gus in row.values()] == []
    [decision] = bundle["decisions"]
    bob = {row["member"]: row for row in decision["staged"]}[str(members["bob"].pk)]
    assert [row for row in decision["staged"] if "given" in row] == [
        {"member": gus, "kind": "inherited", "microstars": bob["microstars"], "tags": [], "given": True}
    ]
    differing, summary = verified(bundle)
    assert differing == []
    assert "1 taken as given: 1 of anonymous members, 0 that rest on theirs" in summary


def test_an_anonymous_manager_is_not_told_by_the_managers_mark(town):
    made, members, one = town
    services.set_anonymity(members["manager"].user, made.pk, anonymous=True, confirmed=True)
    run("recalculate")
    assert not any(row["manager"] for row in exported(one)["members"])


def test_whoever_became_anonymous_after_closing_keeps_the_name_of_a_cast_ballot_alone(town, monkeypatch):
    made, members, one = town
    Clock(monkeypatch).set(one.closes_at)
    run("recalculate")
    before = exported(Decision.objects.get(pk=one.pk))
    for handle in ("bob", "dan"):
        services.set_anonymity(members[handle].user, made.pk, anonymous=True, confirmed=True)
    bundle = exported(Decision.objects.get(pk=one.pk))
    names = {row["name"].split()[0] for row in bundle["members"]}
    assert ("Bob" in names, "Dan" in names) == (True, False)
    assert {row["member"] for row in bundle["decisions"][0]["ballots"]} == {
        row["member"] for row in before["decisions"][0]["ballots"]
    }
    # Dan inherited from Cat, and she from him.
    given = {row["member"] for row in bundle["decisions"][0]["staged"] if "given" in row}
    dan = access.pseudonym(one.pk, members["dan"].pk, kind="inherited").lower().replace(" ", "-")
    assert given > {dan, str(members["cat"].pk)}
    assert bundle["decisions"][0]["result"] == before["decisions"][0]["result"]
    assert verified(bundle)[0] == []
    assert import_bundle(json.dumps(bundle), name="Copy").decisions


def test_two_decisions_have_different_pseudonyms(town):
    made, members, one = town
    other = factories.decision(made, members["manager"].user)
    run("recalculate")
    names = [{row["id"] for row in exported(d)["members"] if row["anonymous"]} for d in (one, other)]
    assert names[0].isdisjoint(names[1])


def test_members_and_ballots_are_in_order_of_their_ids(town):
    bundle = exported(town[2])
    [decision] = bundle["decisions"]
    for rows, key in ((bundle["members"], "id"), (decision["ballots"], "member"), (decision["staged"], "member")):
        names = [row[key] for row in rows]
        assert names == sorted(names)


def test_comments_of_those_who_are_named_are_there(town):
    _, members, one = town
    services.cast_ballot(members["eve"].user, one.pk, stars={c.pk: 3 for c in one.choices.all()}, comment="Three each")
    run("recalculate")
    ballots = {row["member"]: row for row in exported(one)["decisions"][0]["ballots"]}
    assert ballots[str(members["eve"].pk)]["comment"] == "Three each"


def test_ids_of_a_file_and_numbers_of_others_do_not_collide(town):
    _, members, one = town
    Membership.objects.filter(pk=members["ann"].pk).update(file_id=str(members["bob"].pk))
    ids = [row["id"] for row in exported(one)["members"]]
    assert str(members["bob"].pk) in ids
    assert f"{members['bob'].pk}~" in ids
    assert len(set(ids)) == len(ids)


def test_a_stored_ballot_that_was_tampered_with_is_found_by_the_verifier(town):
    _, members, one = town
    forge(one, members["cat"], lambda ballot: replace(ballot, microstars=(0, 0, 0)))
    assert differences(exported(one)) != []


def test_drafts_hidden_results_and_what_is_not_calculated_are_refused(town):
    made, members, _ = town
    manager = members["manager"].user
    draft, new = factories.draft(made, manager), factories.decision(made, manager)
    with refused("A draft has no result yet."):
        run("export_decision", draft.pk)
    with refused("is stale"):
        run("export_decision", new.pk)
    with refused("not calculated yet"):
        run("export_decision", new.pk, "--stale-ok")
    with refused("There is no decision 0."):
        run("export_decision", 0)
    for visibility in ("batched", "after_close"):
        hidden = factories.decision(made, manager, results_visibility=visibility)
        run("recalculate")
        with refused("shown after voting has closed"):
            run("export_decision", hidden.pk)
        close(hidden, timezone.now())
        with refused("not calculated yet"):
            run("export_decision", hidden.pk)
        run("recalculate")
        assert exported(hidden)["decisions"][0]["result"]["final"] is True


def test_a_file_that_cannot_be_written_is_named(town, tmp_path):
    with refused("Is a directory"):
        run("export_decision", town[2].pk, "--output", tmp_path)
