"""Metrics: none unless switched on, and shown only to clients that may see them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from accounts.api import node_id
from crowdvote import __version__
from tests import processes
from tests.processes import PROJECT
from tests.recalculation import until
from tests.servers import PATIENCE, data_directory, environment, prepared_directory, run, serving

__all__ = ["data_directory", "prepared_directory"]

TOKEN = "of-the-scraper"
needs_the_package = pytest.mark.skipif(
    find_spec("prometheus_client") is None,
    reason="prometheus-client is not installed (requirements/scaled.txt)",
)


class Metrics:
    """The metrics of a process: values by name and labels."""

    def __init__(self, text: str) -> None:
        from prometheus_client.parser import text_string_to_metric_families

        self.values: defaultdict[str, dict[tuple[str, ...], float]] = defaultdict(dict)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self.values[sample.name][tuple(sorted(sample.labels.values()))] = sample.value

    def __call__(self, name: str, *labels: str) -> float:
        return self.values[f"crowdvote_{name}"].get(tuple(sorted(labels)), 0)


def asked(url: str) -> Metrics:
    answer = httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=PATIENCE)
    assert answer.status_code == 200
    return Metrics(answer.text)


@needs_the_package
def test_a_web_process_tells_what_it_did_to_whoever_bears_the_token(data_directory: Path) -> None:
    # Django's own page for what is not found: ours needs static files collected.
    settings = {"CROWDVOTE_ALLOWED_HOSTS": "vote.example", "CROWDVOTE_DEBUG": "1"}
    with serving(data_directory, CROWDVOTE_METRICS_TOKEN=TOKEN, **settings) as server:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
            refused = server.http.get("/metrics", headers=headers)
            assert (refused.status_code, refused.text) == (401, "")
        # The decision that the scene left stale is calculated at the start.
        until(lambda: asked(server.url)("runs_total", "calculated") == 1, "the first run", patience=PATIENCE)

        named = {"Host": "vote.example"}
        for query in ("{ __typename }", "{ nothing }", "{"):
            server.http.get("/graphql/", params={"query": query}, headers={**named, "Accept": "application/json"})
        server.http.request("PURGE", "/docs/", headers=named)
        server.http.get("/nowhere", headers=named)
        watching = f'subscription {{ calculationStatus(decisionId: "{node_id("Decision", 1)}") {{ isFinal }} }}'
        with connect(
            f"ws://127.0.0.1:{server.port}/graphql/",
            additional_headers={"Host": "vote.example"},
            subprotocols=[Subprotocol("graphql-transport-ws")],
        ) as watcher:
            watcher.send(json.dumps({"type": "connection_init"}))
            watcher.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": watching}}))
            while json.loads(watcher.recv(PATIENCE))["type"] != "next":
                pass
            told = asked(server.url)

        assert (told("websockets"), told("subscribers", "status"), told("event_streams")) == (1, 1, 0)
        assert (told("runs_under_way"), told("communities_waiting"), told("staleness_seconds")) == (0, 0, 0)
        assert [told(f"{what}_seconds_count") for what in ("run", "staging", "tally")] == [1, 1, 1]
        assert [told(f"kept_{what}") for what in ("communities", "calculations")] == [1, 1]
        assert told("kept_bytes") > 0
        assert (told("inputs_read_total", "loaded"), told("calculations_let_go_total")) == (1, 0)
        assert (told("wake_ups_total", "false"), told("failed_decisions_total")) == (1, 0)
        assert (told("events_total", "TALLY_COMPLETE"), told("events_total", "VOTE_CAST")) == (1, 0)
        assert told("build_info", __version__) == 1
        assert told("graphql_operations_total", "query", "ok") == 1
        assert told("graphql_operations_total", "query", "error") == 1
        assert told("graphql_operations_total", "invalid", "error") == 1
        assert told("http_requests_total", "graphql", "GET", "200") == 3
        assert told("http_requests_total", "none", "GET", "404") == 1
        assert told("http_requests_total", "docs", "other", "403") == 1
        assert told("http_request_seconds_count", "graphql") == 3
        assert "metrics" not in str(told.values["crowdvote_http_requests_total"])


def test_without_a_token_there_is_no_such_page(client: Client) -> None:
    assert client.get("/metrics").status_code == 404


def test_where_they_are_off_nothing_of_them_is_loaded(tmp_path: Path) -> None:
    loaded = (
        "import sys, crowdvote.asgi; print({'prometheus_client', 'crowdvote.operations.metrics'} & sys.modules.keys())"
    )
    assert run(tmp_path, loaded) == "set()"


@pytest.mark.parametrize("setting", [{"CROWDVOTE_METRICS_TOKEN": TOKEN}, {"CROWDVOTE_METRICS_PORT": "9100"}])
def test_without_the_package_they_cannot_be_switched_on(tmp_path: Path, setting: dict[str, str]) -> None:
    program = "import sys; sys.modules['prometheus_client'] = None; from crowdvote import settings"
    ended = processes.run(program, environment(tmp_path, **setting))
    assert ended.code == 1
    assert "need the package prometheus-client: install requirements/scaled.txt" in ended.errors


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@needs_the_package
@pytest.mark.services("celery")
def test_a_worker_tells_on_a_port_of_its_own(data_directory: Path, port: int) -> None:
    told = environment(
        data_directory,
        CROWDVOTE_EXECUTOR="celery",
        REDIS_URL=os.environ["REDIS_URL"],
        CROWDVOTE_METRICS_PORT=str(port),
        CROWDVOTE_LEASE="1.5",
        CROWDVOTE_SWEEP_INTERVAL="0.3",
    )
    command = [sys.executable, "manage.py", "worker"]
    worker = subprocess.Popen(command, cwd=PROJECT, env=told, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _runs(port) >= 1, "the worker's first run", patience=PATIENCE)
    finally:
        worker.terminate()
        assert worker.wait(PATIENCE) == 0


@needs_the_package
def test_a_worker_whose_port_is_taken_does_not_start(settings: Settings) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        settings.CROWDVOTE_EXECUTOR, settings.METRICS_PORT = "celery", other.getsockname()[1]
        message = f"No metrics can be served on 127.0.0.1:{settings.METRICS_PORT}: Address already in use."
        with pytest.raises(CommandError, match=message):
            call_command("worker")


def _runs(port: int) -> float:
    try:
        return Metrics(httpx.get(f"http://127.0.0.1:{port}/metrics").text)("runs_total", "calculated")
    except httpx.TransportError:
        return 0
