"""The reader of the ledgers: it turns entries into notices, and moves each community's cursor in the same transaction.

See Note [None lost, hardly one doubled].
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce

from accounts.outages import DATABASE_AWAY
from democracy.models import Application, Community, LedgerEntry, Membership, Moderation, NoticeCursor, NoticeMark
from democracy.notices import outbox, recipients
from democracy.notices.kinds import Kind
from democracy.notices.outbox import Draft

logger = logging.getLogger(__name__)

# Nobody is told of ballots: most entries are not even read.
_TOLD = (
    LedgerEntry.Kind.APPLICATION,
    LedgerEntry.Kind.MEMBERSHIP,
    LedgerEntry.Kind.FOLLOWING,
    LedgerEntry.Kind.DECISION,
    LedgerEntry.Kind.MODERATION,
)
_BATCH = 500


def read_ledgers() -> None:
    """Read what is new in every community's ledger."""
    cursor = NoticeCursor.objects.filter(community=OuterRef("pk")).values("revision")
    read_up_to = Coalesce(Subquery(cursor), 0)
    behind = Community.objects.annotate(read_up_to=read_up_to).filter(revision__gt=F("read_up_to"))
    for community_id in list(behind.order_by("pk").values_list("pk", flat=True)):
        try:
            while read_some(community_id):
                pass
        except DATABASE_AWAY:
            raise
        except Exception:
            # An entry that can't be read holds up its own community alone.
            logger.exception("notices of community %s wait", community_id)


def read_some(community_id: int) -> bool:
    """Read some new entries of a community; False where there are none."""
    cursor, _ = NoticeCursor.objects.get_or_create(community_id=community_id)
    # The newest revision first: what is written meanwhile is read the next time.
    newest = Community.objects.values_list("revision", flat=True).get(pk=community_id)
    if newest <= cursor.revision:
        return False
    new = LedgerEntry.objects.filter(community=community_id, revision__gt=cursor.revision, revision__lte=newest)
    entries = list(new.filter(kind__in=_TOLD).order_by("revision")[:_BATCH])
    read_up_to = entries[-1].revision if len(entries) == _BATCH else newest
    unmoved = NoticeCursor.objects.filter(community=community_id, revision=cursor.revision)
    moved = {entry.decision_id for entry in entries if _moves_closing(entry)}
    due_again = NoticeMark.objects.filter(decision__in=moved, what=NoticeMark.What.CLOSES_SOON)

    def mark() -> bool:
        is_first = bool(unmoved.update(revision=read_up_to))
        if is_first and moved:
            due_again.delete()
        return is_first

    outbox.add_and_mark(_drafts(entries), mark)
    return True


def _moves_closing(entry: LedgerEntry) -> bool:
    """Whether an entry moves the closing of a published decision: who was reminded of the old one is told the new."""
    before, after = entry.before or {}, entry.after or {}
    is_published = entry.kind == LedgerEntry.Kind.DECISION and before.get("published") and after
    return bool(is_published) and before["closes_at"] != after["closes_at"]


def _drafts(entries: Sequence[LedgerEntry]) -> list[Draft]:
    """The notices of these entries. Nobody is told of what they did themselves."""
    return [
        draft
        for entry in entries
        for draft in _of_kind(entry, entry.before or {}, entry.after or {})
        if draft.person_id != entry.actor_id
    ]


def _of_kind(entry: LedgerEntry, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Draft]:
    match entry.kind:
        case LedgerEntry.Kind.APPLICATION if after:
            return _of_application(entry, before, after)
        case LedgerEntry.Kind.MEMBERSHIP if before and after:
            return _of_membership(entry, before, after)
        case LedgerEntry.Kind.FOLLOWING:
            return _of_following(entry, before, after)
        case LedgerEntry.Kind.DECISION if after.get("published"):
            return _of_decision(entry, before, after)
        case LedgerEntry.Kind.MODERATION if after:
            return _of_moderation(entry, after)
        case _:
            return iter(())


