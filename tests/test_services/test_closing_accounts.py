"""Closing an account: what goes, what stays, and who can't."""

from __future__ import annotations

import copy
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core.mail import EmailMessage
from django.utils import timezone

from accounts import services as accounts
from accounts.errors import DemoAccount, InvalidHandle, InvalidLink
from accounts.models import ApiToken, User
from democracy import eventlog, recalculation, services
from democracy.errors import ClosingNeedsConfirmation, LastManager
from democracy.models import (
    Application,
    Ballot,
    Community,
    Decision,
    Invitation,
    LedgerEntry,
    Membership,
    Notice,
    NoticePreference,
)
from democracy.notices import outbox, unsubscribing
from democracy.notices.sending import notice_changes
from democracy.notices.wording import words
from democracy.reading.closing_account import closing_of
from democracy.recalculation.audits import faults
from tests import factories
from tests.test_accounts.mailbox import token_in
from tests.test_views.browsing import as_, nothing_written, text

pytestmark = pytest.mark.django_db
PAGE = "/profile/close/"


def cast(community: Community) -> set[tuple[str, str]]:
    """Return who has a cast ballot where, by present handle."""
    rows = Ballot.objects.filter(decision__community=community)
    return set(rows.values_list("membership__user__handle", "decision__title"))


@pytest.fixture(scope="module")
def written(module_rows):
    """Ann voted by name in open and closed decisions, then anonymously; Bob is a bystander who did the same."""
    community, members = factories.community("ann", "bob", visibility=Community.Visibility.PUBLIC)
    manager = members["manager"].user
    over, named, hidden, secret = (
        factories.decision(community, manager, title=title, **fields)
        for title, fields in (
            ("over", {}),
            ("named", {}),
            ("hidden", {"results_visibility": Decision.Visibility.AFTER_CLOSE}),
            ("secret", {}),
        )
    )
    for who in ("ann", "bob"):
        for decision in (over, named, hidden):
            factories.vote(members[who], decision, ["trees"], Ash=5)
        services.set_anonymity(members[who].user, community.pk, anonymous=True)
        factories.vote(members[who], secret, Birch=4)
    services.update_decision(manager, over.pk, closes_at=timezone.now() + timedelta(days=8))
    factories.close(over)
    recalculation.recalculate_community(community.pk)
    return community, members, {"over": over, "named": named, "hidden": hidden, "secret": secret}


@pytest.fixture
def town(written, db):
    return copy.deepcopy(written)


def test_named_ballots_of_open_decisions_go_and_all_others_stay_without_the_name(town):
    community, members, decisions = town
    ann, bob = members["ann"].user, members["bob"].user.handle
    closing = closing_of(ann, timezone.now())
    assert {one.title for one in closing.going} == {"named", "hidden"}
    assert (closing.kept, closing.anonymous, closing.leaving, closing.managing) == (1, 1, [community], [])
    services.close_account(ann, confirmed=True)
    ann.refresh_from_db()
    assert (ann.name, ann.handle[:7], ann.email, ann.is_active) == ("Closed account", "closed_", None, False)
    titles = {"over", "named", "hidden", "secret"}
    assert cast(community) == {(bob, title) for title in titles} | {
        (ann.handle, title) for title in ("over", "hidden", "secret")
    }
    recalculation.recalculate_community(community.pk)
    secret = decisions["secret"].snapshots.order_by("-revision").first().read_result()
    assert (secret.participation.cast, secret.participation.eligible) == (2, 3)
    # Its ballot there counted for nothing from then on, and is not shown.
    factories.close(decisions["hidden"])
    recalculation.recalculate_community(community.pk)
    assert decisions["hidden"].snapshots.get().read_result().participation.cast == 1
    for title in ("over", "hidden", "secret"):
        page = as_(None).get(f"/communities/{community.pk}/decisions/{decisions[title].pk}/ballots/").text
        assert "ann_" not in page
        assert (ann.handle in page) is (title == "over")


def test_the_ledger_holds_it_and_hides_nothing_that_it_hid(town):
    community, members, _ = town
    head = LedgerEntry.objects.filter(community=community).count()
    services.close_account(members["ann"].user, confirmed=True)
    new = LedgerEntry.objects.filter(community=community, revision__gt=head).order_by("revision")
    assert sorted(new.values_list("kind", flat=True)) == ["ballot", "membership"]
    recalculation.recalculate_community(community.pk)
    community.refresh_from_db()
    # The fixture closed one decision behind the ledger's back.
    assert [fault for fault in faults(community) if "decision" not in fault] == []


