"""The docs page: complete, its links lead somewhere, its examples are right."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from graphql import GraphQLSchema, parse, validate

from crowdvote.api.schema import schema
from crowdvote.pages.api_examples import api_examples
from crowdvote.pages.example import WORKED

pytestmark = pytest.mark.django_db

TYPES: GraphQLSchema = schema._schema
HTML = {"Accept": "text/html"}
DOCS = Path(__file__).resolve().parents[2] / "crowdvote" / "templates" / "docs"


@pytest.fixture
def page(client: Client) -> str:
    return client.get(reverse("docs")).content.decode()


def words(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_it_says_how_votes_are_calculated_in_the_words_that_were_agreed(page):
    assert (
        "How are votes calculated? CrowdVote uses a sophisticated two-stage vote calculation system powered by Django "
        "signals and background threading that automatically recalculate results in real-time whenever anything "
        "changes in the system."
    ) in words(page)
    assert "Signal-based triggers" in words(page)
    assert "30-60 seconds" in words(page)
    assert "Calculating results..." in words(page)
    assert "cron" not in words(page)


@pytest.mark.parametrize(
    "topic",
    ["star", "ties", "following", "tags", "loops", "lobbyists", "anonymity", "final", "verify", "api", "curl",
     "python", "javascript"],
)  # fmt: skip
def test_a_topic_can_be_linked_to(page, topic):
    assert len(re.findall(rf'<h[23] id="{topic}">', page)) == 1


def test_the_contents_list_every_question_once_in_order(page):
    listed = re.findall(r'<li><a href="#([\w-]+)">', page.split("</nav>")[1])
    assert [f"#{anchor}" for anchor in listed if f'id="{anchor}"' not in page] == []
    assert listed == re.findall(r'<h[23] id="([\w-]+)">', page)


def test_every_link_within_the_site_leads_somewhere(client, page):
    addresses = {link.split("#")[0] for link in re.findall(r'href="(/[^"]*)"', page) if "/static/" not in link}
    assert addresses
    assert [link for link in addresses if client.get(link, headers=HTML).status_code >= 400] == []


def test_the_numbers_of_the_worked_example_follow_from_its_ballots():
    ballots = [(1, 5, 2)] * 6 + [(5, 3, 0)] * 4 + [(4, 4, 1)] * 2  # repair, replace, wait
    repair, replace, wait = (sum(stars) for stars in zip(*ballots, strict=True))
    averages = [round(stars * 1_000_000 / len(ballots)) for stars in (replace, repair, wait)]
    assert [(row.microstars, row.is_finalist, row.is_winner) for row in WORKED.rows] == [
        (averages[0], True, True),
        (averages[1], True, False),
        (averages[2], False, False),
    ]
    preferences = [(first > second) - (first < second) for first, second, _ in ballots]
    assert (WORKED.behind, WORKED.equal, WORKED.ahead) == tuple(preferences.count(side) for side in (1, 0, -1))
    assert WORKED.counted == len(ballots)


def test_the_examples_name_this_server_and_show_their_operations():
    examples = api_examples("https://vote.example.org")
    assert [
        language for language, source in examples.items() if "https://vote.example.org/graphql/" not in source
    ] == []
    assert [language for language, source in examples.items() if "{{" in source.replace('"{{"', "")] == []
    assert "query WhoIsAhead" in examples["python"]
    assert "subscription Watch" in examples["javascript"]
    compile(examples["python"], "example.py", "exec")


def operations() -> list[str]:
    in_curl = [text.replace('\\"', '"') for text in re.findall(r'"query": "((?:\\"|[^"])*)"', api_examples("")["curl"])]
    assert len(in_curl) == 2
    return in_curl + [path.read_text() for path in sorted(DOCS.glob("*.graphql"))]


@pytest.mark.parametrize("operation", operations())
def test_the_schema_answers_what_the_examples_ask(operation):
    assert validate(TYPES, parse(operation)) == []
