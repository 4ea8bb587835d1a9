"""What the commands share about files: reading them, and refusing them in words."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management.base import CommandError

from accounts.errors import DomainError
from democracy.files.malformed import Malformed


def read_bytes(path: Path) -> bytes:
    """What is in the file. Raises CommandError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}") from error


def read_text(path: Path) -> str:
    """The file as UTF-8 text. Raises CommandError naming the line."""
    data = read_bytes(path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise CommandError(f"{path}: line {line}: this is not UTF-8 text.") from error


@contextmanager
def importing(path: Path) -> Iterator[None]:
    """Say what is wrong with a file, or with what was asked for, and that nothing was written."""
    # Hundreds of thousands of rows live until the end, and the collector would look through them again and again.
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
