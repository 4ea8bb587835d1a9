"""Passkeys: adding them, signing in with them, and what is no answer of the person's device."""

from __future__ import annotations

import html
import json
import logging
from typing import Any

import pytest

pytest.importorskip("fido2")

from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse
from fido2.utils import websafe_encode
from fido2.webauthn import AuthenticatorData

from accounts import closing, passkeys, services
from accounts.errors import TooManyPasskeys
from accounts.models import Passkey, User
from tests.factories import person
from tests.test_accounts.authenticators import Device, add, device_of, sign_in, signed_in
from tests.test_views.browsing import as_

pytestmark = pytest.mark.django_db

Outbox = list[EmailMessage]


@pytest.fixture(autouse=True)
def switched_on(settings) -> None:
    settings.PASSKEYS = True


@pytest.fixture
def alice() -> User:
    return person("alice")


def refused(answer: Any, words: str) -> bool:
    return (answer.status_code, words in html.unescape(answer.text)) == (400, True)


def asked(browser: Client) -> dict[str, Any]:
    return dict(browser.post("/sign-in/passkey/options/").json())


class TestAdding:
    def test_a_device_keeps_the_key_and_its_owner_is_told_by_mail(
        self, alice: User, mailoutbox: Outbox, django_capture_on_commit_callbacks
    ):
        person("bystander")
        browser, device = as_(alice), Device()
        with django_capture_on_commit_callbacks(execute=True):
            assert add(browser, device, "  my \n phone ").headers["Location"] == "/profile/"
        assert list(Passkey.objects.values_list("user__handle", "name", "sign_count", "last_used_at")) == [
            ("alice", "my phone", 0, None)
        ]
        (mail,) = mailoutbox
        assert (mail.to, mail.subject) == (["alice@example.org"], "A passkey was added to your account")
        assert "my phone" in mail.body
        assert "http://localhost:8000/profile/" in mail.body
        assert "my phone" in browser.get("/profile/").text

    def test_the_device_learns_whose_site_it_is_and_a_name_of_the_account_that_says_nothing(self, alice: User):
        browser = as_(alice)
        first = device_of(browser)
        options = browser.post("/profile/passkeys/options/").json()["publicKey"]
        assert options["rp"] == {"id": "localhost", "name": "CrowdVote"}
        assert options["user"] == {"id": first.user_handle, "name": alice.email, "displayName": alice.name}
        assert options["authenticatorSelection"]["residentKey"] == "required"
        assert options["authenticatorSelection"]["userVerification"] == "preferred"
        assert [one["id"] for one in options["excludeCredentials"]] == [websafe_encode(first.credential_id)]
        other = as_(person("bob")).post("/profile/passkeys/options/").json()["publicKey"]
        assert len(other["user"]["id"]) == len(first.user_handle) == 43
        assert other["user"]["id"] != first.user_handle

    @pytest.mark.parametrize("name", ["", " ", "x" * 81])
    def test_it_needs_a_name_and_a_refused_one_leaves_the_challenge(self, alice: User, name):
        browser, device = as_(alice), Device()
        answer = device.makes(browser.post("/profile/passkeys/options/").json())
        again = browser.post("/profile/passkeys/", {"passkey_name": name, "credential": answer})
        assert refused(again, "Give the passkey a name")
        assert not Passkey.objects.exists()
        assert browser.post("/profile/passkeys/", {"passkey_name": "x", "credential": answer}).status_code == 302

    @pytest.mark.parametrize(
        "kind",
        [
            {"origin": "https://localhost:8000"},
            {"origin": "http://localhost"},
            {"origin": "http://evil.localhost:8000"},
            {"rp_id": "evil.example"},
            {"flags": AuthenticatorData.FLAG.UV},
        ],
    )
    def test_what_a_device_says_to_another_site_or_without_its_person_is_refused(self, alice: User, kind):
        assert refused(add(as_(alice), Device(**kind)), "answer is not valid")
        assert not Passkey.objects.exists()

    @pytest.mark.parametrize("answer", ["", "{}", "[]", "null", "x", "[" * 100_000, '{"rawId": "AA"}', "1"])
    def test_what_no_device_says_is_refused(self, alice: User, answer):
        browser = as_(alice)
        browser.post("/profile/passkeys/options/")
        again = browser.post("/profile/passkeys/", {"passkey_name": "x", "credential": answer})
        assert refused(again, "answer is not valid")

    def test_a_challenge_works_once_for_whom_it_was_made(self, alice: User):
        browser, device = as_(alice), Device()
        answer = device.makes(browser.post("/profile/passkeys/options/").json())
        form = {"passkey_name": "x", "credential": answer}
        assert refused(as_(alice).post("/profile/passkeys/", form), "took too long, or was sent twice")
        _, token = services.create_api_token(person("eve"), "a program")
        by_token = browser.post("/profile/passkeys/", form, HTTP_AUTHORIZATION=f"Bearer {token}")
        assert refused(by_token, "took too long, or was sent twice")
        assert not Passkey.objects.exists()

    def test_one_passkey_is_of_one_account(self, alice: User):
        device = device_of(as_(alice))
        assert refused(add(as_(person("eve")), device), "was added before")
        assert Passkey.objects.get().user == alice

    def test_accounts_of_the_demo_and_of_many_passkeys_take_no_more(self, alice: User, monkeypatch):
        demo = as_(person("demo", is_demo=True))
        assert "Passkeys" not in demo.get("/profile/").text
        assert "belongs to the demo" in demo.post("/profile/passkeys/options/").json()["error"]
        monkeypatch.setattr(passkeys, "MAX_PASSKEYS", 1)
        browser = as_(alice)
        device_of(browser)
        assert browser.post("/profile/passkeys/options/").json()["error"].startswith("You have 1 passkeys already")
        with pytest.raises(TooManyPasskeys):
            passkeys.add(alice, "another", "{}", session=browser.session)


