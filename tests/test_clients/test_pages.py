"""Apollo, urql and Relay in a browser, on pages of the site, of an origin that it allows, and of another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.servers import Server
from tests.test_clients.judging import assert_walked
from tests.test_clients.making import needs_node

pytestmark = [needs_node, pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
CLIENTS = ("apollo", "urql", "byHash", "relay")
WALK = "(given) => walk(...given)"
# A page cannot see more of what it is refused than that there was no answer.
TRY = """async ([name, url, token, vote]) => {
  const client = connect(name, url, token);
  const outcome = (asked) => asked.then(() => "done", () => "refused");
  return [
    await outcome(client.query(operations.QUERY, { id: vote.id })),
    await outcome(client.mutate(operations.VOTE, vote)),
  ];
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(chromium: Browser) -> AsyncIterator[Page]:
    # The site's own pages run no other scripts than the site's.
    page = await chromium.new_page(bypass_csp=True)
    yield page
    await page.close()


async def open_with_clients(page: Page, address: str, programs: Path) -> None:
    await page.goto(address)
    await page.add_script_tag(path=programs / "page.js")


@pytest.mark.parametrize("of_the_site", [True, False], ids=["of the site", "of another origin"])
async def test_clients_on_a_page_ask_vote_and_receive_the_next_event(
    page: Page,
    server: Server,
    elsewhere: tuple[Path, str],
    tokens: list[str],
    decision: str,
    programs: Path,
    of_the_site: bool,
) -> None:
    url, voter = f"{server.url}/graphql/", tokens[1]
    await open_with_clients(page, f"{server.url}/healthz" if of_the_site else elsewhere[1], programs)
    for client in CLIENTS:
        assert_walked(
            visitor=await page.evaluate(WALK, [client, url, "-", voter, decision]),
            voter=await page.evaluate(WALK, [client, url, voter, voter, decision]),
        )


async def test_clients_on_a_page_of_any_other_origin_are_refused_and_change_nothing(
    page: Page, server: Server, elsewhere: tuple[Path, str], tokens: list[str], decision: str, programs: Path
) -> None:
    def stars() -> list[dict[str, Any]]:
        query = "query($id: ID!) { decision(id: $id) { myBallot { stars { choice { id } stars } } } }"
        sent = {"query": query, "variables": {"id": decision}}
        answer = server.http.post("/graphql/", json=sent, headers={"Authorization": f"Bearer {tokens[1]}"}).json()
        ballot = answer["data"]["decision"]["myBallot"]["stars"]
        return [{"choiceId": one["choice"]["id"], "stars": int(float(one["stars"]))} for one in ballot]

    async def tried(client: str, token: str) -> list[str]:
        vote = {"id": decision, "stars": other}
        found: list[str] = await page.evaluate(TRY, [client, f"{server.url}/graphql/", token, vote])
        return found

    before = stars()
    other = [one | {"stars": 5 - one["stars"]} for one in before]
    await open_with_clients(page, elsewhere[1].replace("127.0.0.1", "localhost"), programs)
    for client in CLIENTS:
        for token in ("-", tokens[1]):
            assert await tried(client, token) == ["refused", "refused"], client
    assert stars() == before
    await open_with_clients(page, elsewhere[1], programs)
    for client in CLIENTS:
        assert await tried(client, tokens[1]) == ["done", "done"], client
    assert stars() == other
