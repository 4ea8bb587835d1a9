from __future__ import annotations

import pytest
from django.urls import reverse

from accounts import services
from accounts.errors import HandleTaken, InvalidHandle, InvalidName
from accounts.models import User
from tests.factories import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    return person("alice", name="Alice")


def saved(user: User) -> tuple[str, str]:
    return User.objects.values_list("name", "handle").get(pk=user.pk)


class TestChangingIt:
    def test_what_is_given_changes_and_nothing_else(self, alice):
        services.update_profile(alice, name="Alice B.")
        assert saved(alice) == ("Alice B.", "alice")
        services.update_profile(alice, handle="alice_b")
        assert saved(alice) == ("Alice B.", "alice_b") == (alice.name, alice.handle)

    @pytest.mark.parametrize(
        ("typed", "kept"),
        [("  Ann \t Marie\n", "Ann Marie"), ("e\u0301va", "éva"), ("Bob\x1b[31m!", "Bob!"), ("ab\u202ecd", "abcd"),
         ("خانه\u200cها", "خانه\u200cها"), ("👩\u200d🚀", "👩\u200d🚀"), ("<b>", "<b>"), ("x" * 80, "x" * 80)],
    )  # fmt: skip
    def test_a_name_is_one_clean_line_in_any_script(self, alice, typed, kept):
        assert services.update_profile(alice, name=typed).name == kept

    @pytest.mark.parametrize("name", ["", "  ", "\u200d", "\u202e\u2069", "x" * 81])
    def test_a_name_must_be_seen_and_fit(self, alice, name):
        with pytest.raises(InvalidName) as refusal:
            services.update_profile(alice, name=name, handle="other")
        assert (refusal.value.field, refusal.value.code) == ("name", "INVALID_NAME")
        assert saved(alice) == ("Alice", "alice")

    @pytest.mark.parametrize(("typed", "kept"), [("Bob_2", "bob_2"), (" @bob ", "bob"), ("x" * 40, "x" * 40)])
    def test_a_handle_is_lower_case(self, alice, typed, kept):
        assert services.update_profile(alice, handle=typed).handle == kept

    @pytest.mark.parametrize(
        "handle", ["", "a", "x" * 41, "a b", "a-b", "bo\nb", "вася", "a]b", "system", "anonymous", "anonymous_7"]
    )
    def test_a_handle_is_two_to_forty_of_few_characters_and_not_reserved(self, alice, handle):
        with pytest.raises(InvalidHandle) as refusal:
            services.update_profile(alice, name="Other", handle=handle)
        assert (refusal.value.field, refusal.value.code) == ("handle", "INVALID_HANDLE")
        assert saved(alice) == ("Alice", "alice")

    def test_a_handle_is_one_persons(self, alice):
        bob = person("bob", name="Bob")
        with pytest.raises(HandleTaken) as refusal:
            services.update_profile(alice, name="Other", handle="BOB")
        assert refusal.value.field == "handle"
        assert (saved(alice), saved(bob)) == (("Alice", "alice"), ("Bob", "bob"))
        services.update_profile(alice, handle="alice")


class TestThePage:
    def test_it_saves_what_was_typed(self, client, alice):
        client.force_login(alice)
        assert client.post(reverse("profile"), {"name": "Al", "handle": "al"}).status_code == 302
        assert saved(alice) == ("Al", "al")
        assert "Your profile was saved." in client.get(reverse("profile")).text

    @pytest.mark.parametrize(
        ("typed", "field"), [({"name": "", "handle": "al"}, "name"), ({"name": "Al", "handle": "!"}, "handle")]
    )
    def test_it_says_beside_the_field_what_is_wrong_and_keeps_what_was_typed(self, client, alice, typed, field):
        client.force_login(alice)
        page = client.post(reverse("profile"), typed)
        assert page.status_code == 400
        assert f'id="{field}-error"' in page.text
        assert f'name="handle" value="{typed["handle"]}"' in page.text
        assert saved(alice) == ("Alice", "alice")

    def test_a_name_is_text_not_markup(self, client, alice):
        services.update_profile(alice, name="<script>alert(1)</script>")
        client.force_login(alice)
        assert "<script>alert" not in client.get(reverse("profile")).text

    def test_nobody_sees_anothers_address(self, client, alice):
        person("bob")
        client.force_login(alice)
        page = client.get(reverse("profile")).text
        assert "alice@example.org" in page
        assert "bob@example.org" not in page
