from __future__ import annotations

import re
import time
from threading import Barrier, Thread

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core import signing
from django.core.mail import EmailMessage
from django.db import connection
from django.test import Client
from django.urls import reverse
from sesame.utils import get_token

from accounts import services
from accounts.errors import InvalidEmail, InvalidLink, MailNotSent
from accounts.models import User
from tests.factories import person
from tests.test_accounts.mailbox import link_in, token_in

pytestmark = pytest.mark.django_db

Outbox = list[EmailMessage]


@pytest.fixture
def alice() -> User:
    return person("alice")


@pytest.fixture
def clock_moved(monkeypatch):
    """Move the clock that signs links."""

    def move(seconds: float) -> None:
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + seconds)

    return move


def ask(client: Client, email: str, **extra):
    return client.post(reverse("sign-in"), {"email": email}, **extra)


def signed_in(client: Client) -> User | AnonymousUser:
    return client.get(reverse("sign-in-sent")).wsgi_request.user


class TestAskingForALink:
    @pytest.mark.parametrize("spelling", ["alice@example.org", "Alice@Example.ORG", "  ALICE@EXAMPLE.ORG "])
    def test_the_mail_goes_to_the_address_however_it_is_spelt(self, client, alice, mailoutbox: Outbox, spelling):
        ask(client, spelling)
        assert [mail.to for mail in mailoutbox] == [["alice@example.org"]]
        client.post(link_in(mailoutbox[0]))
        assert signed_in(client) == alice
        assert User.objects.count() == 1

    def test_known_unknown_and_closed_addresses_get_the_same_answer_and_one_mail_each(self, alice, mailoutbox: Outbox):
        closed = person("closed", is_active=False)
        answers = []
        for email in (alice.email, "nobody@example.org", closed.email):
            answer = ask(Client(), email)
            answers.append((answer.status_code, answer.headers["Location"], answer.content, sorted(answer.headers)))
        assert answers[0] == answers[1] == answers[2] == (302, "/sign-in/sent/", b"", answers[0][3])
        assert [(mail.to, mail.subject) for mail in mailoutbox] == [
            ([email], "Sign in to CrowdVote at localhost:8000")
            for email in (alice.email, "nobody@example.org", closed.email)
        ]
        assert set(User.objects.all()) == {alice, closed}

    def test_it_costs_the_same_queries_whether_or_not_there_is_an_account(
        self, alice, mailoutbox, django_assert_num_queries
    ):
        for email in (alice.email, "nobody@example.org"):
            with django_assert_num_queries(1):
                services.request_sign_in_link(email, client="here")

    def test_the_mail_says_how_long_the_link_works_and_that_it_can_be_ignored(self, alice, mailoutbox: Outbox):
        services.request_sign_in_link(alice.email, client="here")
        (mail,) = mailoutbox
        assert "once, within 15 minutes" in mail.body
        assert "ignore this mail" in mail.body
        assert mail.message().get_content_type() == "text/plain"

    def test_a_closed_account_is_told_so_in_the_mail_alone(self, mailoutbox: Outbox):
        services.request_sign_in_link(person("closed", is_active=False).email, client="here")
        (mail,) = mailoutbox
        assert "was closed" in mail.body
        assert "/sign-in/" not in mail.body

    def test_the_link_leads_to_the_configured_site_whatever_host_the_request_names(
        self, client, alice, settings, mailoutbox: Outbox
    ):
        settings.ALLOWED_HOSTS = ["*"]
        settings.SITE_URL = "https://vote.example.org"
        ask(client, alice.email, HTTP_HOST="evil.example", HTTP_X_FORWARDED_HOST="evil.example")
        (mail,) = mailoutbox
        assert re.search(r"^https://vote\.example\.org/sign-in/[^/\s]+/\?to=\S+$", str(mail.body), re.MULTILINE)
        assert "evil" not in mail.body

    @pytest.mark.parametrize(
        "email",
        ["", "alice", "alice@", "@example.org", "a b@example.org", "alice@example.org\nBcc: eve@example.org",
         "\ud800@example.org", "a\x00@example.org", f"{'a' * 250}@example.org", "ali\u017fe@example.org"],
    )  # fmt: skip
    def test_what_is_no_address_is_refused_and_no_mail_sent(self, client, email, mailoutbox: Outbox):
        with pytest.raises(InvalidEmail) as refusal:
            services.request_sign_in_link(email, client="here")
        assert (refusal.value.field, refusal.value.code) == ("email", "INVALID_EMAIL")
        assert mailoutbox == []

    def test_the_page_says_what_is_wrong_beside_the_field(self, client, mailoutbox):
        answer = ask(client, "alice@")
        assert answer.status_code == 400
        assert 'aria-describedby="email-error"' in answer.text
        assert 'value="alice@"' in answer.text

    def test_a_look_alike_letter_is_the_account_of_its_own_lower_case_and_mail_goes_there(
        self, alice, mailoutbox: Outbox
    ):
        # The Kelvin sign's lower case is k: mike's mail must not go to whoever owns the other spelling.
        mike = person("mike")
        services.request_sign_in_link("mi\u212ae@example.org", client="here")
        assert [mail.to for mail in mailoutbox] == [[mike.email]]

    def test_an_international_domain_is_kept_as_it_is_delivered_to(self, mailoutbox: Outbox):
        services.request_sign_in_link("eva@Bücher.example", client="here")
        assert mailoutbox[0].to == ["eva@xn--bcher-kva.example"]

    def test_a_mail_server_that_fails_is_said_so_to_everybody_alike(self, client, alice, settings, mailoutbox):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_PORT = 1
        for email in (alice.email, "nobody@example.org"):
            with pytest.raises(MailNotSent):
                services.request_sign_in_link(email, client="here")

    def test_the_form_needs_its_csrf_token(self, mailoutbox: Outbox):
        assert ask(Client(enforce_csrf_checks=True), "alice@example.org").status_code == 403
        assert mailoutbox == []


