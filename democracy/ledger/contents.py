"""Subjects and contents of the ledger's entries, for each kind of input. A content is the whole of it, as JSON.

The calculation reads the contents back (`democracy.recalculation.inputs`), and `verify_ledger` compares them with the
rows, column by column. Their keys never change: every ledger ever written has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from democracy.ledger.canonical import written_time
from democracy.ledger.changes import Change, Content, NewSubject
from democracy.ledger.pseudonyms import pseudonym_id
from democracy.ledger.rows import BallotRow, FollowingRow, MembershipRow
from democracy.models import (
    REMINDER_HOURS,
    Application,
    Ballot,
    Community,
    Decision,
    Following,
    LedgerEntry,
    Membership,
    Moderation,
    PublishedResult,
)

Kind = LedgerEntry.Kind
Row = TypeVar("Row", bound=Model)


def _time(moment: datetime | None) -> str | None:
    return written_time(moment) if moment else None


def _stored(rows: QuerySet[Row], told: Callable[[Row], dict[str, Any]]) -> Callable[[], Content]:
    """Read a row's content once its change is complete; None where the row is gone by then."""

    def content() -> Content:
        row = rows.first()
        return None if row is None else told(row)

    return content


def _nothing() -> None:
    """The content of what is gone."""


def differences(before: Content, after: Content) -> list[str]:
    """The keys under which two contents of one subject differ."""
    one, other = before or {}, after or {}
    return [key for key in {**one, **other} if one.get(key) != other.get(key)]


COMMUNITY_SUBJECT = "community"


def community_content(community: Community) -> dict[str, Any]:
    """A community's content. How people join stands in `auto_approve`, as in every ledger ever written; `joining` says
    it only where that key can't.
    """
    content = {
        "name": community.name,
        "description": community.description,
        "visibility": community.visibility,
        "auto_approve": community.joining == Community.Joining.OPEN,
        "created": _time(community.created_at),
    }
    if community.joining == Community.Joining.INVITED:
        content["joining"] = community.joining
    return content | ({"hidden": True} if community.is_hidden else {})


def community_change(community: Community) -> Change:
    content = _stored(Community.objects.filter(pk=community.pk), community_content)
    return Change(Kind.COMMUNITY, COMMUNITY_SUBJECT, content)


def membership_subject(membership_id: int) -> str:
    return f"membership:{membership_id}"


def membership_content(membership: Membership | MembershipRow) -> dict[str, Any]:
    return {
        "user": membership.user_id,
        "active": membership.left_at is None,
        "role": membership.role,
        "manager": membership.is_manager,
        "anonymous": membership.is_anonymous,
        "removed": membership.was_removed,
        "joined": _time(membership.joined_at),
        "left": _time(membership.left_at),
        "file_id": membership.file_id,
    }


def membership_change(membership: Membership) -> Change:
    pk = membership.pk
    content = _stored(Membership.objects.filter(pk=pk), membership_content)
    return Change(Kind.MEMBERSHIP, membership_subject(pk), content, membership_id=pk)


def new_membership(row: Membership | MembershipRow) -> NewSubject:
    """A membership that was just written, and of which the ledger has never heard."""
    return NewSubject(Kind.MEMBERSHIP.value, membership_subject(row.pk), membership_content(row), None, row.pk)


def application_subject(application_id: int) -> str:
    return f"application:{application_id}"


def application_content(application: Application) -> dict[str, Any]:
    return {
        "user": application.user_id,
        "status": application.status,
        "message": application.message,
        "created": _time(application.created_at),
        "decided": _time(application.decided_at),
        "decided_by": application.decided_by_id,
        # Left out where there is none, as in older ledgers.
        **({"link": application.link_id} if application.link_id is not None else {}),
    }


def application_change(application: Application) -> Change:
    content = _stored(Application.objects.filter(pk=application.pk), application_content)
    return Change(Kind.APPLICATION, application_subject(application.pk), content)


def following_subject(follower_id: int, followee_id: int) -> str:
    return f"following:{follower_id}:{followee_id}"


def following_content(following: Following | FollowingRow) -> dict[str, Any]:
    return {
        "follower": following.follower_id,
        "followee": following.followee_id,
        "tags": following.tags,
        "order": following.order,
        "created": _time(following.created_at),
    }


def following_change(following: Following, *, is_new: bool = False) -> Change:
    """A following that changed or ended; `is_new`: it was just written, and the ledger has never heard of it."""
    if is_new:
        return following_written(following, is_new=True)
    rows = Following.objects.filter(follower=following.follower_id, followee=following.followee_id)
    return _following(following, _stored(rows, following_content))


def following_written(following: Following, *, is_new: bool = False) -> Change:
    """A following whose row was just written as it is here: it isn't read again."""
    content = following_content(following)
    return _following(following, lambda: content, is_new=is_new)


def new_following(row: FollowingRow) -> NewSubject:
    """A following that was just written, and of which the ledger has never heard."""
    subject = following_subject(row.follower_id, row.followee_id)
    return NewSubject(Kind.FOLLOWING.value, subject, following_content(row), None, row.follower_id)


def following_ended(following: Following) -> Change:
    """A following whose row was just deleted."""
    return _following(following, _nothing)


def _following(following: Following, content: Callable[[], Content], *, is_new: bool = False) -> Change:
    subject = following_subject(following.follower_id, following.followee_id)
    return Change(Kind.FOLLOWING, subject, content, membership_id=following.follower_id, is_new=is_new)


def decision_subject(decision_id: int) -> str:
    return f"decision:{decision_id}"