class TestSigningIn:
    def test_it_signs_in_and_leads_to_the_page_that_was_wanted(self, alice: User, caplog):
        alice.name = "Alice A."
        alice.save()
        device = device_of(as_(alice))
        device_of(as_(person("bystander")))
        browser = Client()
        with caplog.at_level(logging.INFO, "crowdvote.events"):
            answer = sign_in(browser, device, next="/communities/")
        assert (answer.headers["Location"], signed_in(browser)) == ("/communities/", alice.email)
        assert "via passkey" in caplog.text
        counts = dict(Passkey.objects.values_list("user__handle", "sign_count"))
        assert counts == {"alice": 1, "bystander": 0}
        assert Passkey.objects.get(user=alice).last_used_at is not None
        assert sign_in(Client(), device, next="https://evil.example").headers["Location"] == "/"

    def test_what_is_asked_is_the_same_for_everybody(self, alice: User):
        device_of(as_(alice))
        options = asked(Client())["publicKey"]
        assert len(options.pop("challenge")) == 43
        assert options == {"rpId": "localhost", "userVerification": "preferred"}

    def test_an_answer_works_once_and_in_the_browser_that_asked(self, alice: User, caplog):
        device = device_of(as_(alice), step=0)
        browser = Client()
        form = {"credential": device.signs(asked(browser))}
        other = Client()
        asked(other)
        assert refused(other.post("/sign-in/passkey/", form), "answer is not valid")
        assert refused(Client().post("/sign-in/passkey/", form), "took too long, or was sent twice")
        assert browser.post("/sign-in/passkey/", form).status_code == 302
        browser.post("/sign-out/")
        assert refused(browser.post("/sign-in/passkey/", form), "took too long, or was sent twice")
        asked(browser)
        assert refused(browser.post("/sign-in/passkey/", form), "answer is not valid")
        assert signed_in(browser) == ""
        assert caplog.text.count("Invalid passkey attempted") == 4

    def test_of_two_requests_at_once_one_signs_in(self, alice: User):
        device = device_of(as_(alice), step=0)
        browser = Client()
        answer = device.signs(asked(browser))
        kept = browser.session["passkey_sign_in"]
        assert browser.post("/sign-in/passkey/", {"credential": answer}).status_code == 302
        session = browser.session
        session["passkey_sign_in"] = kept
        session.save()
        assert refused(browser.post("/sign-in/passkey/", {"credential": answer}), "was sent twice")

    def test_an_old_challenge_is_refused(self, alice: User, monkeypatch):
        device = device_of(as_(alice))
        browser = Client()
        monkeypatch.setattr(passkeys, "_PATIENCE", -1)
        assert refused(sign_in(browser, device), "took too long")

    @pytest.mark.parametrize(
        "change",
        [
            {"origin": "https://localhost:8000"},
            {"origin": "http://evil.localhost:8000"},
            {"origin": "http://localhost:8000.evil.example"},
            {"rp_id": "evil.example"},
            {"flags": AuthenticatorData.FLAG.UV},
        ],
    )
    def test_what_a_device_says_to_another_site_or_without_its_person_is_refused(self, alice: User, change):
        device = device_of(as_(alice))
        for name, value in change.items():
            setattr(device, name, value)
        browser = Client()
        assert refused(sign_in(browser, device), "answer is not valid")
        assert signed_in(browser) == ""

    def test_a_device_signs_in_its_own_person_alone(self, alice: User):
        bobs = device_of(as_(alice)), device_of(as_(person("bob")))
        device, victim = bobs
        browser = Client()
        # In the name of the other's account, under the other's credential, and both.
        forged = [(device.credential_id, victim.user_handle), (victim.credential_id, device.user_handle)]
        for credential_id, handle in [*forged, (victim.credential_id, victim.user_handle)]:
            thief = Device(key=device.key, credential_id=credential_id, user_handle=handle)
            assert refused(sign_in(browser, thief), "passkey")
            assert signed_in(browser) == ""

    @pytest.mark.parametrize("fault", [{"signature": "AAAA"}, {"userHandle": ""}, {"authenticatorData": "AA"}])
    def test_what_no_device_says_is_refused(self, alice: User, fault):
        device = device_of(as_(alice))
        browser = Client()
        answer = device.signs(asked(browser), **fault)
        assert refused(browser.post("/sign-in/passkey/", {"credential": answer}), "passkey")
        for text in ("", "[]", "x" * 60_000, '{"rawId": 1}'):
            asked(browser)
            assert refused(browser.post("/sign-in/passkey/", {"credential": text}), "answer is not valid")

    @pytest.mark.parametrize(("before", "after", "works"), [(4, 5, True), (5, 5, False), (5, 4, False), (5, 0, False)])
    def test_a_counter_that_does_not_rise_is_a_copys(self, alice: User, before, after, works):
        device = device_of(as_(alice))
        Passkey.objects.update(sign_count=before)
        device.count = after - 1
        browser = Client()
        sign_in(browser, device)
        assert signed_in(browser) == (alice.email if works else "")
        assert Passkey.objects.get().sign_count == max(before, after)

    def test_a_device_that_counts_nothing_signs_in_again_and_again(self, alice: User):
        device = device_of(as_(alice), step=0)
        assert [sign_in(Client(), device).status_code for _ in range(2)] == [302, 302]

    def test_removed_closed_and_unknown_say_the_same_as_long_as_it_tells_something(self, alice: User):
        device, removed = device_of(as_(alice)), device_of(as_(person("bob")))
        Passkey.objects.filter(user__handle="bob").delete()
        answers = [sign_in(Client(), one) for one in (removed, Device(user_handle="AAAA"))]
        assert all(refused(answer, "is not known here, or was removed") for answer in answers)
        User.objects.filter(pk=alice.pk).update(is_active=False)
        browser = Client()
        assert refused(sign_in(browser, device), "does not sign you in")
        assert signed_in(browser) == ""

    def test_presses_and_failures_of_one_client_are_limited(self, settings):
        settings.SIGN_IN_LIMIT_PER_CLIENT, settings.FAILURES_PER_CLIENT = 2, 1
        assert [Client().post("/sign-in/passkey/options/").status_code for _ in range(3)] == [200, 200, 429]
        assert [Client().post("/sign-in/passkey/", {}).status_code for _ in range(2)] == [400, 429]


