"""Hidden results: nobody sees one of an open decision before its time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from tests.faults.state import UNTOLD, DecisionState, Entry, Shown, Sighting
from tests.faults.violations import Violation

# So many different members have voted before a result is shown, and between two.
BATCH = 5


def check_hidden(
    decision: DecisionState, entries: Sequence[Entry], sightings: Iterable[Sighting]
) -> Iterator[Violation]:
    """Find what was stored to be shown, exported or seen of a decision that hides its ballots, and was not to be."""
    if decision.visibility == "live":
        return
    subject = f"decision {decision.pk}"
    interim = sorted(shown.revision for shown in decision.snapshots if not shown.is_final)
    if decision.visibility == "after_close":
        for revision in interim:
            yield Violation("SHOWN_BEFORE_CLOSING", subject, f"the result at revision {revision}")
    else:
        for before, revision in pairwise([0, *interim]):
            casters = {
                entry.subject
                for entry in entries
                if entry.parts[:2] == ["ballot", str(decision.pk)] and before < entry.revision <= revision
            }
            if len(casters) < BATCH:
                yield Violation("SHOWN_BETWEEN_BATCHES", subject, f"{revision} after {before}, of {sorted(casters)}")
    if decision.hides_ballots and decision.exported is not None:
        yield Violation("HIDDEN_BALLOTS_EXPORTED", subject, f"{len(decision.exported)} ballots")
    for one in sightings:
        if one.decision != decision.pk or one.shown.is_final:
            continue
        if decision.visibility == "after_close":
            yield Violation("SHOWN_BEFORE_CLOSING", subject, f"{one.content}, to {one.watcher}")
        elif one.shown.revision != UNTOLD:
            yield Violation("TOLD_A_HIDDEN_REVISION", subject, f"{one.shown}, to {one.watcher}")


def identified(one: Sighting, decision: DecisionState, last: Shown | None) -> Shown:
    """Which result a watcher saw: without its revision it is known by its content, and comes after the last one where
    it can.
    """
    if one.shown.revision != UNTOLD:
        return one.shown
    alike = sorted(
        shown for shown, content in decision.snapshots.items() if content == one.content and not shown.is_final
    )
    later = [shown for shown in alike if last is None or shown >= last]
    return (later or alike[-1:] or [one.shown])[0]
