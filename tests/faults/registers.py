"""Whether what is stored of one register can have come about by what people did and were told.

# Note [Known order]
The ledger says in which order the contents of a register followed each other. So the question that is hard in general,
whether some order of the operations explains what everybody was told, is only which operation made which entry: each
entry needs one, each acknowledged operation must have made one or found its content standing, and an operation that was
answered before another began comes first. An unknown operation may have made an entry at any time after it began, or
none. The search goes through the operations in every order that their times allow (Wing and Gong 1993, with Lowe's
memory of what was tried).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from tests.faults.history import Content, Kind, Operation, Outcome, Refusal
from tests.faults.state import Entry
from tests.faults.violations import Violation

# What the server may answer by what stands in the register itself.
_BY_CONTENT = {
    Kind.TAG: {"NO_BALLOT"},
    Kind.WITHDRAW: {"NO_BALLOT"},
    Kind.JOIN: {"ALREADY_MEMBER"},
    Kind.LEAVE: {"PERMISSION_DENIED"},
    Kind.ROLE: {"PERMISSION_DENIED", "INVALID"},
    Kind.NAME: {"PERMISSION_DENIED", "INVALID"},
}
CLOSED = "DECISION_CLOSED"
DENIED = "PERMISSION_DENIED"


def check_register(
    subject: str,
    operations: Sequence[Operation],
    entries: Sequence[Entry],
    *,
    before: Entry | None,
    final: Content,
    closed_at: float | None = None,
    closed: float | None = None,
    may_be_denied: Callable[[Operation], bool] = lambda _: False,
) -> Iterator[Violation]:
    """Find what is wrong with one register.

    `closed_at` is when its decision closed by the ledger's clock, `closed` by the clock of the operations.
    `may_be_denied`: whether somebody may have had no right to it just then.
    """
    by_hash = {entry.hash: entry for entry in ([before] if before else []) + list(entries)}
    told = list(_receipts_without_entry(subject, operations, by_hash))
    yield from told
    standing = entries[-1].after if entries else before.after if before else None
    if final != standing:
        yield Violation("TABLES_DIFFER_FROM_LEDGER", subject, f"the tables have {final}, the ledger ends on {standing}")
    for entry in entries:
        if closed_at is not None and entry.time >= closed_at:
            yield Violation("ACCEPTED_AFTER_CLOSING", subject, f"entry {entry.revision}: {entry.after}")
    judged = []
    for one in operations:
        if one.outcome is not Outcome.REFUSED:
            if one.outcome is not Outcome.UNREACHED:
                judged.append(one)
        elif one.code in _BY_CONTENT.get(one.kind, ()):
            judged.append(one)
        elif one.code == CLOSED and closed is not None and one.completed >= closed:
            continue
        elif not (one.code == DENIED and may_be_denied(one)):
            yield Violation("REFUSED_WITHOUT_CAUSE", subject, str(one))
    if not told and not _is_explained(judged, before, entries):
        yield Violation(
            "NO_ORDER_EXPLAINS",
            subject,
            f"from {before.after if before else None} by the entries {[entry.after for entry in entries]}; "
            f"operations: {'; '.join(map(str, judged))}",
        )


def _receipts_without_entry(
    subject: str, operations: Sequence[Operation], by_hash: Mapping[str, Entry]
) -> Iterator[Violation]:
    for one in operations:
        if one.outcome is Outcome.ACKNOWLEDGED and one.receipt is not None and one.receipt not in by_hash:
            yield Violation("RECEIPT_NOT_IN_LEDGER", subject, f"{one}, receipt {one.receipt}")


def _is_explained(operations: Sequence[Operation], before: Entry | None, entries: Sequence[Entry]) -> bool:
    """See Note [Known order]. A step of the search is a set of operations that have happened (as bits) and the number
    of entries that they have made.
    """
    contents: list[tuple[Content, str | None]] = [(before.after, before.hash) if before else (None, None)]
    contents += [(entry.after, entry.hash) for entry in entries]
    required = sum(1 << i for i, one in enumerate(operations) if one.outcome is not Outcome.UNKNOWN)
    start = (0, 0)
    seen, waiting = {start}, [start]
    while waiting:
        done, made = waiting.pop()
        if done & required == required and made == len(entries):
            return True
        pending = [i for i in range(len(operations)) if not done >> i & 1]
        first_end = min((operations[i].ends for i in pending), default=0.0)
        for i in pending:
            if operations[i].invoked > first_end:
                continue
            for now in _after(operations[i], contents, made):
                step = (done | 1 << i, now)
                if step not in seen:
                    seen.add(step)
                    waiting.append(step)
    return False


def _after(operation: Operation, contents: Sequence[tuple[Content, str | None]], made: int) -> Iterator[int]:
    """Count the entries that have been made once this operation has happened next; nothing where it cannot."""
    content, _ = contents[made]
    refused = operation.outcome is Outcome.REFUSED
    try:
        wanted = operation.applied(content)
    except Refusal as refusal:
        if refused and operation.code == refusal.code:
            yield made
        return
    if refused:
        return
    if wanted == content:
        # An unknown operation that changes nothing need not have happened.
        now = None if operation.outcome is Outcome.UNKNOWN else made
    else:
        now = made + 1 if made + 1 < len(contents) and contents[made + 1][0] == wanted else None
    if now is not None and operation.receipt in {None, contents[now][1]}:
        yield now
