"""The staged ballots that a decision must have, from the ledger's contents alone, by the verifier's staging."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType

from tests.faults.history import Content
from tests.faults.process import PROJECT
from tests.faults.state import DecisionState, Entry, StagedBallot
from tests.faults.violations import Violation


def _loaded() -> ModuleType:
    """Load the verifier, which is a file of its own and in no package."""
    spec = importlib.util.spec_from_file_location("crowdvote_verify", PROJECT / "verify" / "crowdvote_verify.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its dataclasses look for their module there.
    sys.modules.setdefault(spec.name, module)
    spec.loader.exec_module(module)
    return module


verifier = _loaded()


@dataclass
class Inputs:
    """A decision's inputs: contents by member, of followings by pair; those that the ledger ends on before it closed.

    `took_back`: the members who took an anonymous ballot back.
    """

    members: dict[str, dict[str, object]] = field(default_factory=dict)
    followings: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    ballots: dict[str, Entry] = field(default_factory=dict)
    took_back: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, decision: DecisionState, entries: Iterable[Entry], before: Mapping[str, Entry]) -> Inputs:
        found = cls()
        for entry in (*before.values(), *entries):
            if decision.closed_at is None or entry.time < decision.closed_at:
                found._apply(decision.pk, entry)
        return found

    def _apply(self, decision: int, entry: Entry) -> None:
        match entry.parts:
            case "membership", member:
                self.members[member] = entry.after or {}
            case "following", follower, followee if entry.after is None:
                self.followings.pop((follower, followee), None)
            case "following", follower, followee if entry.after is not None:
                self.followings[follower, followee] = frozenset(entry.after["tags"])
            case "ballot", pk, caster if int(pk) == decision and entry.after is None:
                taken = self.ballots.pop(caster, None)
                if taken is not None and taken.pseudonym:
                    self.took_back.add(caster)
            case "ballot", pk, caster if int(pk) == decision:
                self.ballots[caster] = entry

    def is_there(self, member: str) -> bool:
        return bool(self.members.get(member, {}).get("active"))

    def that_count(self) -> dict[str, Content]:
        """The ballots of those who are there, and anonymous ones, by register."""
        return {
            ballot.subject: ballot.after
            for caster, ballot in self.ballots.items()
            if ballot.pseudonym or self.is_there(caster)
        }


def staged_by_reference(decision: DecisionState, inputs: Inputs) -> dict[str, StagedBallot]:
    """Stage a decision. An anonymous ballot lies in the urn: it counts as a voter's and hands nothing on."""
    members = [member for member in inputs.members if inputs.is_there(member)]
    place = {member: number for number, member in enumerate(members)}
    written = {caster: _ballot(decision, ballot.after or {}) for caster, ballot in inputs.ballots.items()}
    urn = {caster for caster, ballot in inputs.ballots.items() if ballot.pseudonym}
    nothing = verifier.Ballot((0,) * len(decision.choices), frozenset(), True)
    to_stage = {
        place[caster]: nothing if caster in urn else ballot for caster, ballot in written.items() if caster in place
    }
    followings = tuple(
        verifier.Following(place[one], place[other], tags)
        for (one, other), tags in inputs.followings.items()
        if one in place and other in place
    )
    question = verifier.Decision("", "", tuple(map(str, decision.choices)), (), to_stage, {}, {})
    nobody = (False,) * len(members)
    community = verifier.Bundle(tuple(members), nobody, nobody, followings, (question,), {}, None, {})
    staged = verifier.stage(community, question)
    found = {}
    for number, ballot in staged.items():
        member = members[number]
        is_counted = inputs.members[member]["role"] == "voter" and ballot.kind != "abstained"
        is_unnamed = ballot.kind == "inherited" and (
            bool(inputs.members[member]["anonymous"]) or member in inputs.took_back
        )
        found[member] = StagedBallot(ballot.kind, ballot.microstars, ballot.tags, is_counted, is_unnamed)
    for caster in urn:
        stars, tags, abstain = written[caster]
        kind = "abstained" if abstain else "cast"
        found[caster] = StagedBallot(kind, tuple(one * verifier.MICRO for one in stars), tags, not abstain, True)
    return found


def _ballot(decision: DecisionState, content: Mapping[str, object]) -> tuple[tuple[int, ...], frozenset[str], bool]:
    stars, tags = content["stars"], content["tags"]
    assert isinstance(stars, dict)
    assert isinstance(tags, list)
    rated = tuple(stars.get(str(choice), 0) for choice in decision.choices)
    ballot: tuple[tuple[int, ...], frozenset[str], bool] = verifier.Ballot(
        rated, frozenset(tags), bool(content["abstain"])
    )
    return ballot


def check_staged(decision: DecisionState, inputs: Inputs) -> Iterator[Violation]:
    """The stored staged ballots are those of the reference, each under the name or pseudonym that is its own."""
    expected = staged_by_reference(decision, inputs)
    for member in sorted(expected.keys() | decision.staged.keys()):
        ours, theirs = decision.staged.get(member), expected.get(member)
        if ours != theirs:
            yield Violation("STAGED_DIFFERS", f"member {member} in decision {decision.pk}", f"{ours}, not {theirs}")
