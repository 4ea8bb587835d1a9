from __future__ import annotations

import time

import pytest
from django.core.cache import BaseCache, caches
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts import ratelimit, services
from accounts.errors import InvalidLink, TooManyRequests
from accounts.signals import limit_reached
from tests.factories import person
from tests.test_accounts.mailbox import token_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def told():
    """Collect the messages of limits that were reached."""
    messages: list[str] = []

    def receive(sender, message, **kwargs):
        messages.append(message)

    limit_reached.connect(receive)
    yield messages
    limit_reached.disconnect(receive)


class TestLinksAskedFor:
    @pytest.mark.parametrize("known", [True, False])
    def test_one_address_gets_five_from_wherever_they_are_asked_for(self, mailoutbox, known):
        if known:
            person("alice")
        for number in range(5):
            services.request_sign_in_link("alice@example.org", client=f"192.0.2.{number}")
        with pytest.raises(TooManyRequests) as refusal:
            services.request_sign_in_link("ALICE@example.org", client="192.0.2.9")
        assert refusal.value.code == "TOO_MANY_REQUESTS"
        services.request_sign_in_link("bob@example.org", client="192.0.2.9")
        assert [mail.to[0] for mail in mailoutbox] == ["alice@example.org"] * 5 + ["bob@example.org"]

    def test_a_hall_of_hundreds_behind_one_address_gets_its_links(self, mailoutbox, told):
        for number in range(400):
            services.request_sign_in_link(f"person{number}@example.org", client="192.0.2.1")
        assert (len(mailoutbox), told) == (400, [])

    def test_one_client_gets_so_many_for_whomever_it_asks(self, settings, mailoutbox, told):
        settings.SIGN_IN_LIMIT_PER_CLIENT = 30
        for number in range(30):
            services.request_sign_in_link(f"person{number}@example.org", client="192.0.2.1")
        for number in range(30, 33):
            with pytest.raises(TooManyRequests):
                services.request_sign_in_link(f"person{number}@example.org", client="192.0.2.1")
        services.request_sign_in_link("person33@example.org", client="192.0.2.2")
        assert len(mailoutbox) == 31
        assert told == ["Sign-in links for one client: 30 in 15 minutes"]

    def test_what_one_address_is_refused_is_not_counted_against_the_others_of_its_client(self, settings, mailoutbox):
        settings.SIGN_IN_LIMIT_PER_CLIENT = 6
        for _ in range(5):
            services.request_sign_in_link("alice@example.org", client="192.0.2.1")
        for _ in range(20):
            with pytest.raises(TooManyRequests):
                services.request_sign_in_link("alice@example.org", client="192.0.2.1")
        services.request_sign_in_link("bob@example.org", client="192.0.2.1")

    def test_the_numbers_come_from_the_settings(self, settings, mailoutbox):
        settings.SIGN_IN_LIMIT_PER_ADDRESS = 1
        services.request_sign_in_link("alice@example.org", client="192.0.2.1")
        with pytest.raises(TooManyRequests):
            services.request_sign_in_link("alice@example.org", client="192.0.2.1")

    def test_the_page_answers_429_and_says_when_to_come_back(self, client, settings, mailoutbox):
        settings.SIGN_IN_LIMIT_PER_CLIENT = 1
        assert client.post(reverse("sign-in"), {"email": "a@example.org"}).status_code == 302
        answer = client.post(reverse("sign-in"), {"email": "b@example.org"})
        assert answer.status_code == 429
        assert "Try again in 15 minutes" in answer.text
        assert len(mailoutbox) == 1


class TestLinksThatFail:
    def test_a_client_may_fail_thirty_times_and_good_links_work_all_the_same(self, client, mailoutbox, told):
        services.request_sign_in_link("alice@example.org", client="elsewhere")
        good = token_in(mailoutbox[0])
        wrong = reverse("sign-in-link", args=["wrong"])
        for _ in range(15):
            assert client.get(wrong).status_code == 400
            assert client.post(wrong).status_code == 400
        assert client.post(wrong).status_code == 429
        assert told == ["Sign-ins that failed for one client: 30 in 15 minutes"]
        assert Client(REMOTE_ADDR="192.0.2.77").post(wrong).status_code == 400
        assert client.post(reverse("sign-in-link", args=[good])).status_code == 302

    def test_links_that_work_are_not_counted(self, settings, mailoutbox):
        settings.FAILURES_PER_CLIENT = 2
        services.request_sign_in_link("alice@example.org", client="elsewhere")
        for _ in range(5):
            services.peek_sign_in(token_in(mailoutbox[0]), client="here")
        with pytest.raises(InvalidLink):
            services.peek_sign_in("wrong", client="here")


