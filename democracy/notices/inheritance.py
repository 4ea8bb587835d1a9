"""Notices that an inherited ballot has moved, written with the calculation that moved it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from democracy.database import clock
from democracy.models import Choice, Decision, Following, Membership, Notice
from democracy.notices import outbox
from democracy.notices.kinds import Kind
from democracy.notices.outbox import Draft

# In microstars: the move of a choice from which on people are told.
_A_STAR = 1_000_000
_ROWS = 500

# Of ballots x choices.
Microstars: TypeAlias = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Move:
    """The microstars of a staged ballot before and after a calculation, and the tags of both. `is_anonymous`: one of
    them is.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    tags: frozenset[str]
    is_anonymous: bool


# A member's move; None for somebody whose ballot has not changed.
Moves: TypeAlias = Callable[[int], Move | None]


def moved_rows(before: Microstars, after: Microstars) -> npt.NDArray[np.bool_]:
    """Whether each inherited ballot moved by a star or more, or another choice leads in it."""
    far = (np.abs(after - before) >= _A_STAR).any(axis=1)
    return np.asarray(far | (_leading(before) != _leading(after)).any(axis=1))


def _leading(microstars: Microstars) -> npt.NDArray[np.bool_]:
    # Column by column: numpy is slow along short rows.
    return np.asarray(microstars == reduce(np.maximum, microstars.T)[:, None])


def tell(decision: Decision, members: Sequence[int], moves: Moves) -> None:
    """Tell these members, once a day, that what they inherit has moved. Call it in the calculation's transaction.

    `moves`: how the ballots of members changed: theirs, and those of members whom they follow.
    """
    subject = f"decision:{decision.pk}:{clock.now():%Y-%m-%d}"
    for start in range(0, len(members), _ROWS):
        theirs = Membership.objects.filter(pk__in=members[start : start + _ROWS])
        # Nobody else can sign in, and in an import that is everybody.
        theirs = theirs.exclude(user__email=None, user__is_demo=False)
        told = Notice.objects.filter(kind=Kind.INHERITED_MOVED, subject=subject, decision=decision)
        people = dict(theirs.exclude(user__in=told.values("person")).values_list("pk", "user"))
        said = dict(_said(decision, people, moves)) if people else {}
        outbox.add_many(
            Draft(
                Kind.INHERITED_MOVED,
                subject,
                person,
                community_id=decision.community_id,
                decision_id=decision.pk,
                data=said.get(member, {}),
            )
            for member, person in people.items()
        )


def _said(decision: Decision, members: Iterable[int], moves: Moves) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield for each of these members the whole ballot before, so that they can see how it moved; the choice that moved
    most, from where to where; and through whom, if that is one person.
    """
    choices = list(Choice.objects.filter(decision=decision).values_list("pk", flat=True))
    through = _through(members, moves)
    for member in members:
        move = moves(member)
        assert move is not None
        old, new = move.before, move.after
        most = max(range(len(choices)), key=lambda place: abs(new[place] - old[place]))
        data: dict[str, Any] = {"before": list(old), "choice": choices[most], "from": old[most], "to": new[most]}
        if len(followees := through.get(member, [])) == 1:
            data["through"], data["name"] = followees[0]
        yield member, data


def _through(members: Iterable[int], moves: Moves) -> dict[int, list[tuple[int, str]]]:
    """The membership and name of each member whom these follow on what moved, by follower."""
    rows = Following.objects.current().filter(follower__in=members)
    found: dict[int, list[tuple[int, str]]] = {}
    for follower, followee, name, tags in rows.values_list("follower", "followee", "followee__user__name", "tags"):
        move = moves(followee)
        # Nobody inherits an anonymous ballot, and that it changed must not be told beside a name.
        if move is not None and not move.is_anonymous and (not tags or move.tags.intersection(tags)):
            found.setdefault(follower, []).append((followee, name))
    return found
