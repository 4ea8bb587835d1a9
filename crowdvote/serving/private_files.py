"""Files that only the user whom CrowdVote runs as may read, whatever the umask: ballots, sign-in links and keys are in
them, or can be made of them.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # settings are read from here, before Django has any
    from django.db.backends.base.base import BaseDatabaseWrapper

_OTHERS = 0o077


def make_directory(path: Path) -> None:
    """Make it and, where it is there already and others may look into it, close it to them."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    narrow(path)


def narrow(*paths: Path) -> None:
    """Take everybody else's rights away. What belongs to somebody else, or to all (/tmp), stays as it is."""
    for path in paths:
        with suppress(FileNotFoundError, PermissionError):
            found = path.lstat()
            is_ours = found.st_uid == os.geteuid() and not found.st_mode & stat.S_ISVTX and not path.is_symlink()
            if is_ours and found.st_mode & _OTHERS:
                path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)


def narrow_database(sender: object, connection: BaseDatabaseWrapper, **kwargs: object) -> None:
    """Close the file of an SQLite database to others, and what SQLite keeps beside it: what it makes later gets the
    rights of the first. Receiver of `connection_created`, when nothing is in a new file yet.
    """
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite" and not name.startswith((":", "file:")):
        path = Path(name)
        narrow(path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm")))
