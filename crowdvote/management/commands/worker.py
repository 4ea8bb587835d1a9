from __future__ import annotations

import os
import socket
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from crowdvote import __version__
from democracy import recalculation
from democracy.live import publishing
from democracy.live.relay import relay
from democracy.notices import sending
from democracy.recalculation import interpreter


class Command(BaseCommand):
    help = (
        "Calculate communities that servers with CROWDVOTE_EXECUTOR=celery queue, or that the sweep finds stale, and "
        "send the mails that are due."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.CROWDVOTE_EXECUTOR != "celery":
            raise CommandError(
                "Workers are for CROWDVOTE_EXECUTOR=celery; with "
                f"{settings.CROWDVOTE_EXECUTOR} the server calculates by itself."
            )
        if settings.METRICS_PORT:
            self._serve_metrics()
        # An optional package.
        from crowdvote import celery

        name = f"{socket.gethostname()}:{os.getpid()}"
        worker = celery.app.Worker(
            hostname=f"crowdvote@{name}",
            # Threads share the graphs that a process keeps. For more processes, start more workers.
            pool="threads",
            concurrency=settings.RECALCULATION_CONCURRENCY,
            queues=[celery.QUEUE],
            loglevel="WARNING",
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
        )
        interpreter.prepare()
        publishing.start_relay()
        # The scheduler starts whether or not the queue answers.
        recalculation.start_in_worker()
        sending.start()
        # In JSON, nothing else may stand between the lines.
        if settings.LOG_FORMAT == "text":
            log = "below" if settings.LOG_TO == "stdout" else settings.LOG_DIR / "crowdvote.log"
            self.stdout.write(f"\n  CrowdVote {__version__} worker {name}\n  Log   {log}\n  Stop  Ctrl-C\n")
            self.stdout.flush()
        try:
            worker.start()
        finally:
            # The sweep of another process finds what takes longer.
            recalculation.scheduler.stop(settings.GRACE)
            sending.stop(settings.GRACE)
            relay.stop()
        sys.exit(worker.exitcode)

    def _serve_metrics(self) -> None:
        # Needs an optional package.
        from crowdvote.operations import metrics

        try:
            metrics.serve()
        except OSError as error:
            where = f"{settings.METRICS_HOST}:{settings.METRICS_PORT}"
            raise CommandError(f"No metrics can be served on {where}: {error.strerror}.") from error
        metrics.connect()
