"""Audiences: the people who will see a ballot, named before it is cast."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from democracy.access import Viewer
from democracy.models import Community, Decision
from democracy.presenting import wording
from democracy.reading.communities import memberships_in
from democracy.reading.own_ballots import anonymously_cast


@dataclass(frozen=True)
class Audience:
    """The people who will see a ballot, as a `sentence`; and whether they see it under a pseudonym."""

    sentence: str
    is_anonymous: bool


def audiences(viewer: Viewer, decisions: Iterable[Decision]) -> dict[int, Audience]:
    """Name the audience of the viewer's ballot in each of these decisions in which they can vote now or later."""
    votable = [one for one in decisions if one.status in {Decision.Status.OPEN, Decision.Status.SCHEDULED}]
    own = memberships_in(viewer, [one.community_id for one in votable])
    members = {member.community_id: member for member in own}
    asked = {one.pk: (one, members[one.community_id]) for one in votable if one.community_id in members}
    return {
        pk: Audience(
            wording.audience_sentence(
                asked[pk][1].community.name,
                is_public=asked[pk][1].community.visibility == Community.Visibility.PUBLIC,
                is_live=asked[pk][0].results_visibility == Decision.Visibility.LIVE,
                is_anonymous=is_anonymous,
            ),
            is_anonymous,
        )
        for pk, is_anonymous in anonymously_cast(asked.values()).items()
    }
