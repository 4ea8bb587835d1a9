"""The words in a bundle as they stood at its revision: those of the community, the question, and the comments."""

from __future__ import annotations

from typing import Any

from democracy import ledger
from democracy.ledger import contents
from democracy.models import Ballot, Community, Decision, LedgerEntry

Kind = LedgerEntry.Kind


def community_at(community: Community, revision: int) -> dict[str, Any]:
    """The name, description and visibility of the community at that revision, as the ledger has them."""
    then = ledger.contents_of_kind_at(community.pk, revision, Kind.COMMUNITY).get(contents.COMMUNITY_SUBJECT)
    content = then or contents.community_content(community)
    return {key: content[key] for key in ("name", "description", "visibility")}


def question_at(decision: Decision, revision: int) -> dict[str, Any]:
    """The question as it stood at that revision. A clarification makes no result stale, so one may be newer."""
    content = contents.decision_content(decision)
    then = ledger.contents_of_kind_at(decision.community_id, revision, Kind.DECISION, decision=decision.pk)
    content = then.get(contents.decision_subject(decision.pk)) or content
    return {key: content[key] for key in ("title", "description", "clarifications")}


def comments_at(decision: Decision, revision: int) -> dict[int, str]:
    """The comments on named ballots as they stood at that revision. A comment makes no result stale either."""
    named = Ballot.objects.filter(decision=decision, is_anonymous=False)
    comments = dict(named.exclude(comment="").values_list("membership_id", "comment"))
    then = ledger.contents_of_kind_at(decision.community_id, revision, Kind.BALLOT, decision=decision.pk)
    for subject, content in then.items():
        comments[int(subject.rpartition(":")[2])] = content["comment"] if content else ""
    return comments