class TestTheLink:
    def test_opening_it_shows_a_button_and_uses_nothing_up(self, client, alice, mailoutbox: Outbox):
        ask(client, alice.email)
        link = link_in(mailoutbox[0])
        for _ in range(3):
            page = client.get(link)
            assert page.status_code == 200
            assert '<button type="submit">Sign in</button>' in page.text
            assert client.head(link).status_code == 200
        assert signed_in(client) == AnonymousUser()
        alice.refresh_from_db()
        assert alice.last_login is None

    def test_the_button_signs_in_once(self, client, alice, mailoutbox: Outbox):
        ask(client, alice.email)
        link = link_in(mailoutbox[0])
        answer = client.post(link)
        assert (answer.status_code, answer.headers["Location"]) == (302, "/")
        assert signed_in(client) == alice

        thief = Client()
        assert thief.post(link).status_code == 400
        assert thief.get(link).status_code == 400
        assert signed_in(thief) == AnonymousUser()

    def test_signing_in_ends_all_earlier_links_of_that_person_and_nobody_elses(self, alice, mailoutbox: Outbox):
        bob = person("bob")
        for email in (alice.email, alice.email, bob.email):
            services.request_sign_in_link(email, client="here")
        first, second, bobs = map(token_in, mailoutbox)
        assert services.sign_in(second) == alice
        with pytest.raises(InvalidLink):
            services.sign_in(first)
        assert services.sign_in(bobs) == bob

    @pytest.mark.parametrize("email", ["alice@example.org", "new@example.org"])
    def test_it_works_for_fifteen_minutes(self, alice, mailoutbox: Outbox, clock_moved, email):
        services.request_sign_in_link(email, client="here")
        clock_moved(15 * 60 - 5)
        assert services.peek_sign_in(token_in(mailoutbox[0]), client="here").email == email
        clock_moved(10)
        with pytest.raises(InvalidLink):
            services.peek_sign_in(token_in(mailoutbox[0]), client="here")
        with pytest.raises(InvalidLink):
            services.sign_in(token_in(mailoutbox[0]))
        assert list(User.objects.all()) == [alice]

    @pytest.mark.parametrize("email", ["alice@example.org", "new@example.org"])
    @pytest.mark.django_db(transaction=True)
    def test_of_two_at_the_same_moment_one_gets_in(self, email, mailoutbox: Outbox):
        alice = person("alice")
        services.request_sign_in_link(email, client="here")
        token, start, outcomes = token_in(mailoutbox[0]), Barrier(4), []

        def enter() -> None:
            start.wait()
            try:
                outcomes.append(services.sign_in(token).email)
            except InvalidLink:
                outcomes.append("refused")
            finally:
                connection.close()

        threads = [Thread(target=enter) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == sorted([email, "refused", "refused", "refused"])
        assert set(User.objects.values_list("email", flat=True)) == {alice.email, email}

    def test_a_changed_address_ends_the_links_sent_to_the_old_one(self, alice, mailoutbox: Outbox):
        services.request_sign_in_link(alice.email, client="here")
        token = token_in(mailoutbox[0])
        assert services.peek_sign_in(token, client="here").user == alice
        User.objects.filter(pk=alice.pk).update(email="alice@elsewhere.example")
        with pytest.raises(InvalidLink):
            services.sign_in(token)

    def test_a_closed_account_is_not_entered_with_a_link_sent_before(self, alice, mailoutbox: Outbox):
        services.request_sign_in_link(alice.email, client="here")
        User.objects.filter(pk=alice.pk).update(is_active=False)
        with pytest.raises(InvalidLink):
            services.sign_in(token_in(mailoutbox[0]))

    def test_nobody_enters_as_an_imported_person_who_has_no_address(self, alice):
        imported = User.objects.create_user(None, name="Imported", handle="imported")
        forged = get_token(alice)[:-20] + "A" * 20
        with pytest.raises(InvalidLink):
            services.sign_in(forged)
        # Made like Alice's for the other row: only the signature is wrong.
        imported.email = alice.email
        with pytest.raises(InvalidLink):
            services.sign_in(get_token(imported))

    @pytest.mark.parametrize("token", ["x", "AAAA", "ü", "a:b:c", "\ud800", "\x00", "A" * 4_000])
    def test_what_is_no_token_is_refused(self, alice, token):
        with pytest.raises(InvalidLink) as refusal:
            services.sign_in(token)
        assert (refusal.value.field, refusal.value.code) == ("token", "INVALID_LINK")

    def test_something_else_that_the_site_signed_is_no_link(self):
        with pytest.raises(InvalidLink):
            services.sign_in(signing.dumps("eve@example.org", salt="another purpose"))
        assert User.objects.count() == 0

    def test_the_page_keeps_the_token_to_itself(self, client, alice, mailoutbox: Outbox):
        ask(client, alice.email)
        link = link_in(mailoutbox[0])
        for answer in (client.get(link), client.post(link), client.get(link)):
            # Not "no-referrer": with it browsers say "Origin: null", which fails the CSRF check of the button.
            assert answer.headers["Referrer-Policy"] == "strict-origin"
            assert "no-store" in answer.headers["Cache-Control"]
            assert answer.headers["X-Robots-Tag"] == "noindex"

    def test_the_button_needs_its_csrf_token(self, alice, mailoutbox: Outbox):
        services.request_sign_in_link(alice.email, client="here")
        link = link_in(mailoutbox[0])
        browser = Client(enforce_csrf_checks=True)
        assert browser.post(link).status_code == 403
        csrf = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get(link).text)
        assert browser.post(link, {"csrfmiddlewaretoken": csrf[1]}).status_code == 302
        assert signed_in(browser) == alice

    def test_signing_in_makes_a_new_session(self, client, alice, mailoutbox: Outbox):
        client.force_login(person("eve"))
        planted = client.cookies["sessionid"].value
        ask(client, alice.email)
        client.post(link_in(mailoutbox[0]))
        assert client.cookies["sessionid"].value != planted
        assert signed_in(client) == alice

    @pytest.mark.parametrize(
        ("wanted", "reached"),
        [("/profile/?a=b", "/profile/?a=b"), ("https://evil.example/", "/"), ("//evil.example/", "/"),
         ("/\\evil.example", "/"), ("javascript:alert(1)", "/"), ("", "/")],
    )  # fmt: skip
    def test_it_leads_on_to_where_the_person_wanted_to_go_on_this_site(
        self, client, alice, mailoutbox: Outbox, wanted, reached
    ):
        client.post(reverse("sign-in"), {"email": alice.email, "next": wanted})
        assert client.post(link_in(mailoutbox[0])).headers["Location"] == reached

    def test_who_follows_a_forged_next_in_the_link_stays_on_this_site(self, client, alice, mailoutbox: Outbox):
        ask(client, alice.email)
        link = link_in(mailoutbox[0])
        assert "evil" not in client.get(f"{link}?next=https://evil.example/").text
        assert client.post(f"{link}?next=https://evil.example/").headers["Location"] == "/"


