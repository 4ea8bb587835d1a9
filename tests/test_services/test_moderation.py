"""Hiding texts and communities: who may, what stands in their place, what nobody reads any more, and showing again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from accounts.models import User
from democracy import access, services
from democracy.errors import CommunityHidden, InvalidInput, InvalidInvitation, PermissionDenied, TextHidden
from democracy.models import Ballot, Community, Decision, Invitation, LedgerEntry, Moderation
from democracy.reading import ledger_feed
from democracy.reading.communities import communities_listed
from democracy.reading.receipts import own_receipt
from democracy.recalculation import audits, recalculate_community
from tests import factories, rules
from tests.hiding import (
    BAD,
    NOTICE,
    VISITOR,
    WHY,
    bundle_of,
    comment,
    hide_everything_bad,
    ledger_of,
    opened,
    verified,
)
from tests.test_verify.bundles import verifier
from tests.towns import Town, new_town

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def written(written: tuple[Town, Town, rules.Rows]) -> tuple[Town, Town, rules.Rows]:
    town, other, rows = written
    return opened(town), other, rows


@pytest.fixture
def open_town(town: Town) -> Town:
    return town


def told(town: Town, viewer: Any = VISITOR) -> str:
    """Everything that the history says and opens."""
    town.community.refresh_from_db()
    items = ledger_feed.feed(viewer, town.community, first=100)
    return "\n".join(f"{item.sentence} {item.before} {item.after} {item.opened}" for item in items)


def faults(town: Town) -> list[str]:
    town.community.refresh_from_db()
    return list(audits.faults(town.community))


def test_what_is_hidden_is_read_nowhere_and_the_ledger_stays_provable(open_town, bystander, root) -> None:
    hide_everything_bad(root, open_town)
    recalculate_community(open_town.community.pk)
    decision = Decision.objects.get(pk=open_town.decision.pk)
    assert (decision.title, decision.description, decision.clarifications.get().text) == (NOTICE, NOTICE, NOTICE)
    assert decision.choices.all()[0].title == NOTICE
    assert set(Ballot.objects.filter(decision=decision).values_list("comment", flat=True)) == {NOTICE, ""}
    bundle = bundle_of(open_town)
    for viewer in (VISITOR, open_town.ben.user, open_town.manager):
        assert BAD not in told(open_town, viewer)
        assert WHY in told(open_town, viewer)
        assert BAD not in "\n".join(ledger_of(open_town, viewer))
    assert BAD not in json.dumps(bundle)
    assert faults(open_town) == []
    assert verified(open_town, bundle) == []


def test_the_history_says_who_hid_what_and_why_without_naming_the_operator(open_town, root) -> None:
    hide_everything_bad(root, open_town)
    open_town.community.refresh_from_db()
    items = ledger_feed.feed(VISITOR, open_town.community, kind=LedgerEntry.Kind.MODERATION, first=20)
    said = [item.sentence for item in reversed(items)]
    assert said[0] == f"The site's operator hid the description of the community: “{WHY}”"
    assert said[-1] == f"The site's operator hid the comment on a ballot in “{NOTICE}”: “{WHY}”"
    # What an earlier moderation left has words that a later one hid, so it is closed; its stand-in has the reason.
    assert said[1] == "The site's operator hid a text or showed it again."
    assert {item.actor for item in items if item.is_open} == {"The site's operator"}
    assert {entry.actor_id for entry in rules.entries(open_town.community) if entry.kind == "moderation"} == {None}


def test_others_than_operators_hide_nothing(open_town, root) -> None:
    staff = factories.person(is_staff=True)
    for viewer in (VISITOR, open_town.manager, staff):
        for command, subject in (
            (services.hide_community_text, open_town.community.pk),
            (services.hide_decision_text, open_town.decision.pk),
        ):
            with rules.refused(PermissionDenied):
                command(viewer, subject, place="description", reason=WHY)
        with rules.refused(PermissionDenied):
            services.hide_comment(viewer, open_town.decision.pk, by=open_town.ada.user.handle, reason=WHY)
        with rules.refused(PermissionDenied):
            services.hide_community(viewer, open_town.community.pk, reason=WHY)
    made = services.hide_community_text(root, open_town.community.pk, place="description", reason=WHY)
    with rules.refused(PermissionDenied):
        services.show_again(staff, made.pk)
    staff.user_permissions.add(Permission.objects.get(codename="add_moderation"))
    services.show_again(User.objects.get(pk=staff.pk), made.pk)


@pytest.mark.parametrize(
    ("place", "reason", "field"),
    [
        ("title", " ", "reason"),
        ("title", "x" * 501, "reason"),
        ("title", "a\x00b", "reason"),
        ("lot_seed", WHY, "place"),
        ("called_off", WHY, "place"),
        ("clarification:2", WHY, "place"),
    ],
)
def test_a_reason_and_a_text_are_needed(open_town, root, place: str, reason: str, field: str) -> None:
    with rules.refused(InvalidInput) as refusal:
        services.hide_decision_text(root, open_town.decision.pk, place=place, reason=reason)
    assert refusal.value.field == field


def test_nothing_is_hidden_twice_and_drafts_are_left_alone(open_town, root) -> None:
    services.hide_decision_text(root, open_town.decision.pk, place="title", reason=WHY)
    with rules.refused(InvalidInput):
        services.hide_decision_text(root, open_town.decision.pk, place="title", reason="Again.")
    draft = factories.draft(open_town.community, open_town.manager)
    with rules.refused(PermissionDenied):
        services.hide_decision_text(root, draft.pk, place="title", reason=WHY)


def test_what_is_shown_again_is_as_before_and_opens_its_entries(open_town, root) -> None:
    before = {entry.revision for entry in rules.entries(open_town.community)}
    shown = ledger_of(open_town)[1:]
    for made in reversed(hide_everything_bad(root, open_town)):
        services.show_again(root, made.pk)
    decision = Decision.objects.get(pk=open_town.decision.pk)
    assert (decision.title, decision.choices.all()[0].title) == (f"{BAD} trees", f"{BAD} oak")
    assert Ballot.objects.get(decision=decision, membership=open_town.ada).comment == f"{BAD}, says one"
    assert ledger_of(open_town)[1 : len(before) + 1] == shown
    assert f"The site's operator shows the title of “{BAD} trees” again." in told(open_town)
    assert "Somebody clarified" not in told(open_town)
    recalculate_community(open_town.community.pk)
    assert (faults(open_town), verified(open_town, bundle_of(open_town))) == ([], [])
    made = Moderation.objects.first()
    revision = rules.revision(open_town.community)
    services.show_again(root, made.pk)
    assert rules.revision(open_town.community) == revision, "showing again what is shown changes nothing"


def test_other_words_may_stand_in_place_of_a_stand_in_but_not_the_hidden_ones(open_town, root) -> None:
    made = services.hide_community_text(root, open_town.community.pk, place="description", reason=WHY)
    words = services.hide_comment(root, open_town.decision.pk, by=open_town.ada.user.handle, reason=WHY)
    with rules.refused(TextHidden) as refusal:
        services.update_community(open_town.manager, open_town.community.pk, description=f"{BAD}, neighbours ")
    assert refusal.value.field == "description"
    with rules.refused(TextHidden):
        comment(open_town, open_town.ada, f"{BAD}, says one")
    comment(open_town, open_town.ada, NOTICE, stars=1)
    comment(open_town, open_town.ada, "Sorry.", stars=1)
    services.update_community(open_town.manager, open_town.community.pk, description="Trees.")
    recalculate_community(open_town.community.pk)
    assert f"{BAD}, " not in told(open_town, open_town.manager)
    assert (faults(open_town), verified(open_town, bundle_of(open_town))) == ([], [])
    for moderation in (made, words):
        services.show_again(root, moderation.pk)
    assert Community.objects.get(pk=open_town.community.pk).description == "Trees."
    assert Ballot.objects.get(membership=open_town.ada).comment == "Sorry."
    assert (faults(open_town), verified(open_town, bundle_of(open_town))) == ([], [])


def test_a_caster_keeps_their_receipt_and_their_words_in_it(open_town, root) -> None:
    services.hide_comment(root, open_town.decision.pk, by=open_town.ada.user.handle, reason=WHY)
    receipt = own_receipt(open_town.ada.user, open_town.decision)
    assert receipt.file["content"]["before"]["comment"] == f"{BAD}, says one"
    assert verifier.check_receipt(verifier.receipt_of(receipt.file)) == []


def test_a_bundle_from_before_is_still_the_ledgers(open_town, root) -> None:
    """A ballot with bad words changed after the file was made: nothing tells its stars then, and nobody is accused."""
    recalculate_community(open_town.community.pk)
    early = bundle_of(open_town)
    comment(open_town, open_town.ada, f"{BAD}, says one", stars=2)
    services.hide_comment(root, open_town.decision.pk, by=open_town.ada.user.handle, reason=WHY)
    assert verified(open_town, early) == []
    forged = json.loads(json.dumps(early))
    ben = next(one for one in forged["ledger_members"] if one["membership"] == open_town.ben.pk)["member"]
    ballot = next(one for one in forged["decisions"][0]["ballots"] if one["member"] == ben)
    ballot["stars"] = dict.fromkeys(ballot["stars"], 5)
    assert any("ballots" in difference for difference in verified(open_town, forged))


def test_the_words_of_a_closed_decision_are_compared_with_what_the_moderation_left(open_town, root, clock) -> None:
    clock.advance(days=8)
    recalculate_community(open_town.community.pk)
    hide_everything_bad(root, open_town)
    # Of a file that may be from before, by clocks that differ, nothing tells the words.
    clock.advance(minutes=2)
    bundle = bundle_of(open_town)
    assert bundle["decisions"][0]["result"]["final"]
    assert verified(open_town, bundle) == []
    bundle["decisions"][0]["title"] = "Another question"
    assert any("title" in difference for difference in verified(open_town, bundle))


@pytest.mark.parametrize("column", ["reason", "stand_in", "leaves", "ended_at"])
def test_a_moderation_that_was_changed_is_found(open_town, root, column: str) -> None:
    made = services.hide_decision_text(root, open_town.decision.pk, place="title", reason=WHY)
    value: Any = {"leaves": {}, "ended_at": made.hidden_at}.get(column, "x")
    Moderation.objects.filter(pk=made.pk).update(**{column: value})
    recalculate_community(open_town.community.pk)
    assert [fault for fault in faults(open_town) if f"moderation {made.pk}" in fault]


def test_comments_that_are_not_shown_are_answered_as_if_there_were_none(root) -> None:
    town = new_town("ada", "dan")
    decision = factories.decision(town.community, town.manager, results_visibility="after_close")
    town.decision = decision
    comment(town, town.ada, BAD)
    services.set_anonymity(town.dan.user, town.community.pk, anonymous=True)
    live = factories.decision(town.community, town.manager)
    town.decision = live
    comment(town, town.dan, BAD)
    answers = set()
    for one, name in ((decision, town.ada.user.handle), (live, town.dan.user.handle), (live, "nobody")):
        with rules.refused(InvalidInput) as refusal:
            services.hide_comment(root, one.pk, by=name, reason=WHY)
        answers.add((refusal.value.field, refusal.value.message))
    assert len(answers) == 1


def test_an_entry_on_a_comment_under_a_pseudonym_says_no_more_than_everybody_knows(open_town, root) -> None:
    pseudonym = access.pseudonym(open_town.decision.pk, open_town.dan.pk)
    services.hide_comment(root, open_town.decision.pk, by=pseudonym, reason=WHY)
    entry = rules.entries(open_town.community)[-1]
    assert (entry.kind, entry.membership_id, entry.actor_id) == ("moderation", None, None)
    assert entry.after["of"] == f"ballot:{open_town.decision.pk}:{pseudonym.replace(' ', '-')}"
    assert (entry.after["leaves"], entry.after["closes"]) == ({}, [])


def test_stand_ins_differ_where_names_have_to(root) -> None:
    town = new_town("ada", "dan")
    first, second, _ = town.decision.choices.all()
    for one in (first, second):
        services.hide_decision_text(root, town.decision.pk, place=f"choice:{one.pk}:title", reason="r" * 500)
    titles = [one.title for one in town.decision.choices.all()]
    assert len(set(titles)) == 3
    assert max(map(len, titles)) <= 200
    assert titles[1].startswith("Hidden by the site's operator (2): ")


def test_entries_between_two_that_are_closed_stay_open_and_are_no_fault(open_town, root) -> None:
    for words, stars in (("", 4), ("", 3), (f"{BAD} again", 2)):
        comment(open_town, open_town.ada, words, stars=stars)
    services.hide_comment(root, open_town.decision.pk, by=open_town.ada.user.handle, reason=WHY)
    recalculate_community(open_town.community.pk)
    subject = f"ballot:{open_town.decision.pk}:{open_town.ada.pk}"
    rows = [json.loads(line) for line in ledger_of(open_town)[1:]]
    assert [row["revision"] for row in rows if row.get("content", {}).get("subject") == subject] == [
        entry.revision for entry in rules.entries(open_town.community) if entry.subject == subject
    ][2:3]
    assert verified(open_town, bundle_of(open_town)) == []


def test_a_moderation_that_tells_something_else_is_found(open_town, root, monkeypatch) -> None:
    monkeypatch.setattr("democracy.services.moderation._left_of", lambda text: {"title": "Another question"})
    services.hide_decision_text(root, open_town.decision.pk, place="title", reason=WHY)
    last = rules.revision(open_town.community)
    assert faults(open_town) == [f"entry {last} does not tell what it left of the text's subject"]


class TestHiddenCommunities:
    @pytest.fixture
    def hidden(self, open_town, root) -> Town:
        recalculate_community(open_town.community.pk)
        services.invite(open_town.manager, open_town.community.pk, [services.Invitee("zoe@example.org")])
        services.hide_community(root, open_town.community.pk, reason=WHY)
        return open_town

    def test_only_its_members_find_it_and_nobody_reads_it(self, hidden, bystander) -> None:
        pk = hidden.community.pk
        for viewer, finds in ((VISITOR, False), (bystander.manager, False), (hidden.ben.user, True)):
            assert communities_listed(viewer).filter(pk=pk).exists() == finds
            assert not access.communities_readable_by(viewer).filter(pk=pk).exists()
            assert not access.decisions_visible_to(viewer).filter(community=pk).exists()
            assert not access.snapshots_visible_to(viewer).filter(decision__community=pk).exists()
        assert not access.decisions_visible_to(hidden.manager).filter(community=pk).exists()
        assert set(access.memberships_visible_to(hidden.manager).filter(community=pk)) == {hidden.members["manager"]}
        assert faults(hidden) == []

    def test_nobody_acts_in_it_but_leaves(self, hidden, bystander) -> None:
        choice = hidden.decision.choices.all()[0]
        with rules.refused(CommunityHidden):
            services.cast_ballot(hidden.ben.user, hidden.decision.pk, stars={choice.pk: 1})
        with rules.refused(CommunityHidden):
            services.update_community(hidden.manager, hidden.community.pk, name="Other")
        with rules.refused(PermissionDenied):
            services.apply_to_community(bystander.manager, hidden.community.pk)
        Invitation.objects.filter(address="zoe@example.org").update(address=bystander.manager.email)
        with rules.refused(PermissionDenied):
            services.accept_own_invitation(bystander.manager, hidden.community.pk)
        link = hidden.community.invitation_links.create(created_by=hidden.manager)
        with rules.refused(InvalidInvitation):
            services.use_invitation_link(bystander.manager, link.token)
        services.leave_community(hidden.ben.user, hidden.community.pk)

    def test_shown_again_it_is_as_before(self, hidden, root) -> None:
        with rules.refused(InvalidInput):
            services.hide_community(root, hidden.community.pk, reason=WHY)
        services.show_again(root, Moderation.objects.get(place="").pk)
        assert access.decisions_visible_to(VISITOR).filter(pk=hidden.decision.pk).exists()
        recalculate_community(hidden.community.pk)
        assert (faults(hidden), verified(hidden, bundle_of(hidden))) == ([], [])
        assert f"The site's operator hid the community: “{WHY}”" in told(hidden)
