"""The example programs on the docs page. They are files of their own, so that tests run what people copy."""

from __future__ import annotations

from functools import cache

from django.conf import settings

_FOLDER = settings.BASE_DIR / "crowdvote" / "templates" / "docs"
_PROGRAMS = {"curl": "curl.txt", "python": "python.txt", "javascript": "javascript.txt"}
_OPERATIONS = {"who_is_ahead": "who_is_ahead.graphql", "watch": "watch.graphql"}


@cache
def api_examples(site_url: str) -> dict[str, str]:
    """Return source code by language, for the server at this address."""
    values = {name: (_FOLDER / file).read_text() for name, file in _OPERATIONS.items()} | {"site_url": site_url}
    return {language: _filled((_FOLDER / file).read_text(), values) for language, file in _PROGRAMS.items()}


def _filled(source: str, values: dict[str, str]) -> str:
    # The template engine would mistake the braces of JSON and GraphQL for its own, and escape the quotes.
    for name, value in values.items():
        source = source.replace("{{ " + name + " }}", value.rstrip("\n"))
    return source
