"""The ledger as a readable feed."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from democracy import feed
from democracy.forms.communities import LedgerForm
from democracy.views._errors import answered
from democracy.views._frames import frame
from democracy.views._pages import render_page

_PER_PAGE = 50


@require_safe
@answered
def community_ledger(request: HttpRequest, community_id: int) -> HttpResponse:
    """What changed in a community, newest first, as the viewer may know it. Raises Http404 where the viewer may not
    read the community.
    """
    form, context = LedgerForm(request.GET), frame(request.user, community_id, tab="ledger")
    items = feed.feed(
        request.user,
        context["community"],
        before=form.number("before"),
        kind=form.value("kind"),
        first=_PER_PAGE + 1,
    )
    context |= {
        "items": items[:_PER_PAGE],
        "older": items[_PER_PAGE - 1].revision if len(items) > _PER_PAGE else None,
        "kind": form.value("kind"),
        "kinds": form.fields["kind"].choices,  # type: ignore[attr-defined]
    }
    fragments = {"ledger": "democracy/_ledger.html"}
    return render_page(request, "democracy/ledger.html", context, fragments=fragments)
