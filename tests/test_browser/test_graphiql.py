"""GraphiQL in a browser, served from the project's own files."""

from __future__ import annotations

from urllib.parse import urlencode

from playwright.async_api import Page, expect

from tests.test_browser.axe import ALL, COLOURS, findings_in_looks
from tests.test_browser.crawling import enter

PHONE = {"width": 360, "height": 740}
# Its parts look alike on both, but for where they stand.
LOOKS = {1280: {"light": ALL, "dark": COLOURS}, 360: {"light": ALL, "dark": COLOURS}}
EXECUTE = "Execute query (Ctrl-Enter)"
# Whether lines of an editor go on beyond its edge.
IS_CUT_OFF = "(scroller) => scroller.scrollWidth > scroller.clientWidth"


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
    await page.get_by_role("button", name=EXECUTE).click()


async def test_the_default_query_explains_itself_and_runs_as_a_typed_one_does(page: Page) -> None:
    await page.goto("/graphql/")
    await expect(page.get_by_text("The API does what the pages do.")).to_be_visible()
    await page.get_by_role("button", name=EXECUTE).click()
    await expect(page.get_by_label("Result Window")).to_contain_text('"winner"')
    await run(page, "{ kind: __typename }")
    await expect(page.get_by_label("Result Window")).to_contain_text('"kind": "Query"')

    # The documentation and the explorer open.
    await page.get_by_role("button", name="Show Documentation Explorer").click()
    await expect(page.get_by_role("region", name="Documentation Explorer")).to_contain_text("Root Types")
    await page.get_by_role("button", name="Show GraphiQL Explorer").click()
    await expect(page.locator(".docExplorerWrap")).to_be_visible()


async def test_later_visits_open_the_tabs_of_the_earlier_ones_and_no_other(page: Page) -> None:
    result = page.get_by_label("Result Window")
    tabs = page.get_by_role("tablist", name="Select active operation").get_by_role("tab")
    await page.goto("/graphql/")
    for _ in range(2):
        await page.wait_for_function("() => localStorage.getItem('graphiql:tabState') !== null")
        await page.reload()
        await expect(page.get_by_text("The API does what the pages do.")).to_be_visible()
        await page.get_by_role("button", name=EXECUTE).click()
        await expect(result).to_contain_text('"winner"')
        # Where there is one, none is named.
        await expect(tabs).to_have_count(0)

    await page.get_by_role("button", name="Add tab").click()
    await run(page, "{ kind: __typename }")
    await expect(result).to_contain_text('"kind": "Query"')
    await page.reload()
    await expect(page.locator(".CodeMirror").first).to_contain_text("kind: __typename")
    await page.get_by_role("button", name=EXECUTE).click()
    await expect(result).to_contain_text('"kind": "Query"')
    await expect(tabs).to_have_count(2)


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
    await page.get_by_role("button", name=EXECUTE).click()
    await expect(page.get_by_label("Result Window")).to_contain_text('"totalCount"')


async def test_an_open_one_goes_on_when_somebody_signs_in_elsewhere(page: Page) -> None:
    await enter(page, "Amara")
    await page.goto("/graphql/")
    other = await page.context.new_page()
    await enter(other, "Mei")
    await run(page, "{ me { name } }")
    await expect(page.get_by_label("Result Window")).to_contain_text('"name": "Mei')


async def test_axe_finds_nothing_in_it_on_a_phone_and_on_a_desk(page: Page) -> None:
    await page.goto("/graphql/")
    await page.get_by_role("button", name=EXECUTE).click()
    await expect(page.get_by_label("Result Window")).to_contain_text('"winner"')
    found = await findings_in_looks(page, LOOKS)
    for plugin in ("Documentation Explorer", "History", "GraphiQL Explorer"):
        await page.get_by_role("button", name=f"Show {plugin}").click()
        await expect(page.locator(".graphiql-plugin")).to_be_visible()
        found += await findings_in_looks(page, {1280: {"light": ALL}, 360: {"dark": ALL}})
    for dialog in ("Open short keys dialog", "Open settings dialog"):
        await page.get_by_role("button", name=dialog).click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        found += await findings_in_looks(page, {360: {"light": ALL}})
        await page.keyboard.press("Escape")
    assert found == []


async def test_on_a_phone_nothing_is_cut_off_or_covered_and_the_answer_comes_into_view(page: Page) -> None:
    await page.set_viewport_size(PHONE)
    await page.goto("/graphql/")
    await expect(page.get_by_text("The API does what the pages do.")).to_be_visible()
    query = page.get_by_role("region", name="Query Editor")
    toolbar, editor = query.get_by_role("toolbar"), query.locator(".graphiql-editor")
    above, below = await toolbar.bounding_box(), await editor.bounding_box()
    assert above
    assert below
    assert above["y"] + above["height"] <= below["y"]
    assert below["width"] > PHONE["width"] - 48
    await run(page, f"# {'A comment of many words goes on in the next line. ' * 5}\n{{ me {{ name }} }}")
    for scroller in await page.locator(".CodeMirror-scroll:visible").all():
        assert not await scroller.evaluate(IS_CUT_OFF)
    await expect(page.get_by_label("Result Window")).to_contain_text('"me": null')
    await expect(page.get_by_text('"me": null')).to_be_in_viewport()


async def test_keys_lead_into_an_editor_and_out_of_it(page: Page) -> None:
    await page.goto("/graphql/")
    field, editor = page.get_by_role("textbox", name="Query"), page.locator(".CodeMirror").first
    await field.focus()
    text = await editor.evaluate("(editor) => editor.CodeMirror.getValue()")
    await page.keyboard.press("Tab")
    await expect(field).not_to_be_focused()
    await page.keyboard.press("Shift+Tab")
    await expect(field).to_be_focused()
    assert await editor.evaluate("(editor) => editor.CodeMirror.getValue()") == text
    for name in ("Variables", "Answer"):
        await expect(page.get_by_role("textbox", name=name)).to_have_count(1)
