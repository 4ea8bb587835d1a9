"""Refusals of the commands, in words of the domain. Pages and GraphQL translate them in one place."""

from __future__ import annotations

from collections.abc import Sequence

from accounts import errors
from accounts.errors import DomainError


class PermissionDenied(DomainError):
    """Not allowed, or, where existence is private, not there: the answer does not tell which."""

    code = "PERMISSION_DENIED"

    def __init__(self, message: str = "This does not exist, or you may not do it.") -> None:
        super().__init__(message)


class SignInFirst(PermissionDenied):
    """A visitor's command. It is raised before anything is looked up, so it tells nothing of what there is."""

    code = errors.SignInFirst.code

    def __init__(self, message: str = "Sign in first.") -> None:
        super().__init__(message)


class ChangedMeanwhile(DomainError):
    """A change that was to be made only if nobody else had changed the same since."""

    code = "CHANGED_MEANWHILE"
    field = "if_revision"

    def __init__(self, message: str = "This was changed meanwhile. Look at it again, then repeat your change.") -> None:
        super().__init__(message)


class KeyReused(DomainError):
    """An idempotency key that was sent with something else before."""

    code = "KEY_REUSED"
    field = "idempotency_key"


class CommunityHidden(PermissionDenied):
    """Acting in a community that an operator has hidden, as one of its members."""

    code = "COMMUNITY_HIDDEN"

    def __init__(self, message: str = "The site's operator has hidden this community. Its page says why.") -> None:
        super().__init__(message)


class InvalidInput(DomainError):
    code = "INVALID"


class FaultyLines(InvalidInput):
    """Several faults in a list that somebody gave: each names its line. The first ones are told."""

    code = "FAULTY_LINES"
    told = 20

    def __init__(self, faults: Sequence[DomainError], *, field: str) -> None:
        shown = [DomainError(one.message, field=field, code=one.code) for one in faults[: self.told]]
        if len(faults) > self.told:
            shown.append(DomainError(f"{len(faults) - self.told:,} more lines are faulty.", field=field))
        super().__init__(" ".join(one.message for one in shown), field=field)
        self._parts = tuple(shown)

    @property
    def parts(self) -> tuple[DomainError, ...]:
        return self._parts


class TooManyCommunities(DomainError):
    """Founding more communities in a day than one person may."""

    code = "TOO_MANY_COMMUNITIES"


class InvalidTag(InvalidInput):
    code = "INVALID_TAG"
    field = "tags"


class InvalidStars(InvalidInput):
    code = "INVALID_STARS"
    field = "stars"


class EmptyBallot(InvalidInput):
    code = "EMPTY_BALLOT"
    field = "stars"


class DecisionNotOpen(DomainError):
    """A ballot can be cast, changed and withdrawn only while its decision is open."""

    code = "DECISION_NOT_OPEN"


class DecisionClosed(DecisionNotOpen):
    code = "DECISION_CLOSED"


class DecisionCalledOff(DecisionNotOpen):
    code = "DECISION_CALLED_OFF"

    def __init__(self, message: str = "This decision was called off.", *, field: str = "") -> None:
        super().__init__(message, field=field)


class BallotsHidden(DomainError):
    """Asking "what if" while ballots are hidden: the answers would tell every ballot."""

    code = "BALLOTS_HIDDEN"


class ResultNotFinal(DomainError):
    """Publishing the result of a decision that people can still vote in."""

    code = "RESULT_NOT_FINAL"


class PublicAlready(DomainError):
    """Publishing the result of a decision that everybody can read."""

    code = "PUBLIC_ALREADY"


class ChoicesFrozen(DomainError):
    code = "CHOICES_FROZEN"
    field = "choices"


class TextsFrozen(DomainError):
    """Changing the words of a decision after voting has opened."""

    code = "TEXTS_FROZEN"
    field = "title"


class ClosingMovesLaterOnly(DomainError):
    code = "CLOSING_MOVES_LATER_ONLY"
    field = "closes_at"


class TextHidden(DomainError):
    """Writing again the very words that an operator has hidden."""

    code = "TEXT_HIDDEN"


class NoBallot(DomainError):
    code = "NO_BALLOT"


class NotFollowable(DomainError):
    """An anonymous member cannot be followed: a follower would see their exact ballot."""

    code = "NOT_FOLLOWABLE"
    field = "followee"


class SelfFollowing(NotFollowable):
    code = "SELF_FOLLOWING"


class TooManyFollowings(DomainError):
    code = "TOO_MANY_FOLLOWINGS"
    field = "followee"


class LastManager(DomainError):
    code = "LAST_MANAGER"


class AnonymityNeedsConfirmation(DomainError):
    """Becoming anonymous ends the followings that point at the member; the message counts them."""

    code = "ANONYMITY_NEEDS_CONFIRMATION"
    field = "is_anonymous"


class ClosingNeedsConfirmation(DomainError):
    """Closing an account can't be undone; the message counts the ballots that go."""

    code = "CLOSING_NEEDS_CONFIRMATION"
    field = "confirmed"


class AlreadyMember(DomainError):
    code = "ALREADY_MEMBER"


class InvalidInvitation(DomainError):
    """An invitation or link that was used, has ended, was taken back or never existed."""

    code = "INVALID_INVITATION"
    field = "token"

    def __init__(
        self, message: str = "This invitation no longer works. Ask whoever invited you for a new one."
    ) -> None:
        super().__init__(message)


class TooManyInvitations(DomainError):
    """Inviting more people in a day than one person may."""

    code = "TOO_MANY_INVITATIONS"


class SentLately(DomainError):
    """Sending again what was sent a short while ago: an invitation, a reminder."""

    code = "SENT_LATELY"


class InvitationNeeded(DomainError):
    """Applying to a community that people join by invitation only."""

    code = "INVITATION_NEEDED"


class AlreadyDecided(DomainError):
    code = "ALREADY_DECIDED"


class NameTaken(DomainError):
    code = "NAME_TAKEN"
    field = "name"
