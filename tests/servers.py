"""Servers of their own for tests: real processes on the embedded default, each in its own data directory."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import httpx
import pytest

from tests import processes
from tests.preparing import prepared
from tests.processes import NO_COMPILER, Program

__all__ = ["prepared"]

PATIENCE = 60.0
SET_UP = "import django\ndjango.setup()\n"
EMPTY = """
    from django.core.management import call_command
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
"""
# Makes a public community with an open decision, which is stale: ada has voted. Prints API tokens of the manager and of
# ada. Everybody has been told that it is open: servers would print the mails.
SCENE = """
    from accounts.services import create_api_token
    from democracy.models import NoticeMark
    from tests import factories
    community, members = factories.community("ada", "ben", visibility="public")
    decision = factories.decision(community, members["manager"].user)
    NoticeMark.objects.create(decision=decision, what=NoticeMark.What.OPENED)
    factories.vote(members["ada"], decision, Ash=5)
    for name in ("manager", "ada"):
        print(create_api_token(members[name].user, "test")[1])
"""


def environment(directory: Path, **more: str) -> dict[str, str]:
    """Return the environment of a process on this data directory, without the shell's CROWDVOTE_* and services."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CROWDVOTE_") and name not in {"DATABASE_URL", "REDIS_URL"}
    }
    own = {"CROWDVOTE_DATA_DIR": str(directory), "DJANGO_SETTINGS_MODULE": "crowdvote.settings", "PATH": NO_COMPILER}
    return kept | own | more


def run(directory: Path, program: str, **more: str) -> str:
    """Run a program with Django set up, and return its output."""
    ended = processes.run(SET_UP + textwrap.dedent(program), environment(directory, **more), patience=PATIENCE)
    assert ended.code == 0, ended.errors
    return ended.output


def free_port(wanted: int = 0) -> int:
    """Return a port that nothing listens on: the wanted one, or any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", wanted))
        port: int = probe.getsockname()[1]
    return port


class Server:
    """A process of `manage.py serve`, or of a program that ends there; on a free port unless one is given."""

    def __init__(self, directory: Path, *, program: str = "", port: int = 0, **more: str) -> None:
        self.port = free_port(port)
        self.directory = directory
        source = (
            SET_UP
            + textwrap.dedent(program)
            + "\nfrom django.core.management import call_command\ncall_command('serve')\n"
        )
        self._printed = directory / "output.txt"
        self._printed.unlink(missing_ok=True)
        self.process = Program(source, environment(directory, PORT=str(self.port), **more), output=self._printed)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        """Return the output after the greeting."""
        return self._printed.read_text().partition("Ctrl-C\n")[2].strip()

    @cached_property
    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=PATIENCE)

    def until_it_answers(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.http.get("/healthz")
                return
            except httpx.TransportError:
                if self.process.exit_code(0) is not None or time.monotonic() > deadline:
                    pytest.fail(f"the server does not answer:\n{self._printed.read_text()}")
                time.sleep(0.05)

    def until_it_refuses(self) -> None:
        """Wait until it accepts no connection any more."""
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()
            except (ConnectionRefusedError, ConnectionResetError):
                return

    def until_it_prints(self, word: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while word not in self.output:
            if time.monotonic() > deadline:
                pytest.fail(f"the server has not said {word!r}:\n{self.output}")
            time.sleep(0.02)

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.signal(number)

    def exit_code(self) -> int | None:
        return self.process.exit_code(PATIENCE)

    def end(self) -> None:
        self.process.end()
        self.http.close()


def copy_empty_site(factory: pytest.TempPathFactory, directory: Path) -> None:
    """Give a data directory the tables and the static files, which one process of the test run has made for all."""
    empty = prepared(factory, "empty", lambda made: run(made, EMPTY))
    shutil.copytree(empty, directory, dirs_exist_ok=True)


@pytest.fixture(scope="session")
def prepared_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def prepare(directory: Path) -> None:
        copy_empty_site(tmp_path_factory, directory)
        (directory / "tokens.txt").write_text(run(directory, SCENE))

    return prepared(tmp_path_factory, "scene", prepare)


@pytest.fixture
def tokens(prepared_directory: Path) -> list[str]:
    """Return API tokens of SCENE's manager and of ada."""
    return (prepared_directory / "tokens.txt").read_text().split()


@pytest.fixture
def data_directory(prepared_directory: Path, tmp_path: Path) -> Path:
    """Return a data directory with SCENE in it."""
    return shutil.copytree(prepared_directory, tmp_path / "data")


@contextmanager
def serving(directory: Path, *, program: str = "", port: int = 0, **more: str) -> Iterator[Server]:
    server = Server(directory, program=program, port=port, **more)
    try:
        server.until_it_answers()
        yield server
    finally:
        server.end()