class TestSigningUp:
    def test_an_unknown_addresss_link_makes_the_account_when_its_button_is_pressed(self, client, mailoutbox: Outbox):
        ask(client, "Mary.Ann+vote@Example.org")
        link = link_in(mailoutbox[0])
        assert "mary.ann+vote@example.org" in client.get(link).text
        assert User.objects.count() == 0
        client.post(link)
        user = User.objects.get()
        assert (user.email, user.name) == ("mary.ann+vote@example.org", user.handle)
        assert not user.has_usable_password()
        assert (user.is_staff, user.is_superuser, user.is_demo) == (False, False, False)
        assert signed_in(client) == user

    def test_it_works_once_even_of_several(self, mailoutbox: Outbox):
        for _ in range(2):
            services.request_sign_in_link("new@example.org", client="here")
        first, second = map(token_in, mailoutbox)
        user = services.sign_in(first)
        for token in (first, second):
            with pytest.raises(InvalidLink):
                services.sign_in(token)
        assert list(User.objects.all()) == [user]

    def test_nothing_of_the_address_is_in_name_or_handle(self, mailoutbox: Outbox):
        services.request_sign_in_link("flat-9.jones@example.org", client="here")
        user = services.sign_in(token_in(mailoutbox[0]))
        assert re.fullmatch("member_[0-9]{6}", user.handle)
        assert user.name == user.handle

    @pytest.mark.parametrize(
        ("name", "handle"),
        [("Olga Reyes", "olga_reyes"), ("Inês  Carvalho", "ines_carvalho"), ("x" * 60, "x" * 30), ("O'Neil", "o_neil"),
         ("Bob", "bob_2"), ("", None), ("李", None), ("B", None), ("System", None), ("flat-9@example.org", None)],
    )  # fmt: skip
    def test_a_name_that_is_known_makes_the_handle(self, name, handle):
        person("bob")
        user = services.account_of_addressee("flat-9@example.org", name=name)
        assert user.handle == handle or (handle is None and user.handle.startswith("member_"))
        assert user.name == (user.handle if not name or "@" in name else " ".join(name.split()))

    def test_a_taken_neutral_handle_is_not_given_again(self, monkeypatch):
        person("member_100004")
        drawn = iter([4, 5])
        monkeypatch.setattr("secrets.randbelow", lambda most: next(drawn))
        assert services.account_of_addressee("new@example.org").handle == "member_100005"


