"""The receivers: each says what changed, and nothing else.

Saving or deleting an input row, in the admin or a shell too, appends its ledger entry and raises the counters in the
transaction of the change. The commit wakes the recalculation scheduler. Rows written in bulk send no signal: commands
and imports that write so say themselves what changed. `recalculate_community_decisions_async` can be imported from
here, too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models.signals import post_delete, post_save

from accounts.signals import rights_changed
from democracy import eventlog, ledger, recalculation
from democracy.ledger import contents
from democracy.live import publishing
from democracy.models import (
    Application,
    Ballot,
    Choice,
    Clarification,
    Community,
    Decision,
    Following,
    LedgerEntry,
    Membership,
    PublishedResult,
    Vote,
)
from democracy.recalculation import recalculate_community_decisions_async

__all__ = [
    "ballot_tags_changed",
    "following_changed",
    "membership_changed",
    "recalculate_community_decisions_async",
    "vote_changed",
]

Receiver = Callable[..., None]


def _logged(receiver: Receiver) -> Receiver:
    """Log a receiver's failure and raise it, which undoes the change: no input may be written without its entry."""

    @functools.wraps(receiver)
    def wrapper(sender: type, instance: Any, **kwargs: Any) -> None:
        try:
            receiver(sender, instance, **kwargs)
        except Exception as error:
            eventlog.signal_error(receiver.__name__, error)
            raise

    return wrapper


@_logged
def vote_changed(sender: type[Vote], instance: Vote, **kwargs: Any) -> None:
    """Record that a ballot changed, since a vote of it was cast, changed or deleted."""
    ledger.changed(instance.ballot.membership.community_id, contents.ballot_change(instance.ballot))


@_logged
def ballot_tags_changed(sender: type[Ballot], instance: Ballot, **kwargs: Any) -> None:
    """Record that a ballot was cast or withdrawn, or that its tags, comment or abstention changed."""
    ledger.changed(instance.membership.community_id, contents.ballot_change(instance))


@_logged
def following_changed(sender: type[Following], instance: Following, **kwargs: Any) -> None:
    """Record that a following began or ended, or has other tags."""
    ledger.changed(instance.follower.community_id, contents.following_change(instance))


@_logged
def membership_changed(sender: type[Membership], instance: Membership, **kwargs: Any) -> None:
    """Record that a member joined or left, or that their role, rights or anonymity changed."""
    ledger.changed(instance.community_id, contents.membership_change(instance))


@_logged
def application_changed(sender: type[Application], instance: Application, **kwargs: Any) -> None:
    ledger.changed(instance.community_id, contents.application_change(instance))


@_logged
def decision_changed(sender: type[Decision], instance: Decision, **kwargs: Any) -> None:
    ledger.changed(instance.community_id, contents.decision_change(instance))


@_logged
def choice_changed(sender: type[Choice], instance: Choice, **kwargs: Any) -> None:
    """Record that a decision changed, since a choice was added, reworded or removed."""
    ledger.changed(instance.decision.community_id, contents.decision_change(instance.decision))


@_logged
def clarification_changed(sender: type[Clarification], instance: Clarification, **kwargs: Any) -> None:
    """Record that a decision changed, since its question got a clarification."""
    ledger.changed(instance.decision.community_id, contents.decision_change(instance.decision))


@_logged
def publication_changed(sender: type[PublishedResult], instance: PublishedResult, **kwargs: Any) -> None:
    """Record that a result was published at an address of its own, or withdrawn."""
    ledger.changed(instance.decision.community_id, contents.publication_change(instance))


@_logged
def community_changed(sender: type[Community], instance: Community, **kwargs: Any) -> None:
    ledger.changed(instance.pk, contents.community_change(instance))


def reader_changed(sender: type[Membership], instance: Membership, **kwargs: Any) -> None:
    """Tell the subscriptions of somebody who joined or left to check again what they may see."""
    transaction.on_commit(lambda: publishing.access_changed(instance.user_id), robust=True)


def readers_changed(sender: type[Community], instance: Community, **kwargs: Any) -> None:
    """Tell all who watch a community that other people may be allowed to read it now."""
    transaction.on_commit(lambda: publishing.readers_changed(instance.pk), robust=True)


def session_ended(sender: type[Session], instance: Session, **kwargs: Any) -> None:
    """Tell the subscriptions of somebody who signed out. Django's own signal comes before the session is gone."""
    user_id = instance.get_decoded().get(SESSION_KEY)
    if user_id is not None:
        transaction.on_commit(lambda: publishing.access_changed(int(user_id)), robust=True)


def viewer_changed(sender: None, user_id: int, **kwargs: Any) -> None:
    """Tell the subscriptions of somebody to check again what they may see: a token was revoked, say."""
    transaction.on_commit(lambda: publishing.access_changed(user_id), robust=True)


def wake_recalculation(sender: type[LedgerEntry], community_id: int, revision: int, **kwargs: Any) -> None:
    """Have a community's stale decisions calculated soon, and tell whoever watches, after changes have committed."""
    recalculation.wake(community_id)
    publishing.inputs_changed(community_id, revision)


for _model, _receiver in (
    (Vote, vote_changed),
    (Ballot, ballot_tags_changed),
    (Following, following_changed),
    (Membership, membership_changed),
    (Application, application_changed),
    (Decision, decision_changed),
    (Choice, choice_changed),
    (Clarification, clarification_changed),
    (PublishedResult, publication_changed),
):
    post_save.connect(_receiver, sender=_model, dispatch_uid=f"{_receiver.__name__}.save")
    post_delete.connect(_receiver, sender=_model, dispatch_uid=f"{_receiver.__name__}.delete")
post_save.connect(community_changed, sender=Community, dispatch_uid="community_changed.save")
post_save.connect(reader_changed, sender=Membership, dispatch_uid="reader_changed.save")
post_delete.connect(reader_changed, sender=Membership, dispatch_uid="reader_changed.delete")
post_save.connect(readers_changed, sender=Community, dispatch_uid="readers_changed.save")
post_delete.connect(session_ended, sender=Session, dispatch_uid="session_ended.delete")
rights_changed.connect(viewer_changed, dispatch_uid="viewer_changed")
ledger.committed.connect(wake_recalculation, dispatch_uid="wake_recalculation")
