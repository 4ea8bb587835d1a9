"""The job on the queue that wakes a worker's senders. Imported only where CROWDVOTE_EXECUTOR is celery."""

from __future__ import annotations

from celery import shared_task

from democracy.notices import sending


@shared_task(name="democracy.send_notices", ignore_result=True)
def send_notices() -> None:
    """Have this worker look at the outbox at once."""
    sending.wake()


def send() -> None:
    """Put a job on the queue. Raises whatever the queue raises when it does not answer."""
    send_notices.apply_async(expires=10, retry=False)
