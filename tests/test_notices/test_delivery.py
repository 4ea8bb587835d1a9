"""Mails on their way to a real mail server on loopback: down, slow, refusing, going away."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.core.mail import EmailMessage
from django.utils import timezone

from accounts.models import User
from democracy import services
from democracy.ledger import checkpoints
from democracy.models import Checkpoint, Community, LedgerEntry, Notice
from democracy.notices import delivery, outbox, sending
from democracy.notices.delivery import MailServerAway
from democracy.notices.kinds import Kind
from tests import factories, rules, servers
from tests.test_notices.smtp import Mailbox, serving
from tests.test_verify.bundles import verifier

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def any_rate(settings) -> None:
    settings.MAILS_PER_MINUTE = 0


@pytest.fixture
def invited() -> Community:
    """A community that has invited a, b and c."""
    community = Community.objects.create(name="Maple Court")
    said = {"key": "x", "by": "Bo"}
    for name in "abc":
        outbox.add(Kind.INVITED, "one", address=f"{name}@example.org", community_id=community.pk, data=said)
    return community


def states() -> dict[str, tuple[bool, str]]:
    """By address: whether the mail was sent, and why it was refused."""
    rows = Notice.objects.order_by("address").values_list("address", "sent_at", "refused")
    return {address[0]: (sent is not None, refused) for address, sent, refused in rows}


def test_a_mail_is_text_and_html_and_says_how_to_stop_such_mails(mailbox: Mailbox, tmp_path: Path) -> None:
    community, members = factories.community("ada", name="Larch & Elm")
    decision = factories.decision(community, members["manager"].user, title="A <b>bench</b>")
    ada = members["ada"].user
    outbox.add(Kind.OPENED, "x", person_id=ada.pk, community_id=community.pk, decision_id=decision.pk)
    sending.deliver_mails()
    (mail,) = mailbox.mails
    assert (mail["To"], mail["Subject"]) == (ada.email, "You can vote now: A <b>bench</b>")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    stop = mail["List-Unsubscribe"].strip(" <>")
    text, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
    page = f"http://localhost:8000/communities/{community.pk}/decisions/{decision.pk}/"
    assert (page in text, page in html, stop in text, stop in html) == (True,) * 4
    assert "Larch & Elm decides on “A <b>bench</b>”" in text
    assert "Larch &amp; Elm decides on “A &lt;b&gt;bench&lt;/b&gt;”" in html
    witnessed = witnessed_in(text)
    kept = Checkpoint.objects.get()
    assert (checkpoints.is_genuine(witnessed), witnessed.signature in html) == (True, True), "a mailbox is a witness"
    assert (witnessed.revision, witnessed.hash) == (kept.revision, kept.hash)
    assert "src=" not in html, "a mail loads nothing"
    assert text.splitlines()[0] == f"Dear {ada.name},"
    assert f"<p>Dear {ada.name},</p>" in html
    *_, why, seal = text.strip().splitlines()
    assert why.startswith("You can ignore"), "it is the last thing, under a sentence that says why"
    assert "No more mails" not in html.partition(witnessed.signature)[2]
    kept_line = tmp_path / "line"
    kept_line.write_text(seal)
    with ExitStack() as files:
        read = verifier.read(str(kept_line), files).content
    assert (read.hash, verifier.check_checkpoint(read)) == (kept.hash, []), "the verifier reads the line as it stands"


def test_who_is_known_by_no_name_is_greeted_without_one(mailoutbox: list[EmailMessage]) -> None:
    community, members = factories.community("ada", "ben")
    User.objects.filter(pk=members["ben"].user_id).update(name=members["ben"].user.handle)
    for name in ("ada", "ben"):
        outbox.add(Kind.NEW_FOLLOWER, "x", person_id=members[name].user_id, community_id=community.pk)
    outbox.add(Kind.INVITED, "x", address="new@example.org", community_id=community.pk, data={"key": "x", "by": "Bo"})
    Notice.objects.update(due_at=timezone.now())
    sending.deliver_mails()
    first_lines = sorted(str(mail.body).splitlines()[0] for mail in mailoutbox)
    assert first_lines == [f"Dear {members['ada'].user.name},", "Hello,", "Hello,"]


def witnessed_in(text: str) -> Checkpoint:
    said = json.loads(next(line for line in text.splitlines() if line.startswith("{")))
    time = datetime.fromisoformat(said["time"])
    columns = {name: said[name] for name in ("revision", "hash", "key", "signature")}
    return Checkpoint(community_id=said["community"], time=time, **columns)


@pytest.mark.parametrize("shown", ["live", "after_close"])
def test_no_mail_says_when_a_ballot_was_cast_that_nobody_else_learns_of(
    shown: str, mailoutbox: list[EmailMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = rules.Clock(monkeypatch)
    clock.set(clock.now.replace(minute=0, second=0, microsecond=0))
    community, members = factories.community("ada", "ben")
    decision = factories.decision(community, members["manager"].user, results_visibility=shown)
    services.set_anonymity(members["ada"].user, community.pk, anonymous=True)
    # It is the first change of its hour, so a checkpoint is kept.
    clock.advance(hours=1, minutes=12)
    factories.vote(members["ada"], decision, Ash=5)
    clock.advance(minutes=30)
    outbox.add(Kind.OPENED, "x", person_id=members["ben"].user_id, community_id=community.pk, decision_id=decision.pk)
    sending.deliver_mails()
    (mail,) = mailoutbox
    witnessed, head = witnessed_in(str(mail.body)), LedgerEntry.objects.filter(community=community).last()
    assert head is not None
    assert (head.kind, head.time) == (LedgerEntry.Kind.BALLOT, clock.now - timedelta(minutes=30))
    assert (witnessed.revision, witnessed.time) == (head.revision, clock.now)
    assert checkpoints.is_genuine(witnessed)


def test_each_is_mailed_once_over_one_connection(invited, mailbox: Mailbox) -> None:
    assert (sending.deliver_mails(), sending.deliver_mails()) == (0.0, None)
    assert mailbox.addresses() == ["a@example.org", "b@example.org", "c@example.org"]
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == 3


def test_an_address_that_does_not_exist_is_told_and_holds_nobody_up(invited, mailbox: Mailbox) -> None:
    mailbox.on_recipient = lambda address: "550 No such person" if address[0] == "b" else None
    sending.deliver_mails()
    assert states() == {"a": (True, ""), "b": (False, "550 No such person"), "c": (True, "")}
    assert sending.deliver_mails() is None


@pytest.mark.parametrize("answer", ["451 Greylisted", "421 Busy"])
def test_who_is_put_off_is_tried_later_and_the_others_are_mailed(invited, mailbox: Mailbox, answer: str) -> None:
    mailbox.on_recipient = lambda address: answer if address[0] == "a" else None
    sending.deliver_mails()
    assert states() == {"a": (False, ""), "b": (True, ""), "c": (True, "")}
    mailbox.on_recipient = lambda address: None
    Notice.objects.filter(sent_at=None).update(due_at=timezone.now())
    sending.deliver_mails()
    assert states()["a"] == (True, "")


def test_while_the_server_is_away_all_wait_and_none_counts_as_tried(invited, settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", servers.free_port()
    with pytest.raises(MailServerAway):
        sending.deliver_mails()
    assert set(Notice.objects.values_list("attempts", "leased_until")) == {(0, None)}
    found = Mailbox()
    with serving(found, settings.EMAIL_PORT):
        sending.deliver_mails()
    assert len(found.mails) == 3


def test_a_server_that_is_too_slow_is_left_and_the_mails_come_later(invited, mailbox: Mailbox, settings) -> None:
    settings.EMAIL_TIMEOUT = 0.2
    mailbox.pause = 0.5
    sending.deliver_mails()
    assert states() == {"a": (False, ""), "b": (False, ""), "c": (False, "")}
    assert set(Notice.objects.values_list("attempts", flat=True)) == {1}


def test_who_may_not_see_a_decision_any_more_gets_no_mail_about_it(mailbox: Mailbox) -> None:
    community, members = factories.community("ada", "ben")
    decision = factories.decision(community, members["manager"].user)
    for name in ("ada", "ben"):
        person = members[name].user
        outbox.add(Kind.OPENED, "x", person_id=person.pk, community_id=community.pk, decision_id=decision.pk)
    services.leave_community(members["ada"].user, community.pk)
    sending.deliver_mails()
    assert mailbox.addresses() == [members["ben"].user.email]
    assert sending.deliver_mails() is None


def test_what_is_taken_back_does_not_leave_though_a_sender_holds_it(invited, mailbox: Mailbox, monkeypatch) -> None:
    mark = outbox.sent

    def sent(parcel: outbox.Parcel) -> None:
        mark(parcel)
        outbox.take_back(Kind.INVITED, {"one": "b@example.org"})

    monkeypatch.setattr(outbox, "sent", sent)
    sending.deliver_mails()
    assert mailbox.addresses() == ["a@example.org", "c@example.org"]
    assert states()["b"] == (False, "")
    assert sending.deliver_mails() is None


def test_a_sender_that_stalled_for_longer_than_its_lease_mails_nothing(invited, mailbox: Mailbox) -> None:
    parcels, _ = outbox.lease_mails(3)
    late = timezone.now() - timedelta(seconds=1)
    Notice.objects.update(leased_until=late)
    delivery.deliver([replace(parcel, leased_until=late) for parcel in parcels])
    assert mailbox.addresses() == []
    sending.deliver_mails()
    assert len(mailbox.mails) == 3, "none is lost"


def test_no_mail_invites_to_a_community_that_an_operator_has_hidden(invited, mailbox: Mailbox) -> None:
    root = User.objects.create_superuser("root@example.org", name="Root", handle="root")
    services.hide_community(root, invited.pk, reason="It insults people.")
    sending.deliver_mails()
    assert mailbox.addresses() == []


def test_a_mail_is_doubled_only_by_a_death_between_the_servers_answer_and_the_mark(
    invited, mailbox: Mailbox, monkeypatch
) -> None:
    """It is one mail, and both copies have one Message-ID; what was not sent yet is sent once."""
    mark = outbox.sent

    def dies(parcel: outbox.Parcel) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(outbox, "sent", dies)
    # A killed process gives nothing back either.
    monkeypatch.setattr(outbox, "give_back", lambda parcels: None)
    with pytest.raises(KeyboardInterrupt):
        sending.deliver_mails()
    monkeypatch.setattr(outbox, "sent", mark)
    assert sending.deliver_mails() is None, "the lease lasts"
    Notice.objects.update(leased_until=timezone.now())
    sending.deliver_mails()
    assert sorted(mailbox.addresses()) == [f"{name}@example.org" for name in "aabc"]
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == 3
