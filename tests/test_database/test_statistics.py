"""SQLite's statistics of its tables."""

from __future__ import annotations

import pytest
from django.db import connection

from democracy.database import statistics
from democracy.files.imported_community import import_community
from democracy.files.new_community import NewCommunity, NewFollowing, NewMember
from tests import factories
from tests.recalculation import live_recalculation, until

__all__ = ["live_recalculation"]

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL keeps count by itself"),
]


def analysed() -> dict[str, int]:
    """The tables that SQLite knows the size of."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_schema WHERE name = 'sqlite_stat1'")
        if not cursor.fetchone():
            return {}
        cursor.execute("SELECT tbl, max(CAST(stat AS INTEGER)) FROM sqlite_stat1 GROUP BY tbl")
        return dict(cursor.fetchall())


@pytest.fixture(autouse=True)
def never_analysed(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE sqlite_schema")
        if analysed():
            cursor.execute("DELETE FROM sqlite_stat1")


def test_analysing_counts_the_rows_of_tables() -> None:
    factories.community("ada", "ben")
    assert analysed() == {}
    statistics.analyse()
    assert analysed()["democracy_membership"] == 3


def test_the_sweep_analyses_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_next", 0.0)
    factories.community("ada", "ben")
    statistics.analyse_if_due()
    assert analysed()["democracy_membership"] == 3
    factories.community("cleo")
    statistics.analyse_if_due()
    assert analysed()["democracy_membership"] == 3
    monkeypatch.setattr(statistics, "_next", 0.0)
    statistics.analyse_if_due()
    assert analysed()["democracy_membership"] == 5


def test_an_import_analyses_what_it_wrote(django_capture_on_commit_callbacks) -> None:  # type: ignore[no-untyped-def]
    members = [NewMember(f"m{number}", f"Member {number}") for number in range(20)]
    followings = [NewFollowing("m1", "m2"), NewFollowing("m2", "m3")]
    with django_capture_on_commit_callbacks(execute=True):
        import_community(NewCommunity("Village", members, followings=followings))
        assert analysed() == {}
    counted = analysed()
    assert (counted["democracy_membership"], counted["democracy_following"]) == (20, 2)


@pytest.mark.django_db(transaction=True)
def test_a_server_analyses_as_it_starts(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(statistics, "_next", 0.0)
    factories.community("ada", "ben")
    request.getfixturevalue("live_recalculation")
    until(lambda: analysed().get("democracy_membership") == 3, "the tables to be analysed")
