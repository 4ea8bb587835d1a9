"""Codes in sign-in mails, for whoever reads mail on another device; and new links in place of those that failed."""

from __future__ import annotations

import html
import json
import re
import time

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.models import Session
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse

from accounts import codes
from accounts.models import User
from tests.factories import community, decision, person
from tests.test_accounts.mailbox import code_in, link_in

pytestmark = pytest.mark.django_db

Outbox = list[EmailMessage]
SENT = "/sign-in/sent/"


def ask(client: Client, email: str, wanted: str = "") -> None:
    assert client.post(reverse("sign-in"), {"email": email, "next": wanted}).headers["Location"] == SENT


def enter(client: Client, code: str):
    return client.post(SENT, {"code": code})


def wrong(code: str) -> str:
    return f"{(int(code.replace(' ', '')) + 1) % 10**6:06}"


def signed_in(client: Client) -> User | AnonymousUser:
    return client.get(SENT).wsgi_request.user


class TestTheCode:
    @pytest.mark.parametrize("typed", ["{}", " {} ", "{}-", "\u2067{}"])
    def test_it_signs_in_the_browser_that_asked_and_leads_on(self, client, mailoutbox: Outbox, typed):
        alice = person("alice")
        ask(client, "Alice@example.org", "/profile/")
        assert "<strong>alice@example.org</strong>" in client.get(SENT).text
        answer = enter(client, typed.format(code_in(mailoutbox[0])))
        assert (answer.status_code, answer.headers["Location"]) == (302, "/profile/")
        assert signed_in(client) == alice

    def test_it_signs_up_an_unknown_address(self, client, mailoutbox: Outbox):
        ask(client, "new@example.org", "/profile/")
        answer = enter(client, code_in(mailoutbox[0]).replace(" ", ""))
        assert answer.headers["Location"] == "/welcome/?next=%2Fprofile%2F"
        assert signed_in(client) == User.objects.get(email="new@example.org")

    def test_it_is_worth_nothing_in_another_browser(self, client, mailoutbox: Outbox):
        person("alice")
        ask(client, "alice@example.org")
        eve = Client()
        for _ in range(2):
            assert enter(eve, code_in(mailoutbox[0])).status_code == 400
            # Not even in one that has asked for a mail of its own.
            ask(eve, "eve@example.org")
        assert isinstance(signed_in(eve), AnonymousUser)
        assert enter(client, code_in(mailoutbox[0])).status_code == 302

    def test_link_and_code_together_work_once(self, client, mailoutbox: Outbox):
        person("alice")
        for first, second in (("link", "code"), ("code", "link")):
            ask(client, "alice@example.org")
            mail = mailoutbox[-1]
            use = {"link": lambda m=mail: Client().post(link_in(m)), "code": lambda m=mail: enter(client, code_in(m))}
            assert use[first]().status_code == 302
            assert use[second]().status_code == 400
            client.post(reverse("sign-out"))

    def test_it_works_for_fifteen_minutes(self, client, mailoutbox: Outbox, monkeypatch):
        person("alice")
        ask(client, "alice@example.org")
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 15 * 60 + 1)
        assert "No code waits" in enter(client, code_in(mailoutbox[0])).text
        assert isinstance(signed_in(client), AnonymousUser)

    def test_the_code_of_an_earlier_mail_is_replaced(self, client, mailoutbox: Outbox, monkeypatch):
        person("alice")
        figures = iter([111_111, 222_222])
        monkeypatch.setattr("secrets.randbelow", lambda _: next(figures))
        for _ in range(2):
            ask(client, "alice@example.org")
        assert enter(client, code_in(mailoutbox[0])).status_code == 400
        assert enter(client, code_in(mailoutbox[1])).status_code == 302

    def test_five_tries_are_all(self, client, mailoutbox: Outbox):
        person("alice")
        ask(client, "alice@example.org")
        code = code_in(mailoutbox[0])
        for _ in range(5):
            assert "This is not the code" in enter(client, wrong(code)).text
        answer = enter(client, code)
        assert (answer.status_code, "too many wrong codes" in answer.text) == (400, True)
        assert isinstance(signed_in(client), AnonymousUser)
        # Guessing locks nobody out: the link in the same mail works.
        assert Client().post(link_in(mailoutbox[0])).status_code == 302

    def test_an_address_has_so_many_tries_a_day_however_many_mails_are_asked_for(self, mailoutbox: Outbox, monkeypatch):
        person("alice")
        monkeypatch.setattr(codes, "TRIES_PER_ADDRESS", 3)
        for _ in range(3):
            eve = Client()
            ask(eve, "alice@example.org")
            enter(eve, wrong(code_in(mailoutbox[-1])))
        owner = Client()
        ask(owner, "alice@example.org")
        assert "too many wrong codes" in enter(owner, code_in(mailoutbox[-1])).text
        bob = Client()
        ask(bob, "bob@example.org")
        assert enter(bob, code_in(mailoutbox[-1])).status_code == 302

    def test_wrong_codes_count_as_failures_of_their_client(self, client, settings, mailoutbox: Outbox):
        settings.FAILURES_PER_CLIENT = 2
        ask(client, "alice@example.org")
        statuses = [enter(client, wrong(code_in(mailoutbox[0]))).status_code for _ in range(3)]
        assert statuses == [400, 400, 429]

    def test_known_unknown_and_closed_addresses_are_answered_alike(self, mailoutbox: Outbox):
        person("alice")
        person("closed", is_active=False)
        answers = []
        for name in ("alice", "nobody", "closed"):
            client = Client()
            ask(client, f"{name}@example.org")
            pages = [client.get(SENT), enter(client, "x")]
            texts = [re.sub(r'csrf\w*" value="\w+"|X-CSRFToken": "\w+"', "", page.text) for page in pages]
            answers.append([text.replace(f"{name}@example.org", "somebody") for text in texts])
        assert answers[0] == answers[1] == answers[2]
        assert [bool(re.search(r"\d{3} \d{3}", mail.body)) for mail in mailoutbox] == [True, True, False]

    def test_neither_session_nor_page_has_it(self, client, mailoutbox: Outbox):
        ask(client, "alice@example.org")
        code = code_in(mailoutbox[0])
        kept = json.dumps(Session.objects.get().get_decoded()) + client.get(SENT).text
        assert code not in kept
        assert code.replace(" ", "") not in kept

    def test_nothing_of_it_stays_in_the_session_after_signing_in(self, client, mailoutbox: Outbox):
        person("alice")
        ask(client, "alice@example.org")
        client.post(link_in(mailoutbox[0]))
        assert "sign_in_code" not in client.session

    def test_programs_type_it_too(self, client, mailoutbox: Outbox):
        def run(operation: str) -> dict:
            body = json.dumps({"query": f"mutation {{ done: {operation} }}"})
            return client.post("/graphql/", body, content_type="application/json").json()["data"]["done"]

        run('requestSignInLink(email: "alice@example.org") { message }')
        wanted = "{ account { email } errors { code } }"
        assert run(f'signInWithCode(code: "x") {wanted}') == {"account": None, "errors": [{"code": "INVALID_CODE"}]}
        found = run(f'signInWithCode(code: "{code_in(mailoutbox[0])}") {wanted}')
        assert found == {"account": {"email": "alice@example.org"}, "errors": []}


