"""The queue that hands communities to workers. Imported only where CROWDVOTE_EXECUTOR is celery: an optional package.

Importing it makes the application the current one, which `democracy.recalculation.jobs` sends to.
"""

from __future__ import annotations

from celery import Celery
from django.conf import settings

# Of this installation alone, also where the broker is shared.
QUEUE = f"crowdvote-{settings.INSTALLATION}"

app = Celery("crowdvote", broker=settings.BROKER_URL, include=["democracy.recalculation.jobs"])
app.conf.update(
    task_default_queue=QUEUE,
    # One job at a time for each thread: others wait where any worker can take them.
    worker_prefetch_multiplier=1,
    # A worker starts, goes on and sweeps while the broker is down, and looks for it until it is back.
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_connection_timeout=2,
    # Whoever sends finds out soon that the broker is down; the sweep does what was not sent.
    broker_transport_options={"max_retries": 0, "socket_connect_timeout": 2},
    worker_hijack_root_logger=False,
    # Nobody watches tasks by these; they cost a message each.
    worker_send_task_events=False,
    worker_enable_remote_control=False,
)
app.set_default()
