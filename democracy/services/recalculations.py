"""Commands that ask for a decision to be calculated from scratch."""

from __future__ import annotations

import secrets

from django.db import transaction

from accounts.models import User
from democracy import access, eventlog, ledger
from democracy.access import Viewer
from democracy.errors import DecisionCalledOff, DecisionClosed, InvalidInput, PermissionDenied
from democracy.ledger import Change
from democracy.models import Decision, LedgerEntry
from democracy.services.commands import command
from democracy.services.decisions import managed_decision


@command
def request_recalculation(viewer: Viewer, decision_id: int) -> Decision:
    """Have a decision calculated from scratch in the background. Managers only. A final result never changes.

    Raises PermissionDenied, DecisionCalledOff, DecisionClosed; InvalidInput for a draft.
    """
    decision, manager = managed_decision(viewer, decision_id)
    return _recalculate(decision, manager.user, access.display_name(manager))


@command
def request_recalculation_as_operator(viewer: Viewer, decision_id: int) -> Decision:
    """Have a decision calculated from scratch for a superuser, who needs to manage nothing: no input changes.

    Raises PermissionDenied, DecisionCalledOff, DecisionClosed; InvalidInput for a draft.
    """
    user = access.require_user(viewer)
    decision = Decision.objects.filter(pk=decision_id).first()
    if decision is None or not user.is_superuser:
        raise PermissionDenied
    own = access.membership_of(user, decision.community_id)
    return _recalculate(decision, user, user.handle if own is None else access.display_name(own))


def _recalculate(decision: Decision, user: User, name: str) -> Decision:
    with ledger.recording(decision.community_id, actor=user) as recording:
        decision.refresh_from_db()
        if decision.published_at is None:
            raise InvalidInput("A draft has no result to calculate.")
        if decision.called_off_at is not None:
            raise DecisionCalledOff
        if decision.closes_at is not None and recording.time >= decision.closes_at:
            raise DecisionClosed("This decision is closed; its result is final.")
        recording.add(recalculation_change(decision.pk))
        transaction.on_commit(lambda: eventlog.manual_recalculation(name, decision.title), robust=True)
    return decision


def recalculation_change(decision_id: int | None) -> Change:
    """The change that asks for a calculation from scratch; `decision_id`: None for all of the community's."""
    return Change(
        LedgerEntry.Kind.RECALCULATION,
        f"recalculation:{secrets.token_hex(8)}",
        lambda: {"requested": True},
        decision_id=decision_id,
        is_new=True,
    )
