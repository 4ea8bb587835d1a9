"""The two counters: which decisions a change affects, and which are stale.

`Decision.input_revision` is raised in the transaction of the change. `Decision.calculated_revision` says which inputs
the stored result reflects. Nothing else decides whether a result is current.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from accounts.prepared import prepared, prepared_update
from democracy.models import Ballot, Decision, DecisionSnapshot, LedgerEntry, Membership

# The calculation sees of a membership whether the member is there, whether they are counted, and whether what they
# inherit bears a pseudonym.
_MEMBERSHIP_MATTERS = ("active", "role", "anonymous")
# The calculation sees this of a ballot; a changed comment changes no result.
_BALLOT_MATTERS = ("stars", "tags", "abstain")
_MANY_FOLLOWINGS = 100
RETRY_AFTER = timedelta(seconds=30)


def live_decisions(community_id: int, time: datetime) -> QuerySet[Decision]:
    """The published decisions of a community that changes at `time` still reach: open, or scheduled to open."""
    return Decision.objects.live(time).filter(community=community_id)


def stale_decisions(time: datetime) -> QuerySet[Decision]:
    """Decisions with something to calculate at `time`: live and stale, or past closing without a final result.

    One whose calculation failed is left alone for RETRY_AFTER, unless a new change affects it.
    """
    return _stale(time, time - RETRY_AFTER)


def stale_decisions_of(community_id: int, time: datetime) -> list[Decision]:
    """List the `stale_decisions` of one community, by id."""
    return _stale_of(community_id, time, time - RETRY_AFTER)


@prepared
def _stale_of(community_id: int, time: datetime, failed_before: datetime) -> QuerySet[Decision]:
    return _stale(time, failed_before).filter(community=community_id).order_by("pk")


def _stale(time: datetime, failed_before: datetime) -> QuerySet[Decision]:
    failed_lately = Q(failed_revision__gte=F("input_revision"), failed_at__gt=failed_before)
    # Each half says all that its partial index asks for: what stands outside of an OR, SQLite does not apply to it.
    return (_live_and_stale(time) | _closed_without_result(time)).exclude(failed_lately)


def staleness(time: datetime) -> timedelta:
    """The longest time that a decision has waited for its result, failing calculations included; zero if none waits."""
    # The few rows themselves: for their smallest `closes_at` SQLite would go through all that ever closed.
    waiting = _live_and_stale(time).values_list("stale_since", flat=True)
    closed = _closed_without_result(time).values_list("closes_at", flat=True)
    return max((max(time - since, timedelta()) for since in (*waiting, *closed) if since), default=timedelta())


def _live_and_stale(time: datetime) -> QuerySet[Decision]:
    return Decision.objects.live(time).filter(calculated_revision__lt=F("input_revision"))


def _closed_without_result(time: datetime) -> QuerySet[Decision]:
    final = DecisionSnapshot.objects.filter(decision=OuterRef("pk"), is_final=True)
    return Decision.objects.closed(time).filter(~Exists(final), has_final_result=False)


def raise_counters(entries: Sequence[LedgerEntry]) -> None:
    """Mark the decisions that these changes affect as stale, in the transaction of the changes.

    The entries are of one community.
    """
    if sum(entry.kind == LedgerEntry.Kind.FOLLOWING for entry in entries) > _MANY_FOLLOWINGS:
        # One statement for all live decisions instead of a query each. Marking too many is safe.
        _raise_to(live_decisions(entries[-1].community_id, entries[-1].time), entries[-1])
        return
    # One statement for all entries that reach the same decisions, such as the ballots of an import.
    newest = {entry.decision_id: entry for entry in entries if surely_affects(entry)}
    for entry in newest.values():
        if entry.decision_id:
            _raise_one(entry.community_id, entry.decision_id, entry.revision, entry.time)
        else:
            _raise_to(_reached(entry), entry)
    for entry in entries:
        if entry.kind == LedgerEntry.Kind.FOLLOWING:
            _raise_to(_affected_by_following(entry), entry)


def raise_for_many(last: LedgerEntry) -> None:
    """Mark what many new memberships or followings, or ballots of one decision, affect. `last`: the last entry of them.

    Marking too many is safe.
    """
    _raise_to(_reached(last), last)


@prepared_update
def _raise_one(
    community_id: int, decision_id: int, revision: int, time: datetime
) -> tuple[QuerySet[Decision], Mapping[str, Any]]:
    live = Decision.objects.live(time).filter(community=community_id, pk=decision_id)
    return live.filter(input_revision__lt=revision), _raised(revision, time)


def _raise_to(affected: QuerySet[Decision], entry: LedgerEntry) -> None:
    affected.filter(input_revision__lt=entry.revision).update(**_raised(entry.revision, entry.time))


def _raised(revision: int, time: datetime) -> Mapping[str, Any]:
    return {"input_revision": revision, "stale_since": Coalesce("stale_since", time)}


def _reached(entry: LedgerEntry) -> QuerySet[Decision]:
    """The live decisions that an entry is about: the one that it names, else all of the community."""
    live = live_decisions(entry.community_id, entry.time)
    return live.filter(pk=entry.decision_id) if entry.decision_id else live


def _differs(entry: LedgerEntry, keys: Iterable[str]) -> bool:
    before: Mapping[str, Any] = entry.before or {}
    after: Mapping[str, Any] = entry.after or {}
    return any(before.get(key) != after.get(key) for key in keys)


def surely_affects(entry: LedgerEntry) -> bool:
    """Tell whether an entry makes the live decisions that it reaches stale, whatever else there is.

    False for followings: theirs depends on the ballots of that moment.
    """
    match entry.kind:
        case LedgerEntry.Kind.BALLOT:
            return _differs(entry, _BALLOT_MATTERS)
        case LedgerEntry.Kind.MEMBERSHIP:
            return _differs(entry, _MEMBERSHIP_MATTERS)
        case LedgerEntry.Kind.DECISION:
            return _differs(entry, ("published",))
        case kind:
            return bool(kind == LedgerEntry.Kind.RECALCULATION)


def _affected_by_following(entry: LedgerEntry) -> QuerySet[Decision]:
    """The live decisions that a following's change can affect.

    Where the follower has no cast ballot, and the old or new form can be active: somebody else cast a ballot, with one
    of the following's tags if it has any (tags of inherited ballots are tags of cast ones). Decisions that hide their
    ballots are all affected, and where the follower is anonymous, all are.
    """
    live = live_decisions(entry.community_id, entry.time)
    if not _differs(entry, ("tags", "follower")):
        return live.none()
    # Else a run, or the counters of a decision that shows them, would tell who has voted, and on which tags.
    if Membership.objects.filter(pk=entry.membership_id or 0, is_anonymous=True).exists():
        return live
    hidden = live.exclude(results_visibility=Decision.Visibility.LIVE)
    return hidden | _that_it_can_be_active_in(live.filter(results_visibility=Decision.Visibility.LIVE), entry)


def _that_it_can_be_active_in(live: QuerySet[Decision], entry: LedgerEntry) -> QuerySet[Decision]:
    forms = [form["tags"] for form in (entry.before, entry.after) if form is not None]
    own = Ballot.objects.filter(decision=OuterRef("pk"), membership=entry.membership_id)
    others = Ballot.objects.filter(decision=OuterRef("pk"), abstain=False)
    reachable = live.filter(~Exists(own), Exists(others))
    if any(not tags for tags in forms):
        return reachable
    wanted = {tag for tags in forms for tag in tags}
    ballot_tags = (
        Ballot.objects.filter(decision__in=reachable, abstain=False).values_list("decision", "tags").distinct()
    )
    return live.filter(pk__in={decision for decision, tags in ballot_tags if wanted.intersection(tags)})
