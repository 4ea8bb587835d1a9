"""A demo shows the mails that it does not send; every other site shows them to nobody."""

from __future__ import annotations

import pytest
from django.core.mail import EmailMultiAlternatives, get_connection
from django.test import Client
from django.urls import reverse

from accounts.mail import FILE_BACKEND
from accounts.models import User

pytestmark = pytest.mark.django_db

HTML = (
    '<!doctype html><html><head><title>x</title></head><body><a href="http://localhost:8000/x/">Look</a></body></html>'
)


@pytest.fixture
def demo(settings, tmp_path) -> None:
    settings.EMAIL_BACKEND, settings.MAIL_DIR, settings.DEMO_SIGN_IN = FILE_BACKEND, tmp_path / "mail", True


def send(subject: str, to: str = "ann@example.org", text: str = "Hello", html: str = "") -> str:
    """Write a mail, and return the name of its file."""
    from django.conf import settings

    message = EmailMultiAlternatives(subject, text, to=[to], headers={"List-Unsubscribe": "<http://localhost/stop/>"})
    if html:
        message.attach_alternative(html, "text/html")
    get_connection().send_messages([message])
    return max(settings.MAIL_DIR.iterdir(), key=lambda path: path.name).stem


def shown(client: Client) -> list[str]:
    response = client.get(reverse("mails"))
    assert response.status_code == 200
    return [mail.subject for mail in response.context["mails"]]


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="accounts.backends.SignInLinkBackend")
    return client


def test_the_newest_are_first_and_each_has_a_page_with_links_that_work(demo, client) -> None:
    send("One")
    name = send("Two & three", text="Press here:\n\nhttp://localhost:8000/sign-in/abc/?next=/x/\n", html=HTML)
    assert shown(client) == ["Two & three", "One"]
    response = client.get(reverse("mail", args=[name]))
    page = response.content.decode()
    assert '<a href="http://localhost:8000/sign-in/abc/?next=%2Fx%2F"' in page
    said = ("Two &amp; three", "ann@example.org", "&lt;http://localhost/stop/&gt;", "mail-frame")
    assert [one in page for one in said] == [True] * 4
    assert "frame-src 'self'" in response["Content-Security-Policy"]
    assert response["Cache-Control"].count("no-store") == 1
    assert "mail-frame" not in client.get(reverse("mail", args=[shown_name(client, "One")])).content.decode()


def shown_name(client: Client, subject: str) -> str:
    return next(mail.name for mail in client.get(reverse("mails")).context["mails"] if mail.subject == subject)


def test_the_html_of_a_mail_runs_nothing_loads_nothing_and_opens_links_in_the_whole_page(demo, client) -> None:
    response = client.get(reverse("mail-html", args=[send("One", html=HTML)]))
    assert '<head><base target="_top"><title>' in response.content.decode()
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    policy = dict(part.strip().partition(" ")[::2] for part in response["Content-Security-Policy"].split(";"))
    assert (policy["default-src"], policy["sandbox"]) == ("'none'", "allow-top-navigation-by-user-activation")
    assert (policy["frame-ancestors"], policy["script-src"]) == ("'self'", "'none'")


@pytest.mark.parametrize(
    "fields",
    [
        {"DEMO_SIGN_IN": False},
        {"DEMO_SIGN_IN": False, "DEBUG": True},
        {"EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend"},
    ],
)
def test_anywhere_but_in_a_demo_nobody_reads_mails_operators_neither(demo, settings, fields: dict) -> None:
    name = send("One", html=HTML)
    superuser = User.objects.create_superuser("boss@example.org", name="Boss", handle="boss")
    for field, value in fields.items():
        setattr(settings, field, value)
    for client in (Client(), client_of(superuser)):
        for address in (reverse("mails"), reverse("mail", args=[name]), reverse("mail-html", args=[name])):
            assert client.get(address).status_code == 404


def test_mails_to_people_in_the_admin_are_for_superusers_alone(demo) -> None:
    """Their links would make a visitor one of them."""
    superuser = User.objects.create_superuser("boss@example.org", name="Boss", handle="boss")
    staff = User.objects.create_user("staff@example.org", name="Staff", handle="staff", is_staff=True)
    hidden = send("To staff", to="Staff <STAFF@example.org>")
    send("To Ann")
    for client in (Client(), client_of(staff)):
        assert shown(client) == ["To Ann"]
        assert client.get(reverse("mail", args=[hidden])).status_code == 404
        assert client.get(reverse("mail-html", args=[hidden])).status_code == 404
    assert shown(client_of(superuser)) == ["To Ann", "To staff"]


@pytest.mark.parametrize("name", ["..", "%2e%2e%2fcrowdvote.sqlite3", "20260101T000000.000000Z-00000000", "*", "notes"])
def test_only_mails_are_read_from_the_folder(demo, settings, client, name: str) -> None:
    send("One")
    (settings.MAIL_DIR / "notes.eml").write_text("Subject: notes\n\nmine")
    assert client.get(f"/mails/{name}/").status_code == 404
    assert shown(client) == ["One"]


def test_the_sign_in_page_and_the_start_page_of_a_demo_lead_there(demo, client, settings) -> None:
    User.objects.create_user(None, name="Demo", handle="demo_person", is_demo=True)
    link = f'href="{reverse("mails")}"'
    for page in ("home", "sign-in-sent"):
        assert link in client.get(reverse(page)).content.decode()
    assert "Read the mails that it would have sent</a>." in client.get(reverse("home")).content.decode()
    settings.DEMO_SIGN_IN = False
    for page in ("home", "sign-in-sent"):
        assert link not in client.get(reverse(page)).content.decode()