def test_nobody_learns_from_it_who_had_voted_where_ballots_are_hidden():
    kinds = []
    for has_voted in (True, False):
        community, members = factories.community("ann", "bob")
        hidden = factories.decision(community, members["manager"].user, results_visibility=Decision.Visibility.BATCHED)
        factories.vote(members["ann" if has_voted else "bob"], hidden, Ash=5)
        services.close_account(members["ann"].user, confirmed=True)
        entries = LedgerEntry.objects.filter(community=community).order_by("revision")
        kinds.append(list(entries.values_list("kind", flat=True)))
    assert kinds[0] == kinds[1]


def test_every_way_in_ends(town, mailoutbox: list[EmailMessage], django_capture_on_commit_callbacks):
    ann = town[1]["ann"].user
    address, browser = ann.email, as_(ann)
    accounts.request_sign_in_link(address, client="here")
    _, raw = accounts.create_api_token(ann, "a program")
    with django_capture_on_commit_callbacks(execute=True):
        services.close_account(ann, confirmed=True)
    assert browser.get("/profile/").status_code == 302
    assert accounts.user_for_token(raw) is None
    assert not ApiToken.objects.filter(user=ann).exists()
    with pytest.raises(InvalidLink):
        accounts.sign_in(token_in(mailoutbox[0]))
    assert [(mail.to, mail.subject) for mail in mailoutbox[1:]] == [([address], "Your account is closed")]
    # The address is free: a new account has nothing to do with the old one.
    accounts.request_sign_in_link(address, client="here")
    assert accounts.sign_in(token_in(mailoutbox[2])).pk != ann.pk


def test_the_log_names_nobody(town, django_capture_on_commit_callbacks, monkeypatch):
    lines: list[tuple[str, ...]] = []
    monkeypatch.setattr(eventlog, "log_event", lambda *args: lines.append(args))
    with django_capture_on_commit_callbacks(execute=True):
        services.close_account(town[1]["ann"].user, confirmed=True)
    assert lines == [("ACCOUNT_CLOSE", "Anonymous", "An account was closed")]


def test_applications_and_former_memberships_end_too(town):
    community, members, _ = town
    bob = members["bob"].user
    other, others = factories.community()
    services.update_community(others["manager"].user, other.pk, joining=Community.Joining.REQUEST)
    services.apply_to_community(bob, other.pk)
    services.leave_community(bob, community.pk)
    services.close_account(bob, confirmed=True)
    bob.refresh_from_db()
    assert Application.objects.get(community=other).status == Application.Status.WITHDRAWN
    assert (bob.handle, "named") not in cast(community)
    assert Membership.objects.filter(user=bob).current().count() == 0


class TestWhoCanNot:
    def test_the_last_manager_until_there_is_another(self, town):
        community, members, _ = town
        manager = members["manager"].user
        with nothing_written(), pytest.raises(LastManager, match=community.name):
            services.close_account(manager, confirmed=True)
        assert "Choose another manager" in as_(manager).get(PAGE).text
        services.update_membership(manager, members["bob"].pk, is_manager=True)
        services.close_account(manager, confirmed=True)
        assert not User.objects.get(pk=manager.pk).is_active

    def test_the_only_member_can_because_nobody_is_left_behind(self):
        _, members = factories.community()
        services.close_account(members["manager"].user, confirmed=True)
        members["manager"].refresh_from_db()
        assert not members["manager"].is_current

    def test_people_of_the_demo(self):
        demo = factories.person("demo", is_demo=True)
        with pytest.raises(DemoAccount):
            services.close_account(demo, confirmed=True)
        assert User.objects.get(pk=demo.pk).is_active

    def test_nobody_without_confirming(self, town):
        with nothing_written(), pytest.raises(ClosingNeedsConfirmation, match="2 ballots"):
            services.close_account(town[1]["ann"].user)


