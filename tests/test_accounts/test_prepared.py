"""Prepared queries: their SQL is written once, and each call gets the rows of its own values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Coalesce

from accounts.models import ApiToken, User
from accounts.prepared import prepared, prepared_update

pytestmark = pytest.mark.django_db
JUNE = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def people() -> list[User]:
    """Ann with two tokens, Ben with one, and Cem without."""
    ann, ben, cem = (User.objects.create(name=name, handle=name.lower()) for name in ("Ann", "Ben", "Cem"))
    for number, owner in enumerate((ann, ben, ann)):
        made = ApiToken.objects.create(user=owner, name=f"{owner.handle} {number}", digest=str(number))
        ApiToken.objects.filter(pk=made.pk).update(created_at=JUNE + timedelta(days=number))
    return [ann, ben, cem]


@pytest.fixture
def written() -> list[str]:
    """The names of the prepared queries whose SQL was written, each as often as it was."""
    return []


def test_each_call_gets_the_rows_of_its_own_values(people: list[User], written: list[str]) -> None:
    @prepared
    def tokens_of(user: int) -> QuerySet[ApiToken]:
        written.append("tokens_of")
        return ApiToken.objects.filter(user=user).select_related("user").order_by("pk")

    found = [[(one.name, one.user.name) for one in tokens_of(person.pk)] for person in people]
    assert found == [[("ann 0", "Ann"), ("ann 2", "Ann")], [("ben 1", "Ben")], []]
    assert written == ["tokens_of"]


def test_lists_of_any_length_are_taken_and_each_length_is_written_once(people: list[User], written: list[str]) -> None:
    @prepared
    def names(users: list[int]) -> QuerySet[ApiToken, Any]:
        written.append("names")
        return ApiToken.objects.filter(user__pk__in=users).order_by("pk").values_list("name", flat=True)

    ann, ben, cem = (person.pk for person in people)
    assert names([]) == []
    assert written == []
    assert [names([ann]), names([ben]), names([cem])] == [["ann 0", "ann 2"], ["ben 1"], []]
    assert written == ["names"]
    assert names([ann, ben]) == names([ben, ann]) == ["ann 0", "ben 1", "ann 2"]
    assert written == ["names", "names"]
    # What is longer than a page is not kept.
    longer = [cem, ann, *range(10**9, 10**9 + 1_000)]
    assert names(longer) == names(longer) == ["ann 0", "ann 2"]
    assert written == ["names"] * 4


def test_times_texts_annotations_and_slices_are_as_in_any_query(people: list[User]) -> None:
    @prepared
    def with_tokens_since(since: datetime, handle: str) -> QuerySet[User]:
        newer = ApiToken.objects.filter(user=OuterRef("pk"), created_at__gte=since)
        return User.objects.exclude(handle=handle).annotate(is_newer=Exists(newer)).order_by("handle")[:2]

    def found(days: int, handle: str) -> list[tuple[str, bool]]:
        rows = with_tokens_since(JUNE + timedelta(days=days), handle)
        return [(one.handle, one.is_newer) for one in rows]  # type: ignore[attr-defined]

    assert found(1, "nobody") == [("ann", True), ("ben", True)]
    assert found(2, "nobody") == [("ann", True), ("ben", False)]
    assert found(2, "ann") == [("ben", False), ("cem", False)]


def test_a_call_is_one_query_and_changed_rows_are_seen(people: list[User], django_assert_num_queries: Any) -> None:
    @prepared
    def named(user: int) -> QuerySet[User]:
        return User.objects.filter(pk=user)

    assert [one.name for one in named(people[0].pk)] == ["Ann"]
    User.objects.filter(pk=people[0].pk).update(name="Ann B")
    with django_assert_num_queries(1):
        assert [one.name for one in named(people[0].pk)] == ["Ann B"]


def test_an_update_writes_the_values_of_its_call_and_says_how_many_rows_it_changed(
    people: list[User], written: list[str], django_assert_num_queries: Any
) -> None:
    @prepared_update
    def revoke(user: int, at: datetime, name: str) -> tuple[QuerySet[ApiToken], Mapping[str, Any]]:
        written.append("revoke")
        own = ApiToken.objects.filter(user=user, created_at__lt=at)
        return own, {"revoked_at": Coalesce("revoked_at", at), "name": name}

    def tokens() -> list[tuple[str, datetime | None]]:
        return list(ApiToken.objects.order_by("digest").values_list("name", "revoked_at"))

    ann, _, cem = (person.pk for person in people)
    second, third = JUNE + timedelta(days=1), JUNE + timedelta(days=5)
    with django_assert_num_queries(3):
        assert [revoke(ann, second, "old"), revoke(ann, third, "gone"), revoke(cem, third, "none")] == [1, 2, 0]
    assert tokens() == [("gone", second), ("ben 1", None), ("gone", third)]
    assert written == ["revoke"]
