"""Pages about notices: unsubscribing without signing in, the list, the bell, the preferences."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from democracy import services
from democracy.models import Membership, Notice, NoticePreference
from democracy.notices import outbox, unsubscribing
from democracy.notices.kinds import Kind, Way, kinds_of
from tests import factories
from tests.test_views.browsing import as_, nothing_written, text

pytestmark = pytest.mark.django_db


class TestUnsubscribing:
    @pytest.fixture
    def notice(self) -> Notice:
        community, members = factories.community("ada", name="Larch Lane")
        outbox.add(Kind.APPLICATION_DECIDED, "x", person_id=members["ada"].user_id, community_id=community.pk)
        return Notice.objects.get()

    def address(self, *notices: Notice) -> str:
        return reverse("unsubscribe", args=[unsubscribing.token(notices)])

    def test_looking_ends_nothing_and_the_button_ends_mails_of_that_kind_there(self, notice) -> None:
        page = Client().get(self.address(notice))
        assert "Your application is decided (Larch Lane)" in text(page)
        assert "No more mails: Your application is decided (Larch Lane)</button>" in text(page)
        assert reverse("notice-preferences") in text(page)
        assert not NoticePreference.objects.exists(), "mail programs open links, too"
        assert "You get no more mails like this" in text(Client().post(self.address(notice)))
        preference = NoticePreference.objects.get()
        assert (preference.person, preference.community, preference.kind, preference.way) == (
            notice.person,
            notice.community,
            Kind.APPLICATION_DECIDED,
            Way.SITE,
        )
        notice.refresh_from_db()
        assert notice.due_at is None, "what waits is not mailed any more"
        outbox.add(Kind.APPLICATION_DECIDED, "y", person_id=notice.person_id, community_id=notice.community_id)
        assert Notice.objects.get(subject="y").due_at is None

    def test_a_mail_program_does_it_by_itself_without_a_token_of_a_form(self, notice) -> None:
        program = Client(enforce_csrf_checks=True)
        assert program.post(self.address(notice), {"List-Unsubscribe": "One-Click"}).status_code == 200
        assert NoticePreference.objects.count() == 1
        assert program.post(self.address(notice), {"List-Unsubscribe": "One-Click"}).status_code == 200

    def test_an_address_without_an_account_can_end_invitations(self, notice) -> None:
        outbox.add(Kind.INVITED, "x", address="new@example.org", community_id=notice.community_id)
        Client().post(self.address(Notice.objects.get(kind=Kind.INVITED)))
        outbox.add(Kind.INVITED, "y", address="new@example.org", community_id=notice.community_id)
        assert set(Notice.objects.filter(kind=Kind.INVITED).values_list("due_at", flat=True)) == {None}

    def test_a_link_that_was_cut_off_or_made_up_or_of_a_closed_account_ends_nothing(self, notice) -> None:
        closed = self.address(notice)
        services.close_account(notice.person, confirmed=True)
        for wrong in (closed, closed[:-3] + "/", reverse("unsubscribe", args=["x"])):
            for answer in (Client().get(wrong), Client().post(wrong)):
                assert answer.status_code == 404
        assert not NoticePreference.objects.exists()


class TestPages:
    @pytest.fixture
    def town(self) -> dict[str, Membership]:
        """Ada has two notices and Ben has one."""
        community, members = factories.community("ada", "ben", name="Larch Lane")
        decision = factories.decision(community, members["manager"].user, title="A bench?")
        for name, kind in (("ada", Kind.OPENED), ("ada", Kind.CLOSES_SOON), ("ben", Kind.OPENED)):
            outbox.add(
                kind,
                "x",
                person_id=members[name].user_id,
                community_id=community.pk,
                decision_id=decision.pk,
            )
        return members

    def test_the_bell_counts_what_one_has_not_read_and_the_list_shows_it(self, town) -> None:
        client = as_(town["ada"].user)
        assert "2 unread notices" in text(client.get(reverse("docs")))
        page = text(client.get(reverse("notices")))
        assert ("You can vote now: A bench?" in page, "Closes soon: A bench?" in page) == (True, True)
        newest = Notice.objects.get(person=town["ada"].user, kind=Kind.CLOSES_SOON)
        opened = client.post(reverse("notice-open", args=[newest.key]))
        assert opened["Location"] == f"/communities/{newest.community_id}/decisions/{newest.decision_id}/"
        assert "1 unread notice" in text(client.get(reverse("notice-bell")))
        assert client.post(reverse("notices-read"))["Location"] == reverse("notices")
        assert "unread" not in text(client.get(reverse("notice-bell")))
        assert Notice.objects.filter(read_at=None).get().person == town["ben"].user

    def test_nobody_opens_others_notices_nor_those_on_what_they_may_not_see_any_more(self, town) -> None:
        of_ben = Notice.objects.get(person=town["ben"].user)
        with nothing_written():
            assert as_(town["ada"].user).post(reverse("notice-open", args=[of_ben.key])).status_code == 404
        services.leave_community(town["ben"].user, town["ben"].community_id)
        client = as_(town["ben"].user)
        assert client.post(reverse("notice-open", args=[of_ben.key])).status_code == 404
        assert "bench" not in text(client.get(reverse("notices")))
        assert "unread" not in text(client.get(reverse("notice-bell")))

    def test_what_one_chooses_holds_for_that_community_alone(self, town) -> None:
        ada = town["ada"]
        other, _ = factories.community()
        factories.join(other, ada.user)
        client, name = as_(ada.user), f"{ada.community_id}-{Kind.RESULT}"
        page = client.get(reverse("notice-preferences"))
        assert (name in page.content.decode(), Kind.CALCULATION_FAILED.label in text(page)) == (True, False)
        client.post(reverse("notice-preferences"), {name: "site"})
        assert list(NoticePreference.objects.values_list("person", "community", "kind", "way")) == [
            (ada.user_id, ada.community_id, "result", "site")
        ]
        assert client.post(reverse("notice-preferences"), {name: "by pigeon"}).status_code == 302
        assert NoticePreference.objects.get().way == Way.SITE

    def test_all_kinds_are_set_at_once_but_those_of_managers_only(self, town) -> None:
        ada = town["ada"]
        as_(ada.user).post(
            reverse("notice-preferences"),
            {f"{ada.community_id}-all": "site", f"{ada.community_id}-{Kind.RESULT}": "at_once"},
        )
        chosen = NoticePreference.objects.values_list("kind", "way")
        assert sorted(chosen) == sorted((kind, "site") for kind in kinds_of(is_manager=False))
