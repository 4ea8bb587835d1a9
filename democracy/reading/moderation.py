"""Texts that an operator may hide, and what is hidden.

# Note [Operators moderate what everybody reads]
An operator finds a comment by the name or pseudonym under which it is shown to whoever may read the decision, and only
while it is shown. So moderation tells operators of no ballot that they could not read, nor whose it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Model

from democracy import access
from democracy.errors import PermissionDenied
from democracy.ledger import contents
from democracy.ledger.places import text_at
from democracy.models import Ballot, Choice, Community, Decision, LedgerEntry, Moderation


@dataclass(frozen=True)
class Text:
    """A text of people, where it stands in the ledger: `subject` and `place`; `row` and `column` in the tables.

    `label` says in words what it is. `told_as`: the subject as everybody may know it.
    """

    community_id: int
    decision: Decision | None
    subject: str
    place: str
    row: Model
    column: str
    label: str
    told_as: str

    @property
    def words(self) -> str:
        return str(getattr(self.row, self.column))


def texts_of_community(community: Community) -> list[Text]:
    """The name of a community, and its description if it has one."""

    def text(column: str, label: str) -> Text:
        subject = contents.COMMUNITY_SUBJECT
        return Text(community.pk, None, subject, column, community, column, label, subject)

    return _written([text("name", "Name of the community"), text("description", "Description of the community")])


def texts_of_decision(decision: Decision) -> list[Text]:
    """The texts of a published decision. Its drafts are read by managers alone."""
    if decision.published_at is None:
        return []
    subject = contents.decision_subject(decision.pk)

    def text(place: str, row: Model, column: str, label: str) -> Text:
        return Text(decision.community_id, decision, subject, place, row, column, label, subject)

    found = [text("title", decision, "title", "Question"), text("description", decision, "description", "Description")]
    for number, choice in enumerate(Choice.objects.filter(decision=decision), start=1):
        found += [
            text(f"choice:{choice.pk}:title", choice, "title", f"Choice {number}"),
            text(f"choice:{choice.pk}:description", choice, "description", f"Description of choice {number}"),
        ]
    for number, one in enumerate(decision.clarifications.all(), start=1):
        found.append(text(f"clarification:{number}", one, "text", f"Clarification {number}"))
    found.append(text("called_off", decision, "called_off_reason", "Reason of calling off"))
    return _written(found)


def _written(texts: list[Text]) -> list[Text]:
    return [text for text in texts if text.words]


def comment_on_ballot(decision: Decision, name: str) -> Text | None:
    """The comment on the ballot that is shown under this handle or pseudonym; None where none is shown.

    See Note [Operators moderate what everybody reads].
    """
    if not access.shows_ballots(decision):
        return None
    wanted = name.strip().removeprefix("@").casefold()
    commented = Ballot.objects.filter(decision=decision).exclude(comment="").select_related("membership__user")
    if wanted.startswith(access.ANONYMOUS.casefold()):
        candidates = commented.filter(is_anonymous=True)
    else:
        # Whoever left is named no more; ballots under pseudonyms stay.
        candidates = commented.filter(is_anonymous=False, membership__left_at=None, membership__user__handle=wanted)
    found = (ballot for ballot in candidates if _shown_name(ballot).casefold() == wanted)
    return next((_comment(decision, ballot) for ballot in found), None)


def _shown_name(ballot: Ballot) -> str:
    if ballot.is_anonymous:
        return access.pseudonym(ballot.decision_id, ballot.membership_id)
    return ballot.membership.user.handle


def _comment(decision: Decision, ballot: Ballot) -> Text:
    subject = contents.ballot_subject(decision.pk, ballot.membership_id)
    shown = _shown_name(ballot)
    told_as = f"ballot:{decision.pk}:{shown.replace(' ', '-')}" if ballot.is_anonymous else subject
    label = f"Comment of {shown}"
    return Text(decision.community_id, decision, subject, "comment", ballot, "comment", label, told_as)


def hidden_text(moderation: Moderation) -> Text | None:
    """The text that a moderation hides, with its row; None for a whole community, and where the row is gone."""
    kind, _, ids = moderation.subject.partition(":")
    match kind:
        case "community":
            texts = texts_of_community(moderation.community)
        case "decision":
            assert moderation.decision is not None
            texts = texts_of_decision(moderation.decision)
        case _:
            assert moderation.decision is not None
            ballots = Ballot.objects.select_related("membership__user")
            ballot = ballots.filter(decision=moderation.decision, membership=int(ids.partition(":")[2])).first()
            texts = [_comment(moderation.decision, ballot)] if ballot is not None else []
    return next((text for text in texts if text.place == moderation.place), None)


def original_words(moderation: Moderation) -> str:
    """The words that a moderation hid, which the ledger keeps."""
    entries = LedgerEntry.objects.filter(
        community=moderation.community_id, subject=moderation.subject, time=moderation.hidden_at
    )
    contents_before = entries.order_by("-revision").values_list("before", flat=True)
    return next((text for before in contents_before if (text := text_at(before, moderation.place))), "")


def entries_with(text: Text) -> list[int]:
    """The numbers of the ledger's entries in which something is written at the place of a text."""
    entries = LedgerEntry.objects.filter(community=text.community_id, subject=text.subject).order_by("revision")
    return [
        revision
        for revision, before, after in entries.values_list("revision", "before", "after")
        if text_at(before, text.place) or text_at(after, text.place)
    ]


def is_hidden(community_id: int, subject: str, place: str, words: str) -> bool:
    """Whether an operator has hidden these very words at this place."""
    hidden = Moderation.objects.in_force().filter(community=community_id, subject=subject, place=place)
    return any(original_words(one) == words for one in hidden)


def reason_hidden(community: Community) -> str:
    """The reason for which an operator has hidden a community; empty where none has."""
    return reasons_hidden([community.pk]).get(community.pk, "") if community.is_hidden else ""


def reasons_hidden(community_ids: Iterable[int]) -> dict[int, str]:
    """The reasons for which operators have hidden those of these communities that are hidden."""
    hiding = Moderation.objects.in_force().filter(community__in=community_ids, place="", community__is_hidden=True)
    return dict(hiding.values_list("community", "reason"))


def moderations_in_force(community: Community, decision: Decision | None = None) -> list[Moderation]:
    """The moderations that hide something of a community itself, or of one of its decisions."""
    return list(Moderation.objects.in_force().filter(community=community, decision=decision))


def decision_to_moderate(decision_id: int) -> Decision:
    """A published decision. Raises PermissionDenied where there is none."""
    decision = Decision.objects.published().select_related("community").filter(pk=decision_id).first()
    if decision is None:
        raise PermissionDenied
    return decision
