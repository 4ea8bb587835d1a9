"""The main job on real data: a trust network of 6,539 people and the 2,909 ballots of a real election.

The data is not part of the project. It is looked for in CROWDVOTE_SHARED_DATA, else in ../shared/data beside the
project; without it, the tests are skipped with a word.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from django.db import connection
from django.test import Client
from strawberry.channels.testing import GraphQLWebsocketCommunicator

from accounts.api import node_id
from crowdvote.asgi import application
from democracy import ledger
from democracy.models import Ballot, Community, Decision, DecisionSnapshot, Membership
from democracy.presenting.margins import exact_margin
from democracy.reading.staged_ballots import columns_of
from democracy.recalculation.inputs import current_inputs
from tests.recalculation import live_recalculation
from tests.test_commands.running import run
from tests.test_verify.bundles import VERIFIER

__all__ = ["live_recalculation"]

DATA = Path(os.environ.get("CROWDVOTE_SHARED_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
TRUST = DATA / "trust" / "advogato.txt"
BALLOTS = DATA / "ballots" / "libertarian_party_2020_presidential_nomination_may.csv"

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        not (TRUST.exists() and BALLOTS.exists()),
        reason="the trust network and the ballots are not there; CROWDVOTE_SHARED_DATA says where",
    ),
]


def election(community: str) -> Decision:
    options = ("--community", community, "--title", "May 2020", "--tags", "0.6,0.8,1", "--in-order")
    lines = run("import_ballots", BALLOTS, *options)
    return Decision.objects.get(pk=lines[0].split()[1])


def named(decision: Decision, result: dict) -> dict[str, str]:
    titles = {str(choice.pk): choice.title for choice in decision.choices.all()}
    return {key: titles[result[key]] for key in ("winner", "runner_up")}


def test_the_ballots_alone_elect_justin_amash():
    decision = election("Libertarians")
    run("recalculate")
    result = DecisionSnapshot.objects.get(decision=decision).result
    assert named(decision, result) == {"winner": "Justin Amash", "runner_up": "Vermin Supreme"}
    assert result["scores"][result["winner"]] == 8_018 * 1_000_000
    assert result["runoff"] == {"for": {result["winner"]: 1_404, result["runner_up"]: 1_138}, "equal": 367}
    assert result["participation"] == {
        "eligible": 2_909,
        "cast": 2_909,
        "inherited": 0,
        "abstained": 0,
        "none": 0,
        "lobbyists": 0,
        "counted": 2_909,
    }


def test_everybody_else_inherits_and_the_verifier_agrees_and_a_changed_vote_reaches_a_subscriber(tmp_path, request):
    """In one test, because the network takes seconds to import."""
    run("import_followings", TRUST, "--community", "Advogato", "--tag-by-weight")
    community = Community.objects.get()
    graph = current_inputs(community.pk, []).graph().digraph
    assert (graph.number_of_nodes(), graph.number_of_edges()) == (6_539, 47_135)
    assert max(map(len, nx.strongly_connected_components(graph))) == 3_140

    decision = election("Advogato")
    assert Membership.objects.count() == 6_539
    assert set(Ballot.objects.values_list("membership__file_id", flat=True)) == {str(n) for n in range(1, 2_910)}
    run("recalculate", "--community", community.pk)
    file = tmp_path / "bundle.json"
    run("export_decision", decision.pk, "--output", file)
    [told] = json.loads(file.read_text())["decisions"]
    participation = told["result"]["participation"]
    assert (participation["cast"], participation["eligible"]) == (2_909, 6_539)
    assert participation["inherited"] > 1_000
    decision = Decision.objects.get(pk=decision.pk)
    choices = list(decision.choices.all())
    margin = exact_margin(columns_of(decision, len(choices)), choices)
    assert margin == "If 90 ballots of the 4,523 had been different, “Vermin Supreme” could have won."
    verified = subprocess.run(
        [sys.executable, "-I", VERIFIER, file], capture_output=True, text=True, check=False, timeout=120
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    assert list(ledger.faults(Community.objects.get())) == []

    request.getfixturevalue("live_recalculation")
    assert_one_vote_changed_by_graphql_reaches_a_subscriber_and_equals_a_calculation_from_scratch(decision)


CAST = """
    mutation ($input: CastVoteInput!) { castVote(input: $input) { receipt errors { code message } } }
"""
WATCH = """
    subscription ($id: ID!) { decisionResult(decisionId: $id) { revision winner { title } } }
"""


def assert_one_vote_changed_by_graphql_reaches_a_subscriber_and_equals_a_calculation_from_scratch(decision):
    voter = Membership.objects.select_related("user").get(file_id="1").user
    before = DecisionSnapshot.objects.get(decision=decision)
    unrated = decision.choices.exclude(pk=int(before.result["winner"])).last()
    client = Client()
    client.force_login(voter, backend="accounts.backends.SignInLinkBackend")

    def vote() -> None:
        try:
            stars = [{"choiceId": node_id("Choice", unrated.pk), "stars": 5}]
            vote = {"decisionId": node_id("Decision", decision.pk), "stars": stars}
            answer = client.post("/graphql/", {"query": CAST, "variables": {"input": vote}}, "application/json").json()
            assert answer["data"]["castVote"]["errors"] == [], answer
        finally:
            connection.close()

    async def watch() -> list[int]:
        headers = [
            (b"host", b"localhost"),
            (b"origin", b"http://localhost"),
            (b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode()),
        ]
        revisions = []
        async with GraphQLWebsocketCommunicator(application, "/graphql/", headers=headers) as socket:
            answers: Any = socket.subscribe(WATCH, variables={"id": node_id("Decision", decision.pk)})
            async for answer in answers:
                assert not answer.errors, answer.errors
                revisions.append(int(answer.data["decisionResult"]["revision"]))
                if len(revisions) == 2:
                    return revisions
                await asyncio.to_thread(vote)
        raise AssertionError("the subscription ended")

    revisions = asyncio.run(asyncio.wait_for(watch(), 150))
    after = DecisionSnapshot.objects.filter(decision=decision).first()
    assert revisions == [before.revision, after.revision]
    assert after.result != before.result
    run("recalculate", "--decision", decision.pk, "--from-scratch")
    assert DecisionSnapshot.objects.filter(decision=decision).first() == after
