"""The GraphiQL page: an explorer of the API, served from this project's own files."""

from __future__ import annotations

from csp.constants import SELF, UNSAFE_INLINE
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


async def graphiql_page(request: HttpRequest) -> HttpResponse:
    """Return GraphiQL, acting as whoever is signed in in this browser.

    This is the only page that allows inline styles, by which its editor positions text. Scripts are as restricted as
    everywhere.
    """
    response = render(request, "graphql/graphiql.html", {"viewer": await request.auser()})
    # The attribute that csp_update sets; that decorator is for synchronous views only.
    response._csp_update = {"style-src": [SELF, UNSAFE_INLINE]}  # type: ignore[attr-defined]
    return response
