"""Services that tests can use: which were requested, and whether they answer.

`python -m tests.services` reports all of them, and fails if one that is needed does not answer.
"""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings


def _postgres() -> str | None:
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith(("postgres://", "postgresql://")):
        return "DATABASE_URL names no PostgreSQL"
    if find_spec("psycopg") is None:
        return "psycopg is not installed (requirements/all.txt)"
    import psycopg

    try:
        # The database itself need not exist: tests create their own beside it.
        psycopg.connect(urlsplit(url)._replace(path="/postgres").geturl(), connect_timeout=3).close()
    except psycopg.OperationalError as error:
        return f"PostgreSQL does not answer: {str(error).strip().splitlines()[0]}"
    return None


def _redis() -> str | None:
    url = os.environ.get("REDIS_URL", "")
    if not url:
        return "REDIS_URL is not set"
    if find_spec("redis") is None:
        return "redis is not installed (requirements/all.txt)"
    import redis

    try:
        with redis.Redis.from_url(url, socket_connect_timeout=3) as client:
            client.ping()
    except redis.RedisError as error:
        return f"Redis does not answer: {error}"
    return None


def _celery() -> str | None:
    if find_spec("celery") is None:
        return "Celery is not installed (requirements/all.txt)"
    return _redis()


BROKER_URL = os.environ.get("BROKER_URL", "")


def _rabbitmq() -> str | None:
    if not BROKER_URL:
        return "BROKER_URL is not set"
    if find_spec("kombu") is None:
        return "Celery is not installed (requirements/all.txt)"
    from kombu.connection import Connection

    try:
        Connection(BROKER_URL, connect_timeout=3).ensure_connection(max_retries=1).release()
    except Exception as error:  # each transport raises errors of its own
        return f"the broker does not answer: {error}"
    return None


SERVICES: dict[str, Callable[[], str | None]] = {
    "postgres": _postgres,
    "redis": _redis,
    "celery": _celery,
    "rabbitmq": _rabbitmq,
}


@cache
def missing(name: str) -> str | None:
    """Return why the service cannot be used in this run, or None if it can."""
    return SERVICES[name]()


def own_caches() -> dict[str, dict[str, Any]]:
    """Return CACHES that share nothing with other tests, which may be counting in the same Redis at this moment."""
    prefix = f"test-{uuid.uuid4().hex}"
    return {name: {**cache, "KEY_PREFIX": prefix} for name, cache in settings.CACHES.items()}


if __name__ == "__main__":
    problems = {name: missing(name) for name in SERVICES}
    for service, problem in problems.items():
        sys.stdout.write(f"{service}: {problem or 'answers'}\n")
    # Without RabbitMQ only one test is skipped; without one of the others, most would be.
    sys.exit(1 if any(problem for service, problem in problems.items() if service != "rabbitmq") else 0)