class TestTheWindow:
    def test_it_begins_with_the_first_hit_and_forgets_at_its_end(self, settings, monkeypatch):
        if "locmem" not in settings.CACHES["default"]["BACKEND"]:
            pytest.skip("the clock of another process can't be moved")
        now = [time.time()]
        monkeypatch.setattr(time, "time", lambda: now[0])
        for _ in range(2):
            ratelimit.hit("knocks", "alice", limit=2)
        now[0] += 15 * 60 - 1
        with pytest.raises(TooManyRequests):
            ratelimit.hit("knocks", "alice", limit=2)
        now[0] += 2
        ratelimit.hit("knocks", "alice", limit=2)

    def test_kinds_and_keys_are_counted_apart(self):
        ratelimit.hit("knocks", "alice", limit=1)
        ratelimit.hit("rings", "alice", limit=1)
        ratelimit.hit("knocks", "bob", limit=1)
        with pytest.raises(TooManyRequests):
            ratelimit.hit("knocks", "alice", limit=1)


class TestWhoTheClientIs:
    @pytest.mark.parametrize(
        ("proxies", "peer", "forwarded", "client"),
        [
            (0, "192.0.2.1", None, "192.0.2.1"),
            # No proxy is configured, so the header is the client's own invention.
            (0, "192.0.2.1", "198.51.100.7", "192.0.2.1"),
            (1, "192.0.2.1", "198.51.100.7", "198.51.100.7"),
            (1, "192.0.2.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
            (2, "192.0.2.1", "203.0.113.9, 198.51.100.7, 192.0.2.2", "198.51.100.7"),
            # It came past the proxies: believe the peer.
            (2, "192.0.2.1", "198.51.100.7", "192.0.2.1"),
            (1, "192.0.2.1", "not an address", "192.0.2.1"),
            (1, "192.0.2.1", None, "192.0.2.1"),
            (0, "", None, "unknown"),
            # An IPv6 client has a whole network of addresses.
            (0, "2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64"),
            (0, "2001:db8:1:2:ffff::1", None, "2001:db8:1:2::/64"),
            (0, "::ffff:192.0.2.1", None, "192.0.2.1"),
        ],
    )
    def test_it_is_the_peer_or_what_the_trusted_proxies_saw(self, settings, proxies, peer, forwarded, client):
        settings.TRUSTED_PROXIES = proxies
        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        request = RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer)
        assert ratelimit.client_of(request) == client

    def test_made_up_headers_do_not_lift_the_limit(self, client, settings, mailoutbox):
        settings.SIGN_IN_LIMIT_PER_CLIENT = 2
        statuses = [
            client.post(
                reverse("sign-in"), {"email": f"p{number}@example.org"}, headers={"X-Forwarded-For": f"10.0.0.{number}"}
            ).status_code
            for number in range(3)
        ]
        assert statuses == [302, 302, 429]


class Gone(BaseCache):
    def __init__(self, location, params):
        super().__init__(params)
        self.asked = 0

    def get(self, *args, **kwargs):
        self.asked += 1
        raise ConnectionError("gone")

    add = incr = set = get


class TestACacheThatDoesNotAnswer:
    """A Redis that is gone: each process goes on with its own counters, and nothing fails for want of one."""

    @pytest.fixture(autouse=True)
    def gone(self, settings, monkeypatch):
        settings.CACHES = {
            "default": {"BACKEND": f"{__name__}.Gone"},
            "process": settings.CACHES["process"],
        }
        monkeypatch.setattr(ratelimit, "_PAUSE", 0.0)

    def test_limits_still_count(self):
        for _ in range(3):
            ratelimit.hit("votes", "ada", limit=3)
        with pytest.raises(TooManyRequests):
            ratelimit.hit("votes", "ada", limit=3)
        ratelimit.hit("votes", "ben", limit=3)

    def test_failures_still_lock_out(self):
        ratelimit.hit("tokens", "ada", limit=1)
        with pytest.raises(TooManyRequests):
            ratelimit.hit("tokens", "ada", limit=1)

    def test_the_shared_cache_is_asked_again_only_after_a_while(self, monkeypatch):
        monkeypatch.setattr(ratelimit, "_PAUSE", 60.0)
        ratelimit.hit("votes", "ada", limit=3)
        ratelimit.hit("votes", "ada", limit=3)
        assert vars(caches["default"])["asked"] == 1