class TestKeeping:
    def test_one_is_renamed_and_removed_by_its_owner_alone(self, alice: User):
        browser, eve = as_(alice), as_(person("eve"))
        device = device_of(browser)
        of_eve = device_of(eve)
        place = f"/profile/passkeys/{Passkey.objects.get(user=alice).pk}"
        assert eve.post(f"{place}/rename/", {"new_name": "mine"}).status_code == 404
        assert eve.post(f"{place}/remove/").status_code == 404
        assert refused(browser.post(f"{place}/rename/", {"new_name": ""}), "Give the passkey a name")
        assert Passkey.objects.get(user=alice).name == "my phone"
        assert browser.post(f"{place}/rename/", {"new_name": "blue key"}).status_code == 302
        assert sorted(Passkey.objects.values_list("name", flat=True)) == ["blue key", "my phone"]
        assert browser.post(f"{place}/remove/").status_code == 302
        assert Passkey.objects.get().user.handle == "eve"
        assert refused(sign_in(Client(), device), "not known here")
        assert sign_in(Client(), of_eve).status_code == 302

    def test_programs_see_rename_and_remove_them(self, alice: User):
        browser = as_(alice)
        device_of(browser)

        def run(text: str) -> dict[str, Any]:
            answer = browser.post("/graphql/", json.dumps({"query": text}), content_type="application/json")
            return dict(answer.json()["data"])

        (shown,) = run("{ me { passkeys { id name createdAt lastUsedAt } } }")["me"]["passkeys"]
        assert (shown["name"], shown["lastUsedAt"]) == ("my phone", None)
        named = f'(id: "{shown["id"]}", name: "key")'
        assert run(f"mutation {{ done: renamePasskey{named} {{ passkey {{ name }} }} }}")["done"] == {
            "passkey": {"name": "key"}
        }
        removed = f'mutation {{ done: removePasskey(id: "{shown["id"]}") {{ errors {{ code }} }} }}'
        assert [run(removed)["done"]["errors"] for _ in range(2)] == [[], [{"code": "NOT_YOUR_PASSKEY"}]]
        assert not Passkey.objects.exists()

    def test_they_go_with_the_account(self, alice: User):
        device_of(as_(alice))
        device_of(as_(person("bob")))
        closing.close(alice)
        assert [one.user.handle for one in Passkey.objects.all()] == ["bob"]

    def test_an_administrator_can_remove_one_and_neither_make_nor_change_it(self, alice: User):
        device_of(as_(alice))
        root = as_(person("root", is_staff=True, is_superuser=True))
        number = Passkey.objects.get().pk
        place = reverse("admin:accounts_passkey_change", args=[number])
        assert root.get(reverse("admin:accounts_passkey_changelist")).status_code == 200
        assert root.get(reverse("admin:accounts_passkey_add")).status_code == 403
        root.post(place, {"name": "other", "user": str(alice.pk)})
        assert Passkey.objects.get().name == "my phone"
        root.post(reverse("admin:accounts_passkey_delete", args=[number]), {"post": "yes"})
        assert not Passkey.objects.exists()


class TestSwitchedOff:
    def test_nothing_of_it_is_there(self, alice: User, settings):
        device = device_of(as_(alice))
        browser = Client()
        sign_in(browser, device)
        assert signed_in(browser) == alice.email
        settings.PASSKEYS = False
        assert signed_in(browser) == ""
        browser = as_(alice)
        assert "passkey" not in browser.get("/profile/").text.lower()
        assert "passkey" not in Client().get("/sign-in/").text.lower()
        paths = ["sign-in/passkey/", "sign-in/passkey/options/", "profile/passkeys/", "profile/passkeys/options/"]
        paths += ["profile/passkeys/1/rename/", "profile/passkeys/1/remove/"]
        assert {browser.post(f"/{path}").status_code for path in paths} == {404}

    def test_visitors_find_no_passkeys(self, alice: User):
        assert Client().post("/profile/passkeys/").headers["Location"].startswith("/sign-in/")
        wanted = {"HTTP_ACCEPT": "application/json"}
        assert Client().post("/profile/passkeys/options/", **wanted).status_code == 401
        assert Client(enforce_csrf_checks=True).post("/sign-in/passkey/options/").status_code == 403
