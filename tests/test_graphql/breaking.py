"""Changes of the schema that break clients, compared with what the list of changes says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from graphql import build_schema, find_breaking_changes


def newest_tag(project: Path) -> str | None:
    """Return the tag of the last release before this state of the repository; None without tags, or without git."""
    return _git(project, "describe", "--tags", "--abbrev=0")


def file_at(project: Path, tag: str, path: str) -> str | None:
    """Return the content of a file at a tag; None where it had no such file."""
    return _git(project, "show", f"{tag}:{path}")


def _git(project: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=project, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def changes_since(changelog: str, tag: str) -> str:
    """Return the part of a list of changes, newest first, that is newer than a release."""
    return re.split(rf"^## {re.escape(tag.removeprefix('v'))}(?![\w.])", changelog, flags=re.MULTILINE)[0]


def unnamed_breaks(old: str, new: str, changes: str) -> list[str]:
    """Return what breaks clients of the old schema and does not stand in `changes`, in graphql-core's words.

    Line breaks and backticks in `changes` do not matter.
    """
    said = " ".join(changes.replace("`", "").split())
    found = find_breaking_changes(build_schema(old), build_schema(new))
    return [one.description for one in found if one.description.rstrip(".") not in said]
