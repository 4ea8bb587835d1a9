"""Workers in processes of their own: they calculate what servers queue, and what nobody told them of."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from democracy import recalculation
from democracy.live import publishing
from democracy.live.hub import hub, result_topic
from democracy.live.relay import relay
from democracy.models import Community, Decision, Notice
from democracy.notices import outbox, sending
from democracy.notices.kinds import Kind
from tests import factories, services
from tests.recalculation import PATIENCE, until, until_current
from tests.test_live.test_publishing import in_database
from tests.test_notices.smtp import Mailbox, serving

PROJECT = Path(__file__).resolve().parents[2]
NOWHERE = "redis://127.0.0.1:1/0"

workers = [pytest.mark.services("celery"), pytest.mark.django_db(transaction=True)]


class WorkerProcess:
    def __init__(self, log: Path, **environment: str) -> None:
        database = connection.settings_dict
        # A separate process finds the tests' database by its address.
        url = (
            f"sqlite:///{database['NAME']}"
            if connection.vendor == "sqlite"
            else os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{database['NAME']}"
        )
        self.environment = {
            **os.environ,
            "DATABASE_URL": url,
            "CROWDVOTE_EXECUTOR": "celery",
            # The key makes it part of the tests' installation.
            "CROWDVOTE_SECRET_KEY": django_settings.SECRET_KEY,
            "CROWDVOTE_LEASE": "1.5",
            "CROWDVOTE_SWEEP_INTERVAL": "0.3",
            "CROWDVOTE_DEBOUNCE": "0.02",
            "DJANGO_SETTINGS_MODULE": "crowdvote.settings",
            **environment,
        }
        self.log = log
        with log.open("ab") as output:
            command = [sys.executable, "manage.py", "worker"]
            self.process = subprocess.Popen(command, cwd=PROJECT, env=self.environment, stdout=output, stderr=output)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    started: list[WorkerProcess] = []

    def start(**environment: str) -> WorkerProcess:
        started.append(WorkerProcess(tmp_path / "worker.log", **environment))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def server(settings: Settings) -> Iterator[None]:
    """Make this process a server that leaves calculations to workers."""
    import crowdvote.celery  # noqa: F401

    settings.CROWDVOTE_EXECUTOR = "celery"
    settings.RECALCULATION_DEBOUNCE = 0.02
    settings.RECALCULATION_LEASE = 1.5
    # Only messages tell it of results in time: its look at the database comes too late.
    settings.RECALCULATION_SWEEP_INTERVAL = 3600.0
    publishing._told.clear()
    publishing.start_relay()
    recalculation.scheduler.start()
    until(relay.listening.is_set)
    yield
    recalculation.scheduler.stop()
    relay.stop()


@pytest.fixture
def decision(transactional_db: None) -> Decision:
    community, members = factories.community("ada", "ben")
    made = factories.decision(community, members["manager"].user)
    factories.follow(members["ben"], members["ada"])
    return made


def vote(decision: Decision, **stars: int) -> None:
    ada = decision.community.memberships.get(user__handle__startswith="ada")
    factories.vote(ada, decision, **stars)


class TestAWorker:
    pytestmark = workers

    async def test_calculates_what_a_server_is_told_and_the_servers_subscribers_hear_of_it(
        self, worker, server, decision
    ) -> None:
        await in_database(worker)
        async with hub.subscribe(result_topic(decision.pk)) as inbox:
            for stars in (5, 4):
                await in_database(vote, decision, Ash=stars)
                news = await asyncio.wait_for(inbox.next(), PATIENCE)
                result = news[result_topic(decision.pk)].result
                assert set(result["scores"].values()) == {stars * 2_000_000, 0}

    def test_killed_another_does_its_work_and_one_that_ends_leaves_quietly(self, worker, server, decision) -> None:
        first = worker()
        vote(decision, Ash=5)
        until_current(decision)
        first.kill()
        vote(decision, Ash=3)
        second = worker()
        until_current(decision)
        assert second.end() == 0
        assert "Traceback" not in second.log.read_text()

    @pytest.mark.services("rabbitmq")
    def test_takes_jobs_from_another_broker_than_redis(self, worker, decision) -> None:
        from celery import Celery

        from crowdvote.celery import QUEUE

        vote(decision, Ash=5)
        # It sweeps when it starts, and not again in this test.
        worker(CROWDVOTE_BROKER_URL=services.BROKER_URL, CROWDVOTE_SWEEP_INTERVAL="3600")
        until_current(decision)
        vote(decision, Ash=3)
        sender = Celery("sender", broker=services.BROKER_URL, set_as_current=False)
        sender.send_task("democracy.recalculate", (decision.community_id,), queue=QUEUE)
        try:
            until_current(decision)
        finally:
            with sender.connection_for_write() as broker:
                broker.default_channel.queue_delete(QUEUE)

    def test_goes_on_without_a_queue(self, worker, server, decision) -> None:
        one = worker(CROWDVOTE_BROKER_URL=NOWHERE)
        vote(decision, Birch=2)
        until_current(decision)
        assert one.end() == 0


class TestMails:
    pytestmark = workers

    def test_a_server_has_a_worker_mail_its_notices_at_once(self, worker, server, transactional_db) -> None:
        community = Community.objects.create(name="Maple Court")
        mailbox = Mailbox()

        def invite(name: str) -> None:
            said = {"key": name, "by": "Bo"}
            outbox.add(Kind.INVITED, name, address=f"{name}@example.org", community_id=community.pk, data=said)

        invite("first")
        with serving(mailbox) as port:
            # It looks by itself when it starts, and not again in this test.
            worker(
                CROWDVOTE_EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
                CROWDVOTE_EMAIL_HOST="127.0.0.1",
                CROWDVOTE_EMAIL_PORT=str(port),
                CROWDVOTE_SWEEP_INTERVAL="3600",
            )
            mailbox.wait_for(1, PATIENCE)
            until(lambda: Notice.objects.filter(sent_at=None).count() == 0)
            sending.start_in_server()
            try:
                invite("second")
                mailbox.wait_for(2, PATIENCE)
            finally:
                outbox.added.disconnect(dispatch_uid="notices.wake_workers")
            until(lambda: Notice.objects.filter(sent_at=None).count() == 0)
        assert mailbox.addresses() == ["first@example.org", "second@example.org"]


@pytest.mark.parametrize("executor", ["threads", "off"])
def test_there_are_no_workers_where_servers_calculate_by_themselves(settings: Settings, executor) -> None:
    settings.CROWDVOTE_EXECUTOR = executor
    with pytest.raises(CommandError, match=f"CROWDVOTE_EXECUTOR=celery; with {executor}"):
        call_command("worker")
