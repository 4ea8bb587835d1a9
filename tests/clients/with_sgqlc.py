"""Has sgqlc query, watch, vote and receive the next event, by the module that its generator made.

`python with_sgqlc.py URL TOKEN VOTER DECISION ORIGIN`. It cannot vote as a visitor (TOKEN is "-"): then VOTER, the
token of somebody who can, does. ORIGIN is that of a page that asks, or "-". Prints what it got, as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import made_by_sgqlc as made
from sgqlc.endpoint.http import HTTPEndpoint
from sgqlc.operation import Operation

_, url, token, voter, decision_id, origin = sys.argv


def headers_of(token: str) -> dict[str, str]:
    authorized = {} if token == "-" else {"Authorization": f"Bearer {token}"}
    return authorized if origin == "-" else authorized | {"Origin": origin}


def events_of(watching: Operation) -> Iterator[Any]:
    """Yield what a subscription yields, as server-sent events, which sgqlc does not receive by itself."""
    headers = headers_of(token) | {"Accept": "text/event-stream"}
    with httpx.stream("POST", url, json={"query": bytes(watching).decode()}, headers=headers, timeout=60) as lines:
        for line in lines.iter_lines():
            if line.startswith("data: "):
                yield watching + json.loads(line.removeprefix("data: "))


endpoint = HTTPEndpoint(url, headers_of(token))
asking = Operation(made.Query)
decision = asking.decision(id=decision_id)
decision.title()
decision.choices.id()
decision.choices.title()
asking.me.handle()
got = asking + endpoint(asking)

watching = Operation(made.Subscription)
result = watching.decision_result(decision_id=decision_id)
result.revision()
result.winner.title()

voting = Operation(made.Mutation)
events: list[Any] = []
for event in events_of(watching):
    if event.decision_result is None:
        continue
    events.append(event.decision_result.__json_data__)
    winner = event.decision_result.winner and event.decision_result.winner.title
    if len(events) == 1:
        wanted = next(choice for choice in reversed(got.decision.choices) if choice.title != winner)
        stars = [made.StarsInput(choice_id=wanted.id, stars=5)]
        ballot = voting.cast_vote(input=made.CastVoteInput(decision_id=decision_id, stars=stars))
        ballot.receipt()
        ballot.errors.code()
        vote = (voting + endpoint(voting)).cast_vote
        if vote.errors:
            HTTPEndpoint(url, headers_of(voter))(voting)
    elif winner == wanted.title:
        break

sys.stdout.write(
    json.dumps(
        {
            "title": got.decision.title,
            "me": {"handle": got.me.handle} if got.me else None,
            "vote": {"receipt": vote.receipt, "errors": [{"code": error.code} for error in vote.errors]},
            "wanted": wanted.title,
            "events": events,
        }
    )
)
