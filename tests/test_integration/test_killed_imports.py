"""kill -9 in the middle of an import, on the tests' own database: the same command ends it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from democracy.models import Ballot, Community, Decision, Following, UnfinishedImport, Vote
from democracy.recalculation import audits
from tests import servers
from tests.processes import Ended, run

pytestmark = pytest.mark.django_db(transaction=True)

# Imports in steps of 20 rows, and dies when it inserts a row into this table for the n-th time.
IMPORT = """
import os, signal
import django
django.setup()
from django.core.management import call_command
from democracy.database import bulk
from democracy.files import imported_bundle, imported_community
imported_bundle.STEP = imported_community.STEP = 20
insert, left = bulk.insert, {times}
def insert_or_die(table, columns, rows, **more):
    global left
    insert(table, columns, rows, **more)
    left -= table == "{table}"
    if table == "{table}" and not left:
        os.kill(os.getpid(), signal.SIGKILL)
bulk.insert = insert_or_die
call_command("import_community", {file!r})
"""


def import_in_a_process(file: Path, *, dies_at: str = "", times: int = 0) -> Ended:
    name = connection.settings_dict["NAME"]
    server = os.environ.get("DATABASE_URL", "").rpartition("/")[0]
    url = f"sqlite:///{name}" if connection.vendor == "sqlite" else f"{server}/{name}"
    # Checkpoints are signed with the tests' own key.
    environment = servers.environment(settings.DATA_DIR, DATABASE_URL=url, CROWDVOTE_SECRET_KEY=settings.SECRET_KEY)
    program = IMPORT.format(table=dies_at, times=times, file=str(file))
    return run(program, environment)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    members = [{"id": f"m{number}", "name": "Ann"} for number in range(50)]
    followings = [{"follower": f"m{number}", "followee": f"m{number // 2}"} for number in range(1, 50)]
    choices = [{"id": "c1", "title": "Ash"}, {"id": "c2", "title": "Birch"}]
    ballots = [{"member": f"m{number}", "stars": {"c1": 5, "c2": number % 6}} for number in range(45)]
    decision = {"id": "d1", "title": "Trees", "choices": choices, "ballots": ballots}
    bundle = {
        "format": "crowdvote-bundle",
        "version": 2,
        "community": {"name": "Town"},
        "members": members,
        "followings": followings,
        "decisions": [decision],
    }
    path = tmp_path / "town.json"
    path.write_text(json.dumps(bundle), encoding="utf-8")
    return path


def test_an_import_that_is_killed_again_and_again_ends_with_everything_once(file: Path) -> None:
    deaths = [
        ("accounts_user", 1),
        ("democracy_membership", 2),
        ("democracy_following", 1),
        ("democracy_ledgerentry", 2),
        ("democracy_vote", 1),
        ("democracy_ballot", 2),
    ]
    for table, times in deaths:
        assert import_in_a_process(file, dies_at=table, times=times).code == -signal.SIGKILL
        assert Community.objects.filter(is_hidden=False).count() == 0
        assert Decision.objects.published().count() == 0
    ended = import_in_a_process(file)
    town = Community.objects.get()
    assert (ended.code, ended.output) == (0, f"community {town.pk}\ndecision d1 {Decision.objects.get().pk}")
    assert list(audits.faults(town)) == []
    rows = (town.memberships.count(), Following.objects.count(), Ballot.objects.count(), Vote.objects.count())
    assert rows == (50, 49, 45, 90)
    # The community, each row but the votes, and the decision.
    assert (town.revision, town.is_hidden) == (1 + 50 + 49 + 45 + 1, False)
    assert not UnfinishedImport.objects.exists()
