"""Signing in by a provider of OpenID Connect: the whole way, against a provider on this machine."""

from __future__ import annotations

import base64
import html
import logging
import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from accounts import provider as ours
from accounts.models import User
from tests.factories import person
from tests.test_accounts import providers
from tests.test_accounts.providers import Provider, begin, come_back

pytestmark = [
    pytest.mark.django_db,
    # The provider uses parts of Authlib that are given up; ours does not.
    pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with providers.running() as provider:
        yield provider


@pytest.fixture
def provider(running: Provider, settings, monkeypatch) -> Provider:
    monkeypatch.setenv("NO_PROXY", "*")
    settings.OIDC_NAME, settings.OIDC_ISSUER = "Example ID", running.issuer
    settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = providers.CLIENT_ID, providers.SECRET
    ours._client.cache_clear()
    running.before.clear()
    running.after.clear()
    running.asked.clear()
    running.says("ada", email="Ada@Example.org", email_verified=True, name="Ada Lovelace")
    return running


def signed_in(browser: Client) -> str:
    """Return the handle of whoever is signed in; "" if nobody is."""
    return str(browser.get("/").wsgi_request.user.get_username() or "")


def refused(answer, words: str, browser: Client) -> bool:
    """Tell whether this is the sign-in page with these words, and nobody is signed in."""
    return (answer.status_code, words in html.unescape(answer.text), signed_in(browser)) == (400, True, "")


def test_a_verified_address_signs_in_to_its_account_and_leads_to_the_page_that_was_wanted(provider: Provider):
    ada, _ = person("ada"), person("bystander")
    browser = Client()
    asked = begin(browser, next="/communities/?q=1")
    sent = {name: value for name, (value,) in parse_qs(urlsplit(asked).query).items()}
    assert sent["redirect_uri"] == "http://localhost:8000/sign-in/provider/answer/"
    assert (sent["scope"], sent["code_challenge_method"], sent["response_type"]) == ("openid email", "S256", "code")
    answer = come_back(browser, provider.answers(asked, person="ada"))
    assert (answer.status_code, answer.headers["Location"]) == (302, "/communities/?q=1")
    assert (signed_in(browser), User.objects.count()) == (ada.email, 2)
    # The proof that this browser began it goes to the provider, which the mock does not judge.
    assert len(provider.asked[0]["code_verifier"][0]) >= 43


def test_it_is_logged_as_every_sign_in_is(provider: Provider, caplog):
    person("ada")
    browser = Client()
    with caplog.at_level(logging.INFO, "crowdvote.events"):
        come_back(browser, provider.answers(begin(browser), person="ada"))
        browser.get("/sign-in/provider/answer/?state=x&code=y")
    assert ["via OpenID Connect" in caplog.text, "Invalid OpenID Connect sign-in" in caplog.text] == [True, True]


def test_a_new_address_makes_an_account_that_takes_no_name_from_the_provider(provider: Provider):
    browser = Client()
    answer = come_back(browser, provider.answers(begin(browser, next="/communities/"), person="ada"))
    assert answer.headers["Location"] == "/welcome/?next=%2Fcommunities%2F"
    (made,) = User.objects.all()
    assert made.email == "ada@example.org"
    # Nor from the address.
    assert re.fullmatch(r"member_\d{6}", made.handle)
    assert made.name == made.handle


@pytest.mark.parametrize(
    "claims", [{"email_verified": False}, {}, {"email_verified": "false"}, {"email_verified": 1.5}]
)
def test_an_address_that_is_not_verified_signs_nobody_in_and_makes_no_account(provider: Provider, claims):
    person("bob")
    for email in ("bob@example.org", "new@example.org"):
        provider.says("mallory", email=email, **claims)
        browser = Client()
        answer = come_back(browser, provider.answers(begin(browser), person="mallory"))
        assert refused(answer, "does not say that your e-mail address is verified", browser)
    assert User.objects.count() == 1


def test_whoever_is_refused_still_gets_to_the_page_that_was_wanted_by_mail(provider: Provider):
    provider.says("ada", email="ada@example.org")
    browser = Client()
    answer = come_back(browser, provider.answers(begin(browser, next="/communities/"), person="ada"))
    assert answer.text.count('<input type="hidden" name="next" value="/communities/">') == 2


def test_a_verified_word_and_an_address_told_only_when_asked_for_count_too(provider: Provider):
    ada = person("ada")
    provider.says("ada")
    provider.after["/userinfo"] = lambda said: said | {"email": ada.email, "email_verified": "true"}
    browser = Client()
    come_back(browser, provider.answers(begin(browser), person="ada"))
    assert signed_in(browser) == ada.email


def test_what_is_told_of_somebody_else_is_not_believed(provider: Provider):
    person("ada")
    provider.says("mallory")
    provider.after["/userinfo"] = lambda said: {"sub": "ada", "email": "ada@example.org", "email_verified": True}
    browser = Client()
    answer = come_back(browser, provider.answers(begin(browser), person="mallory"))
    assert refused(answer, "does not say that your e-mail address is verified", browser)


@pytest.mark.parametrize("email", ["", "ada", None])
def test_what_is_no_address_is_refused(provider: Provider, email):
    provider.says("ada", email=email, email_verified=True)
    browser = Client()
    answer = come_back(browser, provider.answers(begin(browser), person="ada"))
    assert refused(answer, "names no e-mail address", browser)


def test_a_closed_account_stays_closed(provider: Provider):
    person("ada", is_active=False)
    browser = Client()
    assert refused(come_back(browser, provider.answers(begin(browser), person="ada")), "account is closed", browser)


class TestAnswersOfOthers:
    def test_an_answer_works_in_the_browser_that_asked_and_there_once(self, provider: Provider):
        person("ada")
        browser, other = Client(), Client()
        back = provider.answers(begin(browser), person="ada")
        begin(other)
        assert refused(come_back(other, back), "not begun in this browser", other)
        come_back(browser, back)
        assert signed_in(browser) == "ada@example.org"
        browser.post("/sign-out/")
        assert refused(come_back(browser, back), "not begun in this browser", browser)

    def test_another_state_is_refused_before_the_provider_is_asked(self, provider: Provider):
        browser = Client()
        state = parse_qs(urlsplit(begin(browser)).query)["state"][0]
        for wrong in (f"state={state}x&code=1", "code=1", ""):
            assert refused(browser.get(f"/sign-in/provider/answer/?{wrong}"), "not begun in this browser", browser)
        assert provider.asked == []

    def test_a_code_that_was_used_is_worth_nothing(self, provider: Provider):
        person("ada")
        first, second = Client(), Client()
        back = provider.answers(begin(first), person="ada")
        come_back(first, back)
        code = parse_qs(urlsplit(back).query)["code"][0]
        state = parse_qs(urlsplit(begin(second)).query)["state"][0]
        answer = second.get("/sign-in/provider/answer/", {"state": state, "code": code})
        assert refused(answer, "did not sign you in", second)

    def test_a_code_that_was_made_for_another_browser_is_worth_nothing(self, provider: Provider):
        person("ada")
        victim, thief = Client(), Client()
        code = parse_qs(urlsplit(provider.answers(begin(victim), person="ada")).query)["code"][0]
        state = parse_qs(urlsplit(begin(thief)).query)["state"][0]
        answer = thief.get("/sign-in/provider/answer/", {"state": state, "code": code})
        assert refused(answer, "does not answer as it should", thief)
        assert len(provider.asked) == 1

    def test_a_token_of_another_issuer_is_refused(self, provider: Provider):
        person("ada")
        browser = Client()
        back = provider.answers(begin(browser), person="ada")
        provider.before["/oauth2/token"] = lambda environ: environ.update(HTTP_HOST="127.0.0.1:1")
        assert refused(come_back(browser, back), "does not answer as it should", browser)

    def test_an_answer_in_the_name_of_another_issuer_is_refused(self, provider: Provider):
        person("ada")
        browser = Client()
        back = provider.answers(begin(browser), person="ada")
        assert refused(come_back(browser, back + "&iss=https://other.example"), "somebody else", browser)
        assert provider.asked == []

    def test_whoever_does_not_agree_is_not_signed_in(self, provider: Provider):
        browser = Client()
        answer = come_back(browser, provider.answers(begin(browser), person="ada", agrees=False))
        assert refused(answer, "You did not agree at Example ID", browser)


class TestTheProviderItself:
    @pytest.mark.parametrize("ending", ["/", "/other"])
    def test_an_issuer_that_calls_itself_otherwise_is_refused(self, provider: Provider, settings, ending):
        settings.OIDC_ISSUER = provider.issuer + ending
        browser = Client()
        assert refused(browser.post("/sign-in/provider/"), "does not answer as it should", browser)

    def test_one_that_is_away_is_said_to_be_and_mail_goes_on_to_work(self, provider: Provider, settings, mailoutbox):
        settings.OIDC_ISSUER = "http://127.0.0.1:1"
        browser = Client()
        assert refused(browser.post("/sign-in/provider/"), "Example ID does not answer", browser)
        assert browser.post("/sign-in/", {"email": "ada@example.org"}).status_code == 302

    def test_an_unsigned_token_is_refused_whatever_it_offers(self, provider: Provider):
        def forged(answer: dict[str, str]) -> dict[str, str]:
            signed = answer["id_token"].split(".")[1]
            head = base64.urlsafe_b64encode(b'{"alg": "none"}').rstrip(b"=").decode()
            return answer | {"id_token": f"{head}.{signed}."}

        person("ada")
        provider.after["/oauth2/token"] = forged
        provider.after["/.well-known/openid-configuration"] = lambda said: (
            said | {"id_token_signing_alg_values_supported": ["none", "RS256"]}
        )
        browser = Client()
        back = provider.answers(begin(browser), person="ada")
        assert refused(come_back(browser, back), "does not answer as it should", browser)


class TestTheButton:
    def test_it_is_there_only_where_a_provider_is_named(self, provider: Provider, settings):
        shown = Client().get("/sign-in/?next=/communities/")
        assert ["Sign in with Example ID" in shown.text, shown.text.count('value="/communities/"')] == [True, 2]
        settings.OIDC_ISSUER = ""
        assert "Other ways" not in Client().get("/sign-in/").text
        assert Client().post("/sign-in/provider/").status_code == 404
        assert Client().get("/sign-in/provider/answer/").status_code == 404

    def test_it_leads_away_by_a_page_whose_policy_is_as_strict_as_everywhere(self, provider: Provider):
        answer = Client().post("/sign-in/provider/")
        assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
        assert provider.issuer in answer.text
        assert Client().get("/sign-in/provider/").status_code == 405
        assert Client(enforce_csrf_checks=True).post("/sign-in/provider/").status_code == 403

    def test_pages_elsewhere_are_no_place_to_go_to_afterwards(self, provider: Provider):
        person("ada", name="Ada L.")
        browser = Client()
        back = provider.answers(begin(browser, next="https://evil.example/"), person="ada")
        assert come_back(browser, back).headers["Location"] == "/"

    def test_presses_and_failures_of_one_client_are_limited(self, provider: Provider, settings):
        settings.SIGN_IN_LIMIT_PER_CLIENT, settings.FAILURES_PER_CLIENT = 2, 1
        assert [Client().post("/sign-in/provider/").status_code for _ in range(3)] == [200, 200, 429]
        assert [Client().get("/sign-in/provider/answer/").status_code for _ in range(2)] == [400, 429]


def test_switching_it_off_ends_the_sessions_that_began_with_it(provider: Provider, settings):
    person("ada")
    browser = Client()
    come_back(browser, provider.answers(begin(browser), person="ada"))
    assert signed_in(browser) == "ada@example.org"
    settings.OIDC_ISSUER = ""
    assert signed_in(browser) == ""
