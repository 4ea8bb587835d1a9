"""Rendering of pages and their fragments from one context, paging of lists, and downloads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_cache_control, patch_vary_headers

from accounts.requests import HtmxRequest

Row = TypeVar("Row", bound=Model)

PER_PAGE = 25


def page_of(
    request: HtmxRequest,
    rows: QuerySet[Row],
    *,
    keys: Sequence[int] | npt.NDArray[np.int64] | None = None,
    per_page: int = PER_PAGE,
    parameter: str = "page",
) -> Page[Row]:
    """The page of a list that the address asks for; the nearest one if it asks for none or for nonsense.

    `keys`: the keys of the rows in their order, where somebody has them already.
    """
    # Read its keys first: databases would work out every column of all rows before the page.
    page = Paginator(rows.values_list("pk", flat=True) if keys is None else keys, per_page).get_page(
        request.GET.get(parameter)
    )
    on_page = [int(pk) for pk in page]
    shown = {row.pk: row for row in rows.filter(pk__in=on_page)}
    page.object_list = [shown[pk] for pk in on_page if pk in shown]
    return cast("Page[Row]", page)


def render_page(
    request: HtmxRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    fragments: Mapping[str, str] | None = None,
    status: int | None = None,
) -> HttpResponse:
    """Render the page, or one of its `fragments` (id of the element: template) if htmx wants to replace just that.

    The status is 400 if the form in the context was refused, unless `status` says otherwise. A fragment that is asked
    for without posting the form is no refusal.
    """
    is_fragment = request.htmx and not request.htmx.history_restore_request
    fragment = (fragments or {}).get(request.htmx.target or "") if is_fragment else None
    form = context.get("form")
    is_refused = form is not None and form.is_bound and bool(form.errors)
    if status is None:
        status = 400 if is_refused and (fragment is None or request.method == "POST") else 200
    response = render(request, fragment or template, dict(context), status=status)
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response


def streamed(request: HtmxRequest, pieces: Iterator[str] | Iterator[bytes], content_type: str) -> HttpResponse:
    """Answer with these pieces, each read in a thread when the one before it is sent: others are answered meanwhile."""
    content = _by_and_by(pieces) if isinstance(request, ASGIRequest) else pieces
    return cast(HttpResponse, StreamingHttpResponse(content, content_type=content_type))


async def _by_and_by(pieces: Iterator[Any]) -> AsyncIterator[Any]:
    while (piece := await sync_to_async(lambda: next(pieces, None))()) is not None:
        yield piece


Answer = TypeVar("Answer", bound=HttpResponseBase)


def download(response: Answer, name: str) -> Answer:
    """Turn an answer into a file of this name, which no cache keeps."""
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    patch_cache_control(response, private=True, no_store=True)
    return response
