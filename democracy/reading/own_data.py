"""Everything that the site keeps of a person, as one file for that person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Q

from accounts.models import User
from democracy.ledger.canonical import written_time
from democracy.models import Application, Ballot, Choice, Following, Invitation, Membership, NoticePreference
from democracy.reading import notices, receipts

FORMAT, VERSION = "crowdvote-own-data", 1


def own_data(user: User) -> dict[str, Any]:
    """A person's account, memberships, applications, invitations, followings, ballots with receipts, notices and how
    they are told, as JSON.

    Former memberships are among them, and ballots in decisions that hide theirs: they are the person's own. What other
    people wrote is not, nor what they inherit; of an API token or passkey only what it is called.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "account": _account(user),
        "api_tokens": [
            {
                "name": token.name,
                "created": _time(token.created_at),
                "last_used": _time(token.last_used_at),
                "revoked": _time(token.revoked_at),
            }
            for token in user.api_tokens.order_by("pk")
        ],
        "passkeys": [
            {"name": one.name, "created": _time(one.created_at), "last_used": _time(one.last_used_at)}
            for one in user.passkeys.order_by("pk")
        ],
        "communities": _communities(user),
        "notices": [
            {
                "what": one.get_kind_display(),
                "community": one.community.name if one.community else None,
                "decision": one.decision.title if one.decision else None,
                "created": _time(one.created_at),
                "read": _time(one.read_at),
            }
            for one in notices.shown_notices(user).order_by("pk")
        ],
    }


def _time(moment: datetime | None) -> str | None:
    return written_time(moment) if moment else None


def _account(user: User) -> dict[str, Any]:
    return {
        "email": user.email,
        "name": user.name,
        "handle": user.handle,
        "joined": _time(user.date_joined),
        "last_sign_in": _time(user.last_login),
    }


def _communities(user: User) -> list[dict[str, Any]]:
    """Everything the person did in each community, in the order of the communities' numbers."""
    found: defaultdict[int, dict[str, Any]] = defaultdict(
        lambda: {
            "membership": None,
            "applications": [],
            "invitation": None,
            "followings": [],
            "ballots": [],
            "told": {},
        }
    )
    names: dict[int, str] = {}
    for member in Membership.objects.filter(user=user).select_related("community"):
        names[member.community_id] = member.community.name
        found[member.community_id]["membership"] = {
            "role": member.role,
            "manager": member.is_manager,
            "anonymous": member.is_anonymous,
            "joined": _time(member.joined_at),
            "left": _time(member.left_at),
            "removed": member.was_removed,
        }
    for application in Application.objects.filter(user=user).select_related("community").order_by("pk"):
        names[application.community_id] = application.community.name
        found[application.community_id]["applications"].append(
            {
                "message": application.message,
                "status": application.status,
                "created": _time(application.created_at),
                "decided": _time(application.decided_at),
            }
        )
    for invitation in Invitation.objects.filter(_of(user)).select_related("community"):
        names[invitation.community_id] = invitation.community.name
        found[invitation.community_id]["invitation"] = {
            "address": invitation.address,
            "name": invitation.name,
            "role": invitation.role,
            "manager": invitation.is_manager,
            "tags": invitation.tags,
            "issued": _time(invitation.issued_at),
            "accepted": _time(invitation.accepted_at),
            "taken_back": _time(invitation.revoked_at),
        }
    for chosen in NoticePreference.objects.filter(person=user).select_related("community").order_by("pk"):
        names[chosen.community_id] = chosen.community.name
        found[chosen.community_id]["told"][chosen.get_kind_display()] = chosen.get_way_display()
    followings = Following.objects.filter(follower__user=user).select_related("follower", "followee__user")
    for one in followings.order_by("order", "pk"):
        found[one.follower.community_id]["followings"].append(
            {"followee": one.followee.user.handle, "tags": one.tags, "since": _time(one.created_at)}
        )
    for community, ballot in _ballots(user):
        found[community]["ballots"].append(ballot)
    return [{"name": names[pk], **found[pk]} for pk in sorted(found)]


def _of(user: User) -> Q:
    """Return which invitations are the person's: those accepted, and to the address of now."""
    accepted = Q(membership__user=user)
    return accepted | Q(address=user.email) if user.email else accepted


def _ballots(user: User) -> Iterable[tuple[int, dict[str, Any]]]:
    """The person's cast ballots with the numbers of their communities, the oldest first."""
    cast = list(
        Ballot.objects.filter(membership__user=user)
        .select_related("decision", "membership")
        .prefetch_related("votes")
        .order_by("cast_at", "pk")
    )
    titles = dict(Choice.objects.filter(decision__in=[one.decision_id for one in cast]).values_list("pk", "title"))
    keys = [(one.decision_id, one.membership_id) for one in cast]
    files = receipts.files(receipts.own_receipts(user, keys), owner=user)
    for one in cast:
        yield (
            one.decision.community_id,
            {
                "decision": one.decision.title,
                "stars": {titles[vote.choice_id]: vote.stars for vote in one.votes.all()},
                "tags": one.tags,
                "comment": one.comment,
                "abstained": one.abstain,
                "anonymous": one.is_anonymous,
                "cast": _time(one.cast_at),
                "receipt": files.get((one.decision_id, one.membership_id)),
            },
        )
