"""The type of requests as views get them."""

from __future__ import annotations

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails


class HtmxRequest(HttpRequest):
    """A request behind django-htmx's middleware. `htmx` is true where htmx asks, and says for which element."""

    htmx: HtmxDetails
