from __future__ import annotations

import math
import sys
from argparse import ArgumentParser
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand
from django.urls import reverse
from uvicorn.supervisors import ChangeReload

from accounts.mail import FILE_BACKEND
from accounts.sent_mails import are_shown
from crowdvote import __version__
from crowdvote.serving.connections import raise_file_limit
from crowdvote.serving.server import PING_SECONDS, Protocol, Server, WebSocketProtocol

# Operations are small; a larger message is a mistake or an attack.
LARGEST_WEBSOCKET_MESSAGE = 1024 * 1024
# The packages that `--reload` watches and, beside Python, the files that are read once and kept.
RELOAD_DIRS = [str(settings.BASE_DIR / name) for name in ("accounts", "crowdvote", "democracy", "graph", "verify")]
RELOAD_INCLUDES = ["*.html", "*.txt", "*.graphql"]


class Command(BaseCommand):
    help = "Serve CrowdVote in one process on PORT (8000), with recalculation in the background."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
        parser.add_argument("--reload", action="store_true", help="start again whenever the code changes (development)")

    def handle(self, *args: Any, host: str, reload: bool, **options: Any) -> None:
        # In JSON, nothing else may stand between the lines.
        if settings.LOG_FORMAT == "text":
            self._greet()
        raise_file_limit()
        config = uvicorn.Config(
            "crowdvote.asgi:application",
            host=host,
            port=settings.PORT,
            lifespan="on",
            http=Protocol,
            ws=WebSocketProtocol,
            ws_ping_interval=PING_SECONDS,
            # TRUSTED_PROXIES decides about the client's address; uvicorn would believe any header.
            proxy_headers=False,
            server_header=False,
            access_log=False,
            # The server's messages go to the log like all others.
            log_config=None,
            log_level="warning",
            timeout_graceful_shutdown=math.ceil(settings.GRACE),
            ws_max_size=LARGEST_WEBSOCKET_MESSAGE,
            reload=reload,
            reload_dirs=RELOAD_DIRS if reload else None,
            reload_includes=RELOAD_INCLUDES if reload else None,
        )
        server = Server(config)
        if reload:
            # The socket stays open between two servers, so that nobody is refused.
            ChangeReload(config, target=server.run, sockets=[config.bind_socket()]).run()
            return
        server.run()
        if not server.started:
            sys.exit(1)

    def _greet(self) -> None:
        to_files = settings.EMAIL_BACKEND == FILE_BACKEND
        mails = f"below, and in {settings.MAIL_DIR}" if to_files else f"by {settings.EMAIL_BACKEND}"
        if are_shown():
            mails = f"{settings.SITE_URL}{reverse('mails')}, {mails}"
        log = "below" if settings.LOG_TO == "stdout" else settings.LOG_DIR / "crowdvote.log"
        self.stdout.write(
            f"""
  CrowdVote  {settings.SITE_URL}/  (version {__version__})
  GraphiQL   {settings.SITE_URL}/graphql/
  Mails      {mails}
  Log        {log}
  Stop       Ctrl-C
"""
        )
        self.stdout.flush()
