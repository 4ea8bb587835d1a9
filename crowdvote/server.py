"""The server that `manage.py serve` runs: uvicorn, and how it ends.

On SIGTERM or SIGINT it says at /readyz that it is stopping and goes on serving for DRAIN seconds, so that a balancer
can look elsewhere; then it closes its socket, ends streams and WebSockets, waits at most GRACE seconds for requests
under way and as long again for calculations, and exits with 0. A second signal ends it at once: nothing that was
acknowledged is lost by that, as it is not by kill -9.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from types import FrameType

import uvicorn
from django.conf import settings

from crowdvote.serving import serving

logger = logging.getLogger(__name__)


def longest_stop() -> float:
    """Seconds after which a server that was told to end has ended, whatever hangs.

    Requests, the scheduler's own thread and calculations may take GRACE each, Redis the rest.
    """
    return settings.DRAIN + 3 * settings.GRACE + 10.0


class Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            signal.signal(sig, signal.SIG_DFL)
            signal.raise_signal(sig)
        self.should_exit = True
        serving.stopping = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Not in the signal's handler: that may have interrupted the starting of another thread, and wait for its lock.
        threading.Thread(target=_end_by_force, name="longest-stop", daemon=True).start()
        await asyncio.sleep(settings.DRAIN)
        serving.end_streams()
        await super().shutdown(sockets)


def _end_by_force() -> None:
    """A request that hangs would keep the interpreter waiting for its thread."""
    threading.Event().wait(longest_stop())
    logger.error("did not end within %g seconds; ending by force", longest_stop())
    os._exit(1)
