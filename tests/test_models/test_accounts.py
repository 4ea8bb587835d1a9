from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.models import ApiToken, User

pytestmark = pytest.mark.django_db


def make(email: str | None = "alice@example.org", handle: str = "alice") -> User:
    return User.objects.create_user(email, name="Alice", handle=handle)


class TestUser:
    def test_an_address_is_kept_in_lower_case(self):
        user = make(" Alice@Example.ORG ")
        assert user.email == "alice@example.org"
        assert User.objects.get_by_natural_key("ALICE@example.org") == user

    def test_an_address_is_one_persons_however_it_is_spelt(self):
        make()
        with pytest.raises(ValidationError):
            make("ALICE@EXAMPLE.ORG", "other")
        make("alice@elsewhere.example", "other")

    def test_the_database_keeps_both_rules_for_whatever_goes_past_the_commands(self):
        alice, bob = make(), make("bob@example.org", "bob")
        for change in (
            {"email": "Alice@example.org"}, {"email": bob.email}, {"handle": "Alice"}, {"handle": bob.handle},
        ):  # fmt: skip
            with pytest.raises(IntegrityError), transaction.atomic():
                User.objects.filter(pk=alice.pk).update(**change)
        assert User.objects.filter(pk=alice.pk).update(email="a@example.org", handle="a_1") == 1

    def test_imported_people_have_no_address_however_many_they_are(self):
        assert [make(None, "first").email, make("", "second").email] == [None, None]

    def test_nobody_has_a_password(self):
        root = User.objects.create_superuser("root@example.org", name="Root", handle="root", password="secret")
        for user in (make(), root):
            assert not user.has_usable_password()
        assert (root.is_staff, root.is_superuser) == (True, True)

    @pytest.mark.parametrize("handle", ["", "a", "x" * 41, "Alice", "a b", "alice\n", "system", "anonymous_fox"])
    def test_a_handle_is_checked(self, handle):
        with pytest.raises(ValidationError) as refusal:
            make(handle=handle)
        assert set(refusal.value.message_dict) == {"handle"}
        assert make(handle="alice_b_2").handle == "alice_b_2"

    def test_it_says_who_it_is(self):
        user = make()
        assert (str(user), user.get_full_name(), user.get_short_name()) == ("alice", "Alice", "Alice")


class TestApiToken:
    def test_it_says_whose_and_what_for_and_not_what_it_is(self):
        token = ApiToken.objects.create(user=make(), name="script", digest="0" * 64)
        assert str(token) == "alice: script"

    def test_it_goes_with_its_person(self):
        user = make()
        ApiToken.objects.create(user=user, name="script", digest="0" * 64)
        user.delete()
        assert not ApiToken.objects.exists()
