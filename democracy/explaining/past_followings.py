"""The active followings as of a past result, found from the ballots that it keeps and the followings of then."""

from __future__ import annotations

from democracy import ledger
from democracy.explaining.sources import ActiveFollowings, most_followed
from democracy.models import Decision, Following, StagedBallot
from democracy.reading.past_ballots import PastBallots
from democracy.recalculation.inputs import Pair, following_rows

Kind = StagedBallot.Kind


def past_followings(past: PastBallots, *, most: int) -> ActiveFollowings:
    """Find the followings that were active between members whose past ballots are told: the `most` with most."""
    ballots, decision = past.columns, past.snapshot.decision
    inherits = set(ballots.members[ballots.of_kind(Kind.INHERITED)].tolist())
    holding = ballots.rows(~ballots.of_kind(Kind.ABSTAINED))
    tags_of = dict(zip(holding.members.tolist(), map(holding.tag_sets.__getitem__, holding.tags.tolist()), strict=True))
    pairs = {
        (follower, followee): tags
        for (follower, followee), tags in _followings_at(decision, past.snapshot.revision).items()
        if follower in inherits and followee in tags_of and (not tags or tags & tags_of[followee])
    }
    return most_followed(decision, pairs, lambda member: _kind_of(past, member), most=most)


def _followings_at(decision: Decision, revision: int) -> dict[Pair, frozenset[str]]:
    """The followings of now, less what the ledger says has changed since. What changes while they are read is in both,
    and undone.
    """
    followings = following_rows(Following.objects.filter(follower__community=decision.community_id))
    earlier = ledger.followings_at(decision.community_id, revision)
    for subject, content in earlier.items():
        _, follower, followee = subject.split(":")
        pair = (int(follower), int(followee))
        if content is None:
            followings.pop(pair, None)
        else:
            followings[pair] = frozenset(content["tags"])
    return followings


def _kind_of(past: PastBallots, member: int) -> str:
    ballot = past.columns.ballot_of(member)
    return ballot.kind if ballot else Kind.NONE
