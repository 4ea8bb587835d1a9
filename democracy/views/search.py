"""Searching decisions and communities."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.requests import HtmxRequest
from accounts.text import search_words, whole_number
from democracy.forms.communities import SearchForm
from democracy.reading import communities as reading_communities
from democracy.reading import decisions as reading_decisions
from democracy.views._errors import answered
from democracy.views._pages import page_of, render_page

_COMMUNITIES_SHOWN = 6


@require_safe
@answered
def search(request: HtmxRequest) -> HttpResponse:
    """The decisions that the viewer may see, and the communities, with these words (`?q=`); of one community alone with
    `?community=`. Raises Http404 where the viewer may not read that one.
    """
    words = SearchForm(request.GET).value("q")
    number = whole_number(request.GET.get("community", ""))
    community = None if number is None else reading_communities.readable_community(request.user, number)
    context: dict[str, Any] = {"q": words, "community": community, "is_asked": bool(search_words(words))}
    if context["is_asked"]:
        found = reading_decisions.decisions_found(request.user, words, community=community)
        page = page_of(request, found)
        context |= {"page": page, "found": reading_decisions.decision_rows(page)}
        if community is None:
            communities = reading_communities.communities_listed(request.user, search=words)
            context["communities"] = communities[:_COMMUNITIES_SHOWN]
    fragments = {"found": "democracy/_search_found.html"}
    return render_page(request, "democracy/search.html", context, fragments=fragments)
