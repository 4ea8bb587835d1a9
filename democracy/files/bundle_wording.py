"""The words in a bundle as they stood at its revision: those of the community, the question, and the comments."""

from __future__ import annotations

from typing import Any

from democracy import ledger
from democracy.ledger import contents
from democracy.models import Ballot, Community, Decision, LedgerEntry, Moderation

Kind = LedgerEntry.Kind


def community_at(community: Community, revision: int) -> dict[str, Any]:
    """The name, description and visibility of the community at that revision, as the ledger has them."""
    then = ledger.contents_of_kind_at(community.pk, revision, Kind.COMMUNITY).get(contents.COMMUNITY_SUBJECT)
    content = contents.community_content(community)
    if contents.COMMUNITY_SUBJECT not in _moderated(community.pk):
        content = then or content
    return {key: content[key] for key in ("name", "description", "visibility")}


def question_at(decision: Decision, revision: int) -> dict[str, Any]:
    """The question as it stood at that revision. A clarification makes no result stale, so one may be newer."""
    content = contents.decision_content(decision)
    then = ledger.contents_of_kind_at(decision.community_id, revision, Kind.DECISION, decision=decision.pk)
    if (subject := contents.decision_subject(decision.pk)) not in _moderated(decision.community_id):
        content = then.get(subject) or content
    return {key: content[key] for key in ("title", "description", "clarifications")}


def comments_at(decision: Decision, revision: int) -> dict[int, str]:
    """The comments on named ballots as they stood at that revision. A comment makes no result stale either."""
    moderated = _moderated(decision.community_id)
    named = Ballot.objects.filter(decision=decision, is_anonymous=False)
    comments = dict(named.exclude(comment="").values_list("membership_id", "comment"))
    then = ledger.contents_of_kind_at(decision.community_id, revision, Kind.BALLOT, decision=decision.pk)
    for subject, content in then.items():
        if subject in moderated:
            continue
        comments[int(subject.rpartition(":")[2])] = content["comment"] if content else ""
    return comments


def _moderated(community_id: int) -> set[str]:
    """The subjects with a text that an operator has hidden: a file has their words of today, never older ones."""
    return set(Moderation.objects.filter(community=community_id).values_list("subject", flat=True))
