"""A session that has ended, at every address of the site: nothing is swapped into a page, and everybody comes back to a
page that holds what they were at.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from pytest_django import Settings

from accounts.models import User
from accounts.services import create_api_token
from democracy import services
from democracy.models import Community, Notice, PublishedResult
from democracy.notices import outbox
from democracy.notices.kinds import Kind
from democracy.recalculation import recalculate_community
from tests import factories
from tests.test_views.browsing import as_, nothing_written, text

pytestmark = pytest.mark.django_db

HERE = "http://testserver"
# Answered to programs, or by the administration in its own way (the last test).
NOT_PAGES = {"graphql", "graphql-without-slash", "event-log"}
# What a visitor signs in with, and what nobody signs in for.
SIGNING_IN = {
    "sign-in",
    "sign-in-sent",
    "sign-in-again",
    "sign-in-link",
    "demo-sign-in",
    "provider-sign-in",
    "provider-answer",
    "passkey-sign-in",
    "passkey-sign-in-options",
    "sign-out",
    "unsubscribe",
    "invitation",
    "invitation-link",
}
# They show what a visitor may see, whoever asks: nothing of a community that only its members read.
AS_VISITORS_SEE_IT = {"community-feed", "decision-embed", "decision-picture", "oembed"}
# There only where a demo shows its mails to everybody; this is none.
OF_A_DEMO = {"mails", "mail", "mail-html"}
# Whole pages in frames of other sites, to which nobody comes back.
FRAMES = {"published-result-embed"}


def _patterns(patterns: list[Any]) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver) and pattern.app_name != "admin":
            yield from _patterns(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and pattern.name not in NOT_PAGES:
            yield pattern


NAMES = {str(one.name): one for one in _patterns(get_resolver().url_patterns)}


def _notice(person: User, community: Community) -> Notice:
    outbox.add(Kind.NEW_FOLLOWER, "x", person_id=person.pk, community_id=community.pk)
    return Notice.objects.get(person=person)


def _published(manager: User, community: Community) -> PublishedResult:
    return services.publish_result(manager, factories.close(factories.decision(community, manager)).pk)


class Town:
    """A community that only its members read, seen by its manager, who can do everything in it."""

    def __init__(self) -> None:
        self.community, members = factories.community("ada")
        self.manager = members["manager"].user
        self.decision = factories.decision(self.community, self.manager)
        factories.vote(members["manager"], self.decision, Ash=5)
        recalculate_community(self.community.pk)
        self.calculated_at = self.decision.snapshots.get().revision
        services.update_community(self.manager, self.community.pk, joining="request")
        self.signed_in = as_(self.manager)
        numbers = {"community_id": self.community.pk, "decision_id": self.decision.pk}
        ballots = self.signed_in.get(reverse("decision-ballots", kwargs=numbers))
        services.invite(self.manager, self.community.pk, [services.Invitee("new@example.org")])
        self.numbers: dict[str, object] = numbers | {
            "membership_id": members["ada"].pk,
            "application_id": services.apply_to_community(factories.person(), self.community.pk).pk,
            "invitation_id": self.community.invitations.get().pk,
            "link_id": services.create_invitation_link(self.manager, self.community.pk).pk,
            "webhook_id": services.create_webhook(
                self.manager, self.community.pk, url="https://example.org/", events=["decision.opened"]
            ).pk,
            "token_id": create_api_token(self.manager, "a script")[0].pk,
            "passkey_id": factories.passkey(self.manager).pk,
            "key": ballots.context["rows"][0].owner.key,
            "notice_id": _notice(self.manager, self.community).key,
            "token": _published(self.manager, self.community).token,
            "revision": 1,
            "name": "20261101T120000.000000Z-0123abcd",
        }
        # Nothing else can be deleted.
        self.draft = factories.draft(self.community, self.manager)

    def address(self, name: str) -> str:
        wanted = NAMES[name].pattern.converters
        others = {"decision-delete": {"decision_id": self.draft.pk}, "decision-past": {"revision": self.calculated_at}}
        numbers = self.numbers | others.get(name, {})
        return reverse(name, kwargs={key: numbers[key] for key in wanted})

    def after_signing_in(self, sign_in: str) -> tuple[str, bool]:
        """The path that the address of a sign-in page leads back to, and whether that says that nothing was saved."""
        parts = urlsplit(sign_in)
        assert parts.path == reverse("sign-in")
        wanted = parse_qs(parts.query)["next"][0]
        page = self.signed_in.get(wanted, follow=True)
        assert (page.status_code, b"<html" in page.content) == (200, True), f"{wanted} is no page"
        return urlsplit(wanted).path, "was not saved" in text(page)


@pytest.fixture(scope="module")
def written(module_rows: None) -> Town:
    return Town()


@pytest.fixture
def town(written: Town, db: None, settings: Settings) -> Town:
    settings.PASSKEYS = True
    return copy.deepcopy(written)


def is_page(name: str) -> bool:
    return getattr(NAMES[name].callback, "is_page", True)


def test_there_are_addresses_to_try() -> None:
    assert {"vote_submit", "decision-status", "handle-status", "community-settings"} < NAMES.keys()
    assert len(NAMES) > 45


@pytest.mark.parametrize("method", ["get", "post"])
def test_what_an_open_page_asks_for_is_answered_with_the_way_back_to_it(town: Town, method: str) -> None:
    shown = reverse("decision-results", args=(town.community.pk, town.decision.pk))
    headers = {"HX-Request": "true", "HX-Current-URL": f"{HERE}{shown}?x=1", "X-Viewer": str(town.manager.pk)}
    ways = {}
    with nothing_written():
        for name in NAMES:
            answer = getattr(Client(), method)(town.address(name), headers=headers)
            assert (name, answer.status_code, answer.content) == (name, 401, b"")
            ways[name] = json.loads(answer["HX-Trigger"])["signed-out"]["address"]
    (way,) = set(ways.values())
    assert town.after_signing_in(way) == (shown, method == "post")


@pytest.mark.parametrize("has_referer", [True, False])
def test_a_form_that_is_posted_leads_back_to_the_page_that_holds_it(town: Town, has_referer: bool) -> None:
    decision = town.address("decision")
    headers = {"Referer": HERE + decision} if has_referer else {}
    with nothing_written():
        answers = {name: Client().post(town.address(name), headers=headers) for name in NAMES.keys() - SIGNING_IN}
    after_signing_in = cache(town.after_signing_in)
    for name, answer in answers.items():
        address = town.address(name)
        if answer.status_code in (404, 405):
            # Nothing is posted to it: it is read by everybody who may.
            is_read = town.signed_in.get(address).status_code in (200, 302)
            assert (name, is_read) == (name, name not in AS_VISITORS_SEE_IT | OF_A_DEMO)
            continue
        path, is_told = after_signing_in(answer["Location"])
        expected = address if is_page(name) else decision if has_referer else path
        assert (name, path, is_told, address.startswith(path)) == (
            name,
            expected,
            True,
            address.startswith(expected),
        )


def test_an_address_that_is_opened_leads_to_a_whole_page(town: Town) -> None:
    for name in NAMES.keys() - SIGNING_IN:
        answer = Client().get(town.address(name))
        if answer.status_code == 302:
            path, is_told = town.after_signing_in(answer["Location"])
            assert (name, town.address(name).startswith(path), is_told) == (name, True, False)
        else:
            assert (name, answer.status_code in (200, 404, 405)) == (name, True)


def test_what_is_a_page_is_known_and_each_of_its_links_leads_somewhere(town: Town) -> None:
    """Check that each address marked as a page is one: people come back to these after signing in."""
    for name in NAMES.keys() - SIGNING_IN - AS_VISITORS_SEE_IT - OF_A_DEMO - FRAMES:
        answer = town.signed_in.get(town.address(name))
        is_html = answer["Content-Type"].startswith("text/html")
        content = answer.content if is_html and not answer.streaming else b""
        is_whole = answer.status_code == 302 or b"<title>" in content
        assert (name, is_whole, b'href=""' in content) == (name, is_page(name), False)


def test_a_visitors_page_that_may_no_longer_be_read_swaps_no_sign_in_page_in(town: Town) -> None:
    answer = Client().get(town.address("decision-status"), headers={"HX-Request": "true"})
    assert (answer.status_code, answer.content) == (401, b"")


def test_nothing_made_for_somebody_else_is_swapped_into_a_page(town: Town) -> None:
    sue = factories.person()
    for method in ("get", "post"):
        answer = getattr(as_(sue), method)(
            town.address("decision"), headers={"HX-Request": "true", "X-Viewer": str(town.manager.pk)}
        )
        assert answer.status_code == 401
        assert json.loads(answer["HX-Trigger"])["signed-out"]["action"] == "Load the page again"


def test_whoever_is_still_signed_in_is_answered(town: Town) -> None:
    headers = {"HX-Request": "true", "X-Viewer": str(town.manager.pk)}
    assert as_(town.manager).get(town.address("decision-status"), headers=headers).status_code == 200


def test_a_script_that_takes_no_page_gets_none(town: Town) -> None:
    answer = Client().get(town.address("community-network-data"), headers={"Accept": "application/json"})
    assert (answer.status_code, answer.content) == (401, b"")


def test_one_comes_back_to_the_page_before_even_where_that_was_itself_the_answer_to_a_form(town: Town) -> None:
    """A refused ballot is shown at the address it was posted to, which nobody can open."""
    answer = Client().post(
        town.address("vote-withdraw"), headers={"Referer": HERE + town.address("vote_submit") + "?a=b"}
    )
    assert town.after_signing_in(answer["Location"])[0] == town.address("decision")


@pytest.mark.parametrize("elsewhere", ["https://evil.example/x/", "//evil.example/", "javascript:alert(1)"])
def test_nobody_is_sent_to_another_site(town: Town, elsewhere: str) -> None:
    answer = Client().post(town.address("vote_submit"), headers={"Referer": elsewhere})
    assert town.after_signing_in(answer["Location"])[0] == town.address("decision")


def test_the_sign_in_page_says_that_nothing_was_saved(town: Town) -> None:
    posted = Client().post(town.address("vote_submit"), follow=True)
    opened = Client().get(town.address("decision"), follow=True)
    assert ["was not saved yet" in text(page) for page in (posted, opened)] == [True, False]


def test_administrators_come_back_to_the_form_they_were_at(town: Town) -> None:
    answer = Client().post(reverse("admin:democracy_community_change", args=(town.community.pk,)), follow=True)
    wanted = parse_qs(urlsplit(answer.redirect_chain[-1][0]).query)["next"]
    assert wanted == [reverse("admin:democracy_community_change", args=(town.community.pk,))]
