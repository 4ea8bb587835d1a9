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


def described(value: str | Enum, description: str) -> str:
    """Describe a value of an enum; of a model's choice, its value.

    Strawberry puts the value itself in the place of what is returned, so that is the type told here.
    """
    return cast(str, strawberry.enum_value(value.value if isinstance(value, Enum) else value, description=description))


@strawberry.enum(description="Whether a member's ballot is counted.")
class Role(Enum):
    VOTER = described(models.Membership.Role.VOTER, "Their ballots are counted, cast or inherited.")
    LOBBYIST = described(models.Membership.Role.LOBBYIST, "May vote, tag and be followed; never counted.")


@strawberry.enum(description="The people who may read a community's decisions, results and members.")
class CommunityVisibility(Enum):
    PUBLIC = described(models.Community.Visibility.PUBLIC, "Everybody, signed in or not.")
    MEMBERS = described(models.Community.Visibility.MEMBERS, "Its members alone.")


@strawberry.enum(description="How people become members.")
class Joining(Enum):
    OPEN = described(models.Community.Joining.OPEN, "Whoever asks is in at once, but for those whom a manager removed.")
    REQUEST = described(models.Community.Joining.REQUEST, "People apply; a manager decides on each application.")
    INVITED = described(models.Community.Joining.INVITED, "By a manager's invitation only.")


@strawberry.enum(description="What became of an invitation.")
class InvitationState(Enum):
    LISTED = described(models.Invitation.State.LISTED, "Nobody asked for a mail.")
    INVITED = described(models.Invitation.State.INVITED, "The mail is on its way, or has arrived.")
    REFUSED = described(models.Invitation.State.REFUSED, "The mail server did not take the mail: see `refusal`.")
    JOINED = described(models.Invitation.State.JOINED, "Somebody came in by it.")
    EXPIRED = described(models.Invitation.State.EXPIRED, "The link is older than 30 days.")
    REVOKED = described(models.Invitation.State.REVOKED, "A manager took it back.")


@strawberry.enum(description="What became of an application.")
class ApplicationStatus(Enum):
    PENDING = described(models.Application.Status.PENDING, "It waits for a manager.")
    APPROVED = described(models.Application.Status.APPROVED, "Whoever applied became a member.")
    REJECTED = described(models.Application.Status.REJECTED, "A manager did not let them in.")
    WITHDRAWN = described(models.Application.Status.WITHDRAWN, "Whoever applied took it back.")


@strawberry.enum(description="When results and ballots are shown. Once a decision has closed, both are.")
class ResultsVisibility(Enum):
    LIVE = described(models.Decision.Visibility.LIVE, "At once, with the ballots.")
    BATCHED = described(
        models.Decision.Visibility.BATCHED,
        "While voting is open an interim result, of the cast ballots alone, whenever five members have voted or "
        "changed their vote. Ballots are hidden until closing.",
    )
    AFTER_CLOSE = described(
        models.Decision.Visibility.AFTER_CLOSE, "The final result only. Ballots are hidden until closing."
    )


@strawberry.enum(description="The phase of a decision, by the clock or by a manager's word.")
class DecisionStatus(Enum):
    DRAFT = described(models.Decision.Status.DRAFT, "Not published; its community's managers see it.")
    SCHEDULED = described(models.Decision.Status.SCHEDULED, "Published; voting has not opened yet.")
    OPEN = described(models.Decision.Status.OPEN, "Members can vote.")
    CLOSED = described(models.Decision.Status.CLOSED, "Voting is over; the final result follows.")
    CALLED_OFF = described(
        models.Decision.Status.CALLED_OFF,
        "A manager ended it before it closed: it has no result, and its ballots are kept.",
    )


@strawberry.enum(description="Whether the result shown is that of the newest inputs.")
class CalculationStatusKind(Enum):
    CURRENT = described(
        models.Decision.CalculationStatus.CURRENT,
        "It is. Also told of drafts, of decisions that were called off, and while ballots are hidden.",
    )
    STALE = described(models.Decision.CalculationStatus.STALE, "Not yet; it will be calculated soon.")
    CALCULATING = described(
        models.Decision.CalculationStatus.CALCULATING, "Not yet; its community is being calculated."
    )
    FAILED = described(models.Decision.CalculationStatus.FAILED, "It could not be calculated; it is tried again.")


@strawberry.enum(description="The way in which a member came to a ballot.")
class BallotKind(Enum):
    CAST = described(models.StagedBallot.Kind.CAST, "The member wrote it.")
    INHERITED = described(
        models.StagedBallot.Kind.INHERITED, "It is the average of the ballots of those whom they follow."
    )
    ABSTAINED = described(
        models.StagedBallot.Kind.ABSTAINED,
        "The member cast it and rated nothing: it inherits nothing and hands nothing on.",
    )


@strawberry.enum(description="A round of STAR: Score, Then Automatic Runoff.")
class Round(Enum):
    SCORE = described("score", "The two choices with the most stars become finalists.")
    RUNOFF = described("runoff", "The finalist that more ballots prefer wins.")


