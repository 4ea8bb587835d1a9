"""Pages of those who come in, are told, tell others and leave: on a phone, by keyboard, in colours, without scripts."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests import servers
from tests.test_browser.axe import DARK_PHONE, PHONE, findings_in_looks
from tests.test_browser.conftest import Server

# A house beside the demo, and who is at its doors. Prints their cookies and pages.
SCENE = """
    import json
    from itertools import count
    from django.test import Client
    from django.urls import reverse
    from democracy import recalculation, services
    from democracy.models import Invitation, Notice
    from democracy.models.invitations import token_of
    from democracy.notices import unsubscribing
    from tests import factories
    house, members = factories.community("ada", "ben", "cleo", name="Larch Lane")
    manager = members["manager"].user
    question = factories.decision(house, manager, title="Which tree?", description="By the *gate*.")
    draft = factories.draft(house, manager, title="Which gate?")
    closed = factories.decision(house, manager, title="Which bench?")
    factories.vote(members["ben"], closed, Ash=5, Birch=2)
    factories.close(closed)
    recalculation.recalculate_community(house.pk)
    result = services.publish_result(manager, closed.pk)
    services.update_community(manager, house.pk, joining="invited")
    newcomer = factories.person("newcomer")
    people = [services.Invitee(address, name="Somebody") for address in ("dora@x.org", "emil@x.org", newcomer.email)]
    services.invite(manager, house.pk, people, decision_id=question.pk, send=False)
    keys = [token_of(one.key) for one in Invitation.objects.filter(community=house).order_by("address")]
    link = services.create_invitation_link(manager, house.pk, decision_id=question.pk)
    told = Notice(address="zoe@x.org", community=house, kind=Notice.Kind.INVITED)
    of_house = reverse("community", args=[house.pk])
    of_draft, of_question = (reverse("decision", args=[house.pk, one.pk]) for one in (draft, question))
    cookies = {}
    for name, user in ("ada", members["ada"].user), ("manager", manager), ("newcomer", newcomer):
        client = Client()
        client.force_login(user)
        cookies[name] = client.cookies["sessionid"].value
    print(json.dumps({
        "cookies": cookies,
        "invitation": reverse("invitation", args=[keys[0]]),
        "unsubscribe": reverse("unsubscribe", args=[unsubscribing.token([told])]),
        "embed": reverse("published-result-embed", args=[result.token]),
        "pages": {
            "visitor": [
                reverse("invitation", args=[keys[1]]),
                reverse("invitation-link", args=[link.token]),
                reverse("unsubscribe", args=[unsubscribing.token([told])]),
                reverse("published-result", args=[result.token]),
                reverse("published-result-embed", args=[result.token]),
                reverse("published-result-report", args=[result.token]),
            ],
            # She may come in here by the invitation to her address.
            "newcomer": [of_house, "/"],
            "ada": ["/", of_question, "/notices/preferences/", "/profile/", "/profile/close/", "/search/?q=tree"],
            "manager": [
                f"{of_house}invitations/",
                reverse("invitation-poster", args=[house.pk, link.pk]),
                of_draft,
                f"{of_draft}delete/",
                f"{of_question}call-off/",
                f"{reverse('decision', args=[house.pk, closed.pk])}results/",
            ],
        },
    }))
"""
_CONTROLS = """
  const shown = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")]
    .filter((one) => !one.matches(":disabled") && one.checkVisibility({ visibilityProperty: true }));
  const named = (one) => `${one.localName} ${one.name || ""} ${one.textContent.trim().slice(0, 30)}`;
