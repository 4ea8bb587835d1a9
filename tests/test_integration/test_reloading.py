"""`make dev`: the server starts again after a change of the code, and calculates as ever."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from accounts.api import node_id
from crowdvote import __version__
from tests.processes import PROJECT
from tests.recalculation import until
from tests.servers import PATIENCE, data_directory, environment, free_port, prepared_directory, run

__all__ = ["data_directory", "prepared_directory"]

FOLDERS = ("accounts", "crowdvote", "democracy", "graph", "verify")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the project for a test to change."""
    project = tmp_path / "project"
    for folder in FOLDERS:
        shutil.copytree(PROJECT / folder, project / folder)
    shutil.copy(PROJECT / "manage.py", project)
    return project


@pytest.fixture
def page(copy: Path, data_directory: Path) -> Iterator[httpx.Client]:
    """Return a client of a server that runs the copy and reloads it."""
    port = free_port()
    told = environment(data_directory, PORT=str(port), CROWDVOTE_DEBUG="1")
    with (data_directory / "output.txt").open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--reload"],
            cwd=copy,
            env=told,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE)
    try:
        yield client
    finally:
        client.close()
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE) == 0, (data_directory / "output.txt").read_text()


def shown(page: httpx.Client, text: str) -> bool:
    """Tell whether the docs page has this text; False while no server is listening yet."""
    try:
        return text in page.get("/docs/").text
    except httpx.TransportError:
        return False


def status(page: httpx.Client) -> str:
    query = f'{{ decision(id: "{node_id("Decision", 1)}") {{ calculation {{ status }} }} }}'
    answer = page.get("/graphql/", params={"query": query}, headers={"Accept": "application/json"})
    return str(answer.json()["data"]["decision"]["calculation"]["status"])


def test_a_change_of_the_code_or_of_a_template_is_served_by_a_server_that_calculates(
    copy: Path, page: httpx.Client
) -> None:
    until(lambda: shown(page, f"CrowdVote {__version__}:"), "the first answer", patience=PATIENCE)
    (copy / "crowdvote" / "__init__.py").write_text('__version__ = "77.0"\n')
    until(lambda: shown(page, "CrowdVote 77.0:"), "the changed module", patience=PATIENCE)
    footer = copy / "crowdvote" / "templates" / "base.html"
    footer.write_text(footer.read_text().replace("decide together, and see how", "changed"))
    until(lambda: shown(page, "CrowdVote 77.0: changed."), "the changed template", patience=PATIENCE)
    # This is the decision that the scene left stale.
    until(lambda: status(page) == "CURRENT", "a calculation", patience=PATIENCE)


@pytest.mark.skipif(find_spec("debug_toolbar") is None, reason="django-debug-toolbar is not installed")
def test_the_debug_toolbar_is_there_where_errors_are_shown_and_nowhere_else(data_directory: Path) -> None:
    expression = "from django.conf import settings; print(settings.DEBUG_TOOLBAR)"
    told = [run(data_directory, expression, CROWDVOTE_DEBUG=debug) for debug in ("0", "1")]
    assert told == ["False", "True"]