def _of_application(entry: LedgerEntry, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Draft]:
    status, community_id = after["status"], entry.community_id
    if status == before.get("status"):
        return
    if status == Application.Status.PENDING:
        # Its message is on the page; somebody may have decided on it meanwhile.
        pk = int(entry.subject.partition(":")[2])
        if Application.objects.pending().filter(pk=pk).exists():
            # Once a day, so that nobody fills mailboxes by withdrawing and applying again.
            subject = f"applicant:{community_id}:{after['user']}:{entry.time:%Y-%m-%d}"
            for person in recipients.managers(community_id):
                yield Draft(Kind.APPLICATION_WAITING, subject, person, community_id=community_id)
    elif status in {Application.Status.APPROVED, Application.Status.REJECTED} and after["decided_by"] is not None:
        is_approved = status == Application.Status.APPROVED
        yield Draft(
            Kind.APPLICATION_DECIDED,
            entry.subject,
            after["user"],
            community_id=community_id,
            data={"approved": is_approved},
        )


def _of_membership(entry: LedgerEntry, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Draft]:
    if before["active"] and not after["active"]:
        assert entry.membership_id is not None
        for person in recipients.followers(entry.membership_id):
            yield _gone(entry, entry.membership_id, person)


def _of_following(entry: LedgerEntry, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Draft]:
    content = after or before
    ends = Membership.objects.select_related("user").in_bulk([content["follower"], content["followee"]])
    follower, followee = ends.get(content["follower"]), ends.get(content["followee"])
    if follower is None or followee is None:
        return
    if not before and not follower.is_anonymous:
        yield Draft(Kind.NEW_FOLLOWER, entry.subject, followee.user_id, community_id=entry.community_id)
    elif not after and entry.actor_id == followee.user_id and follower.is_current:
        # It ended because the followee became anonymous. Whoever has left hears no more of members.
        yield _gone(entry, followee.pk, follower.user_id)


def _gone(entry: LedgerEntry, followee_id: int, person_id: int) -> Draft:
    """Tell a follower that they lost somebody, in the same words whatever the reason is, once a day: where everybody
    is let in, somebody may leave and come back as often as they like.
    """
    name = Membership.objects.values_list("user__name", flat=True).get(pk=followee_id)
    subject = f"{followee_id}:{entry.time:%Y-%m-%d}"
    return Draft(Kind.FOLLOWEE_GONE, subject, person_id, community_id=entry.community_id, data={"name": name})


def _of_decision(entry: LedgerEntry, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Draft]:
    told: dict[str, dict[str, Any]] = {}
    if before.get("published") and len(after["clarifications"]) > len(before["clarifications"]):
        # The text is read when the notice is: an operator may have hidden it by then.
        told[Kind.CLARIFIED] = {"clarification": len(before["clarifications"])}
    if after.get("called_off") and not before.get("called_off"):
        told[Kind.CALLED_OFF] = {}
    for kind, data in told.items():
        subject = f"{entry.subject}:{entry.revision}"
        for person in recipients.members(entry.community_id):
            yield Draft(
                kind, subject, person, community_id=entry.community_id, decision_id=entry.decision_id, data=data
            )


def _of_moderation(entry: LedgerEntry, after: dict[str, Any]) -> Iterator[Draft]:
    """Tell whoever wrote a comment, and of other texts and communities the managers."""
    of, is_under_pseudonym = after["of"], False
    people = recipients.managers(entry.community_id)
    if of.startswith("ballot:"):
        moderation = Moderation.objects.get(pk=int(entry.subject.partition(":")[2]))
        is_under_pseudonym = moderation.subject != moderation.told_as
        people = recipients.caster(moderation)
    for person in people:
        yield Draft(
            Kind.HIDDEN,
            f"{entry.subject}:{entry.revision}",
            person,
            community_id=entry.community_id,
            decision_id=entry.decision_id,
            data={
                "of": of.partition(":")[0],
                "place": after["place"].partition(":")[0],
                "reason": after["reason"],
                "ended": bool(after["ended"]),
            },
            on_site_only=is_under_pseudonym,
        )
