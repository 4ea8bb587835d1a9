"""The ledger as a readable feed, entry by entry, and as a file."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

from accounts.requests import HtmxRequest
from accounts.returning import no_page
from democracy.errors import PermissionDenied
from democracy.forms.communities import LedgerForm
from democracy.ledger import checkpoints
from democracy.reading import ledger_feed, receipts
from democracy.reading.differences import differences
from democracy.views._errors import answered
from democracy.views._frames import frame
from democracy.views._pages import download, render_page, streamed

_PER_PAGE = 50


@require_safe
@answered
def community_ledger(request: HtmxRequest, community_id: int) -> HttpResponse:
    """The changes in a community, newest first, as the viewer may know them. Raises Http404 where the viewer may not
    read the community.
    """
    form, context = LedgerForm(request.GET), frame(request.user, community_id, tab="ledger")
    words, kind, decision = form.value("q"), form.value("kind"), form.number("decision")
    found = ledger_feed.search(
        request.user,
        context["community"],
        words,
        before=form.number("before"),
        kind=kind,
        decision=decision,
        first=_PER_PAGE,
    )
    context |= {
        "items": found.items,
        "older": found.older,
        "q": words,
        "kind": kind,
        "kinds": form.fields["kind"].choices,  # type: ignore[attr-defined]
        "decision_id": decision,
        "decisions": ledger_feed.decisions(request.user, context["community"]),
    }
    fragments = {"ledger": "democracy/_ledger.html"}
    return render_page(request, "democracy/ledger.html", context, fragments=fragments)


@require_safe
@answered
def ledger_entry(request: HtmxRequest, community_id: int, revision: int) -> HttpResponse:
    """One entry: what happened, what was before and after, and what proves it. Raises Http404 where there is none for
    the viewer.
    """
    context = frame(request.user, community_id, tab="ledger")
    item = ledger_feed.entry(request.user, context["community"], revision)
    if item is None:
        raise PermissionDenied
    context |= {
        "item": item,
        "differences": list(differences(item.before, item.after)),
        "last": context["community"].revision,
    }
    return render_page(request, "democracy/ledger_entry.html", context)


@no_page
@require_safe
@answered
def ledger_download(request: HtmxRequest, community_id: int) -> HttpResponse:
    """The ledger as a file, with the entries opened that the viewer may open; read as it is sent. Raises Http404 where
    the viewer may not read the community.
    """
    community = frame(request.user, community_id, tab="ledger")["community"]
    pieces = receipts.ledger_file(request.user, community)
    return download(streamed(request, pieces, "application/jsonl"), f"ledger-{community_id}.jsonl")


@no_page
@require_safe
@answered
def community_checkpoint(request: HtmxRequest, community_id: int) -> HttpResponse:
    """A checkpoint of the ledger as it is now, to keep and to compare with later ones. Raises Http404 where the viewer
    may not read the community.
    """
    community = frame(request.user, community_id, tab="ledger")["community"]
    response = JsonResponse(checkpoints.content(receipts.checkpoint_now(community)))
    patch_cache_control(response, private=True, no_store=True)
    return response