def test_the_page_says_what_happens_asks_and_closes(town):
    ann = town[1]["ann"].user
    browser = as_(ann)
    page = text(browser.get(PAGE))
    assert "Your ballot in 2 open decisions: “named”, “hidden”. It counts no more." in page
    assert "1 ballot that you cast anonymously: if it vanished now" in page
    assert "Your ballot in 1 closed decision: its result is final" in page
    assert browser.post(PAGE).status_code == 409
    assert User.objects.get(pk=ann.pk).is_active
    answer = browser.post(PAGE, {"confirmed": "on"}, follow=True)
    assert "Your account is closed." in answer.text
    assert not answer.wsgi_request.user.is_authenticated
    assert not User.objects.get(pk=ann.pk).is_active


def test_nobody_takes_the_name_of_a_closed_account():
    with pytest.raises(InvalidHandle):
        accounts.update_profile(factories.person("eve"), handle="closed_eve")


def test_invitations_and_notices_forget_name_and_address_also_those_that_others_have(db):
    community, members = factories.community("ada", "ben", "cleo")
    ada = members["ada"].user
    addresses = [ada.email, members["cleo"].user.email, "dan@example.org"]
    # As two were invited before they came; the third waits.
    for address, who in zip(addresses, ("ada", "cleo", None), strict=True):
        invitation = Invitation(community=community, address=address, name="Somebody")
        invitation.issue(timezone.now())
        if who:
            invitation.membership, invitation.accepted_at = members[who], timezone.now()
        invitation.save()
        outbox.add(Notice.Kind.INVITED, f"invitation:{address}", address=address, community_id=community.pk, data={})
    for who in ("ada", "cleo"):
        factories.follow(members["ben"], members[who])
    notice_changes()
    for who in ("ada", "cleo"):
        services.leave_community(members[who].user, community.pk)
    notice_changes()
    gone = Notice.objects.filter(person=members["ben"].user, kind=Notice.Kind.FOLLOWEE_GONE).order_by("pk")
    assert [one.data["name"] for one in gone] == [ada.name, members["cleo"].user.name]
    services.close_account(ada, confirmed=True)
    assert [one.data["name"] for one in gone.all()] == ["Closed account", members["cleo"].user.name]
    assert [one.address for one in Invitation.objects.order_by("pk")] == addresses[1:]
    assert [one.address for one in Notice.objects.exclude(address="").order_by("pk")] == addresses[1:]
    told = Notice.objects.filter(kind=Notice.Kind.NEW_FOLLOWER)
    assert [one.person for one in told] == [members["cleo"].user]


def test_whom_somebody_invited_gets_a_mail_without_the_name_of_an_account_that_was_closed(db):
    community, members = factories.community("ada")
    ada, manager = members["ada"].user, members["manager"].user
    services.update_membership(manager, members["ada"].pk, is_manager=True)
    for user, address in ((ada, "dan@example.org"), (manager, "eve@example.org")):
        services.invite(user, community.pk, [services.Invitee(address)])
    services.close_account(ada, confirmed=True)
    dans, eves = (words(Notice.objects.get(address=f"{who}@example.org")).title for who in ("dan", "eve"))
    assert (ada.name in dans, manager.name in eves) == (False, True)
    stored = str([*Notice.objects.values(), *Invitation.objects.values()])
    assert (ada.name in stored, manager.name in stored) == (False, True)


def test_the_wish_for_no_mails_to_an_address_ends_with_the_account(db):
    community, members = factories.community("ada", "ben")
    own, other = members["ada"].user.email, members["ben"].user.email
    for address in (own, other):
        outbox.add(Notice.Kind.INVITED, "x", address=address, community_id=community.pk, data={})
        unsubscribing.unsubscribe(unsubscribing.read(unsubscribing.token([Notice.objects.get(address=address)])))
    services.close_account(members["ada"].user, confirmed=True)
    assert [one.address for one in NoticePreference.objects.all()] == [other]


def test_the_administrations_own_history_forgets_the_handle(db):
    root = factories.person("root", is_staff=True, is_superuser=True)
    ada, ben = factories.person("ada"), factories.person("ben")
    for person in (ada, ben):
        LogEntry.objects.log_actions(root.pk, [person], 2, "Looked after.", single_object=True)
    services.close_account(ada, confirmed=True)
    ada.refresh_from_db()
    assert [one.object_repr for one in LogEntry.objects.order_by("pk")] == [ada.handle, ben.handle]
