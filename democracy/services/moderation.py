"""Commands by which an operator hides a text or a community, with a reason, and shows it again.

# Note [A hidden text is replaced]
A stand-in is written into the row, so every reader shows it: pages, API, files, feeds, mails. The text stays
in the ledger alone, whose entries with it nobody opens any more (Note [What an operator has hidden]). Whoever may write
there can put other words in its place, but not the hidden ones.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from django.db import models, transaction

from accounts.models import User
from democracy import access, eventlog, ledger
from democracy.access import Viewer
from democracy.errors import InvalidInput, NameTaken, PermissionDenied
from democracy.ledger import contents
from democracy.models import Ballot, Choice, Community, Decision, Moderation
from democracy.reading import moderation as reading
from democracy.reading.moderation import Text
from democracy.services import validation
from democracy.services.commands import command

_HIDDEN = "Hidden by the site's operator"
_Find = Callable[[ledger.Recording], Text | None]


@command
def hide_community_text(viewer: Viewer, community_id: int, *, place: str, reason: str) -> Moderation:
    """Hide the name or the description of a community. Operators only. Raises PermissionDenied, InvalidInput."""
    operator = access.require_operator(viewer)
    return _hide(
        operator, community_id, lambda recording: _at(place, reading.texts_of_community(recording.community)), reason
    )


@command
def hide_decision_text(viewer: Viewer, decision_id: int, *, place: str, reason: str) -> Moderation:
    """Hide a text of a published decision, at this place of its content (`democracy.ledger.places`).

    Operators only. Raises PermissionDenied, InvalidInput.
    """
    operator, decision = access.require_operator(viewer), reading.decision_to_moderate(decision_id)

    def find(recording: ledger.Recording) -> Text | None:
        decision.refresh_from_db()
        return _at(place, reading.texts_of_decision(decision))

    return _hide(operator, decision.community_id, find, reason)


@command
def hide_comment(viewer: Viewer, decision_id: int, *, by: str, reason: str) -> Moderation:
    """Hide the comment on the ballot that is shown under this handle or pseudonym.

    Operators only. Raises PermissionDenied; InvalidInput, also where a ballot has no comment or is not shown.
    """
    operator, decision = access.require_operator(viewer), reading.decision_to_moderate(decision_id)

    def find(recording: ledger.Recording) -> Text:
        text = reading.comment_on_ballot(decision, by)
        if text is None:
            raise InvalidInput("No comment is shown under this name in this decision.", field="by")
        return text

    return _hide(operator, decision.community_id, find, reason)


@command
def hide_community(viewer: Viewer, community_id: int, *, reason: str) -> Moderation:
    """Hide a community: its members see that, and why; nobody reads it or acts in it, and nothing in it is lost.

    Operators only. Raises PermissionDenied, InvalidInput.
    """
    operator = access.require_operator(viewer)
    with _recording(community_id) as recording:
        community = recording.community
        if community.is_hidden:
            raise InvalidInput("This community is hidden already.")
        moderation = _new(operator, recording, contents.COMMUNITY_SUBJECT, reason=reason)
        community.is_hidden = True
        community.save(update_fields=["is_hidden"])
        moderation.leaves = contents.community_content(community)
        _write(moderation, recording)
        actor, what = operator.handle, f"community '{community.name}'"
        transaction.on_commit(lambda: eventlog.text_hidden(actor, what, moderation.reason), robust=True)
    return moderation


@command
def show_again(viewer: Viewer, moderation_id: int) -> Moderation:
    """Show what was hidden: the text stands in its place again, unless other words do by now.

    Operators only. Doing it again changes nothing. Raises PermissionDenied, InvalidInput, NameTaken.
    """
    operator = access.require_operator(viewer)
    moderation = Moderation.objects.filter(pk=moderation_id).first()
    if moderation is None:
        raise PermissionDenied
    with ledger.recording(moderation.community_id) as recording:
        moderation = Moderation.objects.select_related("community", "decision").get(pk=moderation_id)
        if moderation.ended_at is not None:
            return moderation
        text = reading.hidden_text(moderation) if moderation.place else None
        if not moderation.place:
            recording.community.is_hidden = False
            recording.community.save(update_fields=["is_hidden"])
        elif text is not None and text.words == moderation.stand_in:
            words = reading.original_words(moderation)
            _require_free(text, words)
            _put(text, words)
        moderation.leaves = _left_of(text) if text is not None else contents.community_content(recording.community)
        moderation.ended_at = recording.time
        _write(moderation, recording)
        actor = operator.handle
        what = text.label if text is not None else f"community '{recording.community.name}'"
        transaction.on_commit(lambda: eventlog.shown_again(actor, what), robust=True)
    return moderation


def _recording(community_id: int) -> AbstractContextManager[ledger.Recording]:
    """A recording by nobody: the operator acts for the site, and may be an anonymous member.

    Raises PermissionDenied where there is no such community.
    """
    if not Community.objects.filter(pk=community_id).exists():
        raise PermissionDenied
    return ledger.recording(community_id)


def _at(place: str, texts: list[Text]) -> Text | None:
    return next((text for text in texts if text.place == place), None)


def _hide(operator: User, community_id: int, find: _Find, reason: str) -> Moderation:
    with _recording(community_id) as recording:
        text = find(recording)
        if text is None:
            raise InvalidInput("Choose one of these texts.", field="place")
        earlier = Moderation.objects.in_force().filter(community=community_id, subject=text.subject, place=text.place)
        if earlier.filter(stand_in=text.words).exists():
            raise InvalidInput("This text is hidden already.", field="place")
        moderation = _new(operator, recording, text.subject, reason=reason)
        moderation.place, moderation.told_as, moderation.decision = text.place, text.told_as, text.decision
        moderation.stand_in = _stand_in(text, moderation.reason)
        _put(text, moderation.stand_in)
        moderation.leaves = _left_of(text)
        if moderation.leaves:
            moderation.closes = reading.entries_with(text)
        _write(moderation, recording)
        actor, what = operator.handle, text.label
        transaction.on_commit(lambda: eventlog.text_hidden(actor, what, moderation.reason), robust=True)
    return moderation


def _new(operator: User, recording: ledger.Recording, subject: str, *, reason: str) -> Moderation:
    moderation = Moderation(
        community=recording.community,
        subject=subject,
        told_as=subject,
        reason=validation.line(reason, field="reason"),
        hidden_at=recording.time,
        hidden_by=operator,
    )
    validation.check(moderation)
    return moderation


def _write(moderation: Moderation, recording: ledger.Recording) -> None:
    moderation.save()
    recording.add(contents.moderation_change(moderation))


def _put(text: Text, words: str) -> None:
    setattr(text.row, text.column, words)
    text.row.save(update_fields=[text.column])


def _left_of(text: Text) -> dict[str, Any]:
    """The subject's content as it is now; nothing of a ballot under a pseudonym, whose entries are its caster's."""
    match text.row:
        case Ballot() if text.row.is_anonymous:
            return {}
        case Ballot():
            return contents.stored_ballot_content(text.row)
        case Community():
            return contents.community_content(text.row)
        case _:
            assert text.decision is not None
            rows = Decision.objects.prefetch_related("choices", "clarifications")
            return contents.decision_content(rows.get(pk=text.decision.pk))


def _stand_in(text: Text, reason: str) -> str:
    """The words in place of a text: as long as may stand there, and as different from others as has to be."""
    most = getattr(text.row._meta.get_field(text.column), "max_length", None) or len(reason) + 100
    stand_in, number = _within(f"{_HIDDEN}: {reason}", most), 1
    while _is_taken(text, stand_in):
        number += 1
        stand_in = _within(f"{_HIDDEN} ({number}): {reason}", most)
    return stand_in


def _within(words: str, most: int) -> str:
    return words if len(words) <= most else textwrap.shorten(words, most, placeholder=" …")


def _is_taken(text: Text, words: str) -> bool:
    others: models.QuerySet[Any]
    match text.row, text.column:
        case Community(), "name":
            others = Community.objects.filter(name__iexact=words)
        case Choice(), "title":
            others = Choice.objects.filter(decision=text.row.decision_id, title=words)
        case _:
            return False
    return others.exclude(pk=text.row.pk).exists()


def _require_free(text: Text, words: str) -> None:
    if _is_taken(text, words):
        raise NameTaken(f"Something else is named “{words}” by now. Change that first.")
