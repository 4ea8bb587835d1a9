"""Judges a run: from what people did and were told, what watchers saw and what is stored in the end, to what is wrong.

A pure function: it reads nothing, and trusts nothing that CrowdVote says of itself beyond the ledger, whose hashes are
people's receipts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tests.faults.hidden import check_hidden, identified
from tests.faults.history import Content, Operation
from tests.faults.memberships import Memberships, check_rights, ended_for_others, may_be_denied
from tests.faults.reference import Inputs, check_staged
from tests.faults.registers import check_register
from tests.faults.state import ClaimWritten, DecisionState, Entry, FinalState, ResultStored, Shown, Sighting
from tests.faults.violations import Violation


def check(
    operations: Iterable[Operation],
    sightings: Iterable[Sighting],
    state: FinalState,
    *,
    watching: Iterable[tuple[str, int]] = (),
    closing: Mapping[int, float] | None = None,
    began_at: float = 0.0,
) -> list[Violation]:
    """Everything that is wrong; nothing where the run has kept every promise.

    `watching`: who watched which decision; `closing`: when decisions closed, by the clock of the operations, which
    began at `began_at` in seconds since the epoch.
    """
    sightings = list(sightings)
    memberships = Memberships(state.entries, state.before)
    return [
        *check_registers(operations, state, memberships, closing=closing or {}, began_at=began_at),
        *check_rights(state.entries, state.before, memberships),
        *(Violation("LEDGER_FAULT", "ledger", fault) for fault in state.ledger_faults),
        *check_runs(state.runs),
        *check_results(state),
        *check_sightings(sightings, state.decisions, watching),
        *(found for decision in state.decisions for found in check_hidden(decision, state.entries, sightings)),
    ]


def check_registers(
    operations: Iterable[Operation],
    state: FinalState,
    memberships: Memberships,
    *,
    closing: Mapping[int, float],
    began_at: float,
) -> Iterator[Violation]:
    """Every ballot, following and membership: what was acknowledged is there, and nothing is there that nobody asked
    for.
    """
    by_register: defaultdict[str, list[Operation]] = defaultdict(list)
    for operation in (*operations, *ended_for_others(state.entries, memberships)):
        by_register[operation.register].append(operation)
    entries: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(state.entries, key=lambda entry: entry.revision):
        entries[entry.subject].append(entry)
    closed_at = {decision.pk: decision.closed_at for decision in state.decisions}
    for subject in sorted({*by_register, *entries, *state.before, *state.contents}):
        kind, first, *_ = subject.split(":")
        decision = int(first) if kind == "ballot" else None
        yield from check_register(
            subject,
            by_register[subject],
            entries[subject],
            before=state.before.get(subject),
            final=state.contents.get(subject),
            closed_at=closed_at.get(decision),
            closed=closing.get(decision),
            may_be_denied=lambda one: may_be_denied(one, memberships, began_at=began_at),
        )


def check_runs(written: Iterable[ClaimWritten | ResultStored]) -> Iterator[Violation]:
    """No two runs of a community overlapped, and only the run that held the claim stored, only what is newer.

    The writes of one community's claim exclude each other, so their order is the order in which they happened.
    """
    claims: dict[int, ClaimWritten] = {}
    holding: dict[tuple[int, int], int] = {}
    stored: dict[int, int] = {}
    for one in written:
        subject = f"community {one.community}"
        claim = claims.get(one.community)
        if isinstance(one, ResultStored):
            fence = holding.get((one.transaction, one.community))
            if fence is None or claim is None or fence != claim.fence or one.writer != claim.process:
                yield Violation("STORED_WITHOUT_CLAIM", subject, f"{one}, while the claim was {claim}")
            # The final result may be of the same inputs as the last interim one.
            if one.revision + one.final <= stored.get(one.decision, -1):
                yield Violation("OLDER_STORED_OVER_NEWER", subject, f"{one}, after {stored[one.decision]}")
            stored[one.decision] = one.revision
            continue
        if claim is not None and one.fence != claim.fence:
            if one.fence != claim.fence + 1:
                yield Violation("FENCE_OUT_OF_ORDER", subject, f"{one} after {claim}")
            elif claim.expires_at > one.at:
                yield Violation("RUNS_OVERLAPPED", subject, f"{one} while {claim} was held")
        elif claim is not None and one.holder not in {claim.holder, ""}:
            yield Violation("RUNS_OVERLAPPED", subject, f"{one} under the fence of {claim}")
        # Whoever releases a claim had it.
        if one.writer != (one.process or (claim and claim.process) or one.writer):
            yield Violation("WROTE_ANOTHERS_CLAIM", subject, f"{one} after {claim}")
        claims[one.community] = one
        holding[one.transaction, one.community] = one.fence


def check_results(state: FinalState) -> Iterator[Violation]:
    """Every result is current, equals the verifier's and rests on the ballots that stand and count."""
    for decision in state.decisions:
        subject = f"decision {decision.pk}"
        finals = [shown for shown in decision.snapshots if shown.is_final]
        if decision.closed_at is None:
            if decision.calculated_revision < decision.input_revision:
                yield Violation(
                    "STALE", subject, f"calculated {decision.calculated_revision} of {decision.input_revision}"
                )
        elif len(finals) != 1:
            yield Violation("STALE", subject, f"closed, with {len(finals)} final results")
        for complaint in decision.complaints:
            yield Violation("DIFFERS_FROM_VERIFIER", subject, complaint)
        inputs = Inputs.of(decision, state.entries, state.before)
        yield from check_staged(decision, inputs)
        if decision.exported is None:
            continue
        standing = inputs.that_count()
        for register in sorted(standing.keys() | decision.exported.keys()):
            ours, theirs = standing.get(register), decision.exported.get(register)
            if _counted(ours) != _counted(theirs):
                yield Violation("EXPORT_DIFFERS", register, f"the ledger has {ours}, the export {theirs}")


def _counted(ballot: Content) -> Content:
    """Reduce a ballot to what is counted: no comment, and an unrated choice is one with 0 stars."""
    if ballot is None:
        return None
    stars = {choice: count for choice, count in ballot["stars"].items() if count}
    return {"stars": stars, "tags": ballot["tags"], "abstain": ballot["abstain"]}


def check_sightings(
    sightings: Iterable[Sighting], decisions: Sequence[DecisionState], watching: Iterable[tuple[str, int]]
) -> Iterator[Violation]:
    """Nobody saw a result go back, or one that is not stored; everybody ended on the newest."""
    by_pk = {decision.pk: decision for decision in decisions}
    last: dict[tuple[str, int], Shown] = {}
    for one in sorted(sightings, key=lambda sighting: sighting.at):
        subject = f"{one.watcher} of decision {one.decision}"
        before = last.get((one.watcher, one.decision))
        shown = identified(one, by_pk[one.decision], before)
        if before is not None and shown < before:
            yield Violation("WENT_BACK", subject, f"{shown} after {before}, at {one.at:.3f}")
        stored = by_pk[one.decision].snapshots.get(shown)
        if stored != one.content:
            yield Violation("SAW_WHAT_IS_NOT_STORED", subject, f"{shown}: {one.content}, stored: {stored}")
        last[one.watcher, one.decision] = shown
    for watcher, pk in sorted({*last, *watching}):
        ended_on, newest = last.get((watcher, pk)), by_pk[pk].newest
        if ended_on != newest:
            yield Violation("ENDED_ON_OLD_RESULT", f"{watcher} of decision {pk}", f"{ended_on}, not {newest}")
