"""Template tags and filters: icons, pictures, stars, bars, times, numbers, states, links.

None uses a style attribute, which the content security policy forbids: widths are attributes of SVG elements.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django import template
from django.http import QueryDict
from django.template.context import RequestContext
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from accounts.models import User
from accounts.text import ended as ended_text
from crowdvote import __version__
from crowdvote.pages import avatars
from crowdvote.pages.icons import PATHS, STAR
from democracy.demo.captions import captions
from democracy.presenting import numbers
from democracy.presenting.markdown import as_html, as_plain
from democracy.reading.notices import unread_count
from graph import FIVE_STARS

register = template.Library()


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """Draw an icon by name; it is decoration unless `label` gives it a meaning."""
    meaning = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    return format_html('<svg class="icon" viewBox="0 0 24 24" {}><path d="{}"/></svg>', meaning, PATHS[name])


@register.simple_tag
def star_shape(kind: str = "") -> SafeString:
    """Draw a single star for the style sheet to fill."""
    return format_html(
        '<svg {} viewBox="0 0 24 24" aria-hidden="true"><path d="{}"/></svg>',
        format_html('class="{}"', kind) if kind else "",
        STAR,
    )


@register.simple_tag
def avatar(handle: str = "", size: int = 32) -> SafeString:
    """Draw the picture of a public handle; without a handle, the one that anonymous members share."""
    return avatars.avatar(handle, size=size)


@register.filter
def with_captions(people: Iterable[User]) -> list[tuple[User, str]]:
    """Give each of the people of the demo a caption: what one sees by entering as them."""
    found = list(people)
    said = captions(found)
    return [(person, said.get(person.pk, "")) for person in found]


# --- What people wrote ------------------------------------------------------------------------------------------------


@register.filter
def markdown(text: str) -> SafeString:
    """Show what somebody wrote with its links, lists and emphasis. Put it into an element of the class `written`."""
    return as_html(text)


@register.filter
def plain(text: str) -> str:
    """Return the words of what somebody wrote, without the signs of Markdown."""
    return as_plain(text)


@register.filter
def ended(text: str) -> str:
    """End a sentence that may end with a name with one full stop."""
    return ended_text(text)


# --- Numbers ----------------------------------------------------------------------------------------------------------


@register.filter
def as_stars(microstars: int | str | None) -> str:
    """Write microstars as stars, with at most two decimals: "5" for 5000000, "3.33" for 3333333; a dash for none."""
    return "–" if microstars is None or microstars == "" else numbers.stars_text(microstars)


@register.filter
def grouped(number: int | None) -> str:
    """Write 12345 as "12,345"."""
    return "–" if number is None else f"{number:,}"


@register.filter
def percent(share: float | None) -> str:
    """Write a share as a whole percentage: 0.13 as "13%"; a dash for none."""
    return "–" if share is None else numbers.short_percent(share)


@register.filter
def share_of(part: float, whole: float) -> float:
    """Return `part / whole`, or 0 if the whole is 0, for bars and percentages."""
    return part / whole if whole else 0.0


# --- Stars and bars ---------------------------------------------------------------------------------------------------


@register.simple_tag
def stars(microstars: int | None) -> SafeString:
    """Draw five stars, filled by `microstars`, with the number beside them."""
    text = as_stars(microstars)
    # The stars lie side by side in 120 x 24; a nested drawing of limited width cuts the full ones off.
    width = min(max((microstars or 0) / FIVE_STARS, 0), 1) * 120
    return format_html(
        '<span class="stars"><svg viewBox="0 0 120 24" aria-hidden="true">'
        '<use href="#five-stars" class="empty-stars"/><svg width="{}" height="24">'
        '<use href="#five-stars" class="full-stars"/></svg></svg><b>{}</b>'
        '<span class="visually-hidden"> of 5 stars</span></span>',
        f"{width:.2f}",
        text,
    )


@register.simple_tag
def bar(share: float, kind: str = "") -> SafeString:
    """Draw a horizontal bar filled to `share` (0 to 1). It is decoration: write the number beside it."""
    filled = f"{min(max(share, 0), 1) * 100:.2f}%"
    return format_html(
        '<svg class="bar {}" aria-hidden="true"><rect class="track" width="100%" height="100%" rx="4"/>'
        '<rect class="fill" width="{}" height="100%" rx="4"/></svg>',
        kind,
        filled,
    )


# --- Times ------------------------------------------------------------------------------------------------------------


@register.simple_tag
def when(moment: datetime | None, form: str = "datetime") -> SafeString:
    """Write a moment in UTC; time.js converts it to the reader's time zone.

    `form` is datetime, date, time, relative ("3 minutes ago") or countdown ("2 days 4 hours").
    """
    if moment is None:
        return mark_safe('<span class="muted">never</span>')
    moment = moment.astimezone(timezone.get_default_timezone())
    text = {"date": f"{moment:%-d %b %Y}", "time": f"{moment:%H:%M} UTC"}.get(form, f"{moment:%-d %b %Y, %H:%M} UTC")
    return format_html('<time datetime="{}" data-time="{}">{}</time>', moment.isoformat(), form, text)


@register.simple_tag
def when_about(moment: datetime) -> SafeString:
    """Write the hour in which something happened, in UTC, where nothing more exact may be told."""
    moment = moment.astimezone(timezone.get_default_timezone())
    return format_html('<time datetime="{}">{}</time>', moment.isoformat(), f"{moment:%-d %b %Y}, {moment:%H}:… UTC")


@register.simple_tag
def hash_value(value: str, name: str) -> SafeString:
    """Write a whole hash, key or signature, which wraps, is selected at once, and has a button to copy it.

    `name` is the id of its element.
    """
    return format_html(
        '<code class="hash" id="{0}">{1}</code> '
        '<button type="button" class="button quiet small" data-copies="{0}" hidden>Copy</button>',
        name,
        value,
    )


# --- Links ------------------------------------------------------------------------------------------------------------


@register.simple_tag
def address(name: str, *args: object, **kwargs: object) -> str:
    """Return the address of a named page, or "" if there is no such page."""
    try:
        return reverse(name, args=args, kwargs=kwargs)
    except NoReverseMatch:
        return ""


@register.simple_tag(takes_context=True)
def nav_link(context: RequestContext, name: str, text: str) -> SafeString:
    """Link to a page in the navigation, and mark the current one. Empty if there is no such page."""
    url = address(name)
    if not url:
        return mark_safe("")
    request = context.get("request")
    path = request.path if request is not None else ""
    here = mark_safe(' aria-current="page"') if path == url else mark_safe(' aria-current="true"')
    return format_html('<li><a href="{}"{}>{}</a></li>', url, here if path.startswith(url) else "", text)


@register.simple_tag(takes_context=True)
def unread_notices(context: RequestContext) -> int:
    """Count the viewer's unread notices; 0 for visitors."""
    user = context.get("user")
    return unread_count(user) if isinstance(user, User) else 0


