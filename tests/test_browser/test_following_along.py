"""A results page that is open while voting ends shows all that there is then, without being loaded again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests import servers

SOON = 20_000
SCENE = """
    import json
    from django.conf import settings
    from django.test import Client
    from django.urls import reverse
    from pathlib import Path
    from tests import factories
    house, members = factories.community("ada", "ben", name="Larch Lane", visibility="members")
    question = factories.decision(house, members["manager"].user, results_visibility="after_close")
    factories.vote(members["ada"], question, Ash=5, Birch=2)
    factories.follow(members["ben"], members["ada"])
    client = Client()
    client.force_login(members["manager"].user)
    told = {
        "session": client.cookies["sessionid"].value,
        "page": reverse("decision-results", args=[house.pk, question.pk]),
    }
    Path(settings.DATA_DIR, "told.json").write_text(json.dumps(told))
"""
CLOSING = """
    from datetime import timedelta
    from django.utils import timezone
    from democracy.models import Decision
    Decision.objects.update(closes_at=timezone.now() + timedelta(seconds=1))
"""


async def test_an_open_results_page_shows_what_there_is_once_voting_has_closed(
    chromium: Browser, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    servers.copy_empty_site(tmp_path_factory, tmp_path)
    with servers.serving(tmp_path, program=SCENE, CROWDVOTE_SWEEP_INTERVAL="0.3") as server:
        told = json.loads((tmp_path / "told.json").read_text())
        site = f"http://localhost:{server.port}"
        context = await chromium.new_context(base_url=site)
        await context.add_cookies([{"name": "sessionid", "value": told["session"], "url": site}])
        page = await context.new_page()
        await page.goto(told["page"])
        telling = page.get_by_role("region", name="Tell others")
        await expect(telling).to_contain_text("Once voting has closed you can publish its result here")
        await expect(page.get_by_role("region", name="How close it is")).to_have_count(0)
        lots = page.locator("#verify details", has_text="How the lots were drawn")
        await lots.locator("summary").press("Enter")

        servers.run(tmp_path, CLOSING)
        await expect(page.get_by_role("heading", name="Ash")).to_be_visible(timeout=SOON)
        await expect(page.locator("#margin")).to_contain_text("Worked out from all ballots", timeout=SOON)
        await expect(page.get_by_role("region", name="Whose ballots carry most")).to_contain_text("2 ballots")
        await expect(lots).to_have_attribute("open", "")
        await expect(lots.locator("summary")).to_be_focused()
        await telling.get_by_role("button", name="Publish the result").click()
        await expect(telling).to_contain_text("This result is published")
        await context.close()
