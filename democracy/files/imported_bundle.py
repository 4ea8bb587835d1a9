"""Importing a large community in parts, so that an import that was killed goes on where it stopped.

# Note [An import in parts]
Each part is one transaction: rows, ledger entries, and the number of parts that are written, in `UnfinishedImport`.
Until the last part has committed, the community is hidden and its decisions are drafts: nobody sees it, nothing of it
is calculated, and no notice tells of it. The last part shows all at once. The same file gives the same steps, and the
moment that counts as now is kept, so it makes no difference to the ledger where an import was interrupted. Two
processes that import the same file meet at the number of parts: one of them gives up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from democracy.database import bulk
from democracy.errors import InvalidInput, NameTaken
from democracy.files.bundle_reader import read_bundle
from democracy.files.imported_community import STEP, Made, Step, Writing, import_community, refuse_taken
from democracy.files.new_community import NewCommunity
from democracy.files.progress import Progress
from democracy.files.unfinished_imports import unfinished
from democracy.models import Community, Decision, NoticeCursor, UnfinishedImport

# Raised when other steps come of the same file: what is unfinished is then not gone on with.
_STEPS = 1


@dataclass(frozen=True)
class _Source:
    """The file of an import, and the moment that it takes for now: of an unfinished import, the one when it began."""

    digest: str
    now: datetime
    unfinished: UnfinishedImport | None

    @classmethod
    def of(cls, text: str, name: str | None) -> _Source:
        digest = hashlib.sha256(f"{_STEPS}:{STEP}:{name or ''}\n".encode())
        digest.update(text.encode("utf-8", "surrogatepass"))
        found = UnfinishedImport.objects.select_related("community").filter(digest=digest.hexdigest()).first()
        return cls(digest.hexdigest(), found.started_at if found else timezone.now(), found)


def import_bundle(text: str, *, name: str | None = None, progress: Progress | None = None) -> Made:
    """Make the community in a bundle, under another name if one is given, or go on with making it.

    A small one is made in one transaction. Raises Malformed, NameTaken, InvalidInput.
    """
    source, progress = _Source.of(text, name), progress or Progress()
    new = read_bundle(text, name=name, now=source.now)
    # The text takes as much memory as its community.
    del text
    rows = _rows(new)
    progress.expect(rows)
    if source.unfinished is not None:
        progress.tell("going on with the import that was stopped")
        begin = partial(Writing.resume, new, source.now, source.unfinished.community, progress)
    else:
        _refuse_taken(new.name)
        if rows <= STEP:
            return import_community(new, progress=progress)
        begin = partial(Writing.begin, new, source.now, progress)
    with bulk.large_cache():
        return _write(begin, source, progress)


def _refuse_taken(name: str) -> None:
    if UnfinishedImport.objects.filter(community__name__iexact=name).exists():
        raise NameTaken(unfinished(name))
    refuse_taken(name)


def _rows(new: NewCommunity) -> int:
    return len(new.members) + len(new.followings) + sum(len(decision.ballots) for decision in new.decisions)


def _write(begin: Callable[[], Writing], source: _Source, progress: Progress) -> Made:
    with transaction.atomic():
        writing = begin()
        row = source.unfinished or UnfinishedImport(digest=source.digest, started_at=source.now)
        if source.unfinished is None:
            row.community = writing.made.community
            row.save()
            _hide(writing.made.community)
    parts = list(_parts(writing.steps()))
    for number, part in enumerate(parts):
        if number < row.parts:
            progress.skip(sum(step.rows for step in part))
            continue
        with transaction.atomic():
            _claim(row, number)
            _show(writing.made.community)
            for step in part:
                writing.do(step)
            _hide(writing.made.community)
            if number + 1 == len(parts):
                _show(writing.made.community)
                row.delete()
                writing.tell()
    return writing.made


def _parts(steps: Iterator[Step]) -> Iterator[list[Step]]:
    """Put steps together, up to STEP rows."""
    part: list[Step] = []
    for step in steps:
        if part and sum(one.rows for one in part) + step.rows > STEP:
            yield part
            part = []
        part.append(step)
    yield part


def _claim(unfinished: UnfinishedImport, number: int) -> None:
    """Take the part of this number, unless another process has written it. Raises InvalidInput."""
    mine = UnfinishedImport.objects.filter(pk=unfinished.pk, parts=number)
    if not mine.update(parts=number + 1):
        raise InvalidInput("Another process goes on with this import.", field="file")


def _show(community: Community) -> None:
    """Make the community what it will be: its entries tell of it so."""
    Community.objects.filter(pk=community.pk).update(is_hidden=False)
    Decision.objects.filter(community=community, published_at=None).update(published_at=F("created_at"))


def _hide(community: Community) -> None:
    Community.objects.filter(pk=community.pk).update(is_hidden=True)
    # What was called off stays so, and is not calculated.
    Decision.objects.filter(community=community, called_off_at=None).update(published_at=None)
    # Nobody is told of what is imported: these people have no address.
    revision = Community.objects.values_list("revision", flat=True).get(pk=community.pk)
    NoticeCursor.objects.update_or_create(community=community, defaults={"revision": revision})