"""
# What the keyboard does not reach, and where nobody sees that it did.
LOST_KEYS = (
    "() => {"
    + _CONTROLS
    + """
  const look = (one) => [one, one.nextElementSibling, one.parentElement, one.closest("label")].filter(Boolean)
    .map((near) => getComputedStyle(near)).map((css) => [css.outlineStyle, css.boxShadow, css.borderColor].join());
  return shown.filter((one) => {
    document.activeElement.blur();
    const before = look(one).join("|");
    one.focus({ focusVisible: true });
    return one.tabIndex < 0 || document.activeElement !== one || look(one).join("|") === before;
  }).map(named);
}"""
)
# Controls that nothing sets off from what is behind them.
UNSEEN = (
    "() => {"
    + _CONTROLS
    + """
  const isClear = (colour) => /^rgba.*, 0\\)$/.test(colour);
  const ground = (one) => {
    for (let e = one.parentElement; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (!isClear(colour)) return colour;
    }
    return getComputedStyle(document.documentElement).backgroundColor;
  };
  return shown.filter((one) => one.matches("button, .button, select, textarea, input"))
    .filter((one) => !["radio", "checkbox", "file"].includes(one.type))
    .filter((one) => {
      const css = getComputedStyle(one), behind = ground(one);
      const isSeen = (colour) => colour !== behind && !isClear(colour);
      return !(parseFloat(css.borderTopWidth) > 0 && isSeen(css.borderTopColor)) && !isSeen(css.backgroundColor);
    }).map(named);
}"""
)


@pytest.fixture(scope="module")
def doors(server: Server) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(servers.run(server.directory, SCENE).splitlines()[-1])
    return answer


async def become(page: Page, cookie: str) -> None:
    await page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": page.url}])


async def faults(page: Page, *, is_dark: bool) -> list[str]:
    """Return what is wrong with the page as it is now for axe, on a phone, by the keyboard and in forced colours."""
    found = await findings_in_looks(page, DARK_PHONE if is_dark else PHONE)
    found += [f"{page.url} by the keyboard: {one}" for one in await page.evaluate(LOST_KEYS)]
    await page.emulate_media(forced_colors="active")
    found += [f"{page.url} in forced colours: {one}" for one in await page.evaluate(UNSEEN)]
    await page.emulate_media(forced_colors="none")
    return found


@pytest.mark.parametrize("who", ["visitor", "newcomer", "ada", "manager"])
async def test_nothing_is_wrong_with_the_pages_of_each_on_a_phone(page: Page, doors: dict[str, Any], who: str) -> None:
    await page.goto("/healthz")
    if who != "visitor":
        await become(page, doors["cookies"][who])
    found = []
    for number, address in enumerate(doors["pages"][who]):
        await page.goto(address)
        found += await faults(page, is_dark=bool(number % 2))
    assert found == []


async def test_nothing_is_wrong_on_the_way_to_a_provider_who_is_asked_next(page: Page) -> None:
    async def stay(route: Route) -> None:
        answer = await route.fetch()
        left = {name: value for name, value in answer.headers.items() if name.lower() != "refresh"}
        assert answer.headers["refresh"].startswith("0;url=http://127.0.0.1:")
        await route.fulfill(response=answer, headers=left)

    await page.route("**/sign-in/provider/", stay)
    await page.goto("/sign-in/")
    await page.get_by_role("button", name="Sign in with Elsewhere").click()
    await expect(page.get_by_role("link", name="Go on to Elsewhere")).to_be_visible()
    assert await faults(page, is_dark=True) == []


async def test_without_scripts_one_comes_in_votes_hears_less_and_leaves(
    chromium: Browser, server: Server, doors: dict[str, Any]
) -> None:
    context = await chromium.new_context(
        base_url=server.url, java_script_enabled=False, viewport={"width": 360, "height": 740}
    )
    page = await context.new_page()
    await page.goto(doors["invitation"])
    await page.get_by_role("button", name="Join and see the question").click()
    await expect(page.get_by_text("Welcome to Larch Lane!")).to_be_visible()
    await page.get_by_role("group", name="Birch").locator("input[value='4']").check(force=True)
    await page.get_by_role("button", name="Cast my ballot").click()
    await expect(page.locator("#ballot-standing")).to_contain_text("You voted.")

    await page.goto("/notices/preferences/")
    opened = page.get_by_label(re.compile("A decision opens")).first
    await opened.select_option(label="On this site only")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_label(re.compile("A decision opens")).first).to_have_value("site")

    answer = await page.request.get("/profile/data/")
    (house,) = (await answer.json())["communities"]
    assert [(ballot["decision"], ballot["stars"]["Birch"]) for ballot in house["ballots"]] == [("Which tree?", 4)]
    await page.goto("/profile/close/")
    await page.get_by_label("Close my account for good").check()
    await page.get_by_role("button", name="Close my account").click()
    await expect(page.get_by_text("Your account is closed.")).to_be_visible()

    await page.goto(doors["unsubscribe"])
    await page.get_by_role("button", name="No more mails").click()
    await expect(page.get_by_role("heading", name="You get no more mails like this")).to_be_visible()
    for address in (doors["embed"], doors["embed"].removesuffix("embed/")):
        await page.goto(address)
        await expect(page.get_by_role("heading", name="Which bench?")).to_be_visible()
        await expect(page.get_by_text("Ash").first).to_be_visible()
    await context.close()
