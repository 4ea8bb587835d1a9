"""The ledger as sentences: what happened in a community, as a viewer may know it.

An entry keeps ids and whole contents. Who somebody is comes from the present: whoever is anonymous now is anonymous in
the entries of before, too. Ballots bear the name that the decision's page shows for them, or none where its ballots are
hidden. Whom an anonymous member follows is told to that member alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import User
from democracy import access
from democracy.access import Viewer
from democracy.models import Choice, Community, LedgerEntry, Membership

Kind = LedgerEntry.Kind
SOMEBODY = "Somebody"
AN_ANONYMOUS_MEMBER = "An anonymous member"
A_DECISION = "a decision that is not published yet"


@dataclass(frozen=True)
class FeedItem:
    """One entry in words. `decision_id`: of a decision that the viewer may open. `before` and `after`: what the viewer
    may know of its contents, with names in place of ids.
    """

    revision: int
    time: datetime
    kind: str
    sentence: str
    decision_id: int | None
    hash: str
    actor: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    previous_hash: str


def feed(
    viewer: Viewer, community: Community, *, before: int | None = None, kind: str = "", first: int
) -> list[FeedItem]:
    """The `first` newest entries with a revision below `before`, newest first."""
    rows = LedgerEntry.objects.filter(community=community)
    if before is not None:
        rows = rows.filter(revision__lt=before)
    if kind:
        rows = rows.filter(kind=kind)
    return _told(viewer, community, list(rows.order_by("-revision")[:first]))


def feed_after(viewer: Viewer, community: Community, revision: int, *, kind: str = "", first: int) -> list[FeedItem]:
    """The `first` entries after `revision`, oldest first: to follow what happens without a gap."""
    rows = LedgerEntry.objects.filter(community=community, revision__gt=revision)
    if kind:
        rows = rows.filter(kind=kind)
    return _told(viewer, community, list(rows.order_by("revision")[:first]))


def _told(viewer: Viewer, community: Community, entries: Sequence[LedgerEntry]) -> list[FeedItem]:
    names = _Names(viewer, community, entries)
    return [
        FeedItem(
            revision=entry.revision,
            time=entry.time,
            kind=entry.kind,
            sentence=_SENTENCES[Kind(entry.kind)](entry, names),
            decision_id=entry.decision_id if entry.decision_id in names.titles else None,
            hash=entry.hash,
            actor=_actor(entry, names),
            before=_content(entry, entry.before, names),
            after=_content(entry, entry.after, names),
            previous_hash=entry.previous_hash,
        )
        for entry in entries
    ]


class _Names:
    """Names of all that these entries speak of, read at once."""

    def __init__(self, viewer: Viewer, community: Community, entries: Sequence[LedgerEntry]) -> None:
        self.viewer = viewer
        members = {entry.membership_id for entry in entries if entry.membership_id is not None}
        users: set[int | None] = {entry.actor_id for entry in entries}
        for entry in entries:
            for content in (entry.before, entry.after):
                if content and entry.kind == Kind.FOLLOWING:
                    members |= {content["follower"], content["followee"]}
                elif content and "user" in content:
                    users.add(content["user"])
        user_ids = {user for user in users if user is not None}
        memberships = Membership.objects.filter(community=community).select_related("user")
        rows = {*memberships.filter(pk__in=members), *memberships.filter(user__in=user_ids)}
        self.members = {row.pk: row for row in rows}
        self.member_of_user = {row.user_id: row for row in rows}
        people = User.objects.filter(pk__in=user_ids).values_list("pk", "handle")
        self.handles = {pk: f"@{handle}" for pk, handle in people}
        own = viewer.pk if viewer.is_authenticated else None
        self.is_manager = any(row.is_manager and row.is_current for row in rows if row.user_id == own) or (
            own is not None and memberships.filter(user=own, is_manager=True, left_at=None).exists()
        )
        decisions = access.decisions_visible_to(viewer).filter(
            pk__in={entry.decision_id for entry in entries if entry.decision_id is not None}
        )
        self.decisions = {decision.pk: decision for decision in decisions}
        self.titles = {pk: f"“{decision.title}”" for pk, decision in self.decisions.items()}
        self.choices = dict(Choice.objects.filter(decision__in=self.decisions).values_list("pk", "title"))

    def knows(self, member: Membership) -> bool:
        return access.knows(self.viewer, member)

    def person(self, user_id: int | None) -> str:
        """Somebody acting on people or on the community; managers know who anonymous members are."""
        if user_id is None or user_id not in self.handles:
            return SOMEBODY
        member = self.member_of_user.get(user_id)
        if member is not None and not self.knows(member) and not self.is_manager:
            return AN_ANONYMOUS_MEMBER
        return self.handles[user_id]

    def applicant(self, user_id: int | None) -> str:
        """Who applies is for the managers; who joined is named by the membership."""
        own = self.viewer.pk if self.viewer.is_authenticated else None
        return self.person(user_id) if self.is_manager or user_id == own else SOMEBODY

    def follower(self, membership_id: int | None) -> str:
        """Somebody following or followed: even managers do not learn it of anonymous members."""
        member = self.members.get(membership_id or 0)
        if member is None:
            return SOMEBODY
        return f"@{member.user.handle}" if self.knows(member) else AN_ANONYMOUS_MEMBER

    def voter(self, entry: LedgerEntry) -> str:
        """The caster of a ballot, under the name that the ballot has on the decision's page."""
        member = self.members.get(entry.membership_id or 0)
        decision = self.decisions.get(entry.decision_id or 0)
        if member is None or decision is None:
            return SOMEBODY
        if access.is_self(self.viewer, member):
            return f"@{member.user.handle}"
        if not access.shows_ballots(decision):
            return SOMEBODY
        return access.pseudonym(decision.pk, member.pk) if member.is_anonymous else f"@{member.user.handle}"

    def decision(self, entry: LedgerEntry) -> str:
        return self.titles.get(entry.decision_id or 0, A_DECISION)


