"""Pseudonyms: the names of anonymous members, another in each decision, made with the site's secret key."""

from __future__ import annotations

from django.utils.crypto import salted_hmac

from democracy import eventlog
from democracy.models import StagedBallot


def pseudonym(decision_id: int, membership_id: int, *, kind: str = StagedBallot.Kind.CAST) -> str:
    """The name of an anonymous member in one decision: stable there, and unrelated to their names in other decisions.

    `kind`: an inherited ballot bears another name than a cast one, so that somebody who knows the one does not find the
    other.
    """
    named = f"{decision_id}:{membership_id}"
    if kind == StagedBallot.Kind.INHERITED:
        named += ":inherited"
    digest = salted_hmac("democracy.pseudonym", named, algorithm="sha256").hexdigest()
    return f"{eventlog.ANONYMOUS_MEMBER} {digest[:12]}"


def pseudonym_id(decision_id: int, membership_id: int, *, kind: str = StagedBallot.Kind.CAST) -> str:
    """The id of somebody under a pseudonym: in the decision's bundle, and in what the ledger says of their ballot."""
    return pseudonym(decision_id, membership_id, kind=kind).lower().replace(" ", "-")