@strawberry.enum(description="The rule that decided between tied choices: which of them went on, or won.")
class TieBreakKind(Enum):
    HEAD_TO_HEAD = described("head_to_head", "The one of two that more ballots prefer.")
    SCORE = described("score", "The one with more stars in all.")
    FIVE_STAR = described("five_star", "The one with more ballots that give it five stars.")
    LOT = described("lot", "The one with the lowest lot.")


@strawberry.enum(description="Why there is no winner.")
class NoWinnerReason(Enum):
    NO_BALLOTS = described("no_ballots", "No ballot was counted.")
    ONE_CHOICE = described("one_choice", "There was nothing to choose between.")


@strawberry.enum(description="What a notice tells of.")
class NoticeKind(Enum):
    OPENED = described(models.Notice.Kind.OPENED, "You can vote in a decision.")
    CLOSES_SOON = described(
        models.Notice.Kind.CLOSES_SOON, "A decision closes soon, or a manager reminds you, and you have not voted."
    )
    RESULT = described(models.Notice.Kind.RESULT, "A final result is there.")
    CLARIFIED = described(models.Notice.Kind.CLARIFIED, "A manager added to a question.")
    CALLED_OFF = described(models.Notice.Kind.CALLED_OFF, "A decision gets no result after all.")
    INHERITED_MOVED = described(models.Notice.Kind.INHERITED_MOVED, "A ballot that you inherit has changed.")
    FOLLOWEE_GONE = described(models.Notice.Kind.FOLLOWEE_GONE, "Somebody whom you follow left or became anonymous.")
    FOLLOWED = described(models.Notice.Kind.FOLLOWED, "People follow you in an open decision, and you have not voted.")
    NEW_FOLLOWER = described(models.Notice.Kind.NEW_FOLLOWER, "Somebody follows you from now on.")
    APPLICATION_DECIDED = described(
        models.Notice.Kind.APPLICATION_DECIDED, "A manager approved or rejected your application."
    )
    APPLICATION_WAITING = described(models.Notice.Kind.APPLICATION_WAITING, "Somebody wants to join; for managers.")
    CALCULATION_FAILED = described(
        models.Notice.Kind.CALCULATION_FAILED, "A result could not be calculated; for managers."
    )
    HIDDEN = described(models.Notice.Kind.HIDDEN, "The site's operator hid something of yours, or shows it again.")
    INVITED = described(models.Notice.Kind.INVITED, "A manager invites you to a community.")


@strawberry.enum(description="How you are told.")
class NoticeWay(Enum):
    AT_ONCE = described(models.NoticePreference.Way.AT_ONCE, "By a mail of its own.")
    DAILY = described(models.NoticePreference.Way.DAILY, "By mail, once a day, with others.")
    SITE = described(models.NoticePreference.Way.SITE, "On the site and in the API only.")


@strawberry.enum(description="What a ledger entry is about.")
class LedgerKind(Enum):
    COMMUNITY = described(models.LedgerEntry.Kind.COMMUNITY, "It was founded, or its settings changed.")
    APPLICATION = described(models.LedgerEntry.Kind.APPLICATION, "Somebody applied, took it back, or was answered.")
    MEMBERSHIP = described(
        models.LedgerEntry.Kind.MEMBERSHIP, "Somebody came, left, or changed role, rights or anonymity."
    )
    FOLLOWING = described(models.LedgerEntry.Kind.FOLLOWING, "Somebody follows, on other tags, or no longer.")
    DECISION = described(
        models.LedgerEntry.Kind.DECISION, "One was drafted, changed, published, called off or deleted."
    )
    BALLOT = described(models.LedgerEntry.Kind.BALLOT, "One was cast, changed or taken back.")
    RECALCULATION = described(
        models.LedgerEntry.Kind.RECALCULATION, "A manager had a decision calculated from scratch."
    )
    PUBLICATION = described(models.LedgerEntry.Kind.PUBLICATION, "A result was published at an address, or withdrawn.")
    MODERATION = described(
        models.LedgerEntry.Kind.MODERATION, "The site's operator hid a text or the community, or shows it again."
    )


@strawberry.enum(description="What a webhook is told of.")
class WebhookEvent(Enum):
    DECISION_OPENED = described(models.WebhookDelivery.Event.OPENED, "Voting has opened.")
    DECISION_CLOSED = described(models.WebhookDelivery.Event.CLOSED, "Voting is over.")
    DECISION_RESULT = described(models.WebhookDelivery.Event.RESULT, "The final result is there.")
    WEBHOOK_TEST = described(models.WebhookDelivery.Event.TEST, "Nothing: a manager asked for a test.")


@strawberry.enum(description="What became of a message to a webhook.")
class WebhookDeliveryState(Enum):
    WAITING = described(models.WebhookDelivery.State.WAITING, "It is sent soon, or again.")
    ARRIVED = described(models.WebhookDelivery.State.ARRIVED, "The receiver took it.")
    GIVEN_UP = described(
        models.WebhookDelivery.State.GIVEN_UP,
        "It failed for a day, or the receiver wants no more; a test is tried once.",
    )
