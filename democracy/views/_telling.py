"""The context of `democracy/_telling.html` and `democracy/_verify.html`: telling of a result, and checking it."""

from __future__ import annotations

from typing import Any

from democracy import access
from democracy.access import Viewer
from democracy.ledger import signing
from democracy.models import Ballot, Community
from democracy.presenting.sharing import told


def telling(viewer: Viewer, context: dict[str, Any]) -> dict[str, Any]:
    """The part of the decision that all may see (`shared`), None where that is nothing; `published`: its row where
    a manager has published the result. `context`: that of `result_panel`.
    """
    decision, published = context["decision"], None
    if context["community"].visibility != Community.Visibility.PUBLIC:
        published = access.published_results_visible_to(viewer).filter(decision=decision).first()
        if published is None:
            return {"shared": None, "published": None}
    token = published.token if published is not None else ""
    return {"shared": told(decision, context["choices"], context["snapshot"], token=token), "published": published}


def checking(context: dict[str, Any]) -> dict[str, Any]:
    """The ways in which the viewer can check the result: whether they have a receipt, and the command to run."""
    decision, member = context["decision"], context["membership"]
    has_receipt = member is not None and Ballot.objects.filter(decision=decision, membership=member).exists()
    files = [f"decision-{decision.pk}.json", f"ledger-{decision.community_id}.jsonl"]
    files += [f"receipt-{decision.pk}.json"] if has_receipt else []
    command = f"python3 crowdvote_verify.py {' '.join(files)} --key {signing.public_key()}"
    return {"has_receipt": has_receipt, "verify_command": command}
