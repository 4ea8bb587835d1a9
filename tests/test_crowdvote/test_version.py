"""The version stands in one place, and is shown wherever people look for it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from packaging.version import Version

from crowdvote import __version__

PROJECT = Path(__file__).resolve().parents[2]


def test_the_project_takes_its_version_from_the_package() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "crowdvote.__version__"}
    assert str(Version(__version__)) == __version__


def test_the_changelog_begins_with_this_version() -> None:
    releases = re.findall(r"^## (\d\S*)", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert releases[0] == __version__
    assert sorted(releases, key=Version, reverse=True) == releases


@pytest.mark.django_db
def test_every_page_says_which_version_made_it(client: Client) -> None:
    page = client.get(reverse("docs")).content.decode()
    assert f"CrowdVote {__version__}: " in page.partition('<footer class="site-footer">')[2]
