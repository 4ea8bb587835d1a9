"""The file behind the event log: one line an event, a new file each day, whatever else writes to it or fails; and the
two forms that lines have.

# Note [Several processes, one log]
Every process appends whole lines with single writes to a file opened for appending, so lines never mix. A file belongs
to the (UTC) day of its first line. Before each line a process looks whether the name still points at the file it has
open, and opens it anew if not; if that file belongs to an earlier day, it renames it, holding a lock on the file
itself, so that one process renames and the others, who then find that the name moved on, don't. A line that another
process writes between the two lands in the renamed file, not nowhere; and a file is never renamed over another. So
rotation loses no line, and it needs no process to be running at midnight.
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

# Seconds for which a line that could not be written speaks against the log.
_REMEMBERED = 60.0
_NOT_LOGGED, _NOT_ROTATED = "events are not being logged", "the log cannot be rotated"
# How a line of either form begins.
_DAY = re.compile(rb'(?:\[|\{"time": ")(\d{4}-\d\d-\d\d)')


class EventFormatter(logging.Formatter):
    """`[2025-09-15 14:30:25] [INFO] [VOTE_CAST] [alice_user] - ...` in UTC; one line whatever the record holds."""

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
    """One JSON object a line, for programs that collect logs. `event` and `actor` are of events; other lines name their
    `logger`, and an exception has its traceback.

    `time` comes first: by the first line's a file knows its day.
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
    """A daily rotated file that several processes may write to and whose failures fail nothing.

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
        """Say once, until it works again, that events are not being logged; never raise."""
        self._complain(_NOT_LOGGED)
        self._failed_at = time.monotonic()

    def problem(self) -> str | None:
        """Why the next event may not be logged; None where nothing speaks against it. Writes nothing."""
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
                # Better a line in yesterday's file than none.
                self._complain(_NOT_ROTATED)
            file = self._named_file()
        return file

    def _named_file(self) -> BinaryIO:
        """The file that bears the log's name now, open for appending."""
        if self._file is None or not _is_at(self._file, self._path):
            self._close_file()
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Of the owner alone, whatever the umask: who voted when is in it.
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
        # The lock is on the file of the earlier day itself: by now the name may already stand for today's.
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
    """The day of the file's first line; of its last change where that names none; None for an empty file."""
    # Of the open file, not of its name, which another process may be moving on.
    start = os.pread(file.fileno(), 32, 0)
    if not start:
        return None
    if day := _DAY.match(start):
        return day[1].decode()
    return time.strftime("%Y-%m-%d", time.gmtime(os.fstat(file.fileno()).st_mtime))
