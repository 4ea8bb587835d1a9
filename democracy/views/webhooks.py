"""The page on which managers have other programs told of their community's decisions."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from accounts.requests import HtmxRequest
from accounts.returning import no_page
from democracy import services
from democracy.forms.webhooks import WebhookForm
from democracy.models import Webhook
from democracy.reading import webhooks
from democracy.views._errors import managers_only, submitted
from democracy.views._frames import frame
from democracy.views._pages import render_page


@require_http_methods(["GET", "HEAD", "POST"])
@managers_only
def community_webhooks(request: HtmxRequest, community_id: int) -> HttpResponse:
    """Add a webhook, and see the others with what became of their messages. The new one's secret is shown this once, in
    the page itself. Raises Http404 where there is no such community; answers others than its managers with 403.
    """
    if request.method != "POST":
        return _page(request, community_id)
    form = WebhookForm(request.POST)
    made = submitted(form, lambda data: services.create_webhook(request.user, community_id, **data))
    if made is None:
        return _page(request, community_id, form=form)
    return _page(request, community_id, told=made)


@no_page
@require_POST
@managers_only
def webhook_secret(request: HtmxRequest, community_id: int, webhook_id: int) -> HttpResponse:
    """Make a new secret, and show it in the page itself. Raises Http404 where there is no such webhook of the
    community; answers others than its managers with 403.
    """
    webhooks.require_webhook(request.user, community_id, webhook_id)
    return _page(request, community_id, told=services.renew_webhook_secret(request.user, webhook_id))


@no_page
@require_POST
@managers_only
def webhook_test(request: HtmxRequest, community_id: int, webhook_id: int) -> HttpResponse:
    """Send a test. Raises Http404 where there is no such webhook of the community; answers others than its managers
    with 403.
    """
    webhooks.require_webhook(request.user, community_id, webhook_id)
    services.send_webhook_test(request.user, webhook_id)
    messages.success(request, "A test is on its way. Load this page again in a few seconds to see what came of it.")
    return redirect("community-webhooks", community_id)


@no_page
@require_POST
@managers_only
def webhook_delete(request: HtmxRequest, community_id: int, webhook_id: int) -> HttpResponse:
    """Delete a webhook. Raises Http404 where there is no such webhook of the community; answers others than its
    managers with 403.
    """
    webhooks.require_webhook(request.user, community_id, webhook_id)
    services.delete_webhook(request.user, webhook_id)
    messages.success(request, "The webhook was deleted.")
    return redirect("community-webhooks", community_id)


def _page(
    request: HtmxRequest, community_id: int, *, form: WebhookForm | None = None, told: Webhook | None = None
) -> HttpResponse:
    """The page. `told`: a webhook whose secret is shown now, and never again."""
    found = webhooks.webhooks_of(request.user, [community_id]).get(community_id, [])
    deliveries = webhooks.last_deliveries(request.user, [one.pk for one in found])
    context: dict[str, Any] = frame(request.user, community_id, tab="settings") | {
        "webhooks": [(one, deliveries.get(one.pk, [])) for one in found],
        "form": form or WebhookForm(),
        "told": told,
    }
    return render_page(request, "democracy/webhooks.html", context)
