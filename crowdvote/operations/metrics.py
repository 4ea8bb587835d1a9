"""Metrics for Prometheus. Imported only if they are switched on; the package is optional.

Each process reports about itself: a web process at /metrics, to clients that know CROWDVOTE_METRICS_TOKEN, a worker on
a port of its own. Metrics of the whole installation, such as `crowdvote_staleness_seconds`, are the same from every
process. No label has a value that a stranger can make up, and none names a community, a decision or a person.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import prometheus_client
from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.crypto import constant_time_compare
from django.utils.decorators import sync_and_async_middleware
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import REGISTRY, Counter, Histogram, Info
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from strawberry.extensions import SchemaExtension

from accounts.middleware import bearer_token
from crowdvote import __version__
from crowdvote.serving.streams import serving
from democracy import recalculation
from democracy.database import clock
from democracy.ledger import staleness as ledger_staleness
from democracy.live.hub import hub
from democracy.live.relay import relay
from democracy.recalculation import measuring, staging

_METHODS = {"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"}
_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_RUN_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

BUILD = Info("crowdvote_build", "The version that this process runs")
HTTP_REQUESTS = Counter(
    "crowdvote_http_requests", "HTTP requests answered; a stream counts when it begins", ["view", "method", "status"]
)
HTTP_SECONDS = Histogram(
    "crowdvote_http_request_seconds",
    "Time to the answer, or to a stream's beginning",
    ["view"],
    buckets=_REQUEST_BUCKETS,
)
OPERATIONS = Counter("crowdvote_graphql_operations", "GraphQL operations, over HTTP and WebSocket", ["type", "outcome"])
OPERATION_SECONDS = Histogram(
    "crowdvote_graphql_operation_seconds", "Duration of queries and mutations", ["type"], buckets=_REQUEST_BUCKETS
)
EVENTS = Counter("crowdvote_events", "Lines of the event log: VOTE_CAST, LOGIN_FAILED, THREAD_ERROR ...", ["event"])
WAKE_UPS = Counter("crowdvote_wake_ups", "Communities woken; folded: one that waited already", ["folded"])
JOBS = Counter("crowdvote_jobs_offered", "Communities offered to the queue", ["outcome"])
RUNS = Counter("crowdvote_runs", "Calculations of a community", ["outcome"])
RUN_SECONDS = Histogram("crowdvote_run_seconds", "Duration of a calculation", buckets=_RUN_BUCKETS)
STAGING_SECONDS = Histogram(
    "crowdvote_staging_seconds", "Duration of staging a round's decisions", buckets=_RUN_BUCKETS
)
TALLY_SECONDS = Histogram("crowdvote_tally_seconds", "Duration of tallying and storing them", buckets=_RUN_BUCKETS)
INPUTS_READ = Counter(
    "crowdvote_inputs_read", "Communities read for a calculation: loaded whole, caught up with, or current", ["outcome"]
)
LET_GO = Counter("crowdvote_calculations_let_go", "Calculations that were kept and let go for want of memory")
FAILURES = Counter("crowdvote_failed_decisions", "Times that a decision could not be calculated")


def connect() -> None:
    """Begin to measure. Called when a server or worker starts, after logging was set up for the last time."""
    prometheus_client.disable_created_metrics()
    BUILD.info({"version": __version__})
    for signal, receiver in (
        (measuring.woken, _woken),
        (measuring.job_offered, _job_offered),
        (measuring.run_ended, _run_ended),
        (measuring.decision_failed, _decision_failed),
        (measuring.staged, _staged),
        (measuring.tallied, _tallied),
        (measuring.inputs_read, _inputs_read),
        (measuring.let_go, _let_go),
    ):
        signal.connect(receiver, dispatch_uid="metrics")
    logging.getLogger("crowdvote.events").addHandler(_CountEvents())
    REGISTRY.register(Now())


def _woken(sender: object, folded: bool, **kwargs: object) -> None:
    WAKE_UPS.labels(str(folded).lower()).inc()


def _job_offered(sender: object, outcome: str, **kwargs: object) -> None:
    JOBS.labels(outcome).inc()


def _run_ended(sender: object, outcome: str, seconds: float, **kwargs: object) -> None:
    RUNS.labels(outcome).inc()
    RUN_SECONDS.observe(seconds)


def _decision_failed(sender: object, **kwargs: object) -> None:
    FAILURES.inc()


def _staged(sender: object, seconds: float, **kwargs: object) -> None:
    STAGING_SECONDS.observe(seconds)


def _tallied(sender: object, seconds: float, **kwargs: object) -> None:
    TALLY_SECONDS.observe(seconds)


def _inputs_read(sender: object, outcome: str, **kwargs: object) -> None:
    INPUTS_READ.labels(outcome).inc()


def _let_go(sender: object, **kwargs: object) -> None:
    LET_GO.inc()


class _CountEvents(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        EVENTS.labels(getattr(record, "event", "EVENT")).inc()


class Now(Collector):
    """Values that are looked up when somebody asks."""

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Return nothing, so that registering does not ask the database."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        waiting, running = recalculation.scheduler.load()
        yield GaugeMetricFamily("crowdvote_communities_waiting", "Woken communities that are due or will be", waiting)
        yield GaugeMetricFamily("crowdvote_runs_under_way", "Calculations in this process's scheduler", running)
        kept = staging.kept()
        yield GaugeMetricFamily("crowdvote_kept_communities", "Communities kept for the next change", kept.communities)
        yield GaugeMetricFamily("crowdvote_kept_calculations", "Calculations of decisions kept", kept.decisions)
        yield GaugeMetricFamily("crowdvote_kept_bytes", "Memory that these take, about", kept.nbytes)
        yield GaugeMetricFamily("crowdvote_event_streams", "Open streams of server-sent events", serving.streams)
        yield GaugeMetricFamily("crowdvote_websockets", "Open WebSockets", serving.sockets)
        subscribers = GaugeMetricFamily("crowdvote_subscribers", "Subscriptions to what is published", labels=["kind"])
        for kind, number in sorted(hub.subscribers().items()):
            subscribers.add_metric([kind], number)
        yield subscribers
        if settings.REDIS_URL:
            heard = relay.listening.is_set()
            yield GaugeMetricFamily("crowdvote_relay_listening", "1 while other processes are heard over Redis", heard)
        staleness = _staleness()
        if staleness is not None:
            yield GaugeMetricFamily("crowdvote_staleness_seconds", "Age of the longest wait for a result", staleness)


def _staleness() -> float | None:
    """Return the age of the oldest stale result, or None while the database does not answer."""
    try:
        close_old_connections()
        return ledger_staleness.staleness(clock.now()).total_seconds()
    except DatabaseError:
        return None
    finally:
        connection.close()


@sync_and_async_middleware
def requests(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Count requests and measure their time."""
    if iscoroutinefunction(get_response):

        async def in_loop(request: HttpRequest) -> HttpResponseBase:
            started = time.perf_counter()
            response = await get_response(request)
            _answered(request, response, time.perf_counter() - started)
            return response

        return in_loop

    def in_thread(request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        response = get_response(request)
        _answered(request, response, time.perf_counter() - started)
        return response

    return in_thread


def _answered(request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
    # Static files and unknown addresses have no view.
    view = request.resolver_match.view_name if request.resolver_match else "none"
    method = request.method if request.method in _METHODS else "other"
    HTTP_REQUESTS.labels(view, method, response.status_code).inc()
    HTTP_SECONDS.labels(view).observe(seconds)


class Operations(SchemaExtension):
    """Count GraphQL operations and measure their time."""

    def on_operation(self) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self._count(time.perf_counter() - started)

    def _count(self, seconds: float) -> None:
        context = self.execution_context
        try:
            kind = context.operation_type.value
        except RuntimeError:  # it could not be parsed, or names an unknown operation
            kind = "invalid"
        failed = context.pre_execution_errors or (context.result and context.result.errors)
        OPERATIONS.labels(kind, "error" if failed else "ok").inc()
        if kind != "subscription":
            OPERATION_SECONDS.labels(kind).observe(seconds)


@never_cache
@require_safe
def exposition(request: HttpRequest) -> HttpResponse:
    """Return what this process has measured, to clients that know the token."""
    given = bearer_token(request.headers.get("Authorization", ""))
    if given is None or not constant_time_compare(given, settings.METRICS_TOKEN):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(prometheus_client.generate_latest(), content_type=prometheus_client.CONTENT_TYPE_LATEST)


def serve() -> None:
    """Answer on a port of this process's own. Raises OSError if the port is taken."""
    prometheus_client.start_http_server(settings.METRICS_PORT, addr=settings.METRICS_HOST)
