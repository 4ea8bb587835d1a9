"""The address that load balancers ask."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection
from django.test import Client


@pytest.mark.django_db
def test_a_process_with_its_database_is_healthy(client: Client) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"database": "ok"})
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
def test_a_process_without_its_database_says_so_and_nothing_more(client: Client) -> None:
    def unreachable(*args):
        raise DatabaseError("password of the database: hunter2")

    with connection.execute_wrapper(unreachable):
        response = client.get("/healthz")
    assert (response.status_code, response.json()) == (503, {"database": "unreachable"})
