"""The example programs of the docs page, run as people copy them, against a running server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page

from crowdvote.pages.api_examples import api_examples
from tests.test_browser.conftest import Server
from tests.test_browser.crawling import enter


@pytest_asyncio.fixture(loop_scope="session")
async def programs(page: Page, server: Server) -> dict[str, str]:
    """Return the examples by language, with the token of a person of the demo."""
    await enter(page, "Amara")
    await page.goto("/profile/")
    await page.get_by_role("textbox", name="What is it for?").fill("The docs page")
    await page.get_by_role("button", name="Make a token").click()
    token = await page.locator("#new-token").inner_text()
    return {language: source.replace("cv_...", token) for language, source in api_examples(server.url).items()}


async def run(*command: str, stdin: str = "") -> Process:
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)
    process.stdin.write(stdin.encode())
    process.stdin.close()
    return process


async def asked_by_curl(programs: dict[str, str]) -> list[dict]:
    """Return the decisions in the answer to the first command of the curl example."""
    once = programs["curl"].split("# Stay")[0]
    output, _ = await (await run("bash", stdin=once)).communicate()
    (community,) = json.loads(output)["data"]["communities"]["edges"]
    assert community["node"]["name"] == "Springfield"
    return [edge["node"] for edge in community["node"]["decisions"]["edges"]]


def ahead(decision: dict) -> str:
    result = decision["result"]
    return result["winner"]["title"] if result and result["winner"] else "nobody yet"


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on the PATH")
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no node on the PATH")


@needs_curl
async def test_python_says_who_is_ahead_as_curl_does(programs: dict[str, str]) -> None:
    decisions = await asked_by_curl(programs)
    output, _ = await (await run(sys.executable, "-I", "-", stdin=programs["python"])).communicate()
    assert output.decode().splitlines() == [f"{decision['title']}: {ahead(decision)}" for decision in decisions]


@needs_curl
async def test_curl_stays_and_gets_a_line_for_the_present_result(programs: dict[str, str]) -> None:
    decision = next(each for each in await asked_by_curl(programs) if each["result"])
    token, stay = re.search(r"^export .*$", programs["curl"], re.MULTILINE)[0], programs["curl"].split("# Stay")[1]
    process = await run("bash", stdin=f"{token}\n# Stay{stay}".replace('\\"ID\\"', f'\\"{decision["id"]}\\"'))
    try:
        async with asyncio.timeout(20):
            lines = [await process.stdout.readline(), await process.stdout.readline()]
    finally:
        await stop(process)
    assert lines[0].strip() == b"event: next"
    shown = json.loads(lines[1].removeprefix(b"data: "))["data"]["decisionResult"]
    assert shown["winner"]["title"] == ahead(decision)


@needs_curl
@needs_node
async def test_javascript_watches_a_decision(programs: dict[str, str], tmp_path: Path) -> None:
    decision = next(each for each in await asked_by_curl(programs) if each["result"])
    program = tmp_path / "watch.mjs"
    program.write_text(programs["javascript"].replace('"ID"', json.dumps(decision["id"])))
    process = await run("node", str(program))
    try:
        async with asyncio.timeout(20):
            line = await process.stdout.readline()
    finally:
        await stop(process)
    assert line.decode() == f"{ahead(decision)} is ahead\n"


async def stop(process: Process) -> None:
    """End a program and its children, which hold its output open."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
