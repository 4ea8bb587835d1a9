"""The rows that are stored in the end, and what happened in the database meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.faults.history import Content


@dataclass(frozen=True)
class Entry:
    """A ledger entry about a register. `time` in seconds since the epoch.

    `pseudonym`: the one that a ballot bears; empty where it bears its caster's name.
    """

    subject: str
    revision: int
    after: Content
    hash: str
    time: float
    pseudonym: str = ""

    @property
    def parts(self) -> list[str]:
        """Kind and keys of the register."""
        return self.subject.split(":")


# The revision of a result whose decision hides its ballots.
UNTOLD = -1


class StagedBallot(NamedTuple):
    """A ballot as calculated. `microstars` in the order of the decision's choices, by their primary keys; `anonymous`:
    it is stored under a pseudonym.
    """

    kind: str
    microstars: tuple[int, ...]
    tags: frozenset[str]
    counted: bool
    anonymous: bool


@dataclass(frozen=True, order=True)
class Shown:
    """Which result of a decision this is: a final one comes after every interim one."""

    is_final: bool
    revision: int


@dataclass(frozen=True)
class Sighting:
    """A result that a watcher saw, in the order of `at`. `content` tells two results apart."""

    watcher: str
    at: float
    decision: int
    shown: Shown
    content: str


@dataclass(frozen=True)
class ClaimWritten:
    """A claim on a community was taken, renewed or released, by the row as it was committed.

    `holder` is the run that holds it now, `process` the process of that run, both empty once it is released; `writer`
    is the process that wrote this.
    """

    transaction: int
    at: float
    writer: str
    community: int
    fence: int
    holder: str
    process: str
    expires_at: float


@dataclass(frozen=True)
class ResultStored:
    """A calculation of a decision was stored: its `calculated_revision` was written; `final`: after it had closed."""

    transaction: int
    at: float
    writer: str
    community: int
    decision: int
    revision: int
    final: bool = False


@dataclass(frozen=True)
class DecisionState:
    """A decision when everything has come to rest. `complaints`: what the verifier says of its export.

    `exported`: the exported ballots by register, without their comments; None where the export was refused.
    `closed_at`: seconds since the epoch; None while it is open. `staged`: the stored staged ballots by member.
    """

    pk: int
    community: int
    input_revision: int
    calculated_revision: int
    snapshots: Mapping[Shown, str]
    exported: Mapping[str, Content] | None
    complaints: Sequence[str] = ()
    closed_at: float | None = None
    visibility: str = "live"
    choices: Sequence[int] = ()
    staged: Mapping[str, StagedBallot] = field(default_factory=dict)

    @property
    def hides_ballots(self) -> bool:
        return self.closed_at is None and self.visibility != "live"

    @property
    def newest(self) -> Shown | None:
        return max(self.snapshots, default=None)


@dataclass(frozen=True)
class FinalState:
    """`before`: the newest entry of each register when the run began; `entries`: those since, by revision.

    `contents`: the registers as the tables of inputs have them. `runs`: what was written about claims and results, in
    order.
    """

    entries: Sequence[Entry]
    contents: Mapping[str, Content]
    before: Mapping[str, Entry] = field(default_factory=dict)
    ledger_faults: Sequence[str] = ()
    decisions: Sequence[DecisionState] = ()
    runs: Sequence[ClaimWritten | ResultStored] = ()
