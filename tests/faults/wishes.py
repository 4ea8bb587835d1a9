"""Wishes of people: to vote, follow, come, leave, change their role or name; and how the API is asked for it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from tests.faults.history import Content, Kind
from tests.faults.town import TAGS, Member, Question, Town

_TOLD = "{ receipt errors { code message } }"
MUTATIONS = {
    Kind.CAST: f"mutation ($input: CastVoteInput!) {{ answer: castVote(input: $input) {_TOLD} }}",
    Kind.TAG: f"mutation ($input: TagVoteInput!) {{ answer: tagVote(input: $input) {_TOLD} }}",
    Kind.WITHDRAW: f"mutation ($id: ID!) {{ answer: withdrawVote(decisionId: $id) {_TOLD} }}",
    Kind.FOLLOW: "mutation ($input: FollowInput!) { answer: follow(input: $input) { errors { code message } } }",
    Kind.UNFOLLOW: "mutation ($id: ID!) { answer: unfollow(memberId: $id) { errors { code message } } }",
    Kind.JOIN: "mutation ($input: ApplyToCommunityInput!) "
    "{ answer: applyToCommunity(input: $input) { errors { code message } } }",
    Kind.LEAVE: "mutation ($id: ID!) { answer: leaveCommunity(communityId: $id) { errors { code message } } }",
    Kind.ROLE: "mutation ($input: UpdateMembershipInput!) "
    "{ answer: updateMembership(input: $input) { errors { code message } } }",
    Kind.NAME: "mutation ($input: SetAnonymityInput!) "
    "{ answer: setAnonymity(input: $input) { errors { code message } } }",
}
_WEIGHTS = {
    Kind.CAST: 52,
    Kind.TAG: 8,
    Kind.WITHDRAW: 8,
    Kind.FOLLOW: 10,
    Kind.UNFOLLOW: 6,
    # Most who are asked are members: few of those who would join can.
    Kind.JOIN: 10,
    Kind.LEAVE: 2,
    Kind.ROLE: 3,
    Kind.NAME: 4,
}


@dataclass(frozen=True)
class Request:
    """A request: the operation, who asks for it, and how the API is asked."""

    asker: Member
    register: str
    kind: Kind
    value: Content
    variables: dict[str, Any]


def wish(chance: random.Random, town: Town, member: Member) -> Request:
    """Draw what somebody asks for next. People ask for what they may not, too."""
    (kind,) = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
    if kind in {Kind.JOIN, Kind.LEAVE, Kind.ROLE, Kind.NAME} and not town.is_settled(member):
        return _membership(chance, kind, town, member)
    # Whoever has no membership yet follows nobody: registers of followings name two of them.
    if kind in {Kind.FOLLOW, Kind.UNFOLLOW} and member.pk:
        return _following(chance, kind, member, chance.choice(town.followable(member)))
    if kind not in {Kind.TAG, Kind.WITHDRAW}:
        kind = Kind.CAST
    return _ballot(chance, kind, member, chance.choice(town.decisions))


def _membership(chance: random.Random, kind: Kind, town: Town, member: Member) -> Request:
    register = f"membership:{member.key}"
    match kind:
        case Kind.JOIN:
            return Request(member, register, kind, None, {"input": {"communityId": town.id}})
        case Kind.ROLE if member.id:
            role = chance.choice(["voter", "lobbyist"])
            change = {"memberId": member.id, "role": role.upper()}
            return Request(town.manager, register, kind, {"role": role}, {"input": change})
        case Kind.NAME | Kind.ROLE:
            anonymous = chance.random() < 0.6
            asked = {"communityId": town.id, "anonymous": anonymous, "confirmed": True}
            return Request(member, register, Kind.NAME, {"anonymous": anonymous}, {"input": asked})
        case _:
            return Request(member, register, Kind.LEAVE, None, {"id": town.id})


def _following(chance: random.Random, kind: Kind, member: Member, followee: Member) -> Request:
    register = f"following:{member.key}:{followee.key}"
    if kind is Kind.UNFOLLOW:
        return Request(member, register, kind, None, {"id": followee.id})
    tags = _tags(chance)
    order = chance.randint(1, 9)
    value = {"follower": member.pk, "followee": followee.pk, "tags": tags, "order": order}
    return Request(member, register, kind, value, {"input": {"memberId": followee.id, "tags": tags, "order": order}})


def _ballot(chance: random.Random, kind: Kind, member: Member, decision: Question) -> Request:
    register = f"ballot:{decision.pk}:{member.key}"
    if kind is Kind.WITHDRAW:
        return Request(member, register, kind, None, {"id": decision.id})
    tags = _tags(chance)
    if kind is Kind.TAG:
        return Request(member, register, kind, {"tags": tags}, {"input": {"decisionId": decision.id, "tags": tags}})
    abstain = chance.random() < 0.05
    rated = [] if abstain else chance.sample(sorted(decision.choices), chance.randint(1, len(decision.choices)))
    stars = {pk: chance.randint(0, 5) for pk in sorted(rated)}
    # No two votes are alike, so that none can pass for another.
    comment = f"{chance.getrandbits(64):x}"
    value = {
        "stars": {str(pk): count for pk, count in stars.items()},
        "tags": tags,
        "abstain": abstain,
        "comment": comment,
    }
    wanted = {
        "decisionId": decision.id,
        "stars": [{"choiceId": decision.choices[pk], "stars": count} for pk, count in stars.items()],
        "tags": tags,
        "abstain": abstain,
        "comment": comment,
    }
    return Request(member, register, kind, value, {"input": wanted})


def _tags(chance: random.Random) -> list[str]:
    return sorted(chance.sample(TAGS, chance.choice((0, 1, 1, 2))))
