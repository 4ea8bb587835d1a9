"""What every test shares: services that may be missing, and nothing left over from the test before."""

from __future__ import annotations

import shutil
import uuid

import pytest
from pytest_django import Settings

from tests import services

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker in item.iter_markers("services"):
            for name in marker.args or ("postgres", "redis"):
                if problem := services.missing(name):
                    item.add_marker(pytest.mark.skip(reason=f"{problem}; make test-services runs it"))
        if item.get_closest_marker("browser") and CHROMIUM is None:
            item.add_marker(pytest.mark.skip(reason="no Chromium on the PATH (apt-get install chromium)"))


@pytest.fixture(autouse=True)
def empty_cache(settings: Settings) -> None:
    """Counters of one test, rate limits say, are not seen by the next, in whichever cache is configured."""
    default = {**settings.CACHES["default"], "KEY_PREFIX": f"test-{uuid.uuid4().hex}"}
    settings.CACHES = {**settings.CACHES, "default": default}
