"""Files of commands: reading them, and explaining refusals."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management.base import CommandError

from accounts.errors import DomainError
from democracy.files.malformed import Malformed


def read_bytes(path: Path) -> bytes:
    """Return the file's content. Raises CommandError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}") from error


def read_text(path: Path) -> str:
    """Return the file as UTF-8 text. Raises CommandError naming the line."""
    data = read_bytes(path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise CommandError(f"{path}: line {line}: this is not UTF-8 text.") from error


@contextmanager
def importing(path: Path) -> Iterator[None]:
    """Turn refusals of a file or of arguments into a CommandError that says that nothing was written."""
    # The garbage collector would search hundreds of thousands of rows, which live until the end, again and again.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    except Malformed as error:
        raise CommandError(f"{path}: {error} Nothing was imported.") from error
    except DomainError as error:
        field = f"{error.field}: " if error.field else ""
        raise CommandError(f"{field}{error.message} Nothing was imported.") from error
    finally:
        if was_enabled:
            gc.enable()
