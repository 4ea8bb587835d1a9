"""The run's own PostgreSQL, Redis, web processes and workers, which can be killed, frozen and started again.

Everything listens on this machine only, keeps its files in one directory, and is ended with the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.process import PROJECT, Process
from tests.faults.services import Postgres, Redis

# Seconds within which a process must answer; a busy machine takes its time to start six.
PATIENCE = 120.0

Condition = Callable[[], bool]


class DidNotStart(Exception):
    """A process of the cluster ended at once, or never answered."""


class CommandFailed(Exception):
    """A command ended with an error; the message is what it printed."""


def free_ports(first: int) -> Iterator[int]:
    """Ports from `first` on that nobody listens on. Below those that the system gives to clients, one stays ours while
    its server is down.
    """
    for port in range(first, first + 1_000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                yield port


@dataclass
class Cluster:
    """`executor` as in CROWDVOTE_EXECUTOR; with threads the web processes calculate, and there are no workers."""

    directory: Path
    executor: str = "threads"
    web_count: int = 4
    worker_count: int = 2
    first_port: int = 18_120
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ports = free_ports(self.first_port)
        logs, data = self.directory / "output", self.directory / "crowdvote"
        for made in (self.directory, logs, data):
            made.mkdir(parents=True, exist_ok=True)
        self.postgres = Postgres(self.directory / "postgres", next(ports), logs / "postgres.txt")
        self.redis = Redis(next(ports), logs / "redis.txt")
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CROWDVOTE_", "PG")) and name not in {"DJANGO_SETTINGS_MODULE", "PORT"}
        }
        self.environment = {
            **inherited,
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis.url,
            "CROWDVOTE_DATA_DIR": str(data),
            "CROWDVOTE_EXECUTOR": self.executor,
            "DJANGO_SETTINGS_MODULE": "crowdvote.settings",
            **self.settings,
        }
        serve, work = [sys.executable, "manage.py", "serve"], [sys.executable, "manage.py", "worker"]
        self.web: list[Process] = []
        self.sites: dict[str, str] = {}
        for number in range(1, self.web_count + 1):
            name, port = f"web-{number}", next(ports)
            self.web.append(Process(name, serve, {**self.environment, "PORT": str(port)}, logs / f"{name}.txt"))
            self.sites[name] = f"http://127.0.0.1:{port}"
        names = [f"worker-{n}" for n in range(1, self.worker_count + 1)] if self.executor == "celery" else []
        self.workers = [Process(name, work, self.environment, logs / f"{name}.txt") for name in names]

    @property
    def processes(self) -> list[Process]:
        return [*self.web, *self.workers, self.redis, self.postgres]

    def prepare(self) -> None:
        """Make and start the services, and the tables."""
        self.postgres.make()
        self.redis.start()
        self.postgres.start()
        deadline = time.monotonic() + PATIENCE
        while not (self.postgres.answers() and self.redis.answers()):
            if time.monotonic() > deadline:
                raise DidNotStart(self.postgres.output.read_text() + self.redis.output.read_text())
            time.sleep(0.05)
        self.manage("migrate", "--verbosity", "0")
        self.manage("collectstatic", "--no-input", "--verbosity", "0")

    def manage(self, *arguments: str) -> str:
        """Run a command, and return what it prints. Raises CommandFailed."""
        return self._run([sys.executable, "manage.py", *arguments])

    def program(self, text: str, *arguments: str) -> str:
        """Run a program that uses CrowdVote's own modules, and return what it prints. Raises CommandFailed."""
        return self._run([sys.executable, "-c", text, *arguments])

    def _run(self, command: Sequence[str]) -> str:
        done = subprocess.run(
            command, cwd=PROJECT, env=self.environment, check=False, capture_output=True, text=True, timeout=300
        )
        if done.returncode:
            raise CommandFailed(f"{done.stdout}{done.stderr}")
        return done.stdout

    async def start(self) -> None:
        """Start the web processes and workers, and wait until they serve."""
        for process in (*self.web, *self.workers):
            process.start()
        await asyncio.gather(*(self.until_serving(process) for process in self.web))

    async def until_serving(self, process: Process) -> None:
        await self.until(process, lambda: _answers(f"{self.sites[process.name]}/healthz"))

    async def start_postgres(self) -> None:
        """Start PostgreSQL again, for as long as processes of the one that was killed are still in its way."""
        await self._start_again(self.postgres, self.postgres.answers)

    async def start_redis(self) -> None:
        await self._start_again(self.redis, self.redis.answers)

    async def _start_again(self, process: Process, answers: Condition) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            process.start()
            try:
                await self.until(process, answers)
                return
            except DidNotStart:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)

    async def until(self, process: Process, condition: Condition) -> None:
        assert process.process is not None
        deadline = time.monotonic() + PATIENCE
        started = process.process
        while not await asyncio.to_thread(condition):
            if process.process is not started:
                return  # killed and started again meanwhile; whoever did that waits
            if started.poll() is not None or time.monotonic() > deadline:
                raise DidNotStart(f"{process.name} does not answer:\n{process.output.read_text()[-3_000:]}")
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """End everything that was started, the services last."""
        for process in (*self.web, *self.workers):
            if process.frozen:
                process.thaw()
        running = [one for one in (*self.web, *self.workers) if one.process is not None]
        await asyncio.gather(*(one.end() for one in running))
        for one in (*running, self.redis, self.postgres):
            if one.process is not None:
                one.kill()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
    return True
