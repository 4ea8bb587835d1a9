"""Grants: what confirms that a viewer may go on, and what ends it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts import closing
from accounts import services as accounts
from accounts.credentials import Credential, credential_of
from accounts.models import ApiToken, User
from democracy import services
from democracy.errors import PermissionDenied
from democracy.live import grants as module
from democracy.live import publishing
from democracy.live.grants import Grant, Grants
from democracy.live.relay import relay
from tests import factories

pytestmark = pytest.mark.django_db


class Scene:
    """Ada has a page open by her session, ben a program by his token, and somebody who is nobody looks on."""

    def __init__(self) -> None:
        self.community, self.members = factories.community("ada", "ben", visibility="public")
        self.decision = factories.decision(self.community, self.members["manager"].user)
        session = SessionStore()
        session["is"] = "ada's"
        session.create()
        self.ada, self.ben = self.members["ada"].user, self.members["ben"].user
        _, self.token = accounts.create_api_token(self.ben, "script")
        self.grants = Grants()
        self.session = session
        self.held = {
            "ada": self.open(credential_of(self.ada.pk, session=session, token=None)),
            "ben": self.open(credential_of(self.ben.pk, session=None, token=self.token)),
            "visitor": self.open(Credential(None)),
        }

    def open(self, credential: Credential) -> Grant[str]:
        return self.grants.open(credential, self.community.pk, lambda: "may see")

    def confirmed(self) -> set[str]:
        """Let nearly all the time of the grants pass, and name those that are confirmed then."""
        for grant in self.held.values():
            grant.confirmed_at -= module.RECHECK - 5
        self.grants._looked_at = float("-inf")
        self.grants.confirm_all()
        return {who for who, grant in self.held.items() if grant.ends_at > grant_ends_soon()}


def grant_ends_soon() -> float:
    return time.monotonic() + 10


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    held = made.held
    yield made
    for grant in [*held.values(), *made.held.values()]:
        made.grants.close(grant)


def test_what_the_check_found_is_in_the_grant(scene: Scene) -> None:
    found = {who: (grant.found, grant.is_good) for who, grant in scene.held.items()}
    assert found == dict.fromkeys(("ada", "ben", "visitor"), ("may see", True))


def test_whoever_may_not_see_gets_no_grant(scene: Scene) -> None:
    def refuse() -> None:
        raise PermissionDenied

    before = set(scene.grants._open)
    with pytest.raises(PermissionDenied):
        scene.grants.open(Credential(None), scene.community.pk, refuse)
    assert set(scene.grants._open) == before


def vote(scene: Scene) -> None:
    factories.vote(scene.members["ada"], scene.decision, Ash=5)


def sign_out(scene: Scene) -> None:
    Session.objects.all().delete()


def expire(scene: Scene) -> None:
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))


def sign_in_as_another(scene: Scene) -> None:
    scene.session["is"] = "ben's"
    scene.session.save()


def revoke(scene: Scene) -> None:
    ApiToken.objects.update(revoked_at=timezone.now())


def deactivate_ada(scene: Scene) -> None:
    User.objects.filter(pk=scene.ada.pk).update(is_active=False)


def close_the_doors(scene: Scene) -> None:
    services.update_community(scene.members["manager"].user, scene.community.pk, visibility="members")


@pytest.mark.parametrize(
    ("change", "confirmed"),
    [
        (lambda scene: None, {"ada", "ben", "visitor"}),
        # Ballots and followings give nobody any rights.
        (vote, {"ada", "ben", "visitor"}),
        (sign_out, {"ben", "visitor"}),
        (expire, {"ben", "visitor"}),
        (sign_in_as_another, {"ben", "visitor"}),
        (revoke, {"ada", "visitor"}),
        (deactivate_ada, {"ben", "visitor"}),
        (close_the_doors, set()),
    ],
)
def test_a_grant_is_confirmed_while_nothing_changes_that_rights_rest_on(
    scene: Scene, change: Callable[[Scene], Any], confirmed: set[str]
) -> None:
    change(scene)
    assert scene.confirmed() == confirmed


def test_what_was_confirmed_once_is_judged_by_what_came_later(scene: Scene) -> None:
    vote(scene)
    assert scene.confirmed() == {"ada", "ben", "visitor"}
    close_the_doors(scene)
    assert scene.confirmed() == set()


def test_a_grant_that_nobody_confirms_ends(scene: Scene) -> None:
    scene.held["ada"].confirmed_at -= module.RECHECK
    assert {who: grant.is_good for who, grant in scene.held.items()} == {"ada": False, "ben": True, "visitor": True}


def test_a_change_of_rights_ends_the_grants_that_it_is_about_at_once(scene: Scene) -> None:
    publishing.access_changed(scene.ada.pk)
    assert {who: grant.is_good for who, grant in scene.held.items()} == {"ada": False, "ben": True, "visitor": True}
    publishing.readers_changed(scene.community.pk)
    assert not any(grant.is_good for grant in scene.held.values())


def revoke_bens(scene: Scene) -> None:
    accounts.revoke_api_token(scene.ben, ApiToken.objects.get(user=scene.ben).pk)


def deactivate_bens(scene: Scene) -> None:
    scene.ben.is_active = False
    scene.ben.save()


@pytest.mark.parametrize("change", [revoke_bens, deactivate_bens, lambda scene: closing.close(scene.ben)])
def test_a_token_or_an_account_ends_its_grants_with_the_commit(
    scene: Scene, change: Callable[[Scene], Any], django_capture_on_commit_callbacks: Any, monkeypatch: Any
) -> None:
    hints: list[Any] = []
    monkeypatch.setattr(relay, "send", hints.extend)
    with django_capture_on_commit_callbacks(execute=True):
        change(scene)
        assert scene.held["ben"].is_good
    assert {who: grant.is_good for who, grant in scene.held.items()} == {"ada": True, "ben": False, "visitor": True}
    # The other processes hear of it, too.
    assert set(hints) == {("access", scene.ben.pk)}


def test_a_thousand_grants_are_confirmed_in_as_many_queries_as_ten(
    scene: Scene, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        scene.held[f"visitor {number}"] = scene.open(Credential(None))
    with django_assert_max_num_queries(5):
        assert len(scene.confirmed()) == 33


def test_the_grant_of_an_account_alone_needs_no_community(scene: Scene) -> None:
    grants = Grants()
    credential = credential_of(scene.ben.pk, session=None, token=scene.token)
    scene.held = {"ben": grants.open(credential, None, lambda: "may see")}
    scene.grants = grants
    close_the_doors(scene)
    assert scene.confirmed() == {"ben"}
    revoke(scene)
    assert scene.confirmed() == set()
