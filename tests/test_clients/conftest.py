from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Server, prepared_directory, serving, tokens
from tests.test_clients.making import made_in_python, made_in_typescript

__all__ = ["prepared_directory", "tokens"]


@pytest.fixture(scope="module")
def server(prepared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = shutil.copytree(prepared_directory, tmp_path_factory.mktemp("clients") / "data")
    with serving(directory) as running:
        yield running
        # Refusals are a line each; none is a failure.
        assert not {"ERROR", "Traceback"} & {*running.output.split()}


@pytest.fixture
def decision(server: Server) -> str:
    """Return the id of the open decision, as a visitor finds it."""
    query = "{ communities(first: 1) { edges { node { decisions(first: 1) { edges { node { id } } } } } } }"
    answer = server.http.post("/graphql", json={"query": query}).json()
    found: str = answer["data"]["communities"]["edges"][0]["node"]["decisions"]["edges"][0]["node"]["id"]
    return found


@pytest.fixture(scope="session")
def python_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_in_python(tmp_path_factory.mktemp("python"))


@pytest.fixture(scope="session")
def typescript_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_in_typescript(tmp_path_factory.mktemp("typescript"))
