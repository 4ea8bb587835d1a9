"""Scalars and enums of the API."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import NewType, cast

import strawberry
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.types.scalar import ScalarDefinition

from democracy import models

BigInt = NewType("BigInt", int)


def _moment(text: object) -> datetime:
    """A moment as written; whether it can be one of a decision's, the commands say.

    Raises StrawberryInputCoercionError.
    """
    try:
        if isinstance(text, str):
            return datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        pass
    raise StrawberryInputCoercionError(f"Value cannot represent a DateTime: {str(text)[:50]!r}.")


SCALARS: dict[object, ScalarDefinition] = {
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number that may not fit into 32 bits, such as a sum of microstars; a number in JSON.",
        serialize=int,
        parse_value=int,
    ),
    # In place of Strawberry's own, which lets 24 o'clock on the last day of the calendar fail as if it were our fault.
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment as RFC 3339 writes it, in answers in UTC and to the microsecond at most: "
        '"2026-03-20T18:00:00+00:00". Inputs need the offset (a capital Z will do) and lie between the years 1900 and '
        "9000.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=datetime.isoformat,
        parse_value=_moment,
    ),
}


def _value(value: str | Enum, description: str) -> str:
    """Describe a value of an enum; of a model's choice, its value.

    Strawberry puts the value itself in the place of what is returned, so that is the type told here.
    """
    return cast(str, strawberry.enum_value(value.value if isinstance(value, Enum) else value, description=description))


@strawberry.enum(description="Whether a member's ballot is counted.")
class Role(Enum):
    VOTER = _value(models.Membership.Role.VOTER, "Their ballots are counted, cast or inherited.")
    LOBBYIST = _value(models.Membership.Role.LOBBYIST, "May vote, tag and be followed; never counted.")


@strawberry.enum(description="The people who may read a community's decisions, results and members.")
class CommunityVisibility(Enum):
    PUBLIC = _value(models.Community.Visibility.PUBLIC, "Everybody, signed in or not.")
    MEMBERS = _value(models.Community.Visibility.MEMBERS, "Its members alone.")


@strawberry.enum(description="How people become members.")
class Joining(Enum):
    OPEN = _value(models.Community.Joining.OPEN, "Whoever asks is in at once, but for those whom a manager removed.")
    REQUEST = _value(models.Community.Joining.REQUEST, "People apply; a manager decides on each application.")
    INVITED = _value(models.Community.Joining.INVITED, "By a manager's invitation only.")


@strawberry.enum(description="What became of an invitation.")
class InvitationState(Enum):
    LISTED = _value(models.Invitation.State.LISTED, "Nobody asked for a mail.")
    INVITED = _value(models.Invitation.State.INVITED, "The mail is on its way, or has arrived.")
    REFUSED = _value(models.Invitation.State.REFUSED, "The mail server did not take the mail: see `refusal`.")
    JOINED = _value(models.Invitation.State.JOINED, "Somebody came in by it.")
    EXPIRED = _value(models.Invitation.State.EXPIRED, "The link is older than 30 days.")
    REVOKED = _value(models.Invitation.State.REVOKED, "A manager took it back.")


@strawberry.enum(description="What became of an application.")
class ApplicationStatus(Enum):
    PENDING = _value(models.Application.Status.PENDING, "It waits for a manager.")
    APPROVED = _value(models.Application.Status.APPROVED, "Whoever applied became a member.")
    REJECTED = _value(models.Application.Status.REJECTED, "A manager did not let them in.")
    WITHDRAWN = _value(models.Application.Status.WITHDRAWN, "Whoever applied took it back.")


@strawberry.enum(description="When results and ballots are shown. Once a decision has closed, both are.")
class ResultsVisibility(Enum):
    LIVE = _value(models.Decision.Visibility.LIVE, "At once, with the ballots.")
    BATCHED = _value(
        models.Decision.Visibility.BATCHED,
        "While voting is open an interim result, of the cast ballots alone, whenever five members have voted or "
        "changed their vote. Ballots are hidden until closing.",
    )
    AFTER_CLOSE = _value(
        models.Decision.Visibility.AFTER_CLOSE, "The final result only. Ballots are hidden until closing."
    )


@strawberry.enum(description="The phase of a decision, by the clock or by a manager's word.")
class DecisionStatus(Enum):
    DRAFT = _value(models.Decision.Status.DRAFT, "Not published; its community's managers see it.")
    SCHEDULED = _value(models.Decision.Status.SCHEDULED, "Published; voting has not opened yet.")
    OPEN = _value(models.Decision.Status.OPEN, "Members can vote.")
    CLOSED = _value(models.Decision.Status.CLOSED, "Voting is over; the final result follows.")
    CALLED_OFF = _value(
        models.Decision.Status.CALLED_OFF,
        "A manager ended it before it closed: it has no result, and its ballots are kept.",
    )


@strawberry.enum(description="Whether the result shown is that of the newest inputs.")
class CalculationStatusKind(Enum):
    CURRENT = _value(
        models.Decision.CalculationStatus.CURRENT,
        "It is. Also told of drafts, of decisions that were called off, and while ballots are hidden.",
    )
    STALE = _value(models.Decision.CalculationStatus.STALE, "Not yet; it will be calculated soon.")
    CALCULATING = _value(models.Decision.CalculationStatus.CALCULATING, "Not yet; its community is being calculated.")
    FAILED = _value(models.Decision.CalculationStatus.FAILED, "It could not be calculated; it is tried again.")


@strawberry.enum(description="The way in which a member came to a ballot.")
class BallotKind(Enum):
    CAST = _value(models.StagedBallot.Kind.CAST, "The member wrote it.")
    INHERITED = _value(
        models.StagedBallot.Kind.INHERITED, "It is the average of the ballots of those whom they follow."
    )
    ABSTAINED = _value(
        models.StagedBallot.Kind.ABSTAINED,
        "The member cast it and rated nothing: it inherits nothing and hands nothing on.",
    )


@strawberry.enum(description="A round of STAR: Score, Then Automatic Runoff.")
class Round(Enum):
    SCORE = _value("score", "The two choices with the most stars become finalists.")
    RUNOFF = _value("runoff", "The finalist that more ballots prefer wins.")


@strawberry.enum(description="The rule that decided between tied choices: which of them went on, or won.")
class TieBreakKind(Enum):
    HEAD_TO_HEAD = _value("head_to_head", "The one of two that more ballots prefer.")
    SCORE = _value("score", "The one with more stars in all.")
    FIVE_STAR = _value("five_star", "The one with more ballots that give it five stars.")
    LOT = _value("lot", "The one with the lowest lot.")


@strawberry.enum(description="Why there is no winner.")
class NoWinnerReason(Enum):
    NO_BALLOTS = _value("no_ballots", "No ballot was counted.")
    ONE_CHOICE = _value("one_choice", "There was nothing to choose between.")


@strawberry.enum(description="What a notice tells of.")
class NoticeKind(Enum):
    OPENED = _value(models.Notice.Kind.OPENED, "You can vote in a decision.")
    CLOSES_SOON = _value(
        models.Notice.Kind.CLOSES_SOON, "A decision closes soon, or a manager reminds you, and you have not voted."
    )
    RESULT = _value(models.Notice.Kind.RESULT, "A final result is there.")
    CLARIFIED = _value(models.Notice.Kind.CLARIFIED, "A manager added to a question.")
    CALLED_OFF = _value(models.Notice.Kind.CALLED_OFF, "A decision gets no result after all.")
    INHERITED_MOVED = _value(models.Notice.Kind.INHERITED_MOVED, "A ballot that you inherit has changed.")
    FOLLOWEE_GONE = _value(models.Notice.Kind.FOLLOWEE_GONE, "Somebody whom you follow left or became anonymous.")
    FOLLOWED = _value(models.Notice.Kind.FOLLOWED, "People follow you in an open decision, and you have not voted.")
    NEW_FOLLOWER = _value(models.Notice.Kind.NEW_FOLLOWER, "Somebody follows you from now on.")
    APPLICATION_DECIDED = _value(
        models.Notice.Kind.APPLICATION_DECIDED, "A manager approved or rejected your application."
    )
    APPLICATION_WAITING = _value(models.Notice.Kind.APPLICATION_WAITING, "Somebody wants to join; for managers.")
    CALCULATION_FAILED = _value(
        models.Notice.Kind.CALCULATION_FAILED, "A result could not be calculated; for managers."
    )
    HIDDEN = _value(models.Notice.Kind.HIDDEN, "The site's operator hid something of yours, or shows it again.")
    INVITED = _value(models.Notice.Kind.INVITED, "A manager invites you to a community.")


@strawberry.enum(description="How you are told.")
class NoticeWay(Enum):
    AT_ONCE = _value(models.NoticePreference.Way.AT_ONCE, "By a mail of its own.")
    DAILY = _value(models.NoticePreference.Way.DAILY, "By mail, once a day, with others.")
    SITE = _value(models.NoticePreference.Way.SITE, "On the site and in the API only.")


@strawberry.enum(description="What a ledger entry is about.")
class LedgerKind(Enum):
    COMMUNITY = _value(models.LedgerEntry.Kind.COMMUNITY, "It was founded, or its settings changed.")
    APPLICATION = _value(models.LedgerEntry.Kind.APPLICATION, "Somebody applied, took it back, or was answered.")
    MEMBERSHIP = _value(
        models.LedgerEntry.Kind.MEMBERSHIP, "Somebody came, left, or changed role, rights or anonymity."
    )
    FOLLOWING = _value(models.LedgerEntry.Kind.FOLLOWING, "Somebody follows, on other tags, or no longer.")
    DECISION = _value(models.LedgerEntry.Kind.DECISION, "One was drafted, changed, published, called off or deleted.")
    BALLOT = _value(models.LedgerEntry.Kind.BALLOT, "One was cast, changed or taken back.")
    RECALCULATION = _value(models.LedgerEntry.Kind.RECALCULATION, "A manager had a decision calculated from scratch.")
    PUBLICATION = _value(models.LedgerEntry.Kind.PUBLICATION, "A result was published at an address, or withdrawn.")
    MODERATION = _value(
        models.LedgerEntry.Kind.MODERATION, "The site's operator hid a text or the community, or shows it again."
    )


@strawberry.enum(description="What a webhook is told of.")
class WebhookEvent(Enum):
    DECISION_OPENED = _value(models.WebhookDelivery.Event.OPENED, "Voting has opened.")
    DECISION_CLOSED = _value(models.WebhookDelivery.Event.CLOSED, "Voting is over.")
    DECISION_RESULT = _value(models.WebhookDelivery.Event.RESULT, "The final result is there.")
    WEBHOOK_TEST = _value(models.WebhookDelivery.Event.TEST, "Nothing: a manager asked for a test.")


@strawberry.enum(description="What became of a message to a webhook.")
class WebhookDeliveryState(Enum):
    WAITING = _value(models.WebhookDelivery.State.WAITING, "It is sent soon, or again.")
    ARRIVED = _value(models.WebhookDelivery.State.ARRIVED, "The receiver took it.")
    GIVEN_UP = _value(
        models.WebhookDelivery.State.GIVEN_UP,
        "It failed for a day, or the receiver wants no more; a test is tried once.",
    )
