"""Claims: at most one run per community at a time, in all processes together.

A claim is a lease in the database. Its holder renews it while it works; the claims of a dead process are free once the
lease has run out. Every claim raises the fence, and a run may store only while the fence is its own.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection
from django.db.models import F, QuerySet

from accounts.prepared import prepared, prepared_update
from democracy.database import clock
from democracy.database.turns import turn
from democracy.models import CalculationClaim

logger = logging.getLogger(__name__)


class ClaimLost(Exception):
    """Another run has claimed the community since: this one must store nothing."""


class Claim:
    """The right to calculate a community, until released or lost."""

    def __init__(self, community_id: int, fence: int) -> None:
        self.community_id, self.fence = community_id, fence
        self._ended = threading.Event()

    @classmethod
    def take(cls, community_id: int) -> Claim | None:
        """Claim the community; None while another run holds it."""
        now = clock.now()
        fences = _free_fence(community_id, now)
        if not fences:
            CalculationClaim.objects.get_or_create(community_id=community_id, defaults={"expires_at": now})
            fences = _free_fence(community_id, now)
        # The fence is read under the condition that claims it, so two takers never have the same one.
        for fence in fences:
            with turn():
                taken = _take(community_id, fence, now, fence + 1, _holder(), _lease_end())
            if taken:
                return cls(community_id, fence + 1)
        return None

    def hold(self) -> None:
        """Renew the lease; inside a transaction nobody else can claim until its end. Raises ClaimLost."""
        if not _hold(self.community_id, self.fence, _lease_end()):
            raise ClaimLost(f"community {self.community_id} has been claimed by another run")

    def release(self) -> None:
        """Give the claim back."""
        self._ended.set()
        with turn():
            _release(self.community_id, self.fence, clock.now())

    def keep_alive(self, seconds: float) -> None:
        """Renew from a thread of its own until released or `seconds` have passed: a run that hangs loses its claim."""

        def renew() -> None:
            for _ in range(int(seconds / interval)):
                if self._ended.wait(interval):
                    return
                try:
                    if not self._renew():
                        return
                finally:
                    # A broken connection would stay broken for this thread.
                    connection.close()

        interval = settings.RECALCULATION_LEASE / 3
        threading.Thread(target=renew, name=f"claim-{self.community_id}", daemon=True).start()

    def _renew(self) -> bool:
        """Renew the lease unless it was released or lost."""
        try:
            # A renewal that waited for a long transaction must not undo a release.
            return bool(self._mine().exclude(holder="").update(expires_at=_lease_end()))
        except OperationalError:
            # SQLite is busy storing a very large result, or PostgreSQL restarts: nobody else can claim meanwhile, and
            # the next renewal is soon.
            logger.warning("the claim on community %s could not be renewed just now", self.community_id, exc_info=True)
            return True

    def _mine(self) -> QuerySet[CalculationClaim]:
        return CalculationClaim.objects.filter(community=self.community_id, fence=self.fence)


@prepared
def _free_fence(community_id: int, now: datetime) -> QuerySet[CalculationClaim, int]:
    return CalculationClaim.objects.filter(community=community_id, expires_at__lte=now).values_list("fence", flat=True)


@prepared_update
def _take(
    community_id: int, fence: int, now: datetime, next_fence: int, holder: str, expires_at: datetime
) -> tuple[QuerySet[CalculationClaim], Mapping[str, Any]]:
    free = CalculationClaim.objects.filter(community=community_id, fence=fence, expires_at__lte=now)
    return free, {"fence": next_fence, "holder": holder, "expires_at": expires_at}


@prepared_update
def _hold(community_id: int, fence: int, expires_at: datetime) -> tuple[QuerySet[CalculationClaim], Mapping[str, Any]]:
    mine = CalculationClaim.objects.filter(community=community_id, fence=fence)
    return mine, {"expires_at": expires_at, "fence": F("fence")}


@prepared_update
def _release(community_id: int, fence: int, now: datetime) -> tuple[QuerySet[CalculationClaim], Mapping[str, Any]]:
    return CalculationClaim.objects.filter(community=community_id, fence=fence), {"expires_at": now, "holder": ""}


def _holder() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"


def _lease_end() -> datetime:
    return clock.now() + timedelta(seconds=settings.RECALCULATION_LEASE)
