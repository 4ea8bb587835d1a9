"""Python programs in real processes, which begin with the large libraries imported.

They are forked from a process that has imported these: doing so anew is most of what a start costs, and tests start
about a hundred. That process reads no setting and imports nothing of CrowdVote, so each program finds its own
environment, can be killed, and ends like one that a shell has started.

What Python reads before it runs anything is the same in all of them: the seed of hashes, PYTHON* and the time zone.
Where that matters, as when two processes write one ledger, start a program by `subprocess`.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import dataclass
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

PROJECT = Path(__file__).resolve().parents[1]
_LIBRARIES = (
    *("cryptography.fernet", "django.core.management", "django.db.backends.sqlite3.base", "django.db.models"),
    *("icalendar", "markdown_it", "networkx", "PIL.ImageDraw", "scipy.sparse.linalg", "segno"),
    *("strawberry.channels", "strawberry_django", "uvicorn"),
)
# The PATH of these processes. With a compiler on it, Python has it look for GDAL whenever Django starts: half a second.
NO_COMPILER = str(Path(sys.executable).parent)


@cache
def _forks() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *_LIBRARIES])
    with chdir(PROJECT), patch.dict(os.environ, {"PATH": NO_COMPILER}):
        # Some libraries would read the settings.
        os.environ.pop("DJANGO_SETTINGS_MODULE", None)
        forkserver.ensure_running()
    return context


class Program:
    """A running program. `output` takes what it prints, and what it says of errors, unless there is a file for that."""

    def __init__(
        self, source: str, environment: Mapping[str, str], *, output: Path, errors: Path | None = None
    ) -> None:
        arguments = (source, dict(environment), output, errors or output)
        self._process = _forks().Process(target=_run, args=arguments, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def exit_code(self, patience: float | None = None) -> int | None:
        """Wait up to `patience` seconds for its end. Returns None if it still runs, or minus a signal that ended it."""
        self._process.join(patience)
        return self._process.exitcode

    def signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self._process.is_alive():
            os.kill(self.pid, number)

    def end(self) -> None:
        """Kill it, if it still runs."""
        self.signal(signal.SIGKILL)
        self._process.join()


@dataclass(frozen=True)
class Ended:
    """An ended program: its exit code, and what it said without the space around."""

    code: int | None
    output: str
    errors: str


def run(source: str, environment: Mapping[str, str], *, patience: float = 60.0) -> Ended:
    """Run a program to its end, for at most `patience` seconds."""
    with TemporaryDirectory() as place:
        output, errors = Path(place, "output.txt"), Path(place, "errors.txt")
        program = Program(source, environment, output=output, errors=errors)
        code = program.exit_code(patience)
        program.end()
        assert code is not None, f"it still ran after {patience} seconds, and had said:\n{errors.read_text()}"
        return Ended(code, output.read_text().strip(), errors.read_text().strip())


def _run(source: str, environment: dict[str, str], output: Path, errors: Path) -> None:
    """Become a process of its own, and run the source as `python -c` does."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(PROJECT)
    for path, descriptor in ((output, 1), (errors, 2)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    sys.argv = ["-c"]
    try:
        exec(compile(source, "<program>", "exec", dont_inherit=True), {"__name__": "__main__"})
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        # The interpreter does so at its end. Processes of multiprocessing leave it out, or do it in another order.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
