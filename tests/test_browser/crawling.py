"""Finding one page of every kind by following links, as a reader of everything would."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from playwright.async_api import Page

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
    """Sign in as one of the people of the demo."""
    await page.goto("/")
    await page.get_by_role("region", name="Try the demo").get_by_role("button", name=name).click()
    await page.wait_for_load_state()
