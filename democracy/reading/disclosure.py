"""The entries of a community's ledger that a viewer may open, and what is told of the others.

A viewer opens an entry if they may know its whole content. Then they get salt, content and exact time. Of another entry
they get what the chain needs (revision, commitment and hash), the kind of input, and the time to the hour.

# Note [What a closed entry tells]
Somebody who is anonymous now is anonymous in earlier entries, too. An entry on an anonymous or hidden ballot is open to
its caster alone. Others learn that it is about a ballot, and in which decision only if its ballots are shown. Nothing
that is told depends on which anonymous member it was. Managers open the entries of drafts and know who the anonymous
members are; whom these follow and how they voted, managers do not learn either.

# Note [What an operator has hidden]
The ledger keeps every text, so that it stays provable, and opens no entry that has a hidden one: to nobody but the
caster of a ballot, who wrote the text. What else those entries said is lost to readers, so the entry on the moderation
tells what is left of the subject. Where others quote a question of that time, a stand-in is in its
place. A text that is shown again opens them all.
"""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

from democracy import access
from democracy.access import Viewer
from democracy.ledger.places import text_at, write_at
from democracy.models import Community, LedgerEntry, Membership, Moderation
from democracy.models.viewers import user_id

Kind = LedgerEntry.Kind


class Disclosure:
    """The viewer's rights in one community's ledger, read at once."""

    def __init__(self, viewer: Viewer, community: Community) -> None:
        self.user_id = user_id(viewer)
        members = Membership.objects.filter(community=community)
        own = list(members.of(viewer).values_list("pk", "is_manager", "left_at"))
        self.own_members = {pk for pk, _, _ in own}
        self.is_manager = any(is_manager and left_at is None for _, is_manager, left_at in own)
        others = members.filter(is_anonymous=True).exclude(user=self.user_id or 0).values_list("pk", "user_id")
        hidden = list(others)
        self._anonymous_members = {pk for pk, _ in hidden}
        self._anonymous_users = {user for _, user in hidden}
        visible = access.decisions_visible_to(viewer).filter(community=community)
        self.decisions = {decision.pk: decision for decision in visible}
        self._hidden = list(Moderation.objects.filter(community=community).exclude(place="").in_force())
        self._shown = {pk for pk, decision in self.decisions.items() if access.opens_entries_on_ballots(decision)}

    def opens(self, entry: LedgerEntry) -> bool:
        """Whether the viewer may know the entry's whole content."""
        if self._has_hidden_text(entry) and not (entry.kind == Kind.BALLOT and self._is_own(entry)):
            return False
        match entry.kind:
            case Kind.BALLOT:
                return self._is_own(entry) or (entry.decision_id in self._shown and not is_anonymous(entry))
            case Kind.MODERATION if entry.decision_id is not None:
                return entry.decision_id in (self._shown if _is_on_ballot(entry) else self.decisions)
            case Kind.FOLLOWING:
                ends = {content[end] for content in _contents(entry) for end in ("follower", "followee")}
                return self._anonymous_members.isdisjoint(ends) and entry.actor_id not in self._anonymous_users
            case Kind.APPLICATION:
                users = {content["user"] for content in _contents(entry)}
                return self._may_know(entry) and (self.is_manager or users == {self.user_id})
            case Kind.DECISION if not (entry.after or {}).get("published"):
                return self.is_manager
            case Kind.DECISION:
                return entry.decision_id in self.decisions and self._may_know(entry)
            case Kind.PUBLICATION | Kind.RECALCULATION if entry.decision_id is not None:
                return entry.decision_id in self.decisions and self._may_know(entry)
            case _:
                return self._may_know(entry)

    def decision_of(self, entry: LedgerEntry) -> int | None:
        """The decision that the entry is about, as far as that is told."""
        if entry.decision_id not in self.decisions:
            return None
        if entry.kind == Kind.BALLOT and entry.decision_id not in self._shown and not self._is_own(entry):
            return None
        return entry.decision_id

    def knows_user(self, user_id: int) -> bool:
        """Whether the viewer may know that somebody acted under this name; managers know who anonymous members are."""
        return self.is_manager or user_id not in self._anonymous_users

    def with_stand_ins(self, subject: str, content: dict[str, Any], time: datetime) -> dict[str, Any]:
        """A content that an entry of `time` left, with stand-ins for what has been hidden since."""
        hidden = [one for one in self._hidden if one.subject == subject and time <= one.hidden_at]
        if hidden:
            content = copy.deepcopy(content)
        for one in hidden:
            if text_at(content, one.place):
                write_at(content, one.place, one.stand_in)
        return content

    def _has_hidden_text(self, entry: LedgerEntry) -> bool:
        if entry.kind == Kind.MODERATION:
            told = [(content["of"], content["leaves"]) for content in _contents(entry)]
        else:
            told = [(entry.subject, content) for content in _contents(entry)]
        return any(
            text_at(content, one.place) not in {"", one.stand_in}
            for one in self._hidden
            if entry.time <= one.hidden_at
            for subject, content in told
            if subject in {one.subject, one.told_as}
        )

    def _is_own(self, entry: LedgerEntry) -> bool:
        return entry.membership_id in self.own_members

    def _may_know(self, entry: LedgerEntry) -> bool:
        """Whether the viewer may know everybody whom the entry names by their account."""
        named = {content.get(key) for content in _contents(entry) for key in ("user", "decided_by")} | {entry.actor_id}
        return all(user is None or self.knows_user(user) for user in named)


def _contents(entry: LedgerEntry) -> list[dict[str, Any]]:
    return [content for content in (entry.before, entry.after) if content is not None]


def _is_on_ballot(entry: LedgerEntry) -> bool:
    return any(content["of"].startswith("ballot:") for content in _contents(entry))


def is_anonymous(entry: LedgerEntry) -> bool:
    """Whether the ballot that an entry is about was cast under a pseudonym, before or after the change."""
    return any(content.get("anonymous", False) for content in _contents(entry))
