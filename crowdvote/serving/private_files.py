"""Files that only CrowdVote's own user may read, whatever the umask.

They hold ballots, sign-in links and keys, or what can be turned into them.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # settings import this before Django has any
    from django.db.backends.base.base import BaseDatabaseWrapper

_OTHERS = 0o077


def make_directory(path: Path) -> None:
    """Create a directory for the owner alone; close it if it exists and is open to others."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    restrict(path)


def restrict(*paths: Path) -> None:
    """Remove everybody else's rights. Leaves alone what belongs to somebody else, or to all (/tmp)."""
    for path in paths:
        with suppress(FileNotFoundError, PermissionError):
            found = path.lstat()
            is_ours = found.st_uid == os.geteuid() and not found.st_mode & stat.S_ISVTX and not path.is_symlink()
            if is_ours and found.st_mode & _OTHERS:
                path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)


def restrict_database(sender: object, connection: BaseDatabaseWrapper, **kwargs: object) -> None:
    """Close an SQLite database's files to others. Receiver of `connection_created`.

    It runs before a new file has any content. Files that SQLite adds later get the rights of the first.
    """
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite" and not name.startswith((":", "file:")):
        path = Path(name)
        restrict(path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm")))
