"""The job on the queue. Imported only where CROWDVOTE_EXECUTOR is celery: the package is optional."""

from __future__ import annotations

import logging

from celery import shared_task
from django.conf import settings
from django.core.cache import cache

from democracy.recalculation.runs import recalculate_community_decisions_async

logger = logging.getLogger(__name__)


@shared_task(name="democracy.recalculate", ignore_result=True)
def recalculate(community_id: int) -> None:
    """Calculate the stale decisions of the community."""
    try:
        # Before the counters are read: later commits may need another job.
        cache.delete(_waiting(community_id))
    except Exception as error:  # each cache raises errors of its own; the mark expires by itself
        logger.warning("the mark of a waiting job stays: %s", error)
    recalculate_community_decisions_async(community_id)


def send(community_id: int) -> bool:
    """Put a job for the community on the queue; False where one is waiting already.

    Raises whatever the queue or the cache raises when it does not answer.
    """
    if not cache.add(_waiting(community_id), True, timeout=_seconds()):
        return False
    try:
        recalculate.apply_async((community_id,), expires=_seconds(), retry=False)
    except Exception:
        cache.delete(_waiting(community_id))
        raise
    return True


def _waiting(community_id: int) -> str:
    return f"recalculation:waiting:{community_id}"


def _seconds() -> float:
    """Seconds that a job may wait before it is taken for lost, and another may be sent."""
    return max(1.0, settings.RECALCULATION_LEASE)
