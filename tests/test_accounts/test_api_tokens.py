from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import AsyncClient, Client
from django.urls import include, path, reverse
from django.utils import timezone

from accounts import services
from accounts.errors import InvalidName, InvalidToken, NotYourToken, TooManyRequests, TooManyTokens
from accounts.middleware import user_for_scope
from accounts.models import ApiToken, User
from tests.factories import person

pytestmark = pytest.mark.django_db


def whoami(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"user": str(request.user), "method": request.method})


async def whoami_async(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"user": str(await request.auser()), "method": request.method})


urlpatterns = [path("whoami/", whoami), path("whoami-async/", whoami_async), path("", include("crowdvote.urls"))]


@pytest.fixture
def alice() -> User:
    return person("alice")


@pytest.fixture
def bob() -> User:
    return person("bob")


def bearer(raw: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {raw}"}


class TestMakingAndRevoking:
    def test_a_token_is_returned_once_and_kept_as_a_hash(self, alice):
        token, raw = services.create_api_token(alice, "  My\nscript ")
        assert raw.startswith("cv_")
        assert len(raw) >= 43
        row = ApiToken.objects.values().get()
        assert row == {
            "id": token.pk, "user_id": alice.pk, "name": "My script",
            "digest": hashlib.sha256(raw.encode()).hexdigest(),
            "created_at": token.created_at, "last_used_at": None, "revoked_at": None,
        }  # fmt: skip
        assert services.user_for_token(raw) == alice

    def test_no_two_are_alike(self, alice):
        assert len({services.create_api_token(alice, "same name")[1] for _ in range(3)}) == 3

    @pytest.mark.parametrize("name", ["", "   ", "\n", "\u202e", "x" * 81])
    def test_it_needs_a_name(self, alice, name):
        with pytest.raises(InvalidName):
            services.create_api_token(alice, name)
        assert not ApiToken.objects.exists()

    def test_a_person_has_at_most_twenty_at_a_time(self, alice, bob):
        tokens = [services.create_api_token(alice, "script")[0] for _ in range(20)]
        with pytest.raises(TooManyTokens):
            services.create_api_token(alice, "script")
        services.create_api_token(bob, "script")
        services.revoke_api_token(alice, tokens[0].pk)
        services.create_api_token(alice, "script")

    def test_a_revoked_token_is_refused_and_the_others_are_not(self, alice):
        (first, first_raw), (_, second_raw) = (services.create_api_token(alice, name) for name in ("one", "two"))
        services.revoke_api_token(alice, first.pk)
        assert services.user_for_token(first_raw) is None
        assert services.user_for_token(second_raw) == alice
        revoked_at = ApiToken.objects.get(pk=first.pk).revoked_at
        services.revoke_api_token(alice, first.pk)
        assert ApiToken.objects.get(pk=first.pk).revoked_at == revoked_at

    def test_nobody_revokes_somebody_elses_and_learns_whether_it_exists(self, alice, bob):
        token, raw = services.create_api_token(alice, "script")
        messages = []
        for token_id in (token.pk, token.pk + 1_000, 2**70):
            with pytest.raises(NotYourToken) as refusal:
                services.revoke_api_token(bob, token_id)
            messages.append(refusal.value.message)
        assert len(set(messages)) == 1
        assert services.user_for_token(raw) == alice

    @pytest.mark.parametrize("raw", ["", "cv_", "wrong", "\ud800", "\x00"])
    def test_what_is_no_token_belongs_to_nobody(self, alice, raw):
        services.create_api_token(alice, "script")
        assert services.user_for_token(raw) is None

    def test_a_closed_account_has_no_working_tokens(self, alice):
        _, raw = services.create_api_token(alice, "script")
        User.objects.filter(pk=alice.pk).update(is_active=False)
        assert services.user_for_token(raw) is None

    def test_the_last_use_is_noted_once_a_minute(self, alice, django_assert_num_queries):
        token, raw = services.create_api_token(alice, "script")
        before = timezone.now()
        with django_assert_num_queries(2):
            services.user_for_token(raw)
        token.refresh_from_db()
        assert before <= token.last_used_at <= timezone.now()
        noted = token.last_used_at
        with django_assert_num_queries(1):
            services.user_for_token(raw)
        token.refresh_from_db()
        assert token.last_used_at == noted

        ApiToken.objects.update(last_used_at=noted - timedelta(minutes=1, seconds=1))
        services.user_for_token(raw)
        token.refresh_from_db()
        assert token.last_used_at >= noted


@pytest.mark.urls(__name__)
class TestRequests:
    @pytest.mark.parametrize("where", ["/whoami/", "/whoami-async/"])
    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
    def test_a_token_says_who_asks(self, alice, where, scheme):
        _, raw = services.create_api_token(alice, "script")
        answer = Client().get(where, headers={"Authorization": f"{scheme} {raw}"})
        assert answer.json() == {"user": "alice", "method": "GET"}

    def test_it_needs_no_csrf_token_a_session_does(self, alice):
        _, raw = services.create_api_token(alice, "script")
        client = Client(enforce_csrf_checks=True)
        assert client.post("/whoami/", headers=bearer(raw)).json() == {"user": "alice", "method": "POST"}
        client.force_login(alice)
        assert client.post("/whoami/").status_code == 403

    def test_a_wrong_token_beside_a_good_session_is_refused_and_stays_subject_to_csrf(self, alice):
        client = Client(enforce_csrf_checks=True)
        client.force_login(alice)
        assert client.get("/whoami/").json()["user"] == "alice"
        assert client.post("/whoami/", headers=bearer("wrong")).status_code == 401

    def test_another_kind_of_authorization_exempts_from_nothing(self, alice):
        client = Client(enforce_csrf_checks=True)
        client.force_login(alice)
        headers = {"Authorization": "Basic YWxpY2U6"}
        assert client.get("/whoami/", headers=headers).json()["user"] == "alice"
        assert client.post("/whoami/", headers=headers).status_code == 403

    def test_the_token_goes_before_the_session_cookie(self, client, alice, bob):
        _, raw = services.create_api_token(alice, "script")
        client.force_login(bob)
        assert client.get("/whoami/", headers=bearer(raw)).json()["user"] == "alice"
        assert client.get("/whoami-async/", headers=bearer(raw)).json()["user"] == "alice"
        assert client.get("/whoami/").json()["user"] == "bob"

    @pytest.mark.parametrize("header", ["Bearer wrong", "Bearer", "Bearer ", "bearer cv_ cv_"])
    def test_a_wrong_token_is_401_and_says_why_to_programs(self, client, header):
        answer = client.get("/whoami/", headers={"Authorization": header})
        assert answer.status_code == 401
        assert answer.json() == {
            "errors": [{"message": "This API token is not valid.", "extensions": {"code": "INVALID_TOKEN"}}]
        }
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
        assert "no-store" in answer.headers["Cache-Control"]

    def test_a_client_that_guesses_is_stopped_and_nobody_elses_token_with_it(self, client, alice, settings):
        settings.FAILURES_PER_CLIENT = 3
        _, raw = services.create_api_token(alice, "script")
        assert [client.get("/whoami/", headers=bearer("wrong")).status_code for _ in range(5)] == [401] * 3 + [429] * 2
        assert client.get("/whoami/", headers=bearer(raw)).json()["user"] == "alice"
        assert client.get("/whoami/", headers=bearer("wrong")).status_code == 429
        elsewhere = Client(REMOTE_ADDR="192.0.2.77")
        assert elsewhere.get("/whoami/", headers=bearer(raw)).status_code == 200
        assert client.get("/whoami/").json()["user"] == "AnonymousUser"

    @pytest.mark.django_db(transaction=True)
    async def test_the_asynchronous_stack_does_the_same(self):
        alice = await sync_to_async(person)("alice")
        _, raw = await sync_to_async(services.create_api_token)(alice, "script")
        client = AsyncClient(enforce_csrf_checks=True)
        for where in ("/whoami/", "/whoami-async/"):
            answer = await client.post(where, headers=bearer(raw))
            assert answer.json() == {"user": "alice", "method": "POST"}
            assert (await client.post(where, headers=bearer("wrong"))).status_code == 401
            assert (await client.get(where)).json()["user"] == "AnonymousUser"


@pytest.mark.django_db(transaction=True)
class TestWebSockets:
    def scope(self, client: Client | None = None, **headers: str) -> dict:
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        scope: dict[str, Any] = {"type": "websocket", "client": ("192.0.2.1", 1), "headers": encoded}
        if client is not None:
            scope["session"] = SessionStore(client.cookies["sessionid"].value)
        return scope

    async def test_a_token_in_the_handshake_or_the_parameters_says_who_it_is(self):
        alice = await sync_to_async(person)("alice")
        _, raw = await sync_to_async(services.create_api_token)(alice, "script")
        assert await user_for_scope(self.scope(Authorization=f"Bearer {raw}")) == alice
        assert await user_for_scope(self.scope(), {"Authorization": f"Bearer {raw}"}) == alice
        assert await user_for_scope(self.scope(), {"authorization": f"bearer {raw}"}) == alice
        assert await user_for_scope(self.scope(), {"other": "thing"}) == AnonymousUser()

    async def test_a_wrong_or_revoked_token_is_refused_even_on_an_open_socket(self):
        alice = await sync_to_async(person)("alice")
        token, raw = await sync_to_async(services.create_api_token)(alice, "script")
        scope = self.scope(Authorization=f"Bearer {raw}")
        assert await user_for_scope(scope) == alice
        await sync_to_async(services.revoke_api_token)(alice, token.pk)
        with pytest.raises(InvalidToken):
            await user_for_scope(scope)

    async def test_guessing_is_stopped_there_too(self, settings):
        settings.FAILURES_PER_CLIENT = 1
        alice = await sync_to_async(person)("alice")
        _, raw = await sync_to_async(services.create_api_token)(alice, "script")
        scope = self.scope(Authorization="Bearer wrong")
        with pytest.raises(InvalidToken):
            await user_for_scope(scope)
        with pytest.raises(TooManyRequests):
            await user_for_scope(scope)
        assert await user_for_scope(self.scope(Authorization=f"Bearer {raw}")) == alice

    async def test_the_session_counts_only_while_it_lasts(self):
        alice, client = await sync_to_async(person)("alice"), Client()
        await sync_to_async(client.force_login)(alice)
        scope = self.scope(client)
        assert await user_for_scope(scope) == alice
        await sync_to_async(client.logout)()
        assert await user_for_scope(scope) == AnonymousUser()

    async def test_the_token_goes_before_the_session(self):
        alice, bob, client = await sync_to_async(person)("alice"), await sync_to_async(person)("bob"), Client()
        _, raw = await sync_to_async(services.create_api_token)(alice, "script")
        await sync_to_async(client.force_login)(bob)
        assert await user_for_scope(self.scope(client), {"Authorization": f"Bearer {raw}"}) == alice
        assert await user_for_scope(self.scope(client)) == bob


class TestThePage:
    def test_a_new_token_is_shown_once_and_works(self, client, alice):
        client.force_login(alice)
        page = client.post(reverse("create-token"), {"token_name": "My script"})
        assert page.status_code == 200
        assert "no-store" in page.headers["Cache-Control"]
        (raw,) = re.findall(r'<code id="new-token"[^>]*>(\S+)</code>', page.text)
        assert services.user_for_token(raw) == alice
        again = client.get(reverse("profile"))
        assert "My script" in again.text
        assert raw not in again.text
        assert ApiToken.objects.get().digest not in again.text

    def test_a_token_without_a_name_is_refused_beside_the_field(self, client, alice):
        client.force_login(alice)
        page = client.post(reverse("create-token"), {"token_name": " "})
        assert page.status_code == 400
        assert 'id="token-error"' in page.text
        assert not ApiToken.objects.exists()

    def test_the_owner_revokes_it_and_nobody_else(self, client, alice, bob):
        token, raw = services.create_api_token(alice, "script")
        client.force_login(bob)
        assert client.post(reverse("revoke-token", args=[token.pk])).status_code == 404
        assert services.user_for_token(raw) == alice
        client.force_login(alice)
        assert "<strong>script</strong>" in client.get(reverse("profile")).text
        assert client.post(reverse("revoke-token", args=[token.pk])).status_code == 302
        assert services.user_for_token(raw) is None
        assert "<strong>script</strong>" not in client.get(reverse("profile")).text

    def test_somebody_elses_tokens_are_not_listed(self, client, alice, bob):
        services.create_api_token(alice, "alices secret plan")
        client.force_login(bob)
        assert "alices secret plan" not in client.get(reverse("profile")).text
        client.force_login(alice)
        assert "alices secret plan" in client.get(reverse("profile")).text

    @pytest.mark.parametrize("count", [1, 3])
    def test_the_list_costs_the_same_however_long(self, client, alice, django_assert_num_queries, count):
        for _ in range(count):
            services.create_api_token(alice, "script")
        client.force_login(alice)
        with django_assert_num_queries(4):
            client.get(reverse("profile"))

    def test_a_guest_is_led_to_the_sign_in_page(self, client):
        for name, args in (("profile", []), ("create-token", []), ("revoke-token", [1])):
            answer = client.post(reverse(name, args=args))
            assert answer.headers["Location"].startswith("/sign-in/?next=")
