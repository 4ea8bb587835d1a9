"""Notices that an inherited ballot has moved, written with the calculation that moved it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from democracy.database import clock
from democracy.models import Decision, Membership, Notice
from democracy.models.packed import unpack_one
from democracy.notices import outbox
from democracy.notices.kinds import Kind
from democracy.notices.outbox import Draft

# In microstars: the move of a choice from which on people are told.
_A_STAR = 1_000_000
_ROWS = 500


def has_moved(before: bytes, after: bytes) -> bool:
    """Whether an inherited ballot moved by a star or more, or another choice leads in it. Both are packed."""
    old, new = unpack_one(before), unpack_one(after)
    return any(abs(one - other) >= _A_STAR for one, other in zip(old, new, strict=True)) or _best(old) != _best(new)


def _best(microstars: Sequence[int]) -> list[int]:
    most = max(microstars, default=0)
    return [place for place, number in enumerate(microstars) if number == most]


def tell(decision: Decision, moved: Mapping[int, bytes]) -> None:
    """Tell these members, once a day, that what they inherit has moved. Call it in the calculation's transaction.

    `moved`: the packed ballot that each inherited before, by member. The notice keeps it, so that its reader can see
    how it moved.
    """
    subject = f"decision:{decision.pk}:{clock.now():%Y-%m-%d}"
    members = list(moved)
    for start in range(0, len(members), _ROWS):
        theirs = Membership.objects.filter(pk__in=members[start : start + _ROWS])
        # Nobody else can sign in, and in an import that is everybody.
        theirs = theirs.exclude(user__email=None, user__is_demo=False)
        told = Notice.objects.filter(kind=Kind.INHERITED_MOVED, subject=subject, decision=decision)
        people = theirs.exclude(user__in=told.values("person")).values_list("pk", "user")
        outbox.add_many(
            Draft(
                Kind.INHERITED_MOVED,
                subject,
                person,
                community_id=decision.community_id,
                decision_id=decision.pk,
                data={"before": list(unpack_one(moved[member]))},
            )
            for member, person in people
        )