def decision_content(decision: Decision) -> dict[str, Any]:
    """A decision's content, with its choices in their order and its clarifications, oldest first."""
    return {
        "title": decision.title,
        "description": decision.description,
        "results_visibility": decision.results_visibility,
        "created": _time(decision.created_at),
        "published": _time(decision.published_at),
        "opens_at": _time(decision.opens_at),
        "closes_at": _time(decision.closes_at),
        "lot_seed": decision.lot_seed,
        "file_id": decision.file_id,
        "choices": [
            {
                "id": choice.pk,
                "title": choice.title,
                "description": choice.description,
                "lot": choice.lot,
                "file_id": choice.file_id,
            }
            for choice in decision.choices.all()
        ],
        "clarifications": [{"at": _time(one.at), "text": one.text} for one in decision.clarifications.all()],
        **_later_keys(decision),
    }


# The parts of a content that are left out where there is nothing to say.
SAID_WHERE_SO = ("topics", "pinned", "reminder_hours", "called_off", "link", "hidden")


def _later_keys(decision: Decision) -> dict[str, Any]:
    """The parts that older ledgers do not have: there only where they say something, so that old entries stay right."""
    found: dict[str, Any] = {}
    if decision.topics != []:
        found["topics"] = decision.topics
    if decision.is_pinned:
        found["pinned"] = True
    if decision.reminder_hours != REMINDER_HOURS:
        found["reminder_hours"] = decision.reminder_hours
    return found | calling_off(decision)


def calling_off(decision: Decision) -> dict[str, Any]:
    """The part that says that a decision was called off; empty where it was not."""
    if decision.called_off_at is None and not decision.called_off_reason:
        return {}
    return {"called_off": {"at": _time(decision.called_off_at), "reason": decision.called_off_reason}}


def decision_change(decision: Decision) -> Change:
    pk = decision.pk
    rows = Decision.objects.prefetch_related("choices", "clarifications").filter(pk=pk)
    return Change(Kind.DECISION, decision_subject(pk), _stored(rows, decision_content), decision_id=pk)


def publication_subject(decision_id: int) -> str:
    return f"publication:{decision_id}"


def publication_content(published: PublishedResult) -> dict[str, Any]:
    """A published result's content. Its address is not in it: the ledger is read and exported by more people."""
    return {"published": _time(published.published_at)}


def publication_change(published: PublishedResult) -> Change:
    pk = published.decision_id
    content = _stored(PublishedResult.objects.filter(decision=pk), publication_content)
    return Change(Kind.PUBLICATION, publication_subject(pk), content, decision_id=pk)


def moderation_subject(moderation_id: int) -> str:
    return f"moderation:{moderation_id}"


def moderation_content(moderation: Moderation) -> dict[str, Any]:
    """A moderation's content. The hidden text is not in it. What is left of the subject is, so that the ledger proves
    that without the entries that are closed for the text; and so are the numbers of these.
    """
    return {
        "of": moderation.told_as,
        "place": moderation.place,
        "reason": moderation.reason,
        "stand_in": moderation.stand_in,
        "hidden": _time(moderation.hidden_at),
        "ended": _time(moderation.ended_at),
        "leaves": moderation.leaves,
        "closes": moderation.closes,
    }


def moderation_change(moderation: Moderation) -> Change:
    content = _stored(Moderation.objects.filter(pk=moderation.pk), moderation_content)
    return Change(Kind.MODERATION, moderation_subject(moderation.pk), content, decision_id=moderation.decision_id)


def ballot_subject(decision_id: int, membership_id: int) -> str:
    return f"ballot:{decision_id}:{membership_id}"


def ballot_content(ballot: Ballot | BallotRow, stars: Mapping[int, int]) -> dict[str, Any]:
    """A ballot's content. `stars`: by choice id, without unrated choices.

    An anonymous ballot's content names its pseudonym, so that the commitment, and with it the receipt, is bound to one
    ballot in the bundle. Nobody but its caster opens it.
    """
    content = {
        "stars": {str(choice): count for choice, count in sorted(stars.items())},
        "tags": ballot.tags,
        "abstain": ballot.abstain,
        "comment": ballot.comment,
        "anonymous": ballot.is_anonymous,
        "cast": _time(ballot.cast_at),
    }
    if ballot.is_anonymous:
        content["pseudonym"] = pseudonym_id(ballot.decision_id, ballot.membership_id)
    return content


def stored_ballot_content(ballot: Ballot) -> dict[str, Any]:
    """A ballot's content with the stars of its stored votes."""
    return ballot_content(ballot, {vote.choice_id: vote.stars for vote in ballot.votes.all()})


def ballot_change(ballot: Ballot) -> Change:
    """A ballot that changed, or a vote of it: read again with its votes."""
    rows = Ballot.objects.prefetch_related("votes").filter(decision=ballot.decision_id, membership=ballot.membership_id)
    return _ballot(ballot, _stored(rows, stored_ballot_content))


def ballot_written(ballot: Ballot, stars: Mapping[int, int]) -> Change:
    """A ballot whose row and votes were just written as they are here: they aren't read again."""
    content = ballot_content(ballot, stars)
    return _ballot(ballot, lambda: content)


def new_ballot(row: BallotRow, stars: Mapping[int, int]) -> NewSubject:
    """A ballot that was just written, and of which the ledger has never heard."""
    decision, membership = row.decision_id, row.membership_id
    content = ballot_content(row, stars)
    return NewSubject(Kind.BALLOT.value, ballot_subject(decision, membership), content, decision, membership)


def ballot_withdrawn(ballot: Ballot) -> Change:
    """A ballot whose row was just deleted."""
    return _ballot(ballot, _nothing)


def _ballot(ballot: Ballot, content: Callable[[], Content]) -> Change:
    decision, membership = ballot.decision_id, ballot.membership_id
    return Change(Kind.BALLOT, ballot_subject(decision, membership), content, decision, membership)
