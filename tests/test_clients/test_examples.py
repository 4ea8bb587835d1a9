"""The programs of examples/, against a served instance."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests import servers
from tests.servers import Server, serving
from tests.test_clients.making import ENVIRONMENT, needs_node, needs_the_generator, output, run

# Somebody who came by an invitation, and somebody who is invited and has not come; nobody is mailed.
INVITED = """
    from accounts.models import User
    from democracy import services
    from democracy.models import Community, Invitation
    from democracy.models.invitations import token_of
    community = Community.objects.get()
    manager = community.memberships.get(is_manager=True).user
    people = [services.Invitee("cleo@example.org", name="Cleo"), services.Invitee("dora@example.org", name="Dora")]
    services.invite(manager, community.pk, people, send=False)
    services.accept_invitation(None, token_of(Invitation.objects.get(address="cleo@example.org").key))
"""
VOTE = """mutation($id: ID!, $choice: ID!) {
    castVote(input: {decisionId: $id, stars: [{choiceId: $choice, stars: 5}]}) { errors { code } } }"""


@pytest.fixture(scope="module")
def server(
    prepared_directory: Path, elsewhere: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    directory = shutil.copytree(prepared_directory, tmp_path_factory.mktemp("examples") / "data")
    servers.run(directory, INVITED)
    with serving(directory, CROWDVOTE_CORS_ORIGINS=elsewhere[1]) as running:
        yield running


def asked(server: Server, token: str, query: str, **variables: str) -> dict:
    headers = {"Authorization": f"Bearer {token}"}
    answer = server.http.post("/graphql/", json={"query": query, "variables": variables}, headers=headers).json()
    return answer["data"]


def example(python_client: Path, token: str, name: str, *arguments: str | Path) -> list[str]:
    """Run an example, and return the lines that it prints."""
    examples = python_client.parents[1] / "examples"
    command = (ENVIRONMENT / "python", name, *arguments)
    return output(*command, cwd=examples, PYTHONPATH=str(python_client), CROWDVOTE_TOKEN=token).splitlines()


MY_STARS = "query($id: ID!) { decision(id: $id) { title myBallot { stars { choice { title } stars } } } }"


@needs_the_generator
def test_the_bot_votes_once_where_a_word_fits_and_elsewhere_leaves_alone(
    server: Server, tokens: list[str], decision: str, python_client: Path
) -> None:
    def stars() -> dict[str, float] | None:
        ballot = asked(server, tokens[0], MY_STARS, id=decision)["decision"]["myBallot"]
        return ballot and {rating["choice"]["title"]: float(rating["stars"]) for rating in ballot["stars"]}

    title = asked(server, tokens[0], MY_STARS, id=decision)["decision"]["title"]
    bot = partial(example, python_client, tokens[0], "vote_bot.py", f"{server.url}/graphql/")
    assert bot("oak=5") == [f"left alone: {title}"]
    assert stars() is None
    assert bot("birch=4", "ash=1") == [f"voted: {title}"]
    assert stars() == {"Ash": 1, "Birch": 4, "Cedar": 0}
    assert bot("birch=0") == []
    assert stars() == {"Ash": 1, "Birch": 4, "Cedar": 0}


@needs_the_generator
def test_the_bot_without_a_token_of_anybody_votes_for_nobody(server: Server, python_client: Path) -> None:
    command = (ENVIRONMENT / "python", "vote_bot.py", f"{server.url}/graphql/", "ash=5")
    examples = python_client.parents[1] / "examples"
    ended = run(*command, cwd=examples, PYTHONPATH=str(python_client), CROWDVOTE_TOKEN="wrong")
    assert ended.returncode == 1
    assert "401" in ended.stderr


@needs_the_generator
def test_the_roll_is_compared_and_whoever_is_new_is_invited_when_asked(
    server: Server, tokens: list[str], python_client: Path, tmp_path: Path
) -> None:
    community = base64.b64encode(b"Community:1").decode()
    query = "query($id: ID!) { community(id: $id) { invitations { edges { node { address name } } } } }"

    def invited() -> dict[str, str]:
        edges = asked(server, tokens[0], query, id=community)["community"]["invitations"]["edges"]
        return {edge["node"]["address"]: edge["node"]["name"] for edge in edges}

    roll = tmp_path / "roll.csv"
    roll.write_text("\ufeffname,address,unit\nDora,Dora@example.org,1\nEve Ash,eve@example.org,2\n,,\n")
    compare = partial(example, python_client, tokens[0], "sync_roll.py", f"{server.url}/graphql/", community, str(roll))
    before = invited()
    assert set(before) == {"cleo@example.org", "dora@example.org"}
    said = compare()
    assert said[0] == "not yet known: eve@example.org"
    (left,) = (line for line in said if line.startswith("a member, not in the roll"))
    assert left.startswith("a member, not in the roll: Cleo (")
    assert left.endswith("), cleo@example.org")
    assert len([line for line in said if line.startswith("a member without an invitation")]) == 3
    assert len(said) == 5
    assert invited() == before
    assert compare("--invite") == [*said, "Invited 1; 0 were members already."]
    assert invited() == before | {"eve@example.org": "Eve Ash"}
    assert compare("--invite") == said[1:]


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
@needs_node
async def test_the_wall_shows_a_result_of_another_origin_as_it_changes(
    server: Server,
    tokens: list[str],
    decision: str,
    typescript_client: Path,
    elsewhere: tuple[Path, str],
    chromium: Browser,
) -> None:
    output("npm", "run", "--silent", "wall", cwd=typescript_client)
    directory, origin = elsewhere
    shutil.copytree(typescript_client.parents[1] / "examples/wall", directory, dirs_exist_ok=True)
    page = await chromium.new_page()
    complaints: list[str] = []

    def complain(error: object) -> None:
        complaints.append(str(error))

    page.on("pageerror", complain)
    query = "query($id: ID!) { decision(id: $id) { title choices { id title } } }"
    told = asked(server, tokens[0], query, id=decision)["decision"]
    await page.goto(f"{origin}/index.html?site={server.url}&decision={decision}")
    await expect(page.locator("h1")).to_have_text(told["title"])
    await expect(page.locator("li")).to_have_count(3)
    await expect(page.locator("footer")).to_contain_text("Voting goes on.")
    for choice in told["choices"][1:]:
        vote = asked(server, tokens[1], VOTE, id=decision, choice=choice["id"])
        assert vote["castVote"]["errors"] == []
        await expect(page.locator(".winner")).to_have_text(choice["title"])
        await expect(page.locator("li").first).to_contain_text(choice["title"])
    await page.goto(f"{origin}/index.html?site={server.url}&decision=nothing")
    await expect(page.locator("footer")).to_contain_text("id")
    await expect(page.locator("li")).to_have_count(0)
    assert complaints == []
