"""The words in a bundle as they stood at its revision: those of the community, the question, and the comments.

In place of a text that an operator has hidden since, a bundle has the stand-in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from democracy import ledger
from democracy.ledger import Content, contents
from democracy.ledger.places import text_at, write_at
from democracy.models import Ballot, Community, Decision, LedgerEntry, Moderation


def community_at(community: Community, revision: int) -> dict[str, Any]:
    """The name, description and visibility of the community at that revision, as the ledger has them."""
    subject = contents.COMMUNITY_SUBJECT
    then = ledger.contents_at(community.pk, revision, subjects=[subject])
    content = then.get(subject) or contents.community_content(community)
    _put_stand_ins(community.pk, revision, {subject: content})
    return {key: content[key] for key in ("name", "description", "visibility")}


def question_at(decision: Decision, revision: int) -> dict[str, Any]:
    """The question as it stood at that revision. A clarification makes no result stale, so one may be newer."""
    subject = contents.decision_subject(decision.pk)
    then = ledger.contents_at(decision.community_id, revision, subjects=[subject])
    content = then.get(subject) or contents.decision_content(decision)
    _put_stand_ins(decision.community_id, revision, {subject: content})
    return {key: content[key] for key in ("title", "description", "clarifications")}


def comments_at(decision: Decision, revision: int) -> dict[int, str]:
    """The comments on named ballots as they stood at that revision. A comment makes no result stale either."""
    named = Ballot.objects.filter(decision=decision, is_anonymous=False)
    comments = dict(named.exclude(comment="").values_list("membership_id", "comment"))
    then = ledger.ballots_at(decision.community_id, revision, decision.pk)
    _put_stand_ins(decision.community_id, revision, then)
    for subject, content in then.items():
        comments[int(subject.rpartition(":")[2])] = content["comment"] if content else ""
    return comments


def _put_stand_ins(community_id: int, revision: int, then: Mapping[str, Content]) -> None:
    """Put stand-ins in place of the texts in these contents, as of that revision, that were hidden later."""
    time = LedgerEntry.objects.filter(community=community_id, revision=revision).values_list("time", flat=True).first()
    hidden = Moderation.objects.filter(community=community_id).in_force()
    for one in hidden.filter(**{"hidden_at__gt": time} if time else {}).order_by("hidden_at", "pk"):
        content = then.get(one.subject)
        if content is not None and text_at(content, one.place):
            write_at(content, one.place, one.stand_in)
