"""Counts: the totals of one decision and who took part, kept up to date with its staged ballots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from graph.staged_ballots import Published
from graph.staging import CAST, INHERITED, KIND_NAMES
from graph.tally import Totals, tally
from graph.values import Participation

Standing = tuple[Published | None, bool]
"""A member's ballot as published, if there is one, and whether the member is a voter."""


class Counts:
    """Totals of counted ballots, and how many ballots of each kind voters and others have."""

    def __init__(self, choices: int) -> None:
        self.totals = Totals.none(choices)
        self._groups: Counter[tuple[str, bool]] = Counter()

    def copy(self) -> Counts:
        other = Counts(0)
        other.totals, other._groups = self.totals.copy(), self._groups.copy()
        return other

    def add_rows(
        self,
        kinds: npt.NDArray[np.int8],
        voters: npt.NDArray[np.bool_],
        microstars: npt.NDArray[np.int32],
        sign: int = 1,
    ) -> None:
        """Count rows of a staging, or take them away (`sign` = -1)."""
        for code, kind in enumerate(KIND_NAMES):
            if kind is not None:
                of_kind = voters[kinds == code]
                number = int(np.count_nonzero(of_kind))
                self._groups[kind, True] += sign * number
                self._groups[kind, False] += sign * (len(of_kind) - number)
        counted = microstars[((kinds == CAST) | (kinds == INHERITED)) & voters]
        if len(counted):
            self.totals.add(tally(counted), sign)

    def replace(self, leaving: Iterable[Standing], coming: Iterable[Standing]) -> None:
        """Take some members' ballots away and count others."""
        ballots: tuple[list[tuple[int, ...]], list[tuple[int, ...]]] = [], []
        for standings, sign, found in zip((leaving, coming), (-1, 1), ballots, strict=True):
            for published, voter in standings:
                if published is not None:
                    self._groups[published[0], voter] += sign
                    if is_counted((published, voter)):
                        found.append(published[1])
        self.totals.replace(*ballots)

    def participation(self, eligible: int) -> Participation:
        """Say who took part, of so many voters."""
        cast, inherited, abstained = (self._groups[kind, True] for kind in ("cast", "inherited", "abstained"))
        return Participation(
            eligible=eligible,
            cast=cast,
            inherited=inherited,
            abstained=abstained,
            none=eligible - cast - inherited - abstained,
            lobbyists=self._groups["cast", False],
            counted=cast + inherited,
        )


def is_counted(standing: Standing) -> bool:
    """Whether it is a voter's ballot and no abstention."""
    published, voter = standing
    return voter and published is not None and published[0] != "abstained"
