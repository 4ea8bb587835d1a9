"""The end of a server: it announces it, lets lasting connections go, finishes what it has begun, and exits with 0."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections import deque
from contextlib import closing
from pathlib import Path
from threading import Thread
from urllib.parse import urlencode

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from accounts.api import node_id
from tests.servers import PATIENCE, data_directory, prepared_directory, serving

__all__ = ["data_directory", "prepared_directory"]

# A calculation that takes as long as the environment says.
SLOW = """
    import os, time
    from democracy.recalculation.results import Tally
    process = Tally.process
    def slowly(self, staged):
        print("calculating", flush=True)
        time.sleep(float(os.environ["SECONDS"]))
        return process(self, staged)
    Tally.process = slowly
"""
# Reading for a page takes longer than a server waits.
SLOW_READING = """
    import time
    from democracy import access
    from democracy.views import live
    may_see = access.require_decision
    def read_slowly(*arguments):
        print("reading", flush=True)
        time.sleep(3)
        return may_see(*arguments)
    access.require_decision = read_slowly
    from democracy.views import _panels
    made = _panels._made
    def look_slowly(*arguments, **options):
        print("looking", flush=True)
        time.sleep(3)
        return made(*arguments, **options)
    _panels._made = look_slowly
"""


def test_it_says_so_lets_watchers_go_and_waits_no_longer_than_its_grace(data_directory):
    """A calculation takes longer than that: the next sweep has to do it."""
    with serving(data_directory, program=SLOW, SECONDS="600", CROWDVOTE_DRAIN="1", CROWDVOTE_GRACE="0.1") as server:
        subscription = f'subscription {{ calculationStatus(decisionId: "{node_id("Decision", 1)}") {{ isFinal }} }}'
        pages = "/communities/1/decisions/1/events/?seen=0.0"
        programs = f"/graphql/?{urlencode({'query': subscription})}"
        streams = [Stream(server.url + pages), Stream(server.url + programs)]
        with connect(
            f"ws://127.0.0.1:{server.port}/graphql/", subprotocols=[Subprotocol("graphql-transport-ws")]
        ) as socket:
            socket.send(json.dumps({"type": "connection_init"}))
            socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": subscription}}))
            while json.loads(socket.recv(PATIENCE))["type"] != "next":
                pass
            for stream in streams:
                stream.until_it_begins()
            assert server.http.get("/readyz").status_code == 200

            server.signal()
            while (ready := server.http.get("/readyz")).status_code == 200:
                pass
            assert ready.json()["checks"]["server"] == {"ok": False, "reason": "stopping"}
            assert server.http.get("/healthz").status_code == 200
            with pytest.raises(ConnectionClosed) as closed:
                deque(socket, maxlen=0)
        assert closed.value.rcvd.code == 1012
        assert server.exit_code() == 0
        for stream in streams:
            text = stream.ended()
            # A client that reads the regular end of a subscription or stream would not come back.
            assert "event: complete" not in text
            assert "event: end" not in text
        assert server.output == "calculating"
        assert "ERROR" not in (data_directory / "logs" / "crowdvote.log").read_text()


def test_what_takes_longer_than_its_grace_is_given_up_in_a_line(data_directory):
    with serving(data_directory, program=SLOW_READING, CROWDVOTE_GRACE="0.1") as server:
        page = "/communities/1/decisions/1/"
        stream = Stream(server.url + page + "events/?seen=0.0")
        server.until_it_prints("looking")
        answers: list[httpx.Response] = []
        request = Thread(target=lambda: answers.append(server.http.get(page)))
        request.start()
        server.until_it_prints("reading\nlooking\nreading")
        server.signal()
        assert server.exit_code() == 0
        request.join(PATIENCE)
        assert (answers[0].status_code, answers[0].headers["Retry-After"]) == (503, "1")
        assert stream.ended() == ""
        assert "Traceback" not in server.output
        assert server.output.count("ended without waiting any longer for a request") == 2


class Stream:
    """Server-sent events, read in a thread until they end."""

    def __init__(self, url: str) -> None:
        self.text = ""
        self.error: httpx.HTTPError | None = None
        self._url = url
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            with httpx.stream("GET", self._url, headers={"Accept": "text/event-stream"}, timeout=PATIENCE) as stream:
                for text in stream.iter_text():
                    self.text += text
        except httpx.HTTPError as error:
            self.error = error

    def until_it_begins(self) -> None:
        while not self.text:
            assert self._thread.is_alive(), self.error
            self._thread.join(0.02)

    def ended(self) -> str:
        self._thread.join(PATIENCE)
        assert (self._thread.is_alive(), self.error) == (False, None)
        return self.text


def calculated_revision(directory: Path) -> int:
    with closing(sqlite3.connect(directory / "crowdvote.sqlite3")) as database:
        return database.execute("SELECT calculated_revision FROM democracy_decision").fetchone()[0]


def test_a_calculation_under_way_is_waited_for(data_directory):
    with serving(data_directory, program=SLOW, SECONDS="1.5", CROWDVOTE_GRACE="30") as server:
        server.until_it_prints("calculating")
        server.signal()
        assert server.exit_code() == 0
        assert server.output == "calculating"
    assert calculated_revision(data_directory) > 0


def test_a_second_signal_ends_it_at_once(data_directory):
    with serving(data_directory, program=SLOW, SECONDS="600", CROWDVOTE_GRACE="600") as server:
        server.until_it_prints("calculating")
        server.signal()
        server.until_it_refuses()
        server.signal()
        assert server.exit_code() == -signal.SIGTERM
    assert calculated_revision(data_directory) == 0
