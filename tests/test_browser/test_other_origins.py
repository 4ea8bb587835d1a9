"""Pages of other origins use the API with a token, if the operator allows it, and never with their readers' cookies."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.test_browser.conftest import Server
from tests.test_browser.crawling import enter

# What a page gets over HTTP, as an event and over WebSocket: each time the viewer's handle, or that it was refused.
ASK = """async ([url, token, credentials]) => {
  const authorization = token ? { authorization: `Bearer ${token}` } : {};
  const query = "{ me { handle } }";
  const handle = ({ data }) => data.me?.handle ?? null;
  const http = async (accept) => {
    const headers = { "content-type": "application/json", accept, ...authorization };
    const answer = await fetch(url, { method: "POST", body: JSON.stringify({ query }), headers, credentials });
    return answer.text();
  };
  const socket = () => new Promise((resolve, reject) => {
    const opened = new WebSocket(url.replace("http", "ws"), "graphql-transport-ws");
    const send = (message) => opened.send(JSON.stringify(message));
    opened.onerror = () => reject(new Error("refused"));
    opened.onopen = () => send({ type: "connection_init", payload: authorization });
    opened.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === "connection_ack") send({ id: "a", type: "subscribe", payload: { query } });
      if (message.type !== "next") return;
      opened.close();
      resolve(handle(message.payload));
    };
  });
  const got = async (asked) => asked.catch(() => "refused");
  return [
    await got(http("application/json").then((text) => handle(JSON.parse(text)))),
    await got(http("text/event-stream").then((text) => handle(JSON.parse(/data: (.*)/u.exec(text)[1])))),
    await got(socket()),
  ];
}"""
MAKE_TOKEN = 'mutation { createApiToken(name: "wall") { token } }'


async def test_a_page_of_an_allowed_origin_acts_by_its_token_alone(
    tolerant_page: Page, server: Server, wall: int
) -> None:
    page, url = tolerant_page, f"{server.url}/graphql/"
    await enter(page, "Amara")
    await page.goto("/graphql/")
    cookies = {cookie["name"]: cookie["value"] for cookie in await page.context.cookies()}
    made = await page.request.post(
        "/graphql/", data={"query": MAKE_TOKEN}, headers={"X-CSRFToken": cookies["csrftoken"]}
    )
    token = (await made.json())["data"]["createApiToken"]["token"]
    handle = (await page.evaluate(ASK, [url, token, "same-origin"]))[0]
    assert handle
    await page.goto(f"http://127.0.0.1:{wall}/")
    assert await page.evaluate(ASK, [url, token, "same-origin"]) == [handle] * 3
    # The reader is signed in at the site in the same browser.
    assert await page.evaluate(ASK, [url, "", "same-origin"]) == [None] * 3
    assert (await page.evaluate(ASK, [url, "", "include"]))[:2] == ["refused"] * 2


@pytest.mark.parametrize("credentials", ["same-origin", "include"])
async def test_a_page_of_any_other_is_refused(tolerant_page: Page, server: Server, wall: int, credentials: str) -> None:
    await enter(tolerant_page, "Amara")
    await tolerant_page.goto(f"http://localhost:{wall}/")
    assert await tolerant_page.evaluate(ASK, [f"{server.url}/graphql/", "", credentials]) == ["refused"] * 3
