"""Commands on published results: a members-only decision's result at an address of its own."""

from __future__ import annotations

from django.db import transaction

from democracy import access, eventlog, ledger
from democracy.access import Viewer
from democracy.errors import PermissionDenied, PublicAlready, ResultNotFinal
from democracy.models import Community, Decision, Membership, PublishedResult
from democracy.services.commands import command


@command
def publish_result(viewer: Viewer, decision_id: int) -> PublishedResult:
    """Show the result of a closed members-only decision to whoever has its address, which nobody can guess.

    A result that is published already keeps its address. Managers only. Raises PermissionDenied, PublicAlready,
    ResultNotFinal.
    """
    decision, manager = _managed(viewer, decision_id)
    with ledger.recording(decision.community_id, actor=manager.user) as recording:
        decision.refresh_from_db()
        if recording.community.visibility == Community.Visibility.PUBLIC:
            raise PublicAlready("Everybody can read this result already: pass on the address of its page.")
        if decision.called_off_at is not None:
            raise ResultNotFinal("This decision was called off: there is no result.")
        if decision.published_at is None or decision.closes_at is None or recording.time < decision.closes_at:
            raise ResultNotFinal("The result can be published once voting has closed.")
        published, is_new = PublishedResult.objects.get_or_create(
            decision=decision, defaults={"published_at": recording.time}
        )
        if is_new:
            actor = access.display_name(manager)
            transaction.on_commit(lambda: eventlog.result_published(actor, decision.title), robust=True)
    return published


@command
def withdraw_result(viewer: Viewer, decision_id: int) -> Decision:
    """Take a published result back: its address leads nowhere from now on, also after publishing again.

    Managers only. Raises PermissionDenied.
    """
    decision, manager = _managed(viewer, decision_id)
    with ledger.recording(decision.community_id, actor=manager.user):
        count, _ = PublishedResult.objects.filter(decision=decision).delete()
        if count:
            actor = access.display_name(manager)
            transaction.on_commit(lambda: eventlog.result_withdrawn(actor, decision.title), robust=True)
    return decision


def _managed(viewer: Viewer, decision_id: int) -> tuple[Decision, Membership]:
    decision = Decision.objects.filter(pk=decision_id).first()
    if decision is None:
        raise PermissionDenied
    return decision, access.require_manager(viewer, decision.community_id)