@register.simple_tag
def version() -> str:
    """Return the version of CrowdVote that serves the page."""
    return __version__


@register.simple_tag
def breadcrumb(*steps: str) -> SafeString:
    """Show the path to this page. Takes texts and addresses in turn, and the text of this page last."""
    *way, here = steps
    links = format_html_join("", '<li><a href="{}">{}</a></li>', zip(way[1::2], way[::2], strict=True))
    return format_html(
        '<nav class="breadcrumb" aria-label="Breadcrumb"><ol>{}<li aria-current="page">{}</li></ol></nav>', links, here
    )


@register.simple_tag(takes_context=True)
def page_link(context: RequestContext, number: int, text: str, parameter: str = "", target: str = "") -> SafeString:
    """Link to another page of a list by a button. With `target` (an id), only that fragment is replaced."""
    query = context["request"].GET.copy()
    query[parameter or "page"] = str(number)
    return format_html(
        '<a class="button secondary small" href="?{0}"{1}>{2}</a>',
        query.urlencode(),
        _swaps(query, target, show=" show:top"),
        text,
    )


@register.simple_tag(takes_context=True)
def sort_header(context: RequestContext, key: str | int, text: str, target: str = "", kind: str = "") -> SafeString:
    """Show a column's head that sorts the table by `?sort=key`, or by `-key` if it already does."""
    query = context["request"].GET.copy()
    present = query.get("sort", "")
    direction = {f"{key}": "ascending", f"-{key}": "descending"}.get(present, "none")
    query["sort"] = f"-{key}" if direction == "ascending" else f"{key}"
    query.pop("page", None)
    return format_html(
        '<th scope="col"{} aria-sort="{}"><a class="sort" href="?{}"{}><span>{}</span></a></th>',
        format_html(' class="{}"', kind) if kind else "",
        direction,
        query.urlencode(),
        _swaps(query, target),
        text,
    )


def _swaps(query: QueryDict, target: str, *, show: str = "") -> SafeString:
    if not target:
        return mark_safe("")
    return format_html(
        ' hx-get="?{}" hx-target="#{}" hx-swap="outerHTML{}" hx-push-url="true"', query.urlencode(), target, show
    )


# --- States -----------------------------------------------------------------------------------------------------------

BADGES = {
    "open": "Open",
    "closed": "Closed",
    "called_off": "Called off",
    "draft": "Draft",
    "scheduled": "Opens later",
    "final": "FINAL",
    "final result": "FINAL RESULT",
    "interim": "Interim",
}


@register.simple_tag
def badge(state: str) -> SafeString:
    """Show the state of a decision, or of its result, as a word on a coloured ground."""
    return format_html('<span class="badge {}">{}</span>', state.replace("_", "-"), BADGES[state])


@register.simple_tag
def runoff_bar(ahead: int, behind: int, equal: int, series_a: int | str = "", series_b: int | str = "") -> SafeString:
    """Draw the runoff: ballots for one finalist from the left, for the other from the right, no preference between.

    A line marks half of the ballots with a preference. `series_a` and `series_b` are the numbers of the finalists'
    colours, if any. Write the numbers beside it.
    """
    total = (ahead + behind + equal) or 1
    left, right = ahead / total * 100, behind / total * 100
    half = f"{(ahead + behind) / total * 50:.2f}%"
    line = format_html('<line class="majority" x1="{0}" x2="{0}" y1="-4" y2="44"/>', half) if ahead + behind else ""
    return format_html(
        '<svg aria-hidden="true"><rect class="neither" width="100%" height="100%" rx="6"/>'
        '<rect class="side-a{}" width="{}%" height="100%" rx="6"/>'
        '<rect class="side-b{}" x="{}%" width="{}%" height="100%" rx="6"/>{}</svg>',
        f" series-{series_a}" if series_a else "",
        f"{left:.2f}",
        f" series-{series_b}" if series_b else "",
        f"{100 - right:.2f}",
        f"{right:.2f}",
        line,
    )
