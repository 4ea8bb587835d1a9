"""The files of the event log, one per day, and the two forms of their lines. Several processes write them.

# Note [Several processes, one log]
Every process appends whole lines, each with a single write to a file opened for appending, so lines never mix. A file
belongs to the (UTC) day of its first line. Before each line a process checks whether the name still points at the file
it has open, and opens it anew if not. If that file belongs to an earlier day, the process renames it, holding a lock on
the file itself: one process renames, and the others, which then find that the name has moved on, do not. A line that
another process writes between the two lands in the renamed file, not nowhere, and no file is renamed over another. So
rotation loses no line, and no process has to be running at midnight.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sys
import time
from logging.handlers import TimedRotatingFileHandler
from pathlib import Path
from typing import Any, BinaryIO

from django.core.files import locks

from accounts.text import single_line

# Seconds for which a failed write counts as a problem of the log.
_REMEMBERED = 60.0
_NOT_LOGGED, _NOT_ROTATED = "events are not being logged", "the log cannot be rotated"
# The beginning of a line in either form.
_DAY = re.compile(rb'(?:\[|\{"time": ")(\d{4}-\d\d-\d\d)')


class EventFormatter(logging.Formatter):
    """Format an event as `[2025-09-15 14:30:25] [INFO] [VOTE_CAST] [alice_user] - ...`, in UTC, always on one line."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__(
            "[{asctime}] [{levelname}] [{event}] [{actor}] - {message}",
            datefmt="%Y-%m-%d %H:%M:%S",
            style="{",
            defaults={"event": "EVENT", "actor": "system"},
        )

    def format(self, record: logging.LogRecord) -> str:
        return single_line(super().format(record))


class JsonFormatter(logging.Formatter):
    """Format a record as one JSON object a line, for programs that collect logs.

    Events have `event` and `actor`; other lines name their `logger`. An exception has its traceback. `time` comes
    first: the first line's tells the day of a file.
    """

    def format(self, record: logging.LogRecord) -> str:
        time_utc = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {"time": f"{time_utc}.{int(record.msecs):03}Z", "level": record.levelname}
        if event := getattr(record, "event", None):
            line |= {"event": event, "actor": getattr(record, "actor", "system")}
        else:
            line["logger"] = record.name
        line["message"] = record.getMessage()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class SharedDailyFileHandler(TimedRotatingFileHandler):
    """Write to a file that is rotated daily and shared by processes. Its failures make nothing else fail.

    See Note [Several processes, one log].
    """

    def __init__(self, filename: str | os.PathLike[str], **options: Any) -> None:
        super().__init__(filename, **options)
        self._path = Path(self.baseFilename)
        self._file: BinaryIO | None = None
        self._day: str | None = None
        self._torn = False
        self._complaints: set[str] = set()
        self._failed_at: float | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record).encode("utf-8", "backslashreplace") + b"\n"
            self._write(self._file_of_today(), line)
            self._complaints.discard(_NOT_LOGGED)
            self._failed_at = None
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Report once, until it works again, that events are not being logged; never raise."""
        self._complain(_NOT_LOGGED)
        self._failed_at = time.monotonic()

    def problem(self) -> str | None:
        """Return why the next event may not be logged, or None. Writes nothing."""
        with self.lock or contextlib.nullcontext():
            if self._failed_at is not None and time.monotonic() - self._failed_at < _REMEMBERED:
                return "an event could not be logged"
            try:
                self._named_file()
            except OSError:
                return "the log cannot be opened"
        return None

    def close(self) -> None:
        with self.lock or contextlib.nullcontext():
            self._close_file()
        super().close()

    def _complain(self, what: str) -> None:
        if what not in self._complaints and sys.stderr is not None:
            with contextlib.suppress(Exception):
                sys.stderr.write(f"{self._path.name}: {what}: {sys.exc_info()[1]}\n")
        self._complaints.add(what)

    def _file_of_today(self) -> BinaryIO:
        file = self._named_file()
        if self._day is not None and self._day < _today():
            try:
                self._rotate(self._day)
                self._complaints.discard(_NOT_ROTATED)
            except OSError:
                # A line in yesterday's file is better than none.
                self._complain(_NOT_ROTATED)
            file = self._named_file()
        return file

    def _named_file(self) -> BinaryIO:
        """Return the file that has the log's name now, open for appending."""
        if self._file is None or not _is_at(self._file, self._path):
            self._close_file()
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Only the owner may read it, whatever the umask: it says who voted when.
            self._file = open(self._path, "a+b", buffering=0, opener=_for_the_owner)  # noqa: SIM115
            self._day, self._torn = None, False
        if self._day is None:
            self._day = _day_of(self._file)
        return self._file

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, file: BinaryIO, line: bytes) -> None:
        if self._torn:
            line = b"\n" + line
        written = file.write(line)
        self._torn = 0 < written < len(line)
        if written < len(line):
            raise OSError("the disk is full")

    def _rotate(self, day: str) -> None:
        assert self._file is not None
        # The lock is on the earlier day's file itself: by now its name may belong to today's.
        locks.lock(self._file, locks.LOCK_EX)
        try:
            if _is_at(self._file, self._path):
                self._path.rename(self._unused_name(day))
        finally:
            locks.unlock(self._file)
        for expired in self.getFilesToDelete():
            Path(expired).unlink(missing_ok=True)

    def _unused_name(self, day: str) -> Path:
        path, number = self._path.with_name(f"{self._path.name}.{day}"), 0
        while path.exists():
            number += 1
            path = self._path.with_name(f"{self._path.name}.{day}.{number}")
        return path


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime())


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _day_of(file: BinaryIO) -> str | None:
    """Return the day of a file's first line, or of its last change if that line has none; None for an empty file."""
    # Ask the open file, not its name, which another process may give to another file.
    start = os.pread(file.fileno(), 32, 0)
    if not start:
        return None
    if day := _DAY.match(start):
        return day[1].decode()
    return time.strftime("%Y-%m-%d", time.gmtime(os.fstat(file.fileno()).st_mtime))
