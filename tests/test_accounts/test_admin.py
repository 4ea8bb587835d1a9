from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts import services
from accounts.models import ApiToken, User
from tests.factories import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root@example.org", name="Root", handle="root")


@pytest.fixture
def clerk() -> User:
    """Return staff who may change people."""
    clerk = person("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(content_type__app_label="accounts"))
    return clerk


def as_user(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def change(client: Client, user: User, **fields: str) -> int:
    form = {"email": user.email, "name": user.name, "handle": user.handle, "is_active": "on", **fields}
    return client.post(reverse("admin:accounts_user_change", args=[user.pk]), form).status_code


class TestEntering:
    def test_a_guest_is_led_to_the_magic_link_and_back(self, client):
        login = client.get("/admin/", follow=True)
        assert login.redirect_chain[-1] == ("/sign-in/?next=%2Fadmin%2F", 302)
        assert "password" not in login.text.replace("there is no password", "")

    def test_an_administrator_enters(self, root):
        client = as_user(root)
        index = client.get("/admin/")
        assert (index.status_code, "API tokens" in index.text) == (200, True)
        assert client.get("/admin/login/").headers["Location"] == "/admin/"

    def test_who_is_none_is_refused_without_going_round_in_circles(self):
        answer = as_user(person("alice")).get("/admin/", follow=True)
        assert answer.status_code == 403


class TestPeople:
    def test_an_address_is_kept_in_lower_case_and_there_is_no_password(self, root):
        client = as_user(root)
        form = {"email": "New@Example.org", "name": "New", "handle": "newcomer", "is_active": "on"}
        assert client.post(reverse("admin:accounts_user_add"), form).status_code == 302
        user = User.objects.get(handle="newcomer")
        assert user.email == "new@example.org"
        assert not user.has_usable_password()
        assert "password" not in client.get(reverse("admin:accounts_user_change", args=[user.pk])).text.lower()

    def test_several_people_may_have_no_address(self, root):
        client = as_user(root)
        for handle in ("first", "second"):
            form = {"email": "", "name": handle, "handle": handle, "is_active": "on"}
            assert client.post(reverse("admin:accounts_user_add"), form).status_code == 302
        assert User.objects.filter(email=None).count() == 2

    def test_rights_are_a_superusers_to_give(self, root, clerk):
        alice = person("alice")
        assert change(as_user(clerk), alice, name="Alice", is_staff="on", is_superuser="on") == 302
        alice.refresh_from_db()
        assert (alice.name, alice.is_staff, alice.is_superuser) == ("Alice", False, False)
        assert change(as_user(root), alice, is_staff="on") == 302
        alice.refresh_from_db()
        assert (alice.is_staff, alice.is_superuser) == (True, False)

    def test_nobody_takes_over_an_account_by_changing_its_address(self, root, clerk):
        assert change(as_user(clerk), root, email="eve@example.org") == 403
        root.refresh_from_db()
        assert root.email == "root@example.org"
        assert as_user(clerk).post(reverse("admin:accounts_user_delete", args=[root.pk])).status_code == 403
        alice = person("alice")
        for operator in (clerk, root):
            assert change(as_user(operator), alice, email="eve@example.org", name="Alice B.") == 302
            alice.refresh_from_db()
            assert (alice.email, alice.name) == ("alice@example.org", "Alice B.")

    def test_an_account_without_an_address_is_given_one(self, clerk):
        imported = User.objects.create(handle="imported", name="Ida")
        assert change(as_user(clerk), imported, email="ida@example.org") == 302
        imported.refresh_from_db()
        assert imported.email == "ida@example.org"


class TestTokens:
    def test_the_digest_is_shown_nowhere_and_none_can_be_made(self, root):
        token, _ = services.create_api_token(person("alice"), "script")
        client = as_user(root)
        page = client.get(reverse("admin:accounts_apitoken_change", args=[token.pk]))
        listed = client.get(reverse("admin:accounts_apitoken_changelist"))
        assert "script" in page.text
        assert "script" in listed.text
        assert token.digest not in page.text + listed.text
        assert client.get(reverse("admin:accounts_apitoken_add")).status_code == 403

    def test_an_administrator_can_revoke_one_and_change_nothing_else_about_it(self, root):
        token, raw = services.create_api_token(person("alice"), "script")
        form = {"revoked_at_0": "2026-01-01", "revoked_at_1": "00:00", "digest": "0" * 64, "name": "other"}
        assert as_user(root).post(reverse("admin:accounts_apitoken_change", args=[token.pk]), form).status_code == 302
        assert services.user_for_token(raw) is None
        assert ApiToken.objects.values_list("name", "digest").get() == ("script", token.digest)
