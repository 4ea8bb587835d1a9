"""Pages about notices: unsubscribing without signing in, the list, the bell, the preferences."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from democracy.models import Notice, NoticePreference
from democracy.notices import outbox, unsubscribing
from democracy.notices.kinds import Kind, Way
from tests import factories
from tests.test_views.browsing import text

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

    def test_a_link_that_was_cut_off_or_made_up_ends_nothing(self, notice) -> None:
        for wrong in (self.address(notice)[:-3] + "/", reverse("unsubscribe", args=["x"])):
            for answer in (Client().get(wrong), Client().post(wrong)):
                assert answer.status_code == 404
        assert not NoticePreference.objects.exists()
