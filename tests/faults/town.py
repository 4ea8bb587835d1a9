"""The people of a run: communities full of loops, decisions of which one closes on the way, and a token each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.cluster import Cluster

TAGS = ("budget", "parks", "roads")
# Whom a member may follow: the next of a ring, so that there are loops of every size.
REACH = 4

# Imports the bundles that its arguments name, gives everybody a token and tells the ids.
_SETTLE = """
import json, sys
import django
django.setup()
from pathlib import Path
from accounts.api import node_id
from accounts.services import create_api_token
from democracy.models import Decision, Membership
from democracy.files.imported_bundle import import_bundle

def settle(file):
    made = import_bundle(Path(file).read_text())
    members = Membership.objects.filter(community=made.community).select_related("user").order_by("pk")
    decisions = Decision.objects.filter(community=made.community).prefetch_related("choices").order_by("pk")
    return {
        "pk": made.community.pk,
        "members": [
            {"pk": m.pk, "id": node_id("Member", m.pk), "token": create_api_token(m.user, "faults")[1]}
            for m in members
        ],
        "decisions": [
            {
                "pk": d.pk,
                "id": node_id("Decision", d.pk),
                "choices": {c.pk: node_id("Choice", c.pk) for c in d.choices.all()},
                "choice_names": {c.file_id: c.pk for c in d.choices.all()},
                "closes_at": d.closes_at.timestamp(),
            }
            for d in decisions
        ],
        "names": {m.file_id: m.pk for m in members},
    }

print(json.dumps([settle(file) for file in sys.argv[1:]]))
"""


@dataclass(frozen=True)
class Member:
    pk: int
    id: str
    token: str
    community: int


@dataclass(frozen=True)
class Question:
    """A decision. `choices`: the ids of the API by primary key; `closes_at` in seconds since the epoch."""

    pk: int
    id: str
    community: int
    choices: dict[int, str]
    closes_at: float
    choice_names: dict[str, int]


@dataclass(frozen=True)
class Town:
    """One community."""

    pk: int
    members: Sequence[Member]
    decisions: Sequence[Question]
    names: dict[str, int]

    def followable(self, member: Member) -> list[Member]:
        place = self.members.index(member)
        return [self.members[(place + step) % len(self.members)] for step in range(1, REACH + 1)]


def settle(cluster: Cluster, number: int, *, members: int, closing_in: float, choices: int = 4) -> list[Town]:
    """Make communities, each with two decisions that stay open and one that closes in so many seconds."""
    files = []
    for one in range(number):
        file = cluster.directory / f"community-{one}.json"
        file.write_text(json.dumps(_bundle(one, members, choices, closing_in)))
        files.append(str(file))
    return [_town(told) for told in json.loads(cluster.program(_SETTLE, *files))]


def _town(told: dict[str, Any]) -> Town:
    return Town(
        told["pk"],
        [Member(**one, community=told["pk"]) for one in told["members"]],
        [
            # JSON has no keys but texts.
            Question(**one | {"choices": {int(pk): node for pk, node in one["choices"].items()}}, community=told["pk"])
            for one in told["decisions"]
        ],
        told["names"],
    )


def _bundle(number: int, members: int, choices: int, closing_in: float) -> dict[str, Any]:
    now = datetime.now(UTC)
    ids = [f"m{n}" for n in range(members)]
    times = [timedelta(days=7), timedelta(days=7), timedelta(seconds=closing_in)]
    return {
        "format": "crowdvote-bundle",
        "version": 1,
        "community": {"name": f"Town {number}"},
        "members": [
            {"id": one, "name": f"Member {one}", "role": "lobbyist" if n % 10 == 9 else "voter", "manager": n == 0}
            for n, one in enumerate(ids)
        ],
        "followings": [
            {
                "follower": one,
                "followee": ids[(n + step) % members],
                "tags": [TAGS[n % len(TAGS)]] if n % 2 else [],
                "order": step,
            }
            for n, one in enumerate(ids)
            for step in ((1,) if n % 3 else (1, 3))
        ],
        "decisions": [
            {
                "id": f"d{n}",
                "title": f"Question {n}",
                "choices": [{"id": f"c{c}", "title": f"Choice {c}"} for c in range(choices)],
                "opens_at": (now - timedelta(hours=1)).isoformat(),
                "closes_at": (now + delta).isoformat(),
                "ballots": [],
            }
            for n, delta in enumerate(times)
        ],
    }
