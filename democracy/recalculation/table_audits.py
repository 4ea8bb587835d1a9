"""Audits of tables: the ledger's last content of every subject has to stand in them, column by column."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast

from democracy.ledger import Content, contents
from democracy.ledger.rows import BallotRow, FollowingRow, MembershipRow
from democracy.models import (
    Application,
    Ballot,
    Community,
    Decision,
    Following,
    LedgerEntry,
    Membership,
    Moderation,
    PublishedResult,
    Vote,
)

_ROWS = 2_000
# No table has it, and an auditor need not have the key: with another one, the site makes other pseudonyms.
_FROM_THE_SECRET_KEY = {"pseudonym"}


def faults(community: Community, recorded: dict[str, str]) -> Iterator[str]:
    """Compare the tables of a community with its ledger; yield a sentence for each row that differs.

    `recorded`: the last content of each subject, as canonical text, or "null". The subjects that the tables have are
    taken out of it.
    """
    yield from _row_faults(community, recorded)
    yield from _moderation_faults(community)


def _row_faults(community: Community, recorded: dict[str, str]) -> Iterator[str]:
    """Compare the tables with the ledger's last contents, which are taken out of `recorded`."""
    pseudonyms: dict[tuple[str, str], str] = {}
    for subject, present in _present(community):
        said: Content = json.loads(recorded.pop(subject, "null"))
        if said is None:
            yield f"{_named(subject)} stands in the tables and not in the ledger"
            continue
        if said != present and (differing := _differing(present, said)):
            yield f"{_named(subject)} is not as the ledger says: {', '.join(differing)}"
        if pseudonym := said.get("pseudonym"):
            first = pseudonyms.setdefault((subject.rpartition(":")[0], pseudonym), subject)
            if first != subject:
                yield f"{_named(subject)} was recorded under the pseudonym of {_named(first)}"
    for subject, text in recorded.items():
        if text != "null":
            yield f"{_named(subject)} stands in the ledger and not in the tables"


def _differing(present: Mapping[str, Any], said: Mapping[str, Any]) -> list[str]:
    """The keys under which a row is not as the ledger says."""
    # Keys that came with a later version are not in older entries; some are there only where they say something.
    keys = [key for key in dict.fromkeys((*said, *contents.SAID_WHERE_SO)) if key not in _FROM_THE_SECRET_KEY]
    return [key for key in keys if present.get(key) != said.get(key)]


def _present(community: Community) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the content of every subject of the ledger, as the tables have it."""
    yield contents.COMMUNITY_SUBJECT, contents.community_content(community)
    # Most rows by far are members', followings and ballots: they are read without models, in a third of the time.
    members = Membership.objects.filter(community=community).values_list(*MembershipRow._fields, named=True)
    for member in cast("Iterator[MembershipRow]", members.iterator(_ROWS)):
        yield contents.membership_subject(member.pk), contents.membership_content(member)
    for application in Application.objects.filter(community=community).iterator(_ROWS):
        yield contents.application_subject(application.pk), contents.application_content(application)
    followings = Following.objects.filter(follower__community=community).values_list(*FollowingRow._fields, named=True)
    for following in cast("Iterator[FollowingRow]", followings.iterator(_ROWS)):
        subject = contents.following_subject(following.follower_id, following.followee_id)
        yield subject, contents.following_content(following)
    decisions = Decision.objects.filter(community=community).prefetch_related("choices", "clarifications")
    for decision in decisions.iterator(_ROWS):
        yield contents.decision_subject(decision.pk), contents.decision_content(decision)
    for published in PublishedResult.objects.filter(decision__community=community).iterator(_ROWS):
        yield contents.publication_subject(published.decision_id), contents.publication_content(published)
    for moderation in Moderation.objects.filter(community=community).iterator(_ROWS):
        yield contents.moderation_subject(moderation.pk), contents.moderation_content(moderation)
    ballots = Ballot.objects.filter(decision__community=community).values_list(*BallotRow._fields, named=True)
    rows = cast("Iterator[BallotRow]", ballots.iterator(_ROWS))
    while some := list(islice(rows, _ROWS)):
        yield from _present_ballots(some)


def _present_ballots(ballots: Sequence[BallotRow]) -> Iterator[tuple[str, dict[str, Any]]]:
    stars: dict[int, dict[int, int]] = {ballot.pk: {} for ballot in ballots}
    for ballot_id, choice_id, count in Vote.objects.filter(ballot__in=stars).values_list("ballot", "choice", "stars"):
        stars[ballot_id][choice_id] = count
    for ballot in ballots:
        subject = contents.ballot_subject(ballot.decision_id, ballot.membership_id)
        yield subject, contents.ballot_content(ballot, stars[ballot.pk])


def _moderation_faults(community: Community) -> Iterator[str]:
    """Check that each moderation is about what the entry before its first one changed, which the ledger names only
    where everybody may know it.
    """
    for row in Moderation.objects.filter(community=community).iterator(_ROWS):
        entries = LedgerEntry.objects.filter(community=community)
        first = entries.filter(subject=contents.moderation_subject(row.pk)).order_by("revision").first()
        if first is None:
            continue
        hiding = entries.filter(revision=first.revision - 1, subject=row.subject)
        if first.decision_id != row.decision_id or not hiding.exists():
            yield f"moderation {row.pk} is about something else than the ledger says"


def _named(subject: str) -> str:
    """Name a row so that somebody can look it up: its kind and its ids."""
    kind, *ids = subject.split(":")
    match kind:
        case "community":
            return "the community"
        case "following":
            return f"the following from membership {ids[0]} to {ids[1]}"
        case "publication":
            return f"the published result of decision {ids[0]}"
        case "ballot":
            return f"the ballot of membership {ids[1]} in decision {ids[0]}"
        case _:
            return f"{kind} {':'.join(ids)}"
