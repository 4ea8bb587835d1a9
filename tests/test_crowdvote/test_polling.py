"""Polls of open pages: answered from memory where nothing is new, and only to those who may know that."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.contrib.sessions.models import Session
from django.core.asgi import get_asgi_application
from django.urls import reverse

from accounts.models import User
from crowdvote.serving.polling import answering_polls
from democracy import services
from democracy.live import grants
from democracy.models import Membership
from democracy.recalculation import recalculate_community
from democracy.views import _frames
from tests import factories
from tests.test_views.browsing import as_


class Page:
    """A page that a browser has open, and the polls of it that came to Django."""

    def __init__(self, user: User | None, address: str, target: str, **query: str) -> None:
        self.client, self.address, self.target, self.query = as_(user), address, target, query
        self.viewer = str(user.pk) if user is not None else ""
        self.seen = ""
        self.asked = 0

    async def poll(self, **headers: str) -> int:
        """Poll once, take what comes, and return the status."""
        query = "&".join(f"{name}={value}" for name, value in (self.query | {"seen": self.seen}).items())
        cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in self.client.cookies.items())
        sent = {"host": "localhost", "cookie": cookies, "hx-request": "true", "hx-target": self.target}
        sent |= {"x-viewer": self.viewer} | headers
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": self.address,
            "raw_path": self.address.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in sent.items() if value],
            "client": ("127.0.0.1", 5),
            "server": ("localhost", 80),
        }
        communicator = ApplicationCommunicator(answering_polls(self._django), scope)
        await communicator.send_input({"type": "http.request", "body": b"", "more_body": False})
        start = await communicator.receive_output(10)
        body = (await communicator.receive_output(10))["body"].decode()
        await communicator.wait(10)
        for found in re.findall(r'name="seen" value="([^"]*)"', body):
            self.seen = found
        return int(start["status"])

    async def _django(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        await get_asgi_application()(scope, receive, send)

    async def polls(self, number: int) -> tuple[list[int], int]:
        """Poll several times: the statuses, and how many of the polls came to Django."""
        before = self.asked
        return [await self.poll() for _ in range(number)], self.asked - before


class Scene:
    def __init__(self, visibility: str = "members") -> None:
        self.community, self.members = factories.community("ada", "ben", visibility=visibility)
        self.decision = factories.decision(self.community, self.members["manager"].user)
        recalculate_community(self.community.pk)

    def user(self, who: str | None) -> User | None:
        return self.members[who].user if who is not None else None

    def panel(self, who: str | None) -> Page:
        address = reverse("decision-status", args=(self.community.pk, self.decision.pk))
        return Page(self.user(who), address, "decision-status", place="")

    def overview(self, who: str | None) -> Page:
        return Page(self.user(who), reverse("community", args=[self.community.pk]), "community-now", page="1")

    def vote(self) -> None:
        factories.vote(self.members["ada"], self.decision, Ash=5)

    def calculate(self) -> None:
        recalculate_community(self.community.pk)

    def decide(self) -> None:
        factories.decision(self.community, self.members["manager"].user, title="Which tree?")


@pytest.fixture
async def scene(transactional_db: None) -> Scene:
    return await sync_to_async(Scene)()


@pytest.mark.parametrize("kind", [Scene.panel, Scene.overview])
async def test_only_the_first_poll_with_nothing_new_comes_to_the_view(
    scene: Scene, kind: Callable[[Scene, str], Page]
) -> None:
    page = await sync_to_async(kind)(scene, "ada")
    assert await page.polls(4) == ([200, 204, 204, 204], 2 if page.target == "community-now" else 1)


async def test_a_change_is_found_by_the_next_poll_and_memory_answers_again_after_it(scene: Scene) -> None:
    page = await sync_to_async(scene.panel)("ben")
    await page.polls(3)
    await sync_to_async(scene.vote)()
    assert await page.polls(3) == ([200, 204, 204], 1)
    await sync_to_async(scene.calculate)()
    assert await page.polls(3) == ([200, 204, 204], 1)


async def test_a_communitys_page_hears_of_a_decision_and_not_at_once_of_a_vote(scene: Scene) -> None:
    page = await sync_to_async(scene.overview)("ben")
    await page.polls(3)
    await sync_to_async(scene.vote)()
    assert (await page.polls(2))[0] == [204, 204]
    await sync_to_async(scene.decide)()
    assert await page.polls(1) == ([200], 1)


async def test_numbers_of_voters_come_after_a_while(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_frames, "_TURNOUT", timedelta(0))
    page = await sync_to_async(scene.overview)("ben")
    await page.polls(2)
    await sync_to_async(scene.vote)()
    assert (await page.polls(2))[0] == [200, 204]


@pytest.mark.parametrize("headers", [{"cookie": "sessionid=made-up"}, {"cookie": ""}, {"x-viewer": "1"}])
async def test_memory_answers_only_who_asked_before(scene: Scene, headers: dict[str, str]) -> None:
    page = await sync_to_async(scene.panel)("ben")
    await page.polls(3)
    before = page.asked
    assert (await page.poll(**headers), page.asked) == (401, before + 1)
    assert await page.polls(1) == ([204], 0)


async def test_an_answer_for_one_viewer_is_none_for_another(scene: Scene) -> None:
    ada, ben = [await sync_to_async(scene.panel)(who) for who in ("ada", "ben")]
    await ada.polls(3)
    ben.seen = ada.seen
    assert await ben.polls(2) == ([204, 204], 1)


def leave(scene: Scene) -> None:
    services.leave_community(scene.members["ben"].user, scene.community.pk)


def remove(scene: Scene) -> None:
    services.remove_member(scene.members["manager"].user, scene.members["ben"].pk)


def hide(scene: Scene) -> None:
    operator = scene.members["ada"].user
    operator.is_staff = operator.is_superuser = True
    operator.save()
    services.hide_community(operator, scene.community.pk, reason="It is a trial.")


def sign_out(scene: Scene) -> None:
    for session in Session.objects.all():
        session.delete()


@pytest.mark.parametrize(("change", "status"), [(leave, 404), (remove, 404), (hide, 404), (sign_out, 401)])
async def test_whoever_loses_access_is_not_told_that_nothing_is_new(
    scene: Scene, change: Callable[[Scene], None], status: int
) -> None:
    page, bystander = [await sync_to_async(scene.panel)(who) for who in ("ben", "manager")]
    await page.polls(3)
    await bystander.polls(3)
    await sync_to_async(change)(scene)
    assert await page.poll() == status
    if change in {leave, remove}:
        assert {await bystander.poll() for _ in range(2)} == {200, 204}


async def test_a_visitor_is_told_nothing_once_the_doors_are_closed(transactional_db: None) -> None:
    scene = await sync_to_async(Scene)(visibility="public")
    page = await sync_to_async(scene.panel)(None)
    assert (await page.polls(3))[0] == [200, 204, 204]
    manager = scene.members["manager"].user
    await sync_to_async(services.update_community)(manager, scene.community.pk, visibility="members")
    assert await page.poll() == 401


async def test_what_nobody_tells_is_looked_at_again_in_time(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    page = await sync_to_async(scene.panel)("ben")
    await page.polls(3)
    await sync_to_async(Membership.objects.filter(pk=scene.members["ben"].pk).delete)()
    await sync_to_async(Session.objects.all()._raw_delete)("default")
    monkeypatch.setattr(grants, "RECHECK", 0.0)
    assert await page.poll() == 401


async def test_a_request_that_is_no_poll_comes_to_the_view(scene: Scene) -> None:
    page = await sync_to_async(scene.panel)("ben")
    await page.polls(3)
    before = page.asked
    assert (await page.poll(**{"hx-request": ""}), page.asked) == (200, before + 1)
