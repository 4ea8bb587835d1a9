"""Ways to pages: of the demo's people to where they act, and to one of every kind for a reader of everything."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from playwright.async_api import Page

from democracy.demo.people import ACCOUNTS

# Of the demo's communities and decisions, by name: where they are on the server of this test run.
ADDRESSES: dict[str, str] = {}
# Answers for programs, downloads, and the explorer are no pages of ours. Which mails there are is chance.
_NO_PAGE = re.compile(
    r"/(data|export|events|status)/$|\.csv$|^/(graphql|admin|static|media|\.well-known)/|^/sign-out/|^/mails/."
)


def kind(address: str) -> str:
    """Return the kind of an address: pages that differ only in numbers and keys are of one kind."""
    path = re.sub(r"/ballots/[^/]+/$", "/ballots/*/", urlsplit(address).path)
    return re.sub(r"\d+", "*", path)


async def pages(page: Page, *starts: str) -> AsyncIterator[str]:
    """Visit one page of every kind that links from `starts` lead to, and yield each address once it is open."""
    waiting, known = list(starts), {kind(start) for start in starts}
    while waiting:
        address = waiting.pop(0)
        await page.goto(address)
        links = await page.locator("a[href]:not([download])").evaluate_all("(links) => links.map((link) => link.href)")
        yield address
        for link in links:
            parts = urlsplit(link)
            is_ours = parts.netloc == urlsplit(page.url).netloc and not _NO_PAGE.search(parts.path)
            if is_ours and kind(link) not in known:
                known.add(kind(link))
                waiting.append(parts.path)


async def enter(page: Page, name: str) -> None:
    """Sign in as one of the people of the demo, with what their button on the start page sends.

    A visit of two pages is saved so; tests of the start page press the button.
    """
    handle = next(handle for handle, whole in ACCOUNTS.items() if whole.startswith(name))
    await send(page, "/sign-in/demo/", handle=handle)


async def send(page: Page, address: str, **form: str) -> None:
    """Send what a form on some page would send, without opening it."""
    # Where the form stands and the cookie comes from does not matter to the server, and this page is the smallest.
    await page.request.get("/sign-in/", max_redirects=0)
    (token,) = [cookie["value"] for cookie in await page.context.cookies() if cookie["name"] == "csrftoken"]
    answer = await page.request.post(address, form={"csrfmiddlewaretoken": token, **form}, max_redirects=0)
    assert answer.status == 302
