"""The people of a run: communities full of loops, decisions of which some close on the way, and a token each."""

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
# The first members stay where they are, and by name: a manager, and those who watch.
SETTLED = 8
# Of how many members one is a lobbyist, and one anonymous.
_LOBBYISTS, _ANONYMOUS = 10, 8
# Decisions of each community: who sees their results when, and whether they close on the way.
_DECISIONS = (("live", False), ("live", True), ("batched", False), ("batched", True), ("after_close", True))

# Imports the bundles that its arguments name, opens the communities to newcomers, gives everybody a token and tells the
# ids.
_SETTLE = """
import json, sys
import django
django.setup()
from pathlib import Path
from accounts.api import node_id
from accounts.models import User
from accounts.services import create_api_token
from democracy.models import Decision, Membership
from democracy.services import update_community
from democracy.files.imported_bundle import import_bundle

def newcomer(community, number):
    handle = f"newcomer_{community}_{number}"
    return User.objects.create_user(f"{handle}@example.org", handle=handle, name=f"Newcomer {number}")

def settle(file):
    made = import_bundle(Path(file).read_text())
    members = Membership.objects.filter(community=made.community).select_related("user").order_by("pk")
    decisions = Decision.objects.filter(community=made.community).prefetch_related("choices").order_by("pk")
    update_community(members[0].user, made.community.pk, joining="open")
    return {
        "pk": made.community.pk,
        "id": node_id("Community", made.community.pk),
        "members": [
            {"pk": m.pk, "id": node_id("Member", m.pk), "user": m.user_id, "token": create_api_token(m.user, "f")[1]}
            for m in members
        ],
        "newcomers": [
            {"user": user.pk, "token": create_api_token(user, "f")[1]}
            for user in (newcomer(made.community.pk, number) for number in range(NEWCOMERS))
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

NEWCOMERS = int(sys.argv[1])
print(json.dumps([settle(file) for file in sys.argv[2:]]))
"""


@dataclass(frozen=True)
class Member:
    """Somebody who acts. Newcomers have no membership when the run begins, and so neither `pk` nor `id`."""

    user: int
    token: str
    community: int
    pk: int = 0
    id: str = ""

    @property
    def key(self) -> str:
        """The name that registers have for them."""
        return key_of(self.user, self.pk)


def key_of(user: int, pk: int) -> str:
    """Name a person: by the membership of before the run, else by the account."""
    return str(pk) if pk else f"new{user}"


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
    id: str
    members: Sequence[Member]
    newcomers: Sequence[Member]
    decisions: Sequence[Question]
    names: dict[str, int]

    @property
    def manager(self) -> Member:
        return self.members[0]

    @property
    def people(self) -> list[Member]:
        return [*self.members, *self.newcomers]

    def is_settled(self, member: Member) -> bool:
        return member in self.members[:SETTLED]

    def followable(self, member: Member) -> list[Member]:
        place = self.members.index(member)
        return [self.members[(place + step) % len(self.members)] for step in range(1, REACH + 1)]


def settle(
    cluster: Cluster, number: int, *, members: int, newcomers: int, closing_in: float, choices: int = 4
) -> list[Town]:
    """Make communities, each with decisions that stay open and some that close in so many seconds."""
    files = []
    for one in range(number):
        file = cluster.directory / f"community-{one}.json"
        file.write_text(json.dumps(_bundle(one, members, choices, closing_in)))
        files.append(str(file))
    return [_town(told) for told in json.loads(cluster.program(_SETTLE, str(newcomers), *files))]


def _town(told: dict[str, Any]) -> Town:
    return Town(
        told["pk"],
        told["id"],
        [Member(**one, community=told["pk"]) for one in told["members"]],
        [Member(**one, community=told["pk"]) for one in told["newcomers"]],
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
    return {
        "format": "crowdvote-bundle",
        "version": 1,
        "community": {"name": f"Town {number}"},
        "members": [
            {
                "id": one,
                "name": f"Member {one}",
                "role": "lobbyist" if n % _LOBBYISTS == _LOBBYISTS - 1 else "voter",
                "manager": n == 0,
                "anonymous": _is_anonymous(n),
            }
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
            if not _is_anonymous((n + step) % members)
        ],
        "decisions": [
            {
                "id": f"d{n}",
                "title": f"Question {n}",
                "choices": [{"id": f"c{c}", "title": f"Choice {c}"} for c in range(choices)],
                "opens_at": (now - timedelta(hours=1)).isoformat(),
                "closes_at": (now + timedelta(seconds=closing_in if closes else 7 * 86_400)).isoformat(),
                "results_visibility": visibility,
                "ballots": [],
            }
            for n, (visibility, closes) in enumerate(_DECISIONS)
        ],
    }


def _is_anonymous(number: int) -> bool:
    return number >= SETTLED and number % _ANONYMOUS == 2
