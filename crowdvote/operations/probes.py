"""The addresses for monitoring: /healthz, /readyz and, if switched on, /metrics.

A middleware answers them before everything else: a probe knows a process's address but not the site's name, does not
follow a redirect to HTTPS, and must not fail because a session cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.decorators import sync_and_async_middleware
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from crowdvote.operations import readiness
from crowdvote.serving.streams import serving

View = Callable[[HttpRequest], HttpResponse]


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer that the process is alive, and touch nothing else.

    A supervisor that restarts dead processes must not restart all of them when the database is away.
    """
    return JsonResponse({"status": "alive"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 if every check passes, else 503. `?exclude=staleness&exclude=...` leaves checks out."""
    excluded = set(request.GET.getlist("exclude"))
    known = ("server", *readiness.NAMES)
    if unknown := excluded.difference(known):
        return JsonResponse({"error": f"exclude: {min(unknown)!r} is none of {', '.join(known)}"}, status=400)
    found = {"server": "stopping" if serving.stopping else None, **readiness.checks()}
    ready = not any(problem for name, problem in found.items() if name not in excluded)
    shown = {name: {"ok": True} if why is None else {"ok": False, "reason": why} for name, why in found.items()}
    response = JsonResponse({"ready": ready, "checks": shown}, status=200 if ready else 503)
    # Django would log every 503 as an error; this one is an ordinary answer.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


PROBES: dict[str, View] = {"/healthz": healthz, "/readyz": readyz}
if settings.METRICS_TOKEN:
    from crowdvote.operations.metrics import exposition

    PROBES["/metrics"] = exposition


@sync_and_async_middleware
def probes(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Answer the addresses for monitoring, and hand on all other requests."""
    if iscoroutinefunction(get_response):

        async def in_loop(request: HttpRequest) -> HttpResponseBase:
            probe = PROBES.get(request.path_info)
            return await get_response(request) if probe is None else await sync_to_async(probe)(request)

        return in_loop

    def in_thread(request: HttpRequest) -> HttpResponseBase:
        probe = PROBES.get(request.path_info)
        return get_response(request) if probe is None else probe(request)

    return in_thread
