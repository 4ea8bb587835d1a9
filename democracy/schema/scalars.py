"""Scalars and enums of the API."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import NewType

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
        name="DateTime", description="Date with time (isoformat)", serialize=datetime.isoformat, parse_value=_moment
    ),
}


@strawberry.enum(description="Voters are counted; lobbyists may vote and be followed, but are never counted.")
class Role(Enum):
    VOTER = models.Membership.Role.VOTER.value
    LOBBYIST = models.Membership.Role.LOBBYIST.value


@strawberry.enum(description="The people who may read a community's decisions, results and members.")
class CommunityVisibility(Enum):
    PUBLIC = models.Community.Visibility.PUBLIC.value
    MEMBERS = models.Community.Visibility.MEMBERS.value


@strawberry.enum(
    description="OPEN: whoever asks is in at once. REQUEST: a manager decides on each application. INVITED: by a "
    "manager's invitation only."
)
class Joining(Enum):
    OPEN = models.Community.Joining.OPEN.value
    REQUEST = models.Community.Joining.REQUEST.value
    INVITED = models.Community.Joining.INVITED.value


@strawberry.enum(
    description="LISTED: nobody asked for a mail. INVITED: the mail is on its way or has arrived. REFUSED: by the mail "
    "server. EXPIRED: the link is older than 30 days."
)
class InvitationState(Enum):
    LISTED = models.Invitation.State.LISTED.value
    INVITED = models.Invitation.State.INVITED.value
    REFUSED = models.Invitation.State.REFUSED.value
    JOINED = models.Invitation.State.JOINED.value
    EXPIRED = models.Invitation.State.EXPIRED.value
    REVOKED = models.Invitation.State.REVOKED.value


@strawberry.enum
class ApplicationStatus(Enum):
    PENDING = models.Application.Status.PENDING.value
    APPROVED = models.Application.Status.APPROVED.value
    REJECTED = models.Application.Status.REJECTED.value
    WITHDRAWN = models.Application.Status.WITHDRAWN.value


@strawberry.enum(
    description="LIVE: at once. BATCHED: an interim result, of the cast ballots alone, whenever five members have "
    "voted or changed their vote. "
    "AFTER_CLOSE: the final result only. Ballots are shown in LIVE decisions, and in all of them once they are closed."
)
class ResultsVisibility(Enum):
    LIVE = models.Decision.Visibility.LIVE.value
    BATCHED = models.Decision.Visibility.BATCHED.value
    AFTER_CLOSE = models.Decision.Visibility.AFTER_CLOSE.value


@strawberry.enum(
    description="SCHEDULED: published, voting has not opened yet. CALLED_OFF: before it closed; it has no result, and "
    "its ballots are kept."
)
class DecisionStatus(Enum):
    DRAFT = models.Decision.Status.DRAFT.value
    SCHEDULED = models.Decision.Status.SCHEDULED.value
    OPEN = models.Decision.Status.OPEN.value
    CLOSED = models.Decision.Status.CLOSED.value
    CALLED_OFF = models.Decision.Status.CALLED_OFF.value


@strawberry.enum(
    description="Whether the result shown is that of the newest inputs. STALE: it will be calculated soon. FAILED: it "
    "could not be; it is tried again."
)
class CalculationStatusKind(Enum):
    CURRENT = models.Decision.CalculationStatus.CURRENT.value
    STALE = models.Decision.CalculationStatus.STALE.value
    CALCULATING = models.Decision.CalculationStatus.CALCULATING.value
    FAILED = models.Decision.CalculationStatus.FAILED.value


@strawberry.enum(description="The way in which a member came to a ballot.")
class BallotKind(Enum):
    CAST = models.StagedBallot.Kind.CAST.value
    INHERITED = models.StagedBallot.Kind.INHERITED.value
    ABSTAINED = models.StagedBallot.Kind.ABSTAINED.value


@strawberry.enum(description="A round of STAR: Score, Then Automatic Runoff.")
class Round(Enum):
    SCORE = "score"
    RUNOFF = "runoff"


@strawberry.enum(description="The rule that decided between tied choices.")
class TieBreakKind(Enum):
    HEAD_TO_HEAD = "head_to_head"
    SCORE = "score"
    FIVE_STAR = "five_star"
    LOT = "lot"


@strawberry.enum(description="Why there is no winner.")
class NoWinnerReason(Enum):
    NO_BALLOTS = "no_ballots"
    ONE_CHOICE = "one_choice"


@strawberry.enum(description="What a notice tells of.")
class NoticeKind(Enum):
    OPENED = models.Notice.Kind.OPENED.value
    CLOSES_SOON = models.Notice.Kind.CLOSES_SOON.value
    RESULT = models.Notice.Kind.RESULT.value
    CLARIFIED = models.Notice.Kind.CLARIFIED.value
    CALLED_OFF = models.Notice.Kind.CALLED_OFF.value
    INHERITED_MOVED = models.Notice.Kind.INHERITED_MOVED.value
    FOLLOWEE_GONE = models.Notice.Kind.FOLLOWEE_GONE.value
    FOLLOWED = models.Notice.Kind.FOLLOWED.value
    NEW_FOLLOWER = models.Notice.Kind.NEW_FOLLOWER.value
    APPLICATION_DECIDED = models.Notice.Kind.APPLICATION_DECIDED.value
    APPLICATION_WAITING = models.Notice.Kind.APPLICATION_WAITING.value
    CALCULATION_FAILED = models.Notice.Kind.CALCULATION_FAILED.value
    HIDDEN = models.Notice.Kind.HIDDEN.value
    INVITED = models.Notice.Kind.INVITED.value


@strawberry.enum(description="How you are told: by mail at once, by mail once a day, or on the site only.")
class NoticeWay(Enum):
    AT_ONCE = models.NoticePreference.Way.AT_ONCE.value
    DAILY = models.NoticePreference.Way.DAILY.value
    SITE = models.NoticePreference.Way.SITE.value


@strawberry.enum
class LedgerKind(Enum):
    COMMUNITY = models.LedgerEntry.Kind.COMMUNITY.value
    APPLICATION = models.LedgerEntry.Kind.APPLICATION.value
    MEMBERSHIP = models.LedgerEntry.Kind.MEMBERSHIP.value
    FOLLOWING = models.LedgerEntry.Kind.FOLLOWING.value
    DECISION = models.LedgerEntry.Kind.DECISION.value
    BALLOT = models.LedgerEntry.Kind.BALLOT.value
    RECALCULATION = models.LedgerEntry.Kind.RECALCULATION.value
    PUBLICATION = models.LedgerEntry.Kind.PUBLICATION.value
    MODERATION = models.LedgerEntry.Kind.MODERATION.value


@strawberry.enum(description="What a webhook is told of. WEBHOOK_TEST: of nothing; a manager asked for it.")
class WebhookEvent(Enum):
    DECISION_OPENED = models.WebhookDelivery.Event.OPENED.value
    DECISION_CLOSED = models.WebhookDelivery.Event.CLOSED.value
    DECISION_RESULT = models.WebhookDelivery.Event.RESULT.value
    WEBHOOK_TEST = models.WebhookDelivery.Event.TEST.value


@strawberry.enum(
    description="WAITING: it is sent soon, or again. ARRIVED: the receiver took it. GIVEN_UP: it failed for a day, or "
    "the receiver wants no more; a test is tried once."
)
class WebhookDeliveryState(Enum):
    WAITING = models.WebhookDelivery.State.WAITING.value
    ARRIVED = models.WebhookDelivery.State.ARRIVED.value
    GIVEN_UP = models.WebhookDelivery.State.GIVEN_UP.value
