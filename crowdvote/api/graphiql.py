"""The GraphiQL page: an explorer of the API, served from this project's own files."""

from __future__ import annotations

from csp.constants import SELF, UNSAFE_INLINE
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


async def graphiql_page(request: HttpRequest) -> HttpResponse:
    """GraphiQL for whoever is signed in in this browser.

    The page is the only one that allows inline styles: its editor positions text with them. Scripts stay as strict as
    everywhere.
    """
    response = render(request, "graphql/graphiql.html", {"viewer": await request.auser()})
    # What csp_update would set; that decorator knows synchronous views only.
    response._csp_update = {"style-src": [SELF, UNSAFE_INLINE]}  # type: ignore[attr-defined]
    return response
