"""The queue that hands communities to workers. Imported only if CROWDVOTE_EXECUTOR is celery: an optional package.

Importing it makes this application the current one, to which `democracy.recalculation.jobs` sends.
"""

from __future__ import annotations

from celery import Celery
from django.conf import settings

# The queue belongs to this installation alone, even on a shared broker.
QUEUE = f"crowdvote-{settings.INSTALLATION}"

app = Celery(
    "crowdvote", broker=settings.BROKER_URL, include=["democracy.recalculation.jobs", "democracy.notices.jobs"]
)
app.conf.update(
    task_default_queue=QUEUE,
    # Each thread reserves one job at a time; others wait where any worker can take them.
    worker_prefetch_multiplier=1,
    # While the broker is down, a worker still starts, runs and sweeps, and tries again until it is back.
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_connection_timeout=2,
    # A sender soon gives up on a broker that is down; the sweep does the work that was not sent.
    broker_transport_options={"max_retries": 0, "socket_connect_timeout": 2},
    worker_hijack_root_logger=False,
    # Nobody listens to these events, and each costs a message.
    worker_send_task_events=False,
    worker_enable_remote_control=False,
)
app.set_default()
