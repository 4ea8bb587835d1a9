"""The addresses for monitoring: whether a process is alive, and whether it is ready."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as original
from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import AsyncClient, Client
from django.utils import timezone
from pytest_django import Settings

from crowdvote.operations import readiness
from crowdvote.operations.logfile import SharedDailyFileHandler
from crowdvote.operations.readiness import Lookout, look
from democracy.models import Decision
from democracy.recalculation import recalculate_community
from tests import factories
from tests.recalculation import live_recalculation, until
from tests.servers import run

__all__ = ["live_recalculation"]

WELL = dict.fromkeys(readiness.NAMES)


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the lookout's findings of the test before."""
    monkeypatch.setattr(readiness, "checks", Lookout(look))


@pytest.fixture
def event_log(tmp_path: Path) -> Iterator[Path]:
    """Return the directory of an event log of this test's own."""
    path = tmp_path / "logs"
    handler = SharedDailyFileHandler(path / "crowdvote.log", delay=True)
    logger = logging.getLogger("crowdvote.events")
    before, logger.handlers = logger.handlers, [handler]
    yield path
    logger.handlers = before
    handler.close()


# --- Alive ------------------------------------------------------------------------------------------------------------


def test_a_process_is_alive_without_its_database_or_anything_else(client: Client) -> None:
    # Without the django_db mark a test may not use the database.
    response = client.get("/healthz", headers={"Host": "10.1.2.3"})
    assert (response.status_code, response.json()) == (200, {"status": "alive"})
    assert "no-store" in response["Cache-Control"]


async def test_it_is_alive_in_an_event_loop_too(async_client: AsyncClient) -> None:
    response = await async_client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "alive"})


def test_probes_are_read_and_not_written(client: Client) -> None:
    assert [client.post(path).status_code for path in ("/healthz", "/readyz")] == [405, 405]


def test_no_address_beside_them_is_a_probe(client: Client) -> None:
    assert [client.get(path).status_code for path in ("/healthz/", "/readyz/x")] == [404, 404]


# --- Ready ------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_process_that_has_everything_is_ready_whatever_name_it_is_asked_by(
    client: Client, settings: Settings
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    response = client.get("/readyz", headers={"Host": "10.1.2.3"})
    everything = {name: {"ok": True} for name in ("server", *readiness.NAMES)}
    assert (response.status_code, response.json()) == (200, {"ready": True, "checks": everything})
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
def test_a_process_without_its_database_says_so_and_nothing_more() -> None:
    def unreachable(*args: Any) -> None:
        raise DatabaseError("password of the database: hunter2")

    with connection.execute_wrapper(unreachable):
        found = look()
    unknown = dict.fromkeys(("migrations", "executor", "staleness"), "unknown, for the database does not answer")
    assert found == WELL | {"database": "the database does not answer"} | unknown
    assert look() == WELL


@pytest.mark.services("postgres")
def test_a_server_that_is_away_is_told_before_whoever_asks_gives_up(tmp_path: Path) -> None:
    asking = "from crowdvote.operations.readiness import Lookout, look; print(sorted(Lookout(look)().items()))"
    # Nobody listens on the first port.
    told = run(tmp_path, asking, DATABASE_URL="postgres://somebody@127.0.0.1:1/nowhere", CROWDVOTE_EXECUTOR="off")
    unknown = dict.fromkeys(("migrations", "executor", "staleness"), "unknown, for the database does not answer")
    assert told == str(sorted((WELL | {"database": "the database does not answer"} | unknown).items()))


@pytest.mark.django_db
def test_a_database_that_lacks_migrations_is_not_ready() -> None:
    newest = MigrationRecorder.Migration.objects.filter(app="democracy").latest("pk")
    newest.delete()
    unknown = {"staleness": "unknown until the migrations are applied"}
    assert look() == WELL | {"migrations": "1 not applied (manage.py migrate)"} | unknown
    # One that this code does not know is of a newer release that is being rolled out.
    MigrationRecorder(connection).record_applied("democracy", newest.name)
    MigrationRecorder(connection).record_applied("democracy", "9999_from_the_future")
    assert look() == WELL


def test_a_database_in_which_nothing_is_yet_answers_and_lacks_migrations(tmp_path: Path) -> None:
    found = run(tmp_path, "from crowdvote.operations.readiness import look; print(look())", CROWDVOTE_EXECUTOR="off")
    assert "'database': None, 'migrations': " in found
    assert "not applied (manage.py migrate)', 'executor': None, 'log': None, 'staleness': 'unknown until" in found


@pytest.mark.django_db
def test_a_result_that_is_out_of_date_for_long_is_told_without_saying_which(settings: Settings) -> None:
    community, members = factories.community("ada")
    decision = factories.decision(community, members["manager"].user, title="Secret")
    Decision.objects.filter(pk=decision.pk).update(stale_since=timezone.now() - timedelta(seconds=301))
    assert look() == WELL | {"staleness": "a result is out of date by more than 300 seconds"}
    settings.READY_STALENESS = 3_600
    assert look() == WELL
    settings.READY_STALENESS = 0
    assert look() == WELL
    settings.READY_STALENESS = original.READY_STALENESS
    recalculate_community(community.pk)
    assert look() == WELL


@pytest.mark.django_db
def test_a_log_that_cannot_be_written_is_told(event_log: Path) -> None:
    event_log.write_text("not a directory")
    assert look() == WELL | {"log": "the log cannot be opened"}
    event_log.unlink()
    assert look() == WELL


def test_a_process_that_calculates_nothing_though_it_should_is_told(
    settings: Settings, live_recalculation: Any
) -> None:
    assert look() == WELL
    live_recalculation.stop()
    assert [name for name, problem in look().items() if problem] == ["executor"]


@pytest.mark.django_db(transaction=True)
def test_a_check_can_be_left_out_of_the_judgement_but_not_out_of_sight(client: Client, event_log: Path) -> None:
    event_log.write_text("not a directory")
    log = {"ok": False, "reason": "the log cannot be opened"}
    for query, status in (("", 503), ("?exclude=staleness", 503), ("?exclude=staleness&exclude=log", 200)):
        response = client.get(f"/readyz{query}")
        assert (response.status_code, response.json()["checks"]["log"]) == (status, log)
    response = client.get("/readyz?exclude=logs")
    message = "exclude: 'logs' is none of server, database, migrations, executor, log, staleness"
    assert (response.status_code, response.json()) == (400, {"error": message})


# --- Looking ----------------------------------------------------------------------------------------------------------


def test_whoever_asks_has_an_answer_though_the_database_hangs() -> None:
    goes_on, looks = threading.Event(), []

    def hanging() -> readiness.Checks:
        looks.append(threading.get_ident())
        goes_on.wait()
        return WELL

    checks = Lookout(hanging, patience=0.05)
    unknown = dict.fromkeys(readiness.NAMES, "unknown: no answer within 0.05 seconds")
    assert (checks(), checks()) == (unknown, unknown)
    assert len(looks) == 1
    goes_on.set()
    until(lambda: checks() == WELL)
    assert threading.get_ident() not in looks


def test_a_look_serves_all_who_ask_soon_after() -> None:
    looks = []

    def counted() -> readiness.Checks:
        looks.append(1)
        return WELL

    checks = Lookout(counted, fresh=600)
    assert [checks() for _ in range(3)] == [WELL] * 3
    assert len(looks) == 1
    always = Lookout(counted, fresh=0)
    assert [always() for _ in range(3)] == [WELL] * 3
    assert len(looks) == 4