class TestTheMailsPurpose:
    def test_it_says_what_for_without_naming_what_the_reader_may_not_know(self, client, mailoutbox: Outbox):
        made, members = community(name="Secret Society")
        one = decision(made, members["manager"].user, title="Secret question")
        ask(client, "alice@example.org", reverse("decision", args=[made.pk, one.pk]))
        ask(client, "alice@example.org")
        asked, plain = (mail.body.partition("\n")[0] for mail in mailoutbox)
        begin = "Somebody, probably you, asked to sign in to CrowdVote at http://localhost:8000"
        assert asked == f"{begin}, to read a question and vote on it. This link does it:"
        assert plain == f"{begin}. This link does it:"
        assert "Secret" not in mailoutbox[0].body


class TestALinkThatNoLongerWorks:
    @pytest.fixture
    def used(self, mailoutbox: Outbox) -> str:
        """A used link of Alice's, that led to her profile."""
        person("alice")
        asking = Client()
        ask(asking, "alice@example.org", "/profile/")
        link = link_in(mailoutbox.pop())
        assert asking.post(link).status_code == 302
        return link

    def test_one_press_mails_a_new_one_that_leads_to_the_same_place(self, client, used, mailoutbox: Outbox):
        page = client.get(used)
        assert page.status_code == 400
        assert "alice@example.org" not in page.text
        fields = dict(re.findall(r'name="(to|next)" value="([^"]+)"', page.text))
        answer = client.post(reverse("sign-in-again"), {name: html.unescape(text) for name, text in fields.items()})
        assert answer.headers["Location"] == SENT
        assert [mail.to for mail in mailoutbox] == [["alice@example.org"]]
        assert client.post(link_in(mailoutbox[0])).headers["Location"] == "/profile/"

    def test_an_expired_one_of_an_unknown_address_too(self, client, mailoutbox: Outbox, monkeypatch):
        ask(Client(), "new@example.org", "/profile/")
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 15 * 60 + 1)
        page = client.get(link_in(mailoutbox.pop()))
        to = re.search(r'name="to" value="([^"]+)"', page.text)
        client.post(reverse("sign-in-again"), {"to": to[1]})
        assert [mail.to for mail in mailoutbox] == [["new@example.org"]]

    def test_without_its_address_it_keeps_where_one_was_going(self, client):
        page = client.get("/sign-in/broken/?next=/profile/")
        assert 'href="/sign-in/?next=/profile/"' in page.text

    def test_nobody_makes_up_an_address(self, client, mailoutbox: Outbox):
        for to in ("", "alice@example.org", "x:y:z"):
            assert client.post(reverse("sign-in-again"), {"to": to}).status_code == 200
        assert mailoutbox == []

    def test_it_counts_as_asking_for_a_link(self, client, used, settings, mailoutbox: Outbox):
        settings.SIGN_IN_LIMIT_PER_ADDRESS = 2
        to = re.search(r'name="to" value="([^"]+)"', client.get(used).text)[1]
        statuses = [client.post(reverse("sign-in-again"), {"to": to}).status_code for _ in range(2)]
        assert (statuses, len(mailoutbox)) == ([302, 429], 1)