def _changed(entry: LedgerEntry, key: str) -> bool:
    return bool((entry.before or {}).get(key) != (entry.after or {}).get(key))


def _tags(content: dict[str, Any]) -> str:
    return "on " + ", ".join(content["tags"]) if content["tags"] else "on everything"


def _community(entry: LedgerEntry, names: _Names) -> str:
    who = names.person(entry.actor_id)
    if entry.before is None:
        return f"{who} founded the community."
    if entry.after is None:
        return f"{who} deleted the community."
    what = {
        "name": "its name",
        "description": "its description",
        "visibility": "who may read it",
        "auto_approve": "how people join",
    }
    changes = [words for key, words in what.items() if _changed(entry, key)]
    return f"{who} changed the community: {_listed(changes)}."


def _application(entry: LedgerEntry, names: _Names) -> str:
    content = entry.after or entry.before or {}
    who = names.applicant(content.get("user"))
    match content.get("status"):
        case "pending" if entry.before is not None:
            return f"{who} changed an application to join."
        case "pending":
            return f"{who} applied to join."
        case "approved" if entry.actor_id == content.get("user"):
            return f"{who} applied to join and was approved automatically."
        case "approved":
            return f"{names.person(entry.actor_id)} approved an application" + _of(who)
        case "rejected":
            return f"{names.person(entry.actor_id)} rejected an application" + _of(who)
        case _:
            return f"{who} withdrew an application."


def _of(who: str) -> str:
    return "." if who == SOMEBODY else f" by {who}."


def _membership(entry: LedgerEntry, names: _Names) -> str:
    after, before = entry.after or {}, entry.before or {}
    who, actor = names.person((after or before).get("user")), names.person(entry.actor_id)
    if not before:
        return f"{who} joined."
    if not after or (before["active"] and not after["active"]):
        return f"{actor} removed {who}." if after.get("removed") else f"{who} left."
    if after["active"] and not before["active"]:
        return f"{who} came back."
    changes = []
    if _changed(entry, "role"):
        changes.append(f"is a {after['role']} now")
    if _changed(entry, "manager"):
        changes.append("is a manager now" if after["manager"] else "is no manager any more")
    if _changed(entry, "anonymous"):
        changes.append("is anonymous now" if after["anonymous"] else "is no longer anonymous")
    return f"{who} {_listed(changes)}."


