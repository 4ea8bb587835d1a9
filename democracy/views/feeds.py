"""Calendars of decisions, and feeds of public ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from django.contrib.auth.models import AnonymousUser
from django.contrib.syndication.views import Feed
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from django.views.decorators.http import require_safe

from accounts.requests import HtmxRequest
from accounts.returning import no_page
from democracy import access
from democracy.errors import PermissionDenied
from democracy.files.calendars import calendar_of
from democracy.models import Community, Decision
from democracy.presenting import addresses
from democracy.presenting.sharing import Shared, told
from democracy.reading.decisions import choices_of, newest_snapshots
from democracy.views._decisions import decision_frame
from democracy.views._errors import answered
from democracy.views._frames import frame
from democracy.views._pages import download

_MOST_EVENTS = 500
_MOST_ENTRIES = 30


# --- Calendars --------------------------------------------------------------------------------------------------------


@no_page
@require_safe
@answered
def community_calendar(request: HtmxRequest, community_id: int) -> HttpResponse:
    """The openings and closings of a community's decisions. Raises Http404 where the viewer may not read it."""
    community = frame(request.user, community_id, tab="")["community"]
    decisions = access.decisions_visible_to(request.user).published().filter(community=community)
    newest = decisions.select_related("community").order_by("-closes_at", "-pk")[:_MOST_EVENTS]
    return _calendar(list(newest), community.name, f"community-{community_id}.ics")


@no_page
@require_safe
@answered
def decision_calendar(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """The opening and the closing of one decision. Raises Http404 where the viewer may not see it, and for drafts."""
    decision: Decision = decision_frame(request.user, community_id, decision_id)["decision"]
    if decision.published_at is None:
        raise PermissionDenied
    return _calendar([decision], decision.title, f"decision-{decision_id}.ics")


def _calendar(decisions: Sequence[Decision], name: str, file: str) -> HttpResponse:
    return download(HttpResponse(calendar_of(decisions, name=name), content_type="text/calendar; charset=utf-8"), file)


# --- Feeds ------------------------------------------------------------------------------------------------------------


class _SteadyFeed(Atom1Feed):
    """A feed that is the same as long as its entries are: Django would say that one without entries changes all the
    time, and programs would take it for new.
    """

    def latest_post_date(self) -> datetime:
        return super().latest_post_date() if self.items else datetime.fromtimestamp(0, UTC)


class PublicDecisions(Feed):
    """The decisions that everybody may read, the newest first: of all public communities, or of one.

    It is made for a visitor, whoever asks. An entry changes when voting opens and when it closes, then with the result;
    or when the decision is called off. Raises Http404 where visitors may not read the community.
    """

    feed_type = _SteadyFeed

    def get_object(self, request: HttpRequest, community_id: int | None = None) -> Community | None:
        if community_id is None:
            return None
        return access.communities_readable_by(AnonymousUser()).get(pk=community_id)

    def title(self, community: Community | None) -> str:
        return f"Decisions of {community.name}" if community is not None else "Public decisions on CrowdVote"

    def link(self, community: Community | None) -> str:
        if community is None:
            return addresses.whole(reverse("communities"))
        return addresses.of_community("community", community.pk)

    def feed_url(self, community: Community | None) -> str:
        if community is None:
            return addresses.whole(reverse("public-feed"))
        return addresses.of_community("community-feed", community.pk)

    def items(self, community: Community | None) -> list[Shared]:
        found: QuerySet[Decision] = access.decisions_visible_to(AnonymousUser()).select_related("community")
        if community is not None:
            found = found.filter(community=community)
        decisions = list(found.order_by("-published_at", "-pk")[:_MOST_ENTRIES])
        ids = [decision.pk for decision in decisions]
        choices = choices_of(ids)
        finals = {one.decision_id: one for one in newest_snapshots(ids) if one.is_final}
        return [told(one, choices.get(one.pk, []), finals.get(one.pk)) for one in decisions]

    def item_title(self, item: Shared) -> str:
        return item.title

    def item_description(self, item: Shared) -> str:
        return item.description

    def item_link(self, item: Shared) -> str:
        return item.address

    def item_guid(self, item: Shared) -> str:
        return addresses.of_decision("decision", item.decision)

    def item_author_name(self, item: Shared) -> str:
        return item.decision.community.name

    def item_pubdate(self, item: Shared) -> datetime | None:
        return item.decision.published_at

    def item_updateddate(self, item: Shared) -> datetime | None:
        decision = item.decision
        match decision.status:
            case Decision.Status.CLOSED:
                return decision.closes_at
            case Decision.Status.CALLED_OFF:
                return decision.called_off_at
            case Decision.Status.OPEN:
                return decision.opens_at
            case _:
                return decision.published_at


public_decisions = no_page(require_safe(PublicDecisions()))
