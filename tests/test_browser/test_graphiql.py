"""GraphiQL in a browser, served from the project's own files."""

from __future__ import annotations

from urllib.parse import urlencode

from playwright.async_api import Page, expect

from tests.test_browser.crawling import enter


async def run(page: Page, operation: str) -> None:
    """Replace the editor's content with an operation without a name, and run it."""
    editor = page.get_by_role("region", name="Query Editor").locator(".CodeMirror").first
    await editor.evaluate("(element, text) => element.CodeMirror.setValue(text)", operation)
    # GraphiQL reads the operations a moment after the typing; before that it would run the previous one.
    await page.wait_for_function(
        """(text) => {
          const state = JSON.parse(localStorage.getItem("graphiql:tabState"));
          const tab = state?.tabs[state.activeTabIndex];
          return tab?.query === text && !tab.operationName;
        }""",
        arg=operation,
    )
    await page.get_by_role("button", name="Execute query (Ctrl-Enter)").click()


async def test_the_default_query_explains_itself_and_runs_as_a_typed_one_does(page: Page) -> None:
    await page.goto("/graphql/")
    await expect(page.get_by_text("What the pages do, the API does, too.")).to_be_visible()
    await page.get_by_role("button", name="Execute query (Ctrl-Enter)").click()
    await expect(page.get_by_label("Result Window")).to_contain_text('"winner"')
    await run(page, "{ kind: __typename }")
    await expect(page.get_by_label("Result Window")).to_contain_text('"kind": "Query"')

    # The documentation and the explorer open.
    await page.get_by_role("button", name="Show Documentation Explorer").click()
    await expect(page.get_by_role("region", name="Documentation Explorer")).to_contain_text("Root Types")
    await page.get_by_role("button", name="Show GraphiQL Explorer").click()
    await expect(page.locator(".docExplorerWrap")).to_be_visible()


async def test_the_page_says_who_acts(page: Page) -> None:
    await page.goto("/graphql/")
    await expect(page.get_by_text("You act as a visitor")).to_be_visible()
    await page.goto("/")
    person = page.get_by_role("region", name="Try the demo").get_by_role("button").first
    name = await person.locator("strong").inner_text()
    await person.click()
    await page.goto("/graphql/")
    await expect(page.get_by_text(f"You act as {name}")).to_be_visible()


OPEN_DECISION = """
{
  communities(search: "Springfield") {
    edges { node { decisions(status: OPEN, first: 20) { edges { node {
      id title resultsVisibility calculation { status } result { revision } choices { id }
    } } } } }
  }
}
"""


async def test_a_query_a_mutation_and_a_subscription_work_together(page: Page) -> None:
    """A vote cast in one GraphiQL appears in another that watches the decision."""
    await enter(page, "Amara")
    answer = await page.request.get("/graphql/", params={"query": OPEN_DECISION})
    (community,) = (await answer.json())["data"]["communities"]["edges"]
    decisions = [edge["node"] for edge in community["node"]["decisions"]["edges"]]
    decision = next(decision for decision in decisions if decision["resultsVisibility"] == "LIVE")

    await page.goto("/graphql/")
    result = page.get_by_label("Result Window")
    await run(page, f'{{ decision(id: "{decision["id"]}") {{ title }} }}')
    await expect(result).to_contain_text(decision["title"])

    await run(page, f'subscription {{ decisionResult(decisionId: "{decision["id"]}") {{ revision }} }}')
    before = decision["result"]["revision"]
    await expect(result).to_contain_text(f'"revision": {before}')

    voter = await page.context.new_page()
    await voter.goto("/graphql/")
    stars = ", ".join(
        f'{{choiceId: "{choice["id"]}", stars: {4 - position % 5}}}'
        for position, choice in enumerate(decision["choices"])
    )
    cast = f'castVote(input: {{decisionId: "{decision["id"]}", stars: [{stars}]}})'
    await run(voter, f"mutation {{ {cast} {{ receipt errors {{ code message }} }} }}")
    outcome = voter.get_by_label("Result Window")
    await expect(outcome).to_contain_text('"errors": []')
    await expect(outcome).to_contain_text('"receipt": "')
    await expect(result).not_to_contain_text(f'"revision": {before}', timeout=10_000)
    await expect(result).to_contain_text('"revision": ')


async def test_it_opens_with_the_query_of_its_address(page: Page) -> None:
    asked = {"query": "query Q($n: Int!) { communities(first: $n) { totalCount } }", "variables": '{"n": 1}'}
    await page.goto("/graphql/")
    await page.goto(f"/graphql/?{urlencode(asked)}")
    await page.get_by_role("button", name="Execute query (Ctrl-Enter)").click()
    await expect(page.get_by_label("Result Window")).to_contain_text('"totalCount"')


async def test_an_open_one_goes_on_when_somebody_signs_in_elsewhere(page: Page) -> None:
    await enter(page, "Amara")
    await page.goto("/graphql/")
    other = await page.context.new_page()
    await enter(other, "Mei")
    await run(page, "{ me { name } }")
    await expect(page.get_by_label("Result Window")).to_contain_text('"name": "Mei')
