"""The kinds of notices: how each is told where nobody says otherwise, and to whom."""

from __future__ import annotations

from democracy.models import Notice, NoticePreference

Kind, Way = Notice.Kind, NoticePreference.Way

# The kinds that a person can choose how to be told of, in the order of the preferences page, with what they get
# without choosing.
USUAL_WAYS: dict[str, str] = {
    Kind.OPENED: Way.AT_ONCE,
    Kind.CLOSES_SOON: Way.AT_ONCE,
    Kind.RESULT: Way.AT_ONCE,
    Kind.CLARIFIED: Way.AT_ONCE,
    Kind.CALLED_OFF: Way.AT_ONCE,
    Kind.INHERITED_MOVED: Way.DAILY,
    Kind.FOLLOWEE_GONE: Way.AT_ONCE,
    Kind.FOLLOWED: Way.AT_ONCE,
    Kind.NEW_FOLLOWER: Way.DAILY,
    Kind.APPLICATION_DECIDED: Way.AT_ONCE,
    Kind.APPLICATION_WAITING: Way.AT_ONCE,
    Kind.CALCULATION_FAILED: Way.AT_ONCE,
    Kind.HIDDEN: Way.AT_ONCE,
}
OF_MANAGERS = frozenset({Kind.APPLICATION_WAITING, Kind.CALCULATION_FAILED})
# Anonymous members find these on the site alone: mails pass many hands.
TELL_WHOM_ONE_FOLLOWS = frozenset({Kind.INHERITED_MOVED, Kind.FOLLOWEE_GONE})


def kinds_of(*, is_manager: bool) -> list[str]:
    """The kinds that a member can choose how to be told of; only managers are told of some."""
    return [kind for kind in USUAL_WAYS if is_manager or kind not in OF_MANAGERS]
