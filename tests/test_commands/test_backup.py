"""`backup`: a sound copy while votes are being cast, and nothing half done."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import pytest
from django.core.management.base import CommandError
from django.db import connection

from crowdvote.management.commands.backup import back_up
from democracy import ledger
from democracy.models import Community, LedgerEntry
from tests import factories
from tests.test_commands.running import run


@pytest.mark.skipif(connection.vendor != "sqlite", reason="is for SQLite")
@pytest.mark.django_db(transaction=True)
def test_a_copy_made_while_votes_are_cast_is_one_state_with_all_that_was_acknowledged(tmp_path) -> None:
    community, members = factories.community("ada")
    decision = factories.decision(community, members["manager"].user)
    began, enough, receipts = Event(), Event(), []

    def vote() -> None:
        try:
            while not enough.is_set():
                receipts.append(factories.vote(members["ada"], decision, Ash=len(receipts) % 6).entry_hash)
                began.set()
        finally:
            connection.close()

    voter = Thread(target=vote)
    voter.start()
    assert began.wait(20)
    acknowledged = list(receipts)
    (line,) = run("backup", tmp_path / "copy.sqlite3")
    enough.set()
    voter.join()

    assert line == f"backup {tmp_path / 'copy.sqlite3'} {(tmp_path / 'copy.sqlite3').stat().st_size:,} bytes"
    assert [path.name for path in tmp_path.iterdir()] == ["copy.sqlite3"]
    assert (tmp_path / "copy.sqlite3").stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(tmp_path / "copy.sqlite3")) as copy:
        (revision,) = copy.execute("SELECT revision FROM democracy_community").fetchone()
        entries = copy.execute("SELECT revision, hash FROM democracy_ledgerentry ORDER BY revision").fetchall()
        (input_revision,) = copy.execute("SELECT input_revision FROM democracy_decision").fetchone()
    assert {*acknowledged} <= {entry_hash for _, entry_hash in entries}
    # Counters and ledger are of the same moment, and the copy's ledger is the beginning of the original's.
    assert input_revision == revision == len(entries)
    assert entries == list(LedgerEntry.objects.filter(revision__lte=revision).values_list("revision", "hash"))
    assert list(ledger.faults(Community.objects.get())) == []


def refused(message: str, source: Path, file: Path) -> None:
    before = sorted(path.name for path in file.parent.iterdir())
    with pytest.raises(CommandError) as caught:
        back_up(source, file)
    assert message in str(caught.value)
    assert sorted(path.name for path in file.parent.iterdir()) == before


def test_nothing_is_overwritten(tmp_path) -> None:
    sqlite3.connect(tmp_path / "source").close()
    (tmp_path / "yesterday").write_text("precious")
    refused("yesterday exists already.", tmp_path / "source", tmp_path / "yesterday")
    assert (tmp_path / "yesterday").read_text() == "precious"


def test_a_damaged_database_is_no_backup(tmp_path) -> None:
    (tmp_path / "source").write_bytes(b"not a database" * 1_000)
    refused("No backup was made: file is not a database.", tmp_path / "source", tmp_path / "copy")


def test_where_there_is_no_database_none_is_made(tmp_path) -> None:
    refused("There is no database at", tmp_path / "missing", tmp_path / "copy")


@pytest.mark.skipif(connection.vendor == "sqlite", reason="is for PostgreSQL")
def test_on_postgresql_it_says_what_to_use(tmp_path) -> None:
    with pytest.raises(CommandError, match="use pg_dump"):
        run("backup", tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []
