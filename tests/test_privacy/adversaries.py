"""Somebody else, who acts and collects: whatever they may do, in any order, looking after each step."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.urls import reverse

from accounts.api import node_id
from democracy import services
from tests.test_privacy import operations, surfaces
from tests.test_privacy.transcripts import Transcript
from tests.test_privacy.worlds import ANONYMOUS, HELPERS, HIDDEN, KNOWN, Cast, Town, World, committing, world

# Who they are together, by their names in the town. What none of several can learn, no single one can.
KINDS: dict[str, tuple[str, ...]] = {
    "visitor": ("visitor",),
    "member": ("eve",),
    "member with helpers": ("eve", *HELPERS[:1]),
    "manager": ("mia",),
    "operator": ("root",),
    "all of them": ("mia", "eve", "root", "visitor"),
}
_AS_MEMBER = (("eve", "follow"), ("eve", "what if"), ("eve", "follow roads"), ("eve", "unfollow"), ("eve", "vote"))
_AS_MANAGER = (("mia", "recalculate"), ("mia", "edit"), ("mia", "publish"), ("mia", "change a role"), ("mia", "remove"))
_WITH_HELPERS = (("eve", "helpers follow"), ("eve", "helpers vote"))
_AS_OPERATOR = (("root", "calculate from scratch"), ("root", "join"))
# What each kind may try, besides looking.
ACTS: dict[str, tuple[tuple[str, str], ...]] = {
    "visitor": (),
    "member": _AS_MEMBER,
    "member with helpers": (*_AS_MEMBER, *_WITH_HELPERS),
    "manager": (*((("mia", act)) for _, act in _AS_MEMBER), *_AS_MANAGER),
    "operator": _AS_OPERATOR,
    "all of them": (*_AS_MEMBER, *_AS_MANAGER, *_AS_OPERATOR),
}

# Who is signed in when somebody votes, where worlds may differ in who that is.
_PRESENT = {"over": ANONYMOUS, **dict.fromkeys(HIDDEN, (*KNOWN, *ANONYMOUS))}


@dataclass(frozen=True)
class Watch:
    """How somebody watches a town: who, doing what about whom, and how closely they look."""

    kind: str
    acts: tuple[tuple[str, str], ...] = ()
    target: str = "ann"
    # Whether everybody looks at everything at every moment; else each thing is looked at once, by whoever sees most.
    is_thorough: bool = False


def live(town: Town, ballots: Sequence[Cast], watch: Watch, *, is_final: bool) -> Transcript:
    """The life of a town as somebody watches it. `is_final`: until two days later, when one decision is over."""
    with tempfile.TemporaryDirectory() as directory, surfaces.log(Path(directory)) as log, world(town) as one:
        collecting = _Collecting(one, watch, log)
        one.become_anonymous()
        for ballot in town.ballots:
            one.cast(ballot)
        one.calculate()
        if watch.is_thorough:
            collecting.glances("before they part")
        collecting.meanwhile(ballots, calculating_between=not is_final)
        if is_final:
            one.clock.now += timedelta(days=2)
            one.calculate()
        if watch.is_thorough:
            collecting.everything("afterwards")
        one.do(services.leave_community, "yuri", one.community.pk)
        collecting.ballots("after one has left")
        one.do(services.remove_member, "mia", one.members["xena"].pk)
        collecting.everything("in the end")
        return collecting.transcript


class _Collecting:
    def __init__(self, one: World, watch: Watch, log: list[str]) -> None:
        self.world, self.watch, self.log = one, watch, log
        self.transcript = Transcript()
        self.viewers = KINDS[watch.kind]
        self.looking = surfaces.Looking(one, is_thorough=watch.is_thorough)
        for who in self.viewers:
            one.client(who)

    def everything(self, when: str) -> None:
        for who in self.viewers if self.watch.is_thorough else self.viewers[:1]:
            client = self.world.client(who)
            self._add(f"{when}: {who}: ", self.looking.questions(client))
            self._add(f"{when}: {who}: ", self.looking.pages(client))
            self._add(f"{when}: {who}: ", self.looking.changes_undone(client))
        if "root" in self.viewers:
            self._add(f"{when}: root: ", self.looking.administration(self.world.client("root")))
            self._add(f"{when}: root: ", self.looking.exports())
            for form, lines in (("lines", self.log[::2]), ("JSON", self.log[1::2])):
                self.transcript.add(f"{when}: root: the log as {form}", "\n".join(lines))

    def _add(self, prefix: str, found: Iterable[tuple[str, Any]]) -> None:
        for name, content in found:
            self.transcript.add(prefix + name, content)

    def meanwhile(self, ballots: Sequence[Cast], *, calculating_between: bool) -> None:
        """The ballots in which worlds differ, and what somebody does then, watching."""

        def steps() -> Iterator[int]:
            for number, ballot in enumerate(ballots, start=1):
                self.world.cast(ballot, present=_PRESENT.get(ballot.where, ()))
                if calculating_between:
                    self.world.calculate()
                    self.glances(f"after ballot {number}")
                yield number
            self.world.calculate()
            self.glances("after the ballots")
            # Each counts where they have not voted; its entry says its revision.
            for who in ("ann", "ben"):
                self.world.do(services.follow, who, self.world.members["mia"].pk)
            self.glances("after others' followings")
            for number, (who, act) in enumerate(self.watch.acts, start=100):
                self.act(who, act)
                self.world.calculate()
                if self.watch.is_thorough or (who == "eve" and act != "what if"):
                    self.glances(f"after {who}: {act}", [who])
                yield number

        watchers = [self.world.client(who) for who in self.viewers if who != "root"] or [self.world.client("root")]
        told = self.looking.watched(watchers if self.watch.is_thorough else watchers[:1], steps())
        for number, name, text in told:
            self.transcript.add(f"meanwhile: {number}: {name}", text)

    def glances(self, when: str, viewers: Sequence[str] = ()) -> None:
        """A short look at what changes most: what a decision says of itself and of one's own ballot."""
        for who in viewers or self.viewers if self.watch.is_thorough else viewers or self.viewers[:2]:
            ids = [node_id("Decision", decision.pk) for decision in self.looking.decisions()]
            self.transcript.add(f"{when}: {who}", surfaces.ask(self.world.client(who), operations.glances(ids)))

    def ballots(self, when: str) -> None:
        """The list of ballots as somebody downloads it."""
        address = reverse("decision-csv", args=[self.world.community.pk, self.world.decisions["live"].pk])
        found = surfaces.answer(self.world.client(self.viewers[0]).get(address))
        self.transcript.add(f"{when}: {self.viewers[0]}: page {address}", found)

    def act(self, who: str, act: str) -> None:
        alone = self.mutations()
        if act in alone:
            self.change(who, *alone[act])
        else:
            self.act_at_length(who, act)
        self.world.clock.now += timedelta(seconds=30)

    def mutations(self) -> dict[str, tuple[str, str]]:
        """The acts that are one mutation, each with its name and arguments."""
        target = node_id("Member", self.world.members[self.watch.target].pk)
        community = node_id("Community", self.world.community.pk)
        draft = node_id("Decision", self.world.draft.pk)
        return {
            "follow": ("follow", f'input: {{memberId: "{target}"}}'),
            "follow roads": ("follow", f'input: {{memberId: "{target}", tags: ["roads"]}}'),
            "unfollow": ("unfollow", f'memberId: "{target}"'),
            "publish": ("publishDecision", f'decisionId: "{draft}"'),
            "change a role": ("updateMembership", f'input: {{memberId: "{target}", role: LOBBYIST}}'),
            "remove": ("removeMember", f'memberId: "{target}"'),
            "join": ("applyToCommunity", f'input: {{communityId: "{community}"}}'),
        }

    def act_at_length(self, who: str, act: str) -> None:
        match act:
            case "helpers follow":
                for helper in HELPERS:
                    self.change(helper, *self.mutations()["follow"])
            case "helpers vote":
                for helper in HELPERS:
                    self.vote(helper, "live", 4)
            case "vote":
                self.vote(who, "live", 5)
            case "what if":
                self.ask_what_if(who)
            case "recalculate":
                for decision in self.looking.acted_on():
                    self.change(who, "recalculate", f'decisionId: "{node_id("Decision", decision.pk)}"')
            case "edit":
                for decision in self.looking.acted_on():
                    later = (decision.closes_at + timedelta(hours=1)).isoformat()
                    changed = f'decisionId: "{node_id("Decision", decision.pk)}", closesAt: "{later}"'
                    self.change(who, "updateDecision", f"input: {{{changed}}}")
            case "calculate from scratch":
                self.calculate_from_scratch(who)
            case _:
                raise AssertionError(act)

    def ask_what_if(self, who: str) -> None:
        target = node_id("Member", self.world.members[self.watch.target].pk)
        for decision in self.looking.acted_on():
            for asked in operations.what_ifs(node_id("Decision", decision.pk), target):
                self.transcript.add(f"what if: {asked[:120]}", surfaces.ask(self.world.client(who), asked))

    def calculate_from_scratch(self, who: str) -> None:
        """Choose all decisions in the administration, and its action."""
        chosen = [decision.pk for decision in self.looking.decisions()]
        with committing():
            response = self.world.client(who).post(
                reverse("admin:democracy_decision_changelist"),
                {"action": "calculate_from_scratch", "_selected_action": chosen},
                follow=True,
            )
        self.transcript.add("the administration's action", surfaces.answer(response))

    def vote(self, who: str, title: str, stars: int) -> None:
        choice = node_id("Choice", self.world.choices[title][1].pk)
        decision = node_id("Decision", self.world.decisions[title].pk)
        rated = f'[{{choiceId: "{choice}", stars: {stars}}}]'
        self.change(who, "castVote", f'input: {{decisionId: "{decision}", stars: {rated}}}')

    def change(self, who: str, name: str, arguments: str) -> None:
        with committing():
            found = surfaces.ask(self.world.client(who), operations.change(name, arguments))
        self.transcript.add(f"{who} did: {name}({arguments})", found)
