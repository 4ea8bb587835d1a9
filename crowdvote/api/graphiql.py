"""The GraphiQL page: an explorer of the API, served from this project's own files."""

from __future__ import annotations

import json

from asgiref.sync import sync_to_async
from csp.constants import SELF, UNSAFE_INLINE
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.utils import timezone

from accounts.api import node_id
from accounts.models import User
from democracy import access
from democracy.models import Decision


async def graphiql_page(request: HttpRequest) -> HttpResponse:
    """Return GraphiQL, acting as whoever is signed in in this browser, with a query of this site.

    This is the only page that allows inline styles, by which its editor positions text. Scripts are as restricted as
    everywhere.
    """
    viewer = await request.auser()
    decision = await sync_to_async(_newest_decision)(viewer)
    variables = {"search": ""} if decision is None else {"id": node_id("Decision", decision)}
    context = {"viewer": viewer, "decision_id": decision, "variables": json.dumps(variables, indent=2)}
    # The page's script reads the token from its cookie.
    get_token(request)
    response = render(request, "graphql/graphiql.html", context)
    # The attribute that csp_update sets; that decorator is for synchronous views only.
    response._csp_update = {"style-src": [SELF, UNSAFE_INLINE]}  # type: ignore[attr-defined]
    return response


def _newest_decision(viewer: User | AnonymousUser) -> int | None:
    """Return the decision that opened last, of those that the viewer may see and whose results are live."""
    visible = access.decisions_visible_to(viewer)
    opened = visible.filter(opens_at__lte=timezone.now(), results_visibility=Decision.Visibility.LIVE)
    return opened.order_by("-opens_at", "-pk").values_list("pk", flat=True).first()
