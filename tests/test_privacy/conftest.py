"""Fixtures of privacy. Somebody who tries everything is refused often, so refusals are not logged."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def patience(settings: Settings) -> None:
    """Let no operation end for its slowness: on a busy machine, it would in one world and not in the other."""
    settings.OPERATION_SECONDS = 300


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    loggers = [
        logging.getLogger(name)
        for name in ("django.request", "django.security.DisallowedModelAdminLookup", "crowdvote.api.schema")
    ]
    for logger in loggers:
        logger.disabled = True
    yield
    for logger in loggers:
        logger.disabled = False
