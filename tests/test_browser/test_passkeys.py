"""Passkeys in a browser, with a device that the browser itself plays."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import Page, expect

from tests.test_browser.axe import findings
from tests.test_browser.conftest import Server

DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def code_for(address: str, mails: Path) -> str:
    """Return the code in the newest mail to the address."""
    texts = (path.read_text() for path in sorted(mails.glob("*.eml"), reverse=True))
    return code_in(next(text for text in texts if f"To: {address}" in text))


def code_in(mail: str) -> str:
    """Return the code in the text of a mail."""
    return re.findall(r"^ +(\d{3} \d{3})\s*$", mail, re.MULTILINE)[0]


async def test_a_passkey_is_added_and_signs_in_without_a_mail(page: Page, server: Server) -> None:
    device = await page.context.new_cdp_session(page)
    await device.send("WebAuthn.enable")
    added = await device.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    await page.goto("/sign-in/?next=/profile/")
    await page.get_by_label("E-mail address").fill("passkeys@example.org")
    await page.get_by_role("button", name="Send me a link").click()
    await page.get_by_label("Code from the mail").fill(code_for("passkeys@example.org", server.directory / "mail"))
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("link", name="Later").click()

    await page.get_by_label("Where is it kept?").fill("this browser")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.get_by_text("The passkey this browser was added.")).to_be_visible()
    # The device has one for this account now.
    await page.get_by_label("Where is it kept?").fill("again")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.get_by_text("This device keeps a passkey for your account already.")).to_be_visible()

    assert await findings(page) == []

    await page.context.clear_cookies()
    await page.goto("/sign-in/?next=/notices/")
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page).to_have_url(re.compile(r"/welcome/\?next="))
    await page.goto("/profile/")
    await expect(page.get_by_text("You sign in as passkeys@example.org.").first).to_be_visible()

    # Without the device nobody is signed in, and the page says so.
    await page.context.clear_cookies()
    await device.send("WebAuthn.clearCredentials", added)
    await page.goto("/sign-in/")
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.get_by_text("No passkey was used.")).to_be_visible()
