"""PostgreSQL and Redis of a run's own, from what is installed; nothing that others use is touched."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from tests.faults.process import Process

_POSTGRES_USER = "postgres"
_PLAIN = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}


def postgres_binaries() -> Path | None:
    """Where PostgreSQL's server is: beside what is on the PATH, else where Debian keeps the newest."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return versions[-1].parent if versions else None


def missing() -> str | None:
    """Why no cluster can be started here; None where it can."""
    if postgres_binaries() is None:
        return "PostgreSQL's server is not installed (apt-get install postgresql)"
    if shutil.which("redis-server") is None:
        return "redis-server is not installed (apt-get install redis-server)"
    if os.geteuid() == 0 and _POSTGRES_USER not in (user.pw_name for user in pwd.getpwall()):
        return f"PostgreSQL does not run as root, and there is no user {_POSTGRES_USER}"
    return None


class Postgres(Process):
    """A PostgreSQL with a fresh data directory, as the user that it may run as."""

    def __init__(self, directory: Path, port: int, output: Path) -> None:
        binaries = postgres_binaries()
        assert binaries is not None
        self._binaries, self._data = binaries, directory
        self.url = f"postgres://postgres@127.0.0.1:{port}/postgres"
        user = _POSTGRES_USER if os.geteuid() == 0 else None
        # No socket in the file system, whose directory may not be this user's; connections for the pools of all.
        command = [f"{binaries}/postgres", "-D", f"{directory}", "-p", f"{port}", "-k", "", "-c", "max_connections=200"]
        super().__init__("postgres", command, _PLAIN, output, user)

    def make(self) -> None:
        self._data.mkdir()
        if self.user:
            shutil.chown(self._data, self.user, self.user)
        subprocess.run(
            [f"{self._binaries}/initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8"],
            env=_PLAIN,
            check=True,
            stdout=subprocess.DEVNULL,
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
            cwd="/",
        )

    def answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


class Redis(Process):
    """A Redis that keeps nothing: killed, it comes back empty."""

    def __init__(self, port: int, output: Path) -> None:
        self.url = f"redis://127.0.0.1:{port}/0"
        options = {"port": str(port), "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        command = ["redis-server", *(part for name, value in options.items() for part in (f"--{name}", value))]
        super().__init__("redis", command, _PLAIN, output)

    def answers(self) -> bool:
        import redis

        try:
            with redis.Redis.from_url(self.url, socket_connect_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
