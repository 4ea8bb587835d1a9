"""Translation of domain errors into pages, in this one place.

A view decorated with `answered` may let any `DomainError` pass. `submitted` catches the errors that a form can mend and
puts them beside their fields.

- PermissionDenied becomes 404, whether something is forbidden or does not exist. A guest is asked to sign in. Below a
  community that the viewer may not read, it leads to the page on which they can join, and from there back.
- What is in a community that an operator has hidden leads its members to its page, which says why.
- On managers' pages (`managers_only`) it becomes 403: everybody sees the list of communities, so nothing is to hide.
- Any other refusal becomes a message on the page with the form; where htmx asked, 409 with just that message.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.contrib import messages
from django.forms import Form
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import resolve, reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django_htmx.http import reswap, retarget

from accounts.errors import DomainError
from accounts.requests import HtmxRequest
from accounts.returning import page_before, sign_in_first
from democracy import access
from democracy.errors import CommunityHidden, PermissionDenied

P = ParamSpec("P")
T = TypeVar("T")
View = Callable[Concatenate[HtmxRequest, P], HttpResponse]


def answered(view: View[P]) -> View[P]:
    """Let a view raise domain errors, and answer them."""

    @functools.wraps(view)
    def wrapper(request: HtmxRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except PermissionDenied as error:
            if not request.user.is_authenticated:
                return sign_in_first(request)
            if _is_behind_a_closed_door(request, kwargs.get("community_id")):
                return _to_the_door(request, kwargs["community_id"])
            raise Http404 from error
        except DomainError as error:
            messages.error(request, error.message)
            return _refused(request)

    return wrapper


def _is_behind_a_closed_door(request: HtmxRequest, community_id: Any) -> bool:
    """Whether a page was asked for in a community that exists, as everybody may know, and that the viewer can't read.

    What lies behind is not looked at, so the answer is the same whether it is there or not.
    """
    is_page = request.method in {"GET", "HEAD"} and not request.htmx and request.accepts("text/html")
    if community_id is None or not is_page or not getattr(resolve(request.path).func, "is_page", True):
        return False
    is_there = access.communities_known_to(request.user).filter(pk=community_id).exists()
    return is_there and not access.communities_readable_by(request.user).filter(pk=community_id).exists()


def _to_the_door(request: HtmxRequest, community_id: Any) -> HttpResponse:
    """Lead to the community's page, which shows how to join, and leads back to this address whoever is in."""
    query = urlencode({"next": request.get_full_path()})
    return redirect(f"{reverse('community', args=[community_id])}?{query}")


def wanted(request: HtmxRequest) -> str:
    """The page of this site, named by `next`, that somebody was on the way to; "" where there is none."""
    address = request.POST.get("next") or request.GET.get("next") or ""
    return address if address.startswith("/") and url_has_allowed_host_and_scheme(address, allowed_hosts=None) else ""


def managers_only(view: View[P]) -> View[P]:
    """Let only managers of the community open a page (`community_id` in its address), and answer domain errors: 404
    where there is no such community, 403 for everybody else.
    """

    @functools.wraps(view)
    def wrapper(request: HtmxRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        community_id: Any = kwargs["community_id"]
        if not access.communities_known_to(request.user).filter(pk=community_id).exists():
            raise Http404
        if not request.user.is_authenticated:
            return sign_in_first(request)
        try:
            access.require_manager(request.user, community_id)
        except CommunityHidden:
            return _to_the_door(request, community_id)
        except PermissionDenied:
            return render(request, "403.html", status=403)
        return answered(view)(request, *args, **kwargs)

    return wrapper


def submitted(form: Form, command: Callable[[Mapping[str, Any]], T]) -> T | None:
    """Run a command on a form's cleaned data. If the form or the command refuses, put the reason beside its field and
    return None. Raises PermissionDenied.
    """
    if not form.is_valid():
        return None
    try:
        return command(form.cleaned_data)
    except PermissionDenied:
        raise
    except DomainError as error:
        for one in error.parts:
            form.add_error(one.field if one.field in form.fields else None, one.message)
        return None


def _refused(request: HtmxRequest) -> HttpResponse:
    """Show the message on the page as it is; the element that asked is not replaced."""
    if not request.htmx:
        return redirect(back(request))
    response = render(request, "components/_messages.html", status=409)
    return reswap(retarget(response, "#messages"), "innerHTML")


def back(request: HtmxRequest) -> str:
    """The page of this site with the form that was sent."""
    return page_before(request) or "/"


def opened_from(request: HtmxRequest) -> str:
    """The page of this site over which a dialog was opened, which its form hands on; "" where there was none."""
    return _ours(request, request.POST.get("next") or request.htmx.current_url)


def _ours(request: HtmxRequest, address: str | None) -> str:
    is_ours = url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    # A word alone would be taken for the name of a view.
    return address if address and is_ours and address.startswith(("/", "http://", "https://")) else ""
