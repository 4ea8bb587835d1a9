from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from accounts.models import ApiToken, User
from accounts.services import update_profile
from democracy import services
from democracy.models import Decision, LedgerEntry
from tests import factories

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

    def test_what_names_are_sorted_by_follows_the_name_however_it_is_written(self):
        user = User.objects.create_user(None, name="Straße", handle="street")
        made = [User(name=name, handle=f"made_{number}") for number, name in enumerate(("ÉMILE", "İ"))]
        User.objects.bulk_create(made)
        assert list(User.objects.order_by("pk").values_list("sort_name", flat=True)) == ["strasse", "émile", "i̇"]
        user.name = "Road"
        user.save()
        update_profile(made[0], name="Zoë ")
        assert list(User.objects.order_by("pk").values_list("sort_name", flat=True)) == ["road", "zoë", "i̇"]

    def test_people_from_before_there_was_a_sort_name_get_one(self):
        migration = import_module("accounts.migrations.0003_user_sort_name")
        people = [make(), make(None, "second")]
        User.objects.update(sort_name="")
        migration.fill(apps, SimpleNamespace(connection=connection))
        assert [User.objects.get(pk=one.pk).sort_name for one in people] == ["alice", "alice"]

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


class TestMembershipSignals:
    """A membership that is saved or deleted tells the ledger, and makes stale what it can change."""

    @pytest.fixture
    def scene(self):
        community, members = factories.community("ada", "ben")
        return community, members, factories.decision(community, members["manager"].user)

    def entries(self, community):
        return [
            (entry.subject, entry.before and entry.before["active"], entry.after and entry.after["active"])
            for entry in LedgerEntry.objects.filter(community=community, kind="membership").order_by("revision")
        ]

    def counter(self, decision):
        return Decision.objects.get(pk=decision.pk).input_revision

    def test_joining_leaving_and_coming_back_are_recorded_and_change_the_open_decisions(self, scene):
        community, _, decision = scene
        newcomer = factories.join(community, factories.person())
        joined = self.counter(decision)
        services.leave_community(newcomer.user, community.pk)
        left = self.counter(decision)
        services.apply_to_community(newcomer.user, community.pk)
        assert joined < left < self.counter(decision)
        subject = f"membership:{newcomer.pk}"
        assert self.entries(community)[-3:] == [(subject, None, True), (subject, True, False), (subject, False, True)]

    def test_a_changed_role_changes_them_and_a_changed_right_does_not(self, scene):
        _, members, decision = scene
        before = self.counter(decision)
        services.update_membership(members["manager"].user, members["ada"].pk, is_manager=True)
        assert self.counter(decision) == before
        services.update_membership(members["manager"].user, members["ada"].pk, role="lobbyist")
        assert self.counter(decision) > before

    def test_a_row_deleted_past_the_commands_is_recorded_too(self, scene):
        community, members, decision = scene
        before, pk = self.counter(decision), members["ben"].pk
        members["ben"].delete()
        assert self.entries(community)[-1] == (f"membership:{pk}", True, None)
        assert self.counter(decision) > before

    def test_another_communitys_decisions_stay_current(self, scene):
        _, _, decision = scene
        before = self.counter(decision)
        factories.join(factories.community()[0], factories.person())
        assert self.counter(decision) == before
