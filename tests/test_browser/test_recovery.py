"""Open pages recover by themselves after the server is killed, or the browser is cut off or asleep.

These pages do not poll: it is their stream of events that has to come back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from accounts.api import node_id
from tests.servers import Server, data_directory, prepared_directory, serving, tokens

__all__ = ["data_directory", "prepared_directory", "tokens"]

# A page is back within two seconds; a busy machine may take this long.
SOON = 30_000
CAST = """
    mutation Cast($decision: ID!, $stars: [StarsInput!]!) {
      castVote(input: {decisionId: $decision, stars: $stars}) { errors { message } }
    }
"""
DESCRIBE = """
    mutation Describe($community: ID!, $description: String!) {
      updateCommunity(input: {communityId: $community, description: $description}) { errors { message } }
    }
"""

DECISION = "/communities/1/decisions/1/"
Watching = Callable[[str], Awaitable[Page]]


class Town:
    """A data directory with a community and its open decision, and its server, which can be killed."""

    def __init__(self, directory: Path, tokens: list[str], server: Server) -> None:
        self.directory, self.server = directory, server
        self.manager, self.voter = tokens

    def kill(self) -> None:
        self.server.process.end()

    def start(self) -> None:
        self.server.end()
        self.server = Server(self.directory, port=self.server.port)
        self.server.until_it_answers()

    def _mutate(self, token: str, query: str, **variables: Any) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        answer = self.server.http.post("/graphql/", headers=headers, json={"query": query, "variables": variables})
        (payload,) = answer.json()["data"].values()
        assert payload["errors"] == []

    def vote(self, choice: int) -> None:
        """Give all stars to one of the choices 1 to 3."""
        stars = [{"choiceId": node_id("Choice", choice), "stars": 5}]
        self._mutate(self.voter, CAST, decision=node_id("Decision", 1), stars=stars)

    def describe(self, description: str) -> None:
        self._mutate(self.manager, DESCRIBE, community=node_id("Community", 1), description=description)


@pytest.fixture
def town(data_directory: Path, tokens: list[str]) -> Any:
    with serving(data_directory) as server:
        town = Town(data_directory, tokens, server)
        yield town
        town.server.end()


async def without_polling(route: Route) -> None:
    if route.request.resource_type != "document":
        await route.fallback()
        return
    response = await route.fetch()
    await route.fulfill(response=response, body=(await response.text()).replace("live, every 5s", "live"))


@pytest_asyncio.fixture(loop_scope="session")
async def watching(chromium: Browser, town: Town) -> AsyncIterator[Watching]:
    """Open a page of the town's community that does not poll.

    Its console is not read: browsers complain there when a server is away.
    """
    context = await chromium.new_context(base_url=town.server.url)

    async def watched(address: str) -> Page:
        page = await context.new_page()
        await page.route(lambda url: url.endswith(address), without_polling)
        await page.goto(address)
        await expect(page.locator("[data-live-state=open]")).to_have_count(1, timeout=SOON)
        assert "every" not in str(await page.locator("[data-live-on]").get_attribute("hx-trigger"))
        return page

    yield watched
    await context.close()


async def until_lost(page: Page) -> None:
    await expect(page.locator("[data-live-source]:not([data-live-state=open])")).to_have_count(1, timeout=SOON)


async def test_pages_hear_of_what_happened_after_the_server_was_killed_and_started_again(
    town: Town, watching: Watching
) -> None:
    pages = [await watching(address) for address in (DECISION, DECISION + "results/")]
    winners = [page.locator(".panel-winner, #winner-title") for page in pages]
    for winner in winners:
        await expect(winner).to_have_text("Ahead right now: Ash", timeout=SOON)
    community = await watching("/communities/1/")
    town.kill()
    for page in (*pages, community):
        await until_lost(page)
    town.start()
    town.vote(2)
    town.describe("Who reads this was told.")
    for winner in winners:
        await expect(winner).to_have_text("Ahead right now: Birch", timeout=SOON)
    await expect(community.get_by_text("Who reads this was told.")).to_be_visible(timeout=SOON)


async def test_a_page_learns_what_happened_while_the_browser_was_cut_off(town: Town, watching: Watching) -> None:
    page = await watching("/communities/1/")
    await page.context.set_offline(True)
    town.describe("Who was cut off was told.")
    # The event still comes over the open connection; its news cannot be fetched.
    await until_lost(page)
    await page.context.set_offline(False)
    await expect(page.get_by_text("Who was cut off was told.")).to_be_visible(timeout=SOON)


async def test_a_result_comes_with_its_event_and_is_not_asked_for(town: Town, watching: Watching) -> None:
    page = await watching(DECISION)
    winner = page.locator(".panel-winner")
    await expect(winner).to_have_text("Ahead right now: Ash", timeout=SOON)
    await page.context.set_offline(True)
    town.vote(2)
    await expect(winner).to_have_text("Ahead right now: Birch", timeout=SOON)


async def test_a_page_learns_what_happened_while_the_browser_slept(town: Town, watching: Watching) -> None:
    page = await watching(DECISION)
    winner = page.locator(".panel-winner")
    await expect(winner).to_have_text("Ahead right now: Ash", timeout=SOON)
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
    town.vote(2)
    town.kill()
    town.start()
    await devtools.send("Page.setWebLifecycleState", {"state": "active"})
    await expect(winner).to_have_text("Ahead right now: Birch", timeout=SOON)
