"""Docstrings of commands and pages say what these refuse."""

from __future__ import annotations

import inspect

import pytest
from django.urls import URLPattern

from democracy import apps, services, urls

COMMANDS = [
    one
    for one in map(vars(services).__getitem__, services.__all__)
    if inspect.isfunction(one) and not inspect.isgeneratorfunction(inspect.unwrap(one))
]
PAGES = [one for one in urls.urlpatterns if isinstance(one, URLPattern)]


def words(of: object) -> list[str]:
    return (inspect.getdoc(of) or "").replace(";", " ").split()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)
def test_every_command_says_what_it_raises(command: object) -> None:
    assert "Raises" in words(command)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_every_page_says_what_it_raises(page: URLPattern) -> None:
    assert "Raises" in words(inspect.unwrap(page.callback))


def test_the_app_says_what_it_connects() -> None:
    assert "democracy.signals" in (apps.__doc__ or "")
    assert "Raises" in words(apps.DemocracyConfig.ready)


def test_there_are_commands_and_pages() -> None:
    assert (len(COMMANDS) > 20, len(PAGES) > 30) == (True, True)
