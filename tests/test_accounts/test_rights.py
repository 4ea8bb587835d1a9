"""Every change of what somebody's rights rest on is told, once it is written and about whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, update_last_login
from django.test import Client
from django.urls import reverse

from accounts import closing, services
from accounts.models import ApiToken, User
from accounts.signals import rights_changed
from tests import factories

pytestmark = pytest.mark.django_db


class Scene:
    """Ada has a token and a group with a permission; root may edit all of them."""

    def __init__(self) -> None:
        self.ada, self.root = factories.person("ada"), factories.person("root")
        User.objects.filter(pk=self.root.pk).update(is_staff=True, is_superuser=True)
        self.token, _ = services.create_api_token(self.ada, "script")
        self.permission = Permission.objects.order_by("pk")[0]
        self.group = Group.objects.create(name="clerks")
        self.group.permissions.add(self.permission)
        self.ada.groups.add(self.group)
        self.admin = Client()
        self.admin.force_login(self.root, backend="accounts.backends.SignInLinkBackend")

    def edit(self, page: str, row: Any, **form: Any) -> None:
        assert self.admin.post(reverse(f"admin:{page}", args=[row.pk]), form).status_code == 302

    def edit_ada(self, **form: Any) -> None:
        self.edit("accounts_user_change", self.ada, email=self.ada.email, name="Ada", handle=self.ada.handle, **form)

    def remove_tokens(self) -> None:
        form = {"action": "delete_selected", "_selected_action": [self.token.pk], "post": "yes"}
        assert self.admin.post(reverse("admin:accounts_apitoken_changelist"), form).status_code == 302

    def save(self, *columns: str, **values: Any) -> None:
        for name, value in values.items():
            setattr(self.ada, name, value)
        self.ada.save(update_fields=[*values, *columns])


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def told(scene: Scene) -> Iterator[set[int]]:
    heard: set[int] = set()

    def hear(sender: None, user_id: int, **kwargs: Any) -> None:
        heard.add(user_id)

    rights_changed.connect(hear)
    yield heard
    rights_changed.disconnect(hear)


@pytest.mark.parametrize(
    "change",
    [
        lambda scene: services.revoke_api_token(scene.ada, scene.token.pk),
        lambda scene: scene.edit(
            "accounts_apitoken_change", scene.token, revoked_at_0="2026-01-01", revoked_at_1="0:00"
        ),
        lambda scene: scene.edit("accounts_apitoken_delete", scene.token, post="yes"),
        Scene.remove_tokens,
        lambda scene: ApiToken.objects.all().delete(),
        lambda scene: scene.edit_ada(),
        lambda scene: scene.edit_ada(is_active="on", is_superuser="on"),
        lambda scene: scene.save(is_active=False),
        lambda scene: scene.save(password="!other"),
        lambda scene: closing.close(scene.ada),
        lambda scene: scene.ada.groups.clear(),
        lambda scene: scene.ada.user_permissions.add(scene.permission),
        lambda scene: scene.group.user_set.remove(scene.ada),
        lambda scene: scene.group.user_set.clear(),
        lambda scene: scene.group.permissions.clear(),
        lambda scene: scene.edit("auth_group_change", scene.group, name="clerks"),
        lambda scene: scene.edit("auth_group_delete", scene.group, post="yes"),
    ],
)
def test_a_change_is_told(scene: Scene, told: set[int], change: Callable[[Scene], Any]) -> None:
    change(scene)
    assert told == {scene.ada.pk}


def test_an_account_that_is_deleted_is_told(scene: Scene, told: set[int]) -> None:
    ada = scene.ada.pk
    ApiToken.objects.all().delete()
    told.clear()
    scene.ada.delete()
    assert told == {ada}


def test_what_gives_and_takes_no_rights_is_not_told(scene: Scene, told: set[int]) -> None:
    services.create_api_token(scene.ada, "another")
    services.update_profile(scene.ada, name="Ada B.")
    update_last_login(User, scene.ada)
    factories.person("ben")
    services.revoke_api_token(scene.ada, scene.token.pk)
    told.clear()
    services.revoke_api_token(scene.ada, scene.token.pk)
    assert told == set()
