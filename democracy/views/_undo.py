"""Undoing an abstention or a withdrawal, which drop a ballot at one press, while the page is shown.

The page gets the earlier ballot as a form that casts it again, and what was typed beside it. Without scripts the page
comes by another request; until then the session keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from django.utils.http import urlencode

from accounts.requests import HtmxRequest
from democracy.forms.decisions import fields_of
from democracy.models import Ballot

_KEY = "undo-ballot"
_ABSTAINED = "The stars you had given are not counted. They are still in the form below."
_NOTHING_TYPED = "You gave no stars before."
_WITHDRAWN = "The ballot that you had cast can still be cast again as it was."


@dataclass(frozen=True)
class Undo:
    """A form that undoes it. `does`: the name of the address to post to; `fields`: what to post there."""

    does: str
    fields: Mapping[str, str]
    text: str


def undo_of(before: Ballot | None, *, typed: Mapping[str, str] | None = None) -> Undo:
    """The way back to the ballot (None: to none) that a member had before they abstained or withdrew.

    `typed`: what they had typed when they abstained.
    """
    is_rated = any(value for name, value in (typed or {}).items() if name.startswith("choice-"))
    text = _WITHDRAWN if typed is None else _ABSTAINED if is_rated else _NOTHING_TYPED
    beside = {"typed": urlencode(typed)} if typed else {}
    if before is None:
        return Undo("vote-withdraw", beside, text)
    return Undo("vote_submit", fields_of(before) | beside, text)


def keep(request: HtmxRequest, decision_id: int, undo: Undo | None, typed: Mapping[str, str] | None) -> None:
    """Keep an undo, and what was typed, for the page that the browser goes on to."""
    request.session[_KEY] = {"decision": decision_id, "undo": asdict(undo) if undo else None, "typed": typed}


def undone(request: HtmxRequest, decision_id: int) -> tuple[Undo | None, Mapping[str, str] | None]:
    """Take what was kept for this page: the undo, and what was typed."""
    kept = request.session.get(_KEY)
    if kept is None or kept["decision"] != decision_id:
        return None, None
    del request.session[_KEY]
    return Undo(**kept["undo"]) if kept["undo"] else None, kept["typed"]
