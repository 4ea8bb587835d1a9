"""The first visit, on which people choose their name."""

from __future__ import annotations

import pytest
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse

from accounts import services
from accounts.models import User
from tests.factories import person
from tests.test_accounts.mailbox import link_in

pytestmark = pytest.mark.django_db

Outbox = list[EmailMessage]


@pytest.fixture
def newcomer(client: Client, mailoutbox: Outbox) -> User:
    """Return somebody who has just used the link that made their account."""
    services.request_sign_in_link("mary.ann@example.org", client="here")
    client.post(link_in(mailoutbox[0]))
    return User.objects.get(email="mary.ann@example.org")


def enter(client: Client, outbox: Outbox, email: str, next_path: str = "") -> str:
    services.request_sign_in_link(email, client="here", next_path=next_path)
    return client.post(link_in(outbox[-1])).headers["Location"]


class TestWhoIsAsked:
    def test_a_newcomer_is_asked_and_led_on_afterwards(self, client, mailoutbox: Outbox):
        assert enter(client, mailoutbox, "new@example.org", "/profile/?a=b") == "/welcome/?next=%2Fprofile%2F%3Fa%3Db"
        page = client.get("/welcome/?next=/profile/%3Fa%3Db").text
        assert 'name="next" value="/profile/?a=b"' in page
        answer = client.post("/welcome/", {"name": "Nell", "handle": "nell", "next": "/profile/?a=b"})
        assert answer.headers["Location"] == "/profile/?a=b"
        user = User.objects.get()
        assert (user.name, user.handle) == ("Nell", "nell")

    def test_whoever_has_said_so_is_not_asked_again(self, client, mailoutbox: Outbox):
        person("alice")
        assert enter(client, mailoutbox, "alice@example.org") == "/"

    def test_whoever_put_it_off_is_asked_at_the_next_sign_in(self, newcomer, mailoutbox: Outbox):
        assert enter(Client(), mailoutbox, newcomer.email) == "/welcome/"

    def test_visitors_sign_in_first(self, client):
        for name in ("welcome", "handle-status"):
            assert client.get(reverse(name)).headers["Location"].startswith(reverse("sign-in"))

    def test_a_forged_next_stays_on_this_site(self, client, newcomer):
        assert "evil" not in client.get("/welcome/?next=https://evil.example/").text
        answer = client.post("/welcome/", {"name": "M", "handle": "m_a", "next": "//evil.example/"})
        assert answer.headers["Location"] == "/"


class TestWhatIsSuggested:
    def test_a_handle_that_tells_nothing_and_no_name(self, client, newcomer):
        page = client.get(reverse("welcome")).text
        assert 'name="name" value=""' in page
        assert f'value="{newcomer.handle}"' in page
        assert "Mary" not in page

    def test_a_refused_handle_comes_back_with_one_that_is_free(self, client, newcomer):
        person("bob")
        answer = client.post(reverse("welcome"), {"name": "Mary", "handle": "Bob"})
        assert answer.status_code == 400
        assert 'value="Bob"' in answer.text
        assert "Free is bob_2." in answer.text
        assert User.objects.get(pk=newcomer.pk).handle == newcomer.handle

    def test_what_is_wrong_with_both_is_said_at_once(self, client, newcomer):
        answer = client.post(reverse("welcome"), {"name": " ", "handle": "no!"})
        assert answer.status_code == 400
        assert "Say how you want to be called" in answer.text
        assert 'id="handle-error"' in answer.text
        assert "Free is no." in answer.text


class TestCheckingAHandle:
    @pytest.mark.parametrize(
        ("typed", "free", "suggestion"),
        [("nell", True, ""), ("@Nell", True, ""), ("mary_ann", True, ""), ("bob", False, "bob_2"),
         ("Žofie K.", False, "zofie_k"), ("", False, "member"), ("system", False, "member"),
         ("x" * 50, False, "x" * 30)],
    )  # fmt: skip
    def test_it_is_free_or_another_one_is(self, newcomer, typed, free, suggestion):
        person("bob")
        check = services.check_handle(newcomer, typed)
        assert (check.is_free, check.suggestion) == (free, suggestion)
        assert bool(check.problem) != free
        wanted = check.handle if free else check.suggestion
        assert services.update_profile(newcomer, handle=wanted).handle == wanted

    def test_the_page_is_told_while_typing_and_nothing_is_kept(self, client, newcomer):
        person("bob")
        taken = client.get(reverse("handle-status"), {"handle": "bob"})
        free = client.get(reverse("handle-status"), {"handle": "nell"})
        assert "Somebody else has this handle" in taken.text
        assert 'data-value="bob_2"' in taken.text
        assert "nell can be yours" in free.text
        assert "no-store" in free.headers["Cache-Control"]
        assert User.objects.get(pk=newcomer.pk).handle == newcomer.handle

    def test_what_is_typed_is_text(self, client, newcomer):
        assert "<b>" not in client.get(reverse("handle-status"), {"handle": "<b>"}).text
