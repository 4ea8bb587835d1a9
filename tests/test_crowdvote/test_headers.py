"""Headers of every answer forbid scripts, styles and frames that are not ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse
from graphql import GraphQLSchema, parse, validate

from crowdvote.api.schema import schema

pytestmark = pytest.mark.django_db

STATIC = Path(django_settings.BASE_DIR) / "crowdvote" / "static"


def policy(response) -> dict[str, str]:
    directives = (part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";"))
    return {name: rest[0] if rest else "" for name, *rest in directives}


def graphiql(client: Client):
    return client.get(reverse("graphql"), headers={"Accept": "text/html"})


def test_a_page_runs_and_shows_only_what_is_ours(client: Client) -> None:
    response = client.get(reverse("home"))
    assert policy(response) == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "manifest-src": "'self'",
    }
    assert (response["X-Frame-Options"], response["X-Content-Type-Options"]) == ("DENY", "nosniff")
    assert response["Referrer-Policy"] == "same-origin"


def test_graphiql_may_style_inline_and_nothing_else_more(client: Client) -> None:
    allowed = policy(graphiql(client))
    assert allowed.pop("style-src") == "'self' 'unsafe-inline'"
    elsewhere = policy(client.get(reverse("home")))
    assert elsewhere.pop("style-src") == "'self'"
    assert allowed == elsewhere


def test_graphiql_brings_the_csrf_token_as_a_cookie_and_no_script_of_its_own(client: Client) -> None:
    page = graphiql(client).content.decode()
    assert "csrftoken" in client.cookies
    assert re.findall(r"<script(?![^>]* src=)", page) == []
    assert re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page) == []


def test_graphiql_opens_with_a_query_that_the_schema_answers(client: Client) -> None:
    query = re.search(r'<template id="example-query">(.*?)</template>', graphiql(client).content.decode(), re.DOTALL)
    assert query is not None
    types: GraphQLSchema = schema._schema
    assert validate(types, parse(query[1])) == []


def test_no_file_we_serve_names_a_map_that_is_not_there() -> None:
    files = [path for path in STATIC.rglob("*") if path.suffix in {".js", ".css"}]
    assert files
    assert [path.name for path in files if "sourceMappingURL=" in path.read_text()] == []


def test_the_files_of_others_come_with_their_licence() -> None:
    vendor = STATIC / "vendor"
    folders = [path for path in vendor.iterdir() if path.is_dir()]
    assert folders
    assert [folder.name for folder in folders if not (folder / "LICENSE").is_file()] == []
    assert [folder.name for folder in folders if f"`{folder.name}/`" not in (vendor / "README.md").read_text()] == []