def _following(entry: LedgerEntry, names: _Names) -> str:
    content = entry.after or entry.before or {}
    who, whom = names.follower(content.get("follower")), names.follower(content.get("followee"))
    if who in {AN_ANONYMOUS_MEMBER, SOMEBODY}:
        return f"{who} changed whom they follow."
    if entry.after is None:
        return f"{who} stopped following {whom}."
    if entry.before is None:
        return f"{who} follows {whom} {_tags(content)}."
    if _changed(entry, "tags"):
        return f"{who} now follows {whom} {_tags(content)}."
    return f"{who} put the people they follow in another order."


def _decision(entry: LedgerEntry, names: _Names) -> str:
    who, what = names.person(entry.actor_id), names.decision(entry)
    if entry.before is None:
        return f"{who} drafted {what}."
    if entry.after is None:
        return f"{who} deleted a draft."
    if _changed(entry, "published"):
        return f"{who} published {what}."
    return f"{who} moved the closing of {what} later." if _only_closing(entry) else f"{who} edited {what}."


def _only_closing(entry: LedgerEntry) -> bool:
    return [key for key in entry.after or {} if _changed(entry, key)] == ["closes_at"] and bool(
        (entry.after or {}).get("published")
    )


def _ballot(entry: LedgerEntry, names: _Names) -> str:
    who, where = names.voter(entry), names.decision(entry)
    if who == SOMEBODY:
        # Of hidden ballots not even the kind of change is told.
        return f"A ballot in {where} was cast, changed or withdrawn."
    if entry.after is None:
        return f"{who} withdrew a ballot in {where}."
    if entry.after["abstain"]:
        return f"{who} abstained in {where}."
    return f"{who} changed a ballot in {where}." if entry.before else f"{who} voted in {where}."


def _recalculation(entry: LedgerEntry, names: _Names) -> str:
    what = names.decision(entry) if entry.decision_id else "all decisions"
    return f"{names.person(entry.actor_id)} asked for a recalculation of {what}."


def _listed(parts: Iterable[str]) -> str:
    *most, last = [*parts] or ["nothing"]
    return f"{', '.join(most)} and {last}" if most else last


_SENTENCES = {
    Kind.COMMUNITY: _community,
    Kind.APPLICATION: _application,
    Kind.MEMBERSHIP: _membership,
    Kind.FOLLOWING: _following,
    Kind.DECISION: _decision,
    Kind.BALLOT: _ballot,
    Kind.RECALCULATION: _recalculation,
}


# --- Contents ---------------------------------------------------------------------------------------------------------


def _actor(entry: LedgerEntry, names: _Names) -> str:
    """Who did it, under the name that the sentence has for them."""
    content = entry.after or entry.before or {}
    match entry.kind:
        case Kind.APPLICATION if entry.actor_id == content.get("user"):
            return names.applicant(entry.actor_id)
        case Kind.FOLLOWING:
            return names.follower(entry.membership_id)
        case Kind.BALLOT:
            return names.voter(entry)
        case _:
            return names.person(entry.actor_id)


def _content(entry: LedgerEntry, content: dict[str, Any] | None, names: _Names) -> dict[str, Any] | None:
    """What the viewer may know of an entry's content; None also where that is nothing."""
    if content is None:
        return None
    rest = {key: value for key, value in content.items() if key not in {"user", "follower", "followee"}}
    match entry.kind:
        case Kind.APPLICATION:
            who = names.applicant(content["user"])
            return None if who == SOMEBODY else {"applicant": who, **rest}
        case Kind.MEMBERSHIP:
            who = names.person(content["user"])
            return None if who in {SOMEBODY, AN_ANONYMOUS_MEMBER} else {"member": who, **rest}
        case Kind.FOLLOWING:
            who, whom = names.follower(content["follower"]), names.follower(content["followee"])
            if who in {SOMEBODY, AN_ANONYMOUS_MEMBER}:
                return None
            return {"follower": who, "followee": whom, **rest}
        case Kind.DECISION:
            is_told = entry.decision_id in names.titles and (content["published"] or names.is_manager)
            choices = [{key: one[key] for key in ("title", "description", "lot")} for one in content["choices"]]
            return {**rest, "choices": choices} if is_told else None
        case Kind.BALLOT:
            who = names.voter(entry)
            stars = {names.choices.get(int(choice), choice): count for choice, count in content["stars"].items()}
            return None if who == SOMEBODY else {"voter": who, **rest, "stars": stars}
        case _:
            return rest
