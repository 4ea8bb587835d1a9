"""Bundles that visitors download: each is written once, into a file that all who ask for it are sent.

# Note [A download holds nothing up]
To write the bundle of a large community takes seconds, and a few hundred megabytes until it is written. Visitors can
ask for it as often as they like, and read it as slowly as they like. So a process writes one at a time, in the thread
of whoever asks first, and keeps the last ones as files without a name, which end with the process. A kept one is as
good as a new one as long as nothing that it rests on has changed: the ledger up to its head, whose hash no other
history has, the decision's phase, its calculation, and people's names.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Hashable, Iterator
from io import BufferedRandom

from django.conf import settings

from accounts.models import NameChanges
from democracy import ledger
from democracy.caches import BoundedCache
from democracy.files import bundle_writer
from democracy.models import Decision

# As many files, and as many bytes in all of them together.
_MOST, _MOST_BYTES = 16, 512 << 20
_PIECE = 256 << 10


class KeptBundle:
    """A written bundle. Its file is there until nobody keeps or reads it any more."""

    def __init__(self, file: BufferedRandom) -> None:
        self._file = file
        self.size = os.fstat(file.fileno()).st_size

    def __del__(self) -> None:
        self._file.close()

    def pieces(self) -> Iterator[bytes]:
        """Read it from its beginning. Several may read at once."""
        for start in range(0, self.size, _PIECE):
            yield os.pread(self._file.fileno(), _PIECE, start)


_kept: BoundedCache[Hashable, KeptBundle] = BoundedCache(
    _MOST, weigh=lambda bundle: bundle.size, most_weight=_MOST_BYTES
)
_writing = threading.Lock()


def bundle_of(decision: Decision) -> KeptBundle:
    """The decision's bundle as it is now. Raises NothingToExport."""
    with _writing:
        # Read before the bundle: what changes meanwhile makes it newer than its key, never older.
        key = _state(decision.pk)
        bundle = _kept.get(key)
        if bundle is None:
            bundle = _write(bundle_writer.export(decision))
            _kept.put(key, bundle)
        return bundle


def _state(decision_id: int) -> Hashable:
    """All that a bundle depends on."""
    decision = Decision.objects.select_related("community").get(pk=decision_id)
    head = ledger.hash_at(decision.community_id, decision.community.revision)
    return (
        decision_id,
        head,
        str(decision.status),
        decision.calculated_revision,
        decision.last_calculated,
        NameChanges.number(),
    )


def _write(pieces: Iterator[str]) -> KeptBundle:
    file = tempfile.TemporaryFile(dir=settings.DATA_DIR, prefix="bundle-")  # noqa: SIM115
    file.writelines(piece.encode() for piece in pieces)
    file.flush()
    return KeptBundle(file)
