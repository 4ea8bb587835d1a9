"""People who vote, tag, withdraw and follow through the API, and write down what they asked and were told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faults.history import Content, Kind, Operation, Outcome
from tests.faults.town import TAGS, Member, Question, Town

# Seconds after which somebody gives up on an answer.
PATIENCE = 15.0
_TOLD = "{ receipt errors { code message } }"
_MUTATIONS = {
    Kind.CAST: f"mutation ($input: CastVoteInput!) {{ answer: castVote(input: $input) {_TOLD} }}",
    Kind.TAG: f"mutation ($input: TagVoteInput!) {{ answer: tagVote(input: $input) {_TOLD} }}",
    Kind.WITHDRAW: f"mutation ($id: ID!) {{ answer: withdrawVote(decisionId: $id) {_TOLD} }}",
    Kind.FOLLOW: "mutation ($input: FollowInput!) { answer: follow(input: $input) { errors { code message } } }",
    Kind.UNFOLLOW: "mutation ($id: ID!) { answer: unfollow(memberId: $id) { errors { code message } } }",
}
_WEIGHTS = {Kind.CAST: 58, Kind.TAG: 10, Kind.WITHDRAW: 10, Kind.FOLLOW: 13, Kind.UNFOLLOW: 9}


@dataclass(frozen=True)
class Request:
    """A member's request: the operation, and how the API is asked."""

    member: Member
    register: str
    kind: Kind
    value: Content
    variables: dict[str, Any]


@dataclass
class Voters:
    """`rate` operations a second by `actors` that each do one at a time. Two actors may act for the same member, as one
    person at two screens does.
    """

    towns: Sequence[Town]
    sites: Mapping[str, str]
    now: Callable[[], float]
    seed: int
    rate: float = 30.0
    actors: int = 24
    operations: list[Operation] = field(default_factory=list)

    async def vote(self, until: float) -> None:
        """Act until the time is over; returns when the last has been answered or given up."""
        members = [(town, member) for town in self.towns for member in town.members]
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=self.actors * len(self.sites))
        async with httpx.AsyncClient(timeout=PATIENCE, limits=limits) as client:
            await asyncio.gather(
                *(
                    # Every member belongs to one actor, and every third to the next one, too.
                    self._act(
                        client,
                        random.Random(f"{self.seed}:{actor}"),
                        [
                            one
                            for n, one in enumerate(members)
                            if n % self.actors == actor or (n % 3 == 0 and (n + 1) % self.actors == actor)
                        ],
                        until,
                    )
                    for actor in range(self.actors)
                )
            )

    async def _act(
        self, client: httpx.AsyncClient, chance: random.Random, people: Sequence[tuple[Town, Member]], until: float
    ) -> None:
        unanswered: Request | None = None
        while True:
            await asyncio.sleep(chance.expovariate(self.rate / self.actors))
            if self.now() >= until:
                return
            # Whoever got no answer often tries the same again.
            if unanswered is not None and chance.random() < 0.5:
                request = unanswered
            else:
                request = _wish(chance, *chance.choice(people))
            operation = await self._ask(client, chance.choice(list(self.sites)), request)
            self.operations.append(operation)
            unanswered = request if operation.outcome in {Outcome.UNKNOWN, Outcome.UNREACHED} else None

    async def _ask(self, client: httpx.AsyncClient, server: str, request: Request) -> Operation:
        invoked = self.now()
        receipt, code, detail = None, "", ""
        try:
            response = await client.post(
                f"{self.sites[server]}/graphql/",
                json={"query": _MUTATIONS[request.kind], "variables": request.variables},
                headers={"Authorization": f"Bearer {request.member.token}"},
            )
            outcome, receipt, code, detail = _read(response)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            outcome, detail = Outcome.UNREACHED, repr(error)
        except httpx.TransportError as error:
            outcome, detail = Outcome.UNKNOWN, repr(error)
        return Operation(
            request.register,
            request.kind,
            invoked,
            self.now(),
            outcome,
            request.value,
            receipt,
            code,
            server,
            detail[:300],
        )


def _read(response: httpx.Response) -> tuple[Outcome, str | None, str, str]:
    """Outcome, receipt, code and detail of an answer. Only one that says so plainly is a refusal: an error in the
    middle may have come after the commit.
    """
    if response.status_code >= 500:
        return Outcome.UNKNOWN, None, f"HTTP_{response.status_code}", response.text
    if response.status_code >= 400:
        return Outcome.REFUSED, None, f"HTTP_{response.status_code}", response.text
    told = response.json()
    answer = (told.get("data") or {}).get("answer")
    if answer is None or told.get("errors"):
        return Outcome.UNKNOWN, None, "ERRORS", str(told.get("errors"))
    if answer["errors"]:
        return Outcome.REFUSED, None, answer["errors"][0]["code"], answer["errors"][0]["message"]
    return Outcome.ACKNOWLEDGED, answer.get("receipt"), "", ""


def _wish(chance: random.Random, town: Town, member: Member) -> Request:
    (kind,) = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
    if kind in {Kind.FOLLOW, Kind.UNFOLLOW}:
        return _following(chance, kind, member, chance.choice(town.followable(member)))
    return _ballot(chance, kind, member, chance.choice(town.decisions))


def _following(chance: random.Random, kind: Kind, member: Member, followee: Member) -> Request:
    register = f"following:{member.pk}:{followee.pk}"
    if kind is Kind.UNFOLLOW:
        return Request(member, register, kind, None, {"id": followee.id})
    tags = _tags(chance)
    order = chance.randint(1, 9)
    value = {"follower": member.pk, "followee": followee.pk, "tags": tags, "order": order}
    return Request(member, register, kind, value, {"input": {"memberId": followee.id, "tags": tags, "order": order}})


def _ballot(chance: random.Random, kind: Kind, member: Member, decision: Question) -> Request:
    register = f"ballot:{decision.pk}:{member.pk}"
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