class TestSigningOut:
    def test_it_ends_the_session_by_post(self, client, alice):
        client.force_login(alice)
        assert client.post(reverse("sign-out")).headers["Location"] == "/"
        assert signed_in(client) == AnonymousUser()

    def test_a_link_cannot_sign_anybody_out(self, client, alice):
        client.force_login(alice)
        assert client.get(reverse("sign-out")).status_code == 405
        assert signed_in(client) == alice

    def test_who_is_signed_in_is_led_on_from_the_sign_in_page(self, client, alice):
        assert client.get(reverse("sign-in")).status_code == 200
        client.force_login(alice)
        assert client.get(reverse("sign-in") + "?next=/profile/").headers["Location"] == "/profile/"


class TestTheDemo:
    def enter(self, client: Client, handle: str) -> int:
        return client.post(reverse("demo-sign-in"), {"handle": handle}).status_code

    def test_its_people_are_entered_by_a_click_where_it_is_on(self, client, settings):
        settings.DEMO_SIGN_IN = True
        demo = person("demo", is_demo=True)
        assert self.enter(client, "demo") == 302
        assert signed_in(client) == demo

    def test_not_where_it_is_off_and_sessions_end_with_it(self, client, settings):
        settings.DEMO_SIGN_IN = False
        person("demo", is_demo=True)
        assert self.enter(client, "demo") == 404
        settings.DEMO_SIGN_IN = True
        self.enter(client, "demo")
        settings.DEMO_SIGN_IN = False
        assert signed_in(client) == AnonymousUser()

    @pytest.mark.parametrize("fields", [{}, {"is_demo": True, "is_active": False}, {"is_demo": True, "is_staff": True}])
    def test_nobody_else_is_entered(self, client, settings, fields):
        settings.DEMO_SIGN_IN = True
        person("victim", **fields)
        for handle in ("victim", "nobody", "", "\x00"):
            assert self.enter(client, handle) == 404
        assert signed_in(client) == AnonymousUser()

    def test_a_password_enters_nowhere(self, client, alice):
        alice.set_password("known")
        alice.save()
        assert not client.login(username=alice.email, password="known")
