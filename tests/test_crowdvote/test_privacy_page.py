"""The privacy page: who runs the site, and the promise of docs/privacy.md."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.conf import settings as project
from django.core.mail import EmailMessage

from accounts import services
from tests.factories import person
from tests.test_views.browsing import as_

pytestmark = pytest.mark.django_db


def words(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", "", page)).split())


@pytest.mark.parametrize(
    ("contact", "shown"),
    [
        ("board@vote.example", '<a href="mailto:board@vote.example">board@vote.example</a>.'),
        ("https://vote.example/us", '<a href="https://vote.example/us">https://vote.example/us</a>.'),
        ("the notice board in the <hall>", "the notice board in the &lt;hall&gt;."),
        ("javascript:alert(1)", "javascript:alert(1)."),
    ],
)
def test_it_names_the_operator_and_how_to_reach_them(client, settings, contact, shown):
    settings.OPERATOR_NAME, settings.OPERATOR_CONTACT = "Maple Court e.V.", contact
    page = client.get("/privacy/").text
    assert "<strong>Maple Court e.V.</strong> runs this site" in page
    assert shown in " ".join(page.split())


def test_where_nothing_is_set_it_says_so(client):
    assert "has not said here who they are" in client.get("/privacy/").text


def test_it_has_the_whole_promise_and_no_link_that_leads_nowhere(client):
    page = client.get("/privacy/").text
    for line in (project.BASE_DIR / "docs" / "privacy.md").read_text().splitlines()[1:]:
        text = re.sub(r"\]\([^)]*\)|[*\[`]|^(#+|-) ", "", line.strip())
        for part in text.split("|"):
            if not re.fullmatch(r"[- ]*", part):
                assert " ".join(part.split()) in words(page)
    assert re.findall(r'href="[^"]*\.md', page) == []


def test_every_page_leads_there_and_it_leads_to_ones_own_data(client):
    assert 'href="/privacy/"' in client.get("/").text
    assert 'href="/profile/"' not in client.get("/privacy/").text
    assert 'href="/profile/"' in as_(person("ann")).get("/privacy/").text


def test_mails_say_whom_to_ask(settings, mailoutbox: list[EmailMessage]):
    settings.OPERATOR_CONTACT = "board@vote.example"
    services.request_sign_in_link(person("closed", is_active=False).email, client="here")
    assert "ask whoever runs the site: board@vote.example." in mailoutbox[0].body
