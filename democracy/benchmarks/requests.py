"""Single requests as the server answers them, without a network: their time on the processor, beside that of the
smallest request; and votes over HTTP in a second.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.urls import reverse
from django.utils.module_loading import import_string
from strawberry.relay import to_base64

from accounts.models import User
from accounts.services import create_api_token
from democracy import recalculation
from democracy.benchmarks import installation, networks, towns
from democracy.benchmarks.figures import Figure, seconds
from democracy.benchmarks.installation import Client
from democracy.benchmarks.towns import StoredTown

_HOST = "localhost"
_PEOPLE = 50
_RATE = 80
_TOKEN = "a" * 32
_FLOOR = "{ __typename }"
# The README's first query, but for the name of the community.
_README = """{ communities(search: "requests") { edges { node { name decisions(status: OPEN, first: 3) { edges { node {
  id title resultsVisibility calculation { status }
  result { winner { title } runnerUp { title } participation { cast inherited counted } }
} } } } } } }"""
_DECISION = """query ($id: ID!) { decision(id: $id) {
  id title description status opensAt closesAt topics resultsVisibility choices { id title lot } turnout ballotAudience
  calculation { status inputRevision calculatedRevision lastCalculated isFinal isCalculating error }
  result { revision calculatedAt isFinal winner { id title } runnerUp { id title } finalists { id }
    scores { choice { id } score stars average rank } preferences { choice { id } counts { over { id } ballots } }
    runoff { votes { choice { id } ballots } equal }
    participation { eligible cast inherited abstained none lobbyists counted } }
  myBallot { kind stars { choice { id } stars } tags } community { id name memberCount membership { id role } }
} }"""
_CAST = "mutation ($input: CastVoteInput!) { castVote(input: $input) { receipt errors { code message } } }"


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    headers: Sequence[tuple[str, str]]
    body: bytes = b""


class _Member:
    """A member of the town, with a token for the API and a session for the pages."""

    def __init__(self, town: StoredTown, user: User) -> None:
        self._town, self._chance = town, random.Random(8)
        self._token = create_api_token(user, "bench")[1]
        session = SessionStore()
        session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session.save()
        cookies = {settings.SESSION_COOKIE_NAME: session.session_key, settings.CSRF_COOKIE_NAME: _TOKEN}
        self._cookies = ("cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()))

    def floor(self) -> _Request:
        return self._operation(_FLOOR)

    def readme(self) -> _Request:
        return self._operation(_README)

    def decision(self) -> _Request:
        return self._operation(_DECISION, id=to_base64("Decision", self._town.decision.pk))

    def cast(self) -> _Request:
        rated = [{"choiceId": to_base64("Choice", choice.pk), "stars": count} for choice, count in self._stars()]
        return self._operation(
            _CAST, input={"decisionId": to_base64("Decision", self._town.decision.pk), "stars": rated}
        )

    def page(self) -> _Request:
        return _Request("GET", self._address("decision"), [self._cookies, ("accept", "text/html")])

    def cast_on_page(self) -> _Request:
        rated = {f"choice-{choice.pk}": count for choice, count in self._stars()}
        kind = ("content-type", "application/x-www-form-urlencoded")
        htmx = [("hx-request", "true"), ("hx-target", "voting")]
        body = urlencode({**rated, "tags": "", "comment": "", "csrfmiddlewaretoken": _TOKEN}).encode()
        return _Request("POST", self._address("vote_submit"), [self._cookies, kind, *htmx], body)

    def _operation(self, query: str, **variables: Any) -> _Request:
        headers = [("content-type", "application/json"), ("authorization", f"Bearer {self._token}")]
        return _Request("POST", "/graphql/", headers, json.dumps({"query": query, "variables": variables}).encode())

    def _address(self, view: str) -> str:
        return reverse(view, args=[self._town.community.pk, self._town.decision.pk])

    def _stars(self) -> Iterator[tuple[Any, int]]:
        return zip(self._town.choices, networks.stars(self._chance, len(self._town.choices)), strict=True)


def requests(scale: float) -> Iterator[Figure]:
    """Measure the time on the processor of the requests that are made most, each in turns with the smallest one."""
    rounds = max(5, int(20 * min(1.0, scale * 4)))
    town = towns.store("requests", networks.preferential(1_000, 2_000))
    recalculation.recalculate_community(town.community.pk)
    member = _Member(town, town.memberships[0].user)
    measured: Mapping[str, Callable[[], _Request]] = {
        "the README's query": member.readme,
        "the decision page's query": member.decision,
        "castVote": member.cast,
        "the decision page": member.page,
        "a vote on the page": member.cast_on_page,
    }
    # Pages name their style sheets as they were collected.
    call_command("collectstatic", interactive=False, verbosity=0)
    settings.ALLOWED_HOSTS.append(_HOST)
    settings.OPERATIONS_PER_MINUTE = 0
    application = import_string(settings.ASGI_APPLICATION)
    for what, make in measured.items():
        floors, costs = asyncio.run(_in_turns(application, member.floor, make, rounds))
        ratio = median(cost / floor for cost, floor in zip(costs, floors, strict=True))
        yield Figure(
            "requests",
            f"{what}, on the processor",
            median(costs),
            "ms",
            baseline=median(floors),
            baseline_is=_FLOOR,
            note=f"{ratio:.1f} times the smallest request, median of {rounds} turns",
        )


def rate(scale: float) -> Iterator[Figure]:
    """Count the votes that a server takes in a second from fifty people, each voting again once they are answered."""
    votes = max(2, int(10 * min(1.0, scale * 4)))
    town = towns.store("rate", networks.preferential(1_000, 2_000, cast=0.0))
    with installation.running() as running:
        ports = running.ports
        clients = [Client(ports[n % len(ports)], town.memberships[n].user) for n in range(_PEOPLE)]

        def vote(client: Client, chance: random.Random) -> None:
            for _ in range(votes):
                client.vote_at_random(town, chance)

        with ThreadPoolExecutor(_PEOPLE) as people:
            took, _ = seconds(lambda: list(people.map(vote, clients, map(random.Random, range(_PEOPLE)))))
    value = _PEOPLE * votes / took
    yield Figure(
        "rate",
        f"votes over HTTP in a second, {_PEOPLE} people",
        value,
        "votes",
        target=f"{_RATE} votes",
        reached=value >= _RATE if scale == 1 else None,
        note=f"{running}; the people share the machine",
    )


async def _in_turns(
    application: Any, floor: Callable[[], _Request], request: Callable[[], _Request], rounds: int
) -> tuple[list[float], list[float]]:
    """Return the milliseconds of both, in so many turns."""
    for make in (floor, request):
        await _cost(application, make)
    turns = [(await _cost(application, floor), await _cost(application, request)) for _ in range(rounds)]
    return [one for one, _ in turns], [other for _, other in turns]


_AT_ONCE = 5


async def _cost(application: Any, make: Callable[[], _Request]) -> float:
    """Return the milliseconds of processor time that such a request takes all threads together."""
    made = [make() for _ in range(_AT_ONCE)]
    start = time.process_time()
    for request in made:
        await _answered(application, request)
    return (time.process_time() - start) / len(made) * 1e3


async def _answered(application: Callable[..., Awaitable[None]], request: _Request) -> None:
    """Have the application answer. Raises RuntimeError where it refuses."""
    answer: list[Mapping[str, Any]] = []
    done = asyncio.Event()
    body = [{"type": "http.request", "body": request.body, "more_body": False}]

    async def receive() -> Mapping[str, Any]:
        if body:
            return body.pop()
        await done.wait()
        return {"type": "http.disconnect"}

    async def send(message: Mapping[str, Any]) -> None:
        answer.append(message)

    await application(_scope(request), receive, send)
    done.set()
    text = b"".join(message.get("body", b"") for message in answer[1:])
    if answer[0]["status"] != 200 or b'"errors":[{' in text.replace(b" ", b""):
        raise RuntimeError(f"refused: {answer[0]['status']}: {text[:200]!r}")


def _scope(request: _Request) -> dict[str, Any]:
    headers = [("host", _HOST), ("content-length", str(len(request.body))), *request.headers]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        "client": ("127.0.0.1", 1),
        "server": (_HOST, 80),
        "extensions": {},
    }
