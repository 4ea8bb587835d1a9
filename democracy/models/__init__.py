"""The tables: inputs that people write, the ledger of their changes, and what the calculation derives from them.

Inputs (Community ... Vote) are written by the commands in `democracy.services` and nowhere else; every change of one
appends a `LedgerEntry`. Derived rows (`StagedBlock`, `DecisionSnapshot`) and the bookkeeping beside them are written
by the calculation, in bulk. Notices are neither: they tell people of changes, and no result rests on them.
"""

from democracy.models.communities import MAX_FOLLOWINGS, Application, Community, Following, Greeting, Membership
from democracy.models.decisions import (
    LONGEST_REASON,
    MAX_CHOICES,
    MAX_CLARIFICATIONS,
    MAX_PINNED,
    MAX_REMINDER_HOURS,
    MAX_STARS,
    MIN_CHOICES,
    REMINDER_HOURS,
    Ballot,
    Choice,
    Clarification,
    Decision,
    Vote,
)
from democracy.models.derived import CalculationClaim, DecisionSnapshot, PastBlock, StagedBlock
from democracy.models.idempotency import LONGEST_KEY, IdempotencyKey
from democracy.models.imports import UnfinishedImport
from democracy.models.invitations import MAX_INVITED, Invitation, InvitationLink
from democracy.models.ledger import Checkpoint, LedgerEntry
from democracy.models.moderations import LONGEST_MODERATION_REASON, Moderation
from democracy.models.notices import ExtraReminder, MailPace, Notice, NoticeCursor, NoticeMark, NoticePreference
from democracy.models.published_results import PublishedResult
from democracy.models.staged_ballots import BallotColumns, StagedBallot
from democracy.models.webhooks import MAX_WEBHOOKS, Webhook, WebhookDelivery

__all__ = [
    "LONGEST_KEY",
    "LONGEST_MODERATION_REASON",
    "LONGEST_REASON",
    "MAX_CHOICES",
    "MAX_CLARIFICATIONS",
    "MAX_FOLLOWINGS",
    "MAX_INVITED",
    "MAX_PINNED",
    "MAX_REMINDER_HOURS",
    "MAX_STARS",
    "MAX_WEBHOOKS",
    "MIN_CHOICES",
    "REMINDER_HOURS",
    "Application",
    "Ballot",
    "BallotColumns",
    "CalculationClaim",
    "Checkpoint",
    "Choice",
    "Clarification",
    "Community",
    "Decision",
    "DecisionSnapshot",
    "ExtraReminder",
    "Following",
    "Greeting",
    "IdempotencyKey",
    "Invitation",
    "InvitationLink",
    "LedgerEntry",
    "MailPace",
    "Membership",
    "Moderation",
    "Notice",
    "NoticeCursor",
    "NoticeMark",
    "NoticePreference",
    "PastBlock",
    "PublishedResult",
    "StagedBallot",
    "StagedBlock",
    "UnfinishedImport",
    "Vote",
    "Webhook",
    "WebhookDelivery",
]
