"""Staged ballots as values: one, many in columns, and columns as blocks hold them."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from django.db import models

from democracy.models.packed import expand, squeeze, tag_sets

Integers: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
# As drivers hand out what a table holds.
Bytes: TypeAlias = bytes | memoryview


@dataclass(frozen=True)
class StagedBallot:
    """A member's ballot in a calculation as it is stored, cast or inherited; `member` is the membership's id.

    `is_anonymous`: it is shown under a pseudonym: a cast ballot if it was cast under one, an inherited one if its
    member was anonymous. A member who became anonymous later is not named beside an inherited one either
    (`democracy.access`).
    """

    class Kind(models.TextChoices):
        CAST = "cast", "Cast"
        INHERITED = "inherited", "Inherited"
        ABSTAINED = "abstained", "Abstained"
        NONE = "none", "None"

    member: int
    kind: str
    microstars: tuple[int, ...]
    tags: frozenset[str]
    is_counted: bool
    is_anonymous: bool


_KINDS = (str(StagedBallot.Kind.CAST), str(StagedBallot.Kind.INHERITED), str(StagedBallot.Kind.ABSTAINED))
_CODE_OF = {kind: code for code, kind in enumerate(_KINDS)}
# A mark is a kind's code, and these.
_KIND, _COUNTED, _ANONYMOUS = 0b0011, 0b0100, 0b1000


@dataclass(frozen=True)
class PackedColumns:
    """Columns of `size` staged ballots as they are stored. `tag_sets`: the different sets of tags, as JSON; `tags`:
    which of them each ballot has.
    """

    size: int
    members: Bytes
    marks: Bytes
    tag_sets: str
    tags: Bytes
    microstars: Bytes


@dataclass(frozen=True, eq=False)
class BallotMarks:
    """The members with staged ballots in one decision, of what kinds, counted or not, under pseudonyms or not, in
    order of the members, each once.
    """

    members: Integers
    marks: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.members)

    @property
    def kinds(self) -> list[str]:
        return [_KINDS[code] for code in (self.marks & _KIND).tolist()]

    def of_kind(self, kind: str) -> Mask:
        """Mark the ballots of a kind; none if it is no kind of a stored ballot."""
        return is_of_kind(self.marks, kind)

    @property
    def counted(self) -> Mask:
        return np.asarray((self.marks & _COUNTED) != 0)

    @property
    def anonymous(self) -> Mask:
        return np.asarray((self.marks & _ANONYMOUS) != 0)

    def rows(self, rows: Integers | Mask | slice) -> BallotMarks:
        """Some of the rows, in order."""
        return BallotMarks(self.members[rows], self.marks[rows])

    def find(self, members: Integers) -> tuple[Integers, Mask]:
        """The row of each of these members, and whether there is one: the row of one without a ballot says nothing."""
        if not len(self):
            return np.zeros(len(members), np.int64), np.zeros(len(members), np.bool_)
        rows = np.minimum(np.searchsorted(self.members, members), len(self) - 1)
        return rows, self.members[rows] == members


@dataclass(frozen=True, eq=False)
class BallotColumns(BallotMarks):
    """Staged ballots of one decision; row i of each column belongs to `members[i]`. `microstars`: ballots x choices,
    the choices in their order. `tags`: places in `tag_sets`.
    """

    tag_sets: tuple[frozenset[str], ...]
    tags: npt.NDArray[np.int32]
    microstars: npt.NDArray[np.int32]

    @classmethod
    def of(
        cls,
        members: Sequence[int],
        kinds: Iterable[str],
        tags: Iterable[frozenset[str]],
        counted: npt.ArrayLike,
        microstars: npt.NDArray[np.int32],
        *,
        anonymous: Set[int],
    ) -> BallotColumns:
        """Make columns of ballots in order of their members. `anonymous`: the members whose ballots bear pseudonyms,
        perhaps among others.
        """
        count = len(members)
        marks = np.fromiter(map(_CODE_OF.__getitem__, kinds), dtype=np.uint8, count=count)
        marks[np.asarray(counted, dtype=np.bool_)] |= _COUNTED
        ids = np.fromiter(members, dtype=np.int64, count=count)
        if anonymous:
            marks[np.isin(ids, np.fromiter(anonymous, dtype=np.int64, count=len(anonymous)))] |= _ANONYMOUS
        place: defaultdict[frozenset[str], int] = defaultdict(itertools.count().__next__)
        codes = np.fromiter(map(place.__getitem__, tags), dtype=np.int32, count=count)
        return cls(ids, marks, tuple(place), codes, microstars)

    @classmethod
    def of_ballots(cls, ballots: Iterable[StagedBallot], *, choices: int) -> BallotColumns:
        """Put these ballots into columns."""
        rows = sorted(ballots, key=lambda ballot: ballot.member)
        stars = np.array([row.microstars for row in rows], dtype=np.int32).reshape(len(rows), choices)
        return cls.of(
            [row.member for row in rows],
            [row.kind for row in rows],
            [row.tags for row in rows],
            [row.is_counted for row in rows],
            stars,
            anonymous={row.member for row in rows if row.is_anonymous},
        )

    @classmethod
    def joined(cls, parts: Sequence[BallotColumns], *, choices: int) -> BallotColumns:
        """Put columns one after the other: the members of each come before those of the next."""
        place: dict[frozenset[str], int] = {}
        tags = [one.tags_among(place) for one in parts]
        return cls(
            np.concatenate([np.empty(0, np.int64), *(one.members for one in parts)]),
            np.concatenate([np.empty(0, np.uint8), *(one.marks for one in parts)]),
            tuple(place),
            np.concatenate([np.empty(0, np.int32), *tags]),
            np.concatenate([np.empty((0, choices), np.int32), *(one.microstars for one in parts)]),
        )

    def tags_among(self, place: dict[frozenset[str], int]) -> npt.NDArray[np.int32]:
        """The places of the ballots' tags in another list, to which the sets that are missing are added."""
        codes = [place.setdefault(tags, len(place)) for tags in self.tag_sets]
        return np.array(codes, dtype=np.int32)[self.tags]

    def rows(self, rows: Integers | Mask | slice) -> BallotColumns:
        """Some of the rows, in order."""
        return BallotColumns(
            self.members[rows], self.marks[rows], self.tag_sets, self.tags[rows], self.microstars[rows]
        )

    def between(self, first: int, stop: int | None) -> BallotColumns:
        """The ballots of the members from `first` on, and before `stop`."""
        end = len(self) if stop is None else int(np.searchsorted(self.members, stop))
        return self.rows(slice(int(np.searchsorted(self.members, first)), end))

    def ballot(self, row: int) -> StagedBallot:
        mark = int(self.marks[row])
        return StagedBallot(
            int(self.members[row]),
            _KINDS[mark & _KIND],
            tuple(self.microstars[row].tolist()),
            self.tag_sets[self.tags[row]],
            bool(mark & _COUNTED),
            bool(mark & _ANONYMOUS),
        )

    def ballot_of(self, member: int) -> StagedBallot | None:
        """A member's ballot; None of one without."""
        (row,), (is_there,) = self.find(np.array([member]))
        return self.ballot(row) if is_there else None

    # --- Storing ---

    def packed(self) -> PackedColumns:
        """The columns as they are stored."""
        used = np.bincount(self.tags, minlength=len(self.tag_sets)) > 0
        sets = [sorted(tags) for tags in itertools.compress(self.tag_sets, used.tolist())]
        tags = (np.cumsum(used) - 1)[self.tags]
        return PackedColumns(
            size=len(self),
            # Members of one community come in runs: what is stored is how far each is from the one before.
            members=squeeze(np.diff(self.members, prepend=0)),
            marks=squeeze(self.marks),
            tag_sets=json.dumps(sets, ensure_ascii=False),
            tags=squeeze(tags.astype(np.int32)),
            microstars=squeeze(self.microstars.T),
        )

    @classmethod
    def unpacked(cls, packed: PackedColumns, *, choices: int | None = None) -> BallotColumns:
        """Read stored columns. Raises ValueError where they are none, or not of so many choices."""
        size = packed.size
        microstars = expand(packed.microstars, "<i4", None if choices is None else size * choices)
        return cls(
            expand_members(packed.members, size),
            expand_marks(packed.marks, size),
            tag_sets(packed.tag_sets),
            expand_tags(packed.tags, size),
            microstars.reshape(-1, size).T if size else np.empty((0, choices or 0), np.int32),
        )


# Single columns of a stored block, for those who need no more. They raise ValueError where they are damaged.


def expand_members(squeezed: Bytes, size: int) -> Integers:
    """The members, in order."""
    return np.cumsum(expand(squeezed, "<i8", size), dtype=np.int64)


def expand_marks(squeezed: Bytes, size: int) -> npt.NDArray[np.uint8]:
    """The marks of the ballots."""
    return expand(squeezed, "<u1", size)


def expand_tags(squeezed: Bytes, size: int) -> npt.NDArray[np.int32]:
    """The place of each ballot's tags among the block's sets of tags."""
    return expand(squeezed, "<i4", size)


def is_of_kind(marks: npt.NDArray[np.uint8], kind: str) -> Mask:
    """Mark the ballots of a kind, by their marks."""
    return np.asarray((marks & _KIND) == _CODE_OF.get(kind, _KIND))
