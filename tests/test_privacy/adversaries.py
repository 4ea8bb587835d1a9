"""Somebody else, who acts and collects: any act that they may do, in any order, with a look after each."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.urls import reverse

from accounts.api import node_id
from democracy import access, services
from democracy.models import Ballot
from tests.test_privacy import operations, surfaces
from tests.test_privacy.transcripts import Transcript
from tests.test_privacy.worlds import (
    ANONYMOUS,
    HELPERS,
    HIDDEN,
    KNOWN,
    NEVER_SHOWN,
    Cast,
    Town,
    World,
    committing,
    world,
)

# Their names in the town. What a group cannot learn, none of its members can.
KINDS: dict[str, tuple[str, ...]] = {
    "visitor": ("visitor",),
    "member": ("eve",),
    "member with helpers": ("eve", *HELPERS[:1]),
    "manager": ("mia",),
    "operator": ("root",),
    "all of them": ("mia", "eve", "root", "visitor"),
}
_AS_MEMBER = (("eve", "follow"), ("eve", "what if"), ("eve", "follow roads"), ("eve", "unfollow"), ("eve", "vote"))
_AS_MANAGER = (
    *(("mia", "recalculate"), ("mia", "edit"), ("mia", "publish"), ("mia", "change a role"), ("mia", "remove")),
    *(("mia", "remindMembers"), ("mia", "call off")),
)
_WITH_HELPERS = (("eve", "helpers follow"), ("eve", "helpers vote"))
_AS_OPERATOR = (("root", "calculate from scratch"), ("root", "hide comments"), ("root", "join"))
# The acts that each kind may try, besides looking.
ACTS: dict[str, tuple[tuple[str, str], ...]] = {
    "visitor": (),
    "member": _AS_MEMBER,
    "member with helpers": (*_AS_MEMBER, *_WITH_HELPERS),
    "manager": (*((("mia", act)) for _, act in _AS_MEMBER), *_AS_MANAGER),
    "operator": _AS_OPERATOR,
    "all of them": (*_AS_MEMBER, *_AS_MANAGER, *_AS_OPERATOR),
}
# Acts that are one mutation: its name and its arguments.
_MUTATIONS = {
    "follow": ("follow", 'input: {memberId: "%(target)s"}'),
    "follow roads": ("follow", 'input: {memberId: "%(target)s", tags: ["roads"]}'),
    "unfollow": ("unfollow", 'memberId: "%(target)s"'),
    "publish": ("publishDecision", 'decisionId: "%(draft)s"'),
    "change a role": ("updateMembership", 'input: {memberId: "%(target)s", role: LOBBYIST}'),
    "remove": ("removeMember", 'memberId: "%(target)s"'),
    "join": ("applyToCommunity", 'input: {communityId: "%(community)s"}'),
    "call off": ("callOffDecision", 'input: {decisionId: "%(dropped)s", reason: "It rains."}'),
    "publish the result": ("publishResult", 'decisionId: "%(over)s"'),
}

# The people who are signed in when somebody votes, where worlds may differ in who that is.
_PRESENT = {"over": ANONYMOUS, **dict.fromkeys((*HIDDEN, NEVER_SHOWN), (*KNOWN, *ANONYMOUS))}


@dataclass(frozen=True)
class Watch:
    """One way to watch a town: who, doing what to whom, and how closely they look."""

    kind: str
    acts: tuple[tuple[str, str], ...] = ()
    target: str = "ann"
    # True: everybody looks at everything at every moment. False: whoever sees most looks at each thing once.
    is_thorough: bool = False


def live(town: Town, ballots: Sequence[Cast], watch: Watch, *, is_final: bool) -> Transcript:
    """Live the life of a town as somebody watches it.

    `is_final`: until two days later, when one decision has closed.
    """
    with tempfile.TemporaryDirectory() as directory, surfaces.log(Path(directory)) as log, world(town) as one:
        collecting = _Collecting(one, watch, log)
        one.become_anonymous()
        for ballot in town.ballots:
            one.cast(ballot)
        one.calculate()
        if watch.is_thorough:
            collecting.glances("before they part")
        collecting.mails("before they part")
        collecting.meanwhile(ballots, calculating_between=not is_final)
        if is_final:
            one.clock.now += timedelta(days=2)
            one.calculate()
            collecting.mails("after a decision has closed")
            if "mia" in collecting.viewers:
                collecting.act("mia", "publish the result")
        if watch.is_thorough:
            collecting.everything("afterwards")
        one.do(services.leave_community, "yuri", one.community.pk)
        collecting.ballots("after one has left")
        one.do(services.remove_member, "mia", one.members["xena"].pk)
        one.do(services.close_account, "ben", confirmed=True)
        collecting.mails("in the end")
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
        self._add(f"{when}: a receiver: ", self.looking.webhooks())
        if "root" in self.viewers:
            self._add(f"{when}: root: ", self.looking.administration(self.world.client("root")))
            self._add(f"{when}: root: ", self.looking.exports())
            for form, lines in (("lines", self.log[::2]), ("JSON", self.log[1::2])):
                self.transcript.add(f"{when}: root: the log as {form}", "\n".join(lines))

    def _add(self, prefix: str, found: Iterable[tuple[str, Any]]) -> None:
        for name, content in found:
            self.transcript.add(prefix + name, content)

    def meanwhile(self, ballots: Sequence[Cast], *, calculating_between: bool) -> None:
        """Cast the ballots in which worlds differ, then do the watcher's acts, watching."""

        def steps() -> Iterator[int]:
            for number, ballot in enumerate(ballots, start=1):
                self.world.cast(ballot, present=_PRESENT.get(ballot.where, ()))
                if calculating_between:
                    self.world.calculate()
                    self.glances(f"after ballot {number}")
                yield number
            self.world.calculate()
            self.glances("after the ballots")
            self.mails("after the ballots")
            # Each changes decisions in which they have not voted; its entry names its revision.
            for who in ("ann", "ben"):
                self.world.do(services.follow, who, self.world.members["mia"].pk)
            self.glances("after others' followings")
            for number, (who, act) in enumerate(self.watch.acts, start=100):
                self.act(who, act)
                self.world.calculate()
                if self.watch.is_thorough:
                    # Otherwise all have come by the end, in fewer rounds.
                    self.mails(f"after {who}: {act}")
                if self.watch.is_thorough or (who == "eve" and act != "what if"):
                    self.glances(f"after {who}: {act}", [who])
                yield number

        watchers = [self.world.client(who) for who in self.viewers if who != "root"] or [self.world.client("root")]
        told = self.looking.watched(watchers if self.watch.is_thorough else watchers[:1], steps())
        for number, name, text in told:
            self.transcript.add(f"meanwhile: {number}: {name}", text)

    def glances(self, when: str, viewers: Sequence[str] = ()) -> None:
        """Look briefly at what changes most: the state of decisions and of one's own ballot."""
        for who in viewers or self.viewers if self.watch.is_thorough else viewers or self.viewers[:2]:
            ids = [node_id("Decision", decision.pk) for decision in self.looking.decisions()]
            self.transcript.add(f"{when}: {who}", surfaces.ask(self.world.client(who), operations.glances(ids)))

    def mails(self, when: str) -> None:
        """Read what has come by mail."""
        self._add(f"{when}: ", self.looking.mails(self.viewers))

    def ballots(self, when: str) -> None:
        """Download the list of ballots."""
        address = reverse("decision-csv", args=[self.world.community.pk, self.world.decisions["live"].pk])
        found = surfaces.answer(self.world.client(self.viewers[0]).get(address))
        self.transcript.add(f"{when}: {self.viewers[0]}: page {address}", found)

    def act(self, who: str, act: str) -> None:
        """Do one of the acts as `who`, and let half a minute pass."""
        target = node_id("Member", self.world.members[self.watch.target].pk)
        if act in _MUTATIONS:
            ids = {
                "target": target,
                "draft": node_id("Decision", self.world.draft.pk),
                "community": node_id("Community", self.world.community.pk),
                "dropped": node_id("Decision", self.world.decisions[NEVER_SHOWN].pk),
                "over": node_id("Decision", self.world.decisions["over"].pk),
            }
            name, arguments = _MUTATIONS[act]
            self.change(who, name, arguments % ids)
        else:
            self._act_on_many(who, act, target)
        self.world.clock.now += timedelta(seconds=30)

    def _act_on_many(self, who: str, act: str, target: str) -> None:
        decisions = [(node_id("Decision", decision.pk), decision) for decision in self.looking.acted_on()]
        match act:
            case "helpers follow":
                for helper in HELPERS:
                    self.change(helper, "follow", f'input: {{memberId: "{target}"}}')
            case "helpers vote":
                for helper in HELPERS:
                    self.vote(helper, "live", 4)
            case "vote":
                self.vote(who, "live", 5)
            case "what if":
                for asked in (one for decision, _ in decisions for one in operations.what_ifs(decision, target)):
                    self.transcript.add(f"what if: {asked[:120]}", surfaces.ask(self.world.client(who), asked))
            case "recalculate" | "remindMembers":
                for decision, _ in decisions:
                    self.change(who, act, f'decisionId: "{decision}"')
            case "edit":
                for decision, row in decisions:
                    later = (row.closes_at + timedelta(hours=1)).isoformat()
                    self.change(who, "updateDecision", f'input: {{decisionId: "{decision}", closesAt: "{later}"}}')
            case "calculate from scratch":
                self._calculate_from_scratch(who)
            case "hide comments":
                self._hide_comments(who)
            case _:
                raise AssertionError(act)

    def _calculate_from_scratch(self, who: str) -> None:
        chosen = [decision.pk for decision in self.looking.decisions()]
        with committing():
            response = self.world.client(who).post(
                reverse("admin:democracy_decision_changelist"),
                {"action": "calculate_from_scratch", "_selected_action": chosen},
                follow=True,
            )
        self.transcript.add("the administration's action", surfaces.answer(response))

    def _hide_comments(self, who: str) -> None:
        """Try to hide the comments of everybody where ballots are hidden, and hide one under a pseudonym elsewhere."""
        shown = self._commented_under_pseudonyms("live")
        tried = [(title, name) for title in (*HIDDEN, NEVER_SHOWN) for name in (*KNOWN, *ANONYMOUS)]
        for title, name in [*tried, *(("live", name) for name in shown[:1])]:
            address = reverse("admin:democracy_decision_hide", args=[self.world.decisions[title].pk])
            with committing():
                response = self.world.client(who).post(address, {"what": "comment", "by": name, "reason": "Rude."})
            by = name if name in self.world.members else "the first"
            self.transcript.add(f"{who} hid in {title} the comment of {by}", surfaces.answer(response))

    def _commented_under_pseudonyms(self, title: str) -> list[str]:
        """Return the pseudonyms of ballots with comments, as a visitor finds them, in the order of the comments."""
        rows = Ballot.objects.filter(decision=self.world.decisions[title], is_anonymous=True).exclude(comment="")
        named = {row.comment: access.pseudonym(row.decision_id, row.membership_id) for row in rows}
        return [named[comment] for comment in sorted(named)]

    def vote(self, who: str, title: str, stars: int) -> None:
        choice = node_id("Choice", self.world.choices[title][1].pk)
        decision = node_id("Decision", self.world.decisions[title].pk)
        rated = f'[{{choiceId: "{choice}", stars: {stars}}}]'
        self.change(who, "castVote", f'input: {{decisionId: "{decision}", stars: {rated}}}')

    def change(self, who: str, name: str, arguments: str) -> None:
        with committing():
            found = surfaces.ask(self.world.client(who), operations.change(name, arguments))
        self.transcript.add(f"{who} did: {name}({arguments})", found)
