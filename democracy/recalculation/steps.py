"""Results in steps: what a BATCHED decision shows while its ballots are hidden.

# Note [What moves a result in steps]
Nothing does but ballots that members cast, change or withdraw themselves, those of BATCH of them at least. It counts
cast ballots alone, each by what its member was when it was cast. Whoever inherits, leaves, is removed, comes back or
gets another role would else move the total by one ballot that is hidden. Eligible are all who have been voters since
the decision was made. Abstentions and ballots of lobbyists are not told.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Max, QuerySet

from democracy.ledger import Content, contents
from democracy.models import Decision, LedgerEntry
from democracy.recalculation.inputs import DecisionInputs, is_counted
from graph import Result, count_cast

Kind = LedgerEntry.Kind


def counts_in_steps(decision: Decision, *, final: bool) -> bool:
    """True where a result is one in steps: an interim one of a BATCHED decision."""
    return decision.results_visibility == Decision.Visibility.BATCHED and not final


def result_in_steps(
    community_id: int, decision_id: int, inputs: DecisionInputs, members: Mapping[int, bool], revision: int
) -> Result:
    """Count a decision's inputs at `revision` as Note [What moves a result in steps] has it.

    `members`: the current ones at that revision, and whether each is a voter.
    """
    entries = LedgerEntry.objects.filter(community=community_id, revision__lte=revision)
    standings = _standings(entries, decision_id)
    voters = {member for member, is_voter in members.items() if is_voter}
    voters.update(member for member, said in standings.items() if any(is_voter for _, is_voter in said))
    turned = {member for member, said in standings.items() if len({is_voter for _, is_voter in said}) > 1}
    cast_at = dict(
        entries.filter(kind=Kind.BALLOT, decision=decision_id, membership__in=turned & inputs.ballots.keys())
        .order_by()
        .values_list("membership")
        .annotate(Max("revision"))
    )

    def was_voter(member: int) -> bool:
        if member not in turned:
            return member in voters
        at = cast_at.get(member, 0)
        return [is_voter for since, is_voter in standings[member] if since <= at or not since][-1]

    counted = [
        ballot
        for member, ballot in inputs.ballots.items()
        if not ballot.abstain and (ballot.anonymous or was_voter(member))
    ]
    return count_cast(counted, inputs.lots, eligible=len(voters))


def _standings(entries: QuerySet[LedgerEntry], decision_id: int) -> dict[int, list[tuple[int, bool]]]:
    """Whether each member was a voter, since which revision: 0 at the decision's beginning. Only those are there who
    have been changed, or have come, since.
    """
    began = entries.filter(subject=contents.decision_subject(decision_id)).order_by("revision").first()
    standings: dict[int, list[tuple[int, bool]]] = {}
    if began is not None:
        later = entries.filter(kind=Kind.MEMBERSHIP, revision__gt=began.revision, membership__isnull=False)
        for revision, member, before, after in later.order_by("revision").values_list(
            "revision", "membership", "before", "after"
        ):
            said = standings.setdefault(member, [] if before is None else [(0, _is_voter(before))])
            said.append((revision, _is_voter(after)))
    return standings


def _is_voter(content: Content) -> bool:
    return content is not None and content["active"] and is_counted(content)
