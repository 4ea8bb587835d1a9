"""Entries of the ledger in words, for a viewer who may know them: sentences, and contents with names in place of ids.

People bear their present names, since somebody who is anonymous now is anonymous in earlier entries, too. Questions and
choices bear the words of the time of the entry.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

from accounts.models import User
from democracy.access import Viewer
from democracy.ledger import contents
from democracy.models import Community, LedgerEntry, Membership
from democracy.reading.disclosure import Disclosure, is_anonymous

Kind = LedgerEntry.Kind
SOMEBODY = "Somebody"
AN_ANONYMOUS_MEMBER = "An anonymous member"
THE_OPERATOR = "The site's operator"
A_DECISION = "a decision that is not published yet"


class Names:
    """The names of everything that these entries mention, read at once."""

    def __init__(self, viewer: Viewer, community: Community, entries: Sequence[LedgerEntry]) -> None:
        self.rights = Disclosure(viewer, community)
        members = {entry.membership_id for entry in entries if entry.membership_id is not None}
        users: set[int | None] = {entry.actor_id for entry in entries}
        for entry in entries:
            for content in (entry.before, entry.after):
                if content and entry.kind == Kind.FOLLOWING:
                    members |= {content["follower"], content["followee"]}
                elif content:
                    users |= {content.get("user"), content.get("decided_by")}
        rows = Membership.objects.filter(community=community, pk__in=members).select_related("user")
        self.members = {row.pk: row for row in rows}
        people = User.objects.filter(pk__in={user for user in users if user is not None})
        self.handles = {pk: f"@{handle}" for pk, handle in people.values_list("pk", "handle")}
        before = {entry.revision - 1 for entry in entries}
        chain = LedgerEntry.objects.filter(community=community, revision__in=before)
        self.hashes = dict(chain.values_list("revision", "hash"))
        decisions = {entry.decision_id for entry in entries if entry.decision_id is not None}
        self._words = _words(community, decisions, self.rights)

    def person(self, user_id: int | None) -> str:
        """The handle of somebody who acts on people or on the community; managers know who anonymous members are."""
        if user_id is None or user_id not in self.handles:
            return SOMEBODY
        return self.handles[user_id] if self.rights.knows_user(user_id) else AN_ANONYMOUS_MEMBER

    def member(self, membership_id: int | None) -> str:
        """The handle of a follower, followee or caster in an entry that is open."""
        member = self.members.get(membership_id or 0)
        return SOMEBODY if member is None else f"@{member.user.handle}"

    def decision(self, entry: LedgerEntry) -> str:
        content = self._wording(entry)
        return A_DECISION if content is None else f"“{content['title']}”"

    def choice(self, entry: LedgerEntry, pk: str) -> str:
        choices = (self._wording(entry) or {}).get("choices", [])
        return next((str(one["title"]) for one in choices if str(one["id"]) == pk), pk)

    def _wording(self, entry: LedgerEntry) -> dict[str, Any] | None:
        """The decision that an entry is about, in the words that stood then, without those that are hidden; None where
        the viewer may not know it.
        """
        if self.rights.decision_of(entry) is None:
            return None
        if entry.kind == Kind.DECISION and (wording := entry.after or entry.before) is not None:
            return self.rights.with_stand_ins(entry.subject, wording, entry.time)
        revisions, wordings = self._words.get(entry.decision_id or 0, ([], []))
        at = bisect_right(revisions, entry.revision) - 1
        return wordings[at] if at >= 0 else None


def _words(
    community: Community, decisions: set[int], rights: Disclosure
) -> dict[int, tuple[list[int], list[dict[str, Any]]]]:
    """The revisions from which on the ledger has other words for a decision, with these words, by decision."""
    words: dict[int, tuple[list[int], list[dict[str, Any]]]] = {}
    subjects = [contents.decision_subject(pk) for pk in decisions]
    rows = LedgerEntry.objects.filter(community=community, subject__in=subjects, after__isnull=False)
    columns = ("decision_id", "subject", "revision", "time", "after")
    for pk, subject, revision, time, wording in rows.order_by("revision").values_list(*columns):
        revisions, wordings = words.setdefault(pk, ([], []))
        revisions.append(revision)
        wordings.append(rights.with_stand_ins(subject, wording or {}, time))
    return words


def sentence(entry: LedgerEntry, names: Names) -> str:
    """The sentence for an entry that the viewer may open."""
    return _SENTENCES[Kind(entry.kind)](entry, names)


def closed_sentence(entry: LedgerEntry, names: Names) -> str:
    """The sentence for an entry that the viewer may not open."""
    if entry.kind == Kind.BALLOT and names.rights.decision_of(entry) is not None:
        return f"A ballot in {names.decision(entry)} was cast, changed or withdrawn."
    return _CLOSED[Kind(entry.kind)]


_CLOSED = {
    Kind.COMMUNITY: "The community was changed.",
    Kind.APPLICATION: "An application to join was made, changed or decided on.",
    Kind.MEMBERSHIP: "An anonymous member joined, left or was changed.",
    Kind.FOLLOWING: "A following was made, changed or ended.",
    Kind.DECISION: "A decision was drafted or changed.",
    Kind.BALLOT: "A ballot was cast, changed or withdrawn.",
    Kind.RECALCULATION: "Somebody asked for a recalculation.",
    Kind.PUBLICATION: "A result was published or withdrawn.",
    Kind.MODERATION: f"{THE_OPERATOR} hid a text or showed it again.",
}


def _changed(entry: LedgerEntry, key: str) -> bool:
    return bool((entry.before or {}).get(key) != (entry.after or {}).get(key))


def _tags(content: dict[str, Any]) -> str:
    return "on " + ", ".join(content["tags"]) if content["tags"] else "on everything"


def _community(entry: LedgerEntry, names: Names) -> str:
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
        "hidden": "whether it is hidden",
    }
    changes = [words for key, words in what.items() if _changed(entry, key)]
    if _changed(entry, "joining") and not _changed(entry, "auto_approve"):
        changes.append(what["auto_approve"])
    return f"{who} changed the community: {_listed(changes)}."


def _application(entry: LedgerEntry, names: Names) -> str:
    content = entry.after or entry.before or {}
    who = names.person(content.get("user"))
    match content.get("status"):
        case "pending" if entry.before is not None:
            return f"{who} changed an application to join."
        case "pending":
            return f"{who} applied to join."
        case "approved" if entry.actor_id == content.get("user"):
            return f"{who} applied to join and was approved automatically."
        case "approved":
            return f"{names.person(entry.actor_id)} approved an application by {who}."
        case "rejected":
            return f"{names.person(entry.actor_id)} rejected an application by {who}."
        case _:
            return f"{who} withdrew an application."


def _membership(entry: LedgerEntry, names: Names) -> str:
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


def _following(entry: LedgerEntry, names: Names) -> str:
    content = entry.after or entry.before or {}
    who, whom = names.member(content.get("follower")), names.member(content.get("followee"))
    if entry.after is None:
        return f"{who} stopped following {whom}."
    if entry.before is None:
        return f"{who} follows {whom} {_tags(content)}."
    if _changed(entry, "tags"):
        return f"{who} now follows {whom} {_tags(content)}."
    return f"{who} put the people they follow in another order."


def _decision(entry: LedgerEntry, names: Names) -> str:
    who, what = names.person(entry.actor_id), names.decision(entry)
    if entry.before is None:
        return f"{who} drafted {what}."
    if entry.after is None:
        return f"{who} deleted a draft."
    if _changed(entry, "published"):
        return f"{who} published {what}."
    match [key for key in {**entry.after, **entry.before} if _changed(entry, key)]:
        case ["called_off"] if "called_off" not in entry.before:
            return f"{who} called {what} off: “{entry.after['called_off']['reason']}”"
        case ["pinned"]:
            return f"{who} {'pinned' if entry.after.get('pinned') else 'unpinned'} {what}."
        case ["reminder_hours"]:
            return f"{who} changed when people are reminded of {what}."
        case ["closes_at"] if entry.after["published"]:
            return f"{who} moved the closing of {what} later."
        case ["clarifications"] if len(entry.after["clarifications"]) > len(entry.before["clarifications"]):
            return f"{who} clarified {what}: “{entry.after['clarifications'][-1]['text']}”"
        case ["title"]:
            return f"{who} renamed “{entry.before['title']}” to {what}."
        case _:
            return f"{who} edited {what}."


def _ballot(entry: LedgerEntry, names: Names) -> str:
    who, where = names.member(entry.membership_id), names.decision(entry)
    if is_anonymous(entry):
        who = "You, under a pseudonym,"
    if entry.after is None:
        return f"{who} withdrew a ballot in {where}."
    if entry.after["abstain"]:
        return f"{who} abstained in {where}."
    return f"{who} changed a ballot in {where}." if entry.before else f"{who} voted in {where}."


def _recalculation(entry: LedgerEntry, names: Names) -> str:
    what = names.decision(entry) if entry.decision_id else "all decisions"
    return f"{names.person(entry.actor_id)} asked for a recalculation of {what}."


def _publication(entry: LedgerEntry, names: Names) -> str:
    who, what = names.person(entry.actor_id), names.decision(entry)
    if entry.after is None:
        return f"{who} withdrew the published result of {what}."
    return f"{who} published the result of {what} at an address of its own."


def _moderation(entry: LedgerEntry, names: Names) -> str:
    content = entry.after or {}
    what = _hidden_part(content["of"], content["place"], names.decision(entry))
    if content["ended"]:
        return f"{THE_OPERATOR} shows {what} again."
    return f"{THE_OPERATOR} hid {what}: “{content['reason']}”"


def _hidden_part(of: str, place: str, decision: str) -> str:
    match of.partition(":")[0], place.split(":", maxsplit=1)[0]:
        case "community", "":
            return "the community"
        case "community", key:
            return f"the {key} of the community"
        case "ballot", _:
            return f"the comment on a ballot in {decision}"
        case _, "called_off":
            return f"the reason for which {decision} was called off"
        case _, "choice" | "clarification" as part:
            return f"the text of a {part} in {decision}"
        case _, key:
            return f"the {key} of {decision}"


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
    Kind.PUBLICATION: _publication,
    Kind.MODERATION: _moderation,
}


# --- Contents ---------------------------------------------------------------------------------------------------------


def actor(entry: LedgerEntry, names: Names) -> str:
    """The name of the person who did it, as the sentence has it."""
    if entry.kind == Kind.MODERATION:
        return THE_OPERATOR
    return names.member(entry.membership_id) if entry.kind == Kind.BALLOT else names.person(entry.actor_id)


def content(entry: LedgerEntry, content: dict[str, Any] | None, names: Names) -> dict[str, Any] | None:
    """An open entry's content with names in place of ids."""
    if content is None:
        return None
    rest = {key: value for key, value in content.items() if key not in {"user", "follower", "followee", "decided_by"}}
    match entry.kind:
        case Kind.APPLICATION:
            decided_by = content.get("decided_by")
            return {
                "applicant": names.person(content["user"]),
                **rest,
                "decided_by": None if decided_by is None else names.person(decided_by),
            }
        case Kind.MEMBERSHIP:
            return {"member": names.person(content["user"]), **rest}
        case Kind.FOLLOWING:
            return {
                "follower": names.member(content["follower"]),
                "followee": names.member(content["followee"]),
                **rest,
            }
        case Kind.BALLOT:
            stars = {names.choice(entry, choice): count for choice, count in content["stars"].items()}
            return {"voter": names.member(entry.membership_id), **rest, "stars": stars}
        case Kind.MODERATION:
            return {key: rest[key] for key in ("reason", "stand_in", "hidden", "ended")}
        case _:
            return rest
