"""Inputs of a community's calculation, read exactly as they stood at one revision.

# Note [Revision first]
The revision is read first, the rows second, the ledger entries after that revision third. Rows may already show some of
those entries. Contents in the ledger are absolute, so laying them over the rows gives the inputs exactly as of the last
entry read, without a transaction that would hold writers up. The inputs at an earlier revision are found in the same
way, from the entries' `before`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.db.models import Aggregate, Case, F, QuerySet, TextField, Value, When
from django.db.models.functions import Concat
from django.db.models.sql.compiler import SQLCompiler

from democracy import ledger
from democracy.ledger import Content
from democracy.models import Ballot, Choice, Community, Decision, Following, Membership, Vote
from democracy.models.communities import MembershipQuerySet
from democracy.models.decisions import MAX_STARS
from democracy.models.packed import TAGS_TEXT, tag_set
from graph import CastBallot, DelegationGraph

Pair = tuple[int, int]

_ROWS = 10_000


_OF_A_CHOICE = MAX_STARS + 1
_ABSTAINS, _UNNAMED = "a", "u"


class _Joined(Aggregate):
    """The values of a group as text, with commas between them: a row for each ballot is read, not for each vote."""

    function = "GROUP_CONCAT"
    output_field = TextField()

    def as_postgresql(self, compiler: SQLCompiler, connection: Any, **context: Any) -> tuple[str, Any]:
        template = "STRING_AGG((%(expressions)s)::text, ',')"
        return super().as_sql(compiler, connection, template=template, **context)


_VOTES = _Joined(F("choice_id") * _OF_A_CHOICE + F("stars"))
# As text: on SQLite each truth value would be converted by itself.
_MARKS = Concat(
    Case(When(abstain=True, then=Value(_ABSTAINS)), default=Value("")),
    Case(When(is_anonymous=True, then=Value(_UNNAMED)), default=Value("")),
)


@lru_cache(maxsize=100_000)
def _cast_ballot(stars: tuple[int, ...], tags: frozenset[str], abstain: bool, anonymous: bool) -> CastBallot:
    """Make a ballot, one for all that are equal: there are far fewer than members who cast one."""
    return CastBallot(stars, tags, abstain, anonymous)


@dataclass
class DecisionInputs:
    """One decision's choices, in order, and every ballot cast in it, those of former members included.

    `withdrawn`: the members who took an anonymous ballot back.
    """

    choices: tuple[int, ...]
    lots: tuple[int, ...]
    ballots: dict[int, CastBallot] = field(default_factory=dict)
    withdrawn: set[int] = field(default_factory=set)

    def cast_ballot(self, content: Mapping[str, Any]) -> CastBallot:
        """Read a ballot's content in the ledger."""
        stars = content["stars"]
        rated = tuple(stars.get(str(choice), 0) for choice in self.choices)
        return _cast_ballot(rated, frozenset(content["tags"]), content["abstain"], content["anonymous"])

    def read(self, ballots: QuerySet[Ballot], votes: QuerySet[Vote]) -> None:
        """Read these ballots of the decision, with their votes, as the rows show them now."""
        unrated = (0,) * len(self.choices)
        stars = dict(self._stars(votes))
        rows = ballots.annotate(tags_text=TAGS_TEXT, marks=_MARKS).values_list("membership_id", "tags_text", "marks")
        for membership, text, marks in rows.iterator(_ROWS):
            rated = stars.get(membership, unrated)
            self.ballots[membership] = _cast_ballot(rated, tag_set(text), _ABSTAINS in marks, _UNNAMED in marks)

    def _stars(self, votes: QuerySet[Vote]) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield each member with votes, and the stars in the order of the choices."""
        places = {
            str(choice * _OF_A_CHOICE + stars): (place, stars)
            for place, choice in enumerate(self.choices)
            for stars in range(_OF_A_CHOICE)
        }
        for membership, joined in votes.values_list("ballot__membership_id").annotate(joined=_VOTES).iterator(_ROWS):
            rated = [0] * len(self.choices)
            for vote in joined.split(","):
                place, stars = places[vote]
                rated[place] = stars
            yield membership, tuple(rated)

    def apply(self, membership_id: int, content: Content) -> CastBallot | None:
        """Apply a ballot's new content; None withdraws it. Returns the ballot as the engine takes it."""
        if content is None:
            taken_back = self.ballots.pop(membership_id, None)
            if taken_back is not None and taken_back.anonymous:
                self.withdrawn.add(membership_id)
            return None
        ballot = self.ballots[membership_id] = self.cast_ballot(content)
        return ballot


@dataclass
class CommunityInputs:
    """Members (current ones: id -> counted) and followings (of former members too) of a community at `revision`.

    `anonymous`: the members, former ones too, whose inherited ballots bear pseudonyms.
    """

    revision: int
    members: dict[int, bool]
    followings: dict[Pair, frozenset[str]]
    decisions: dict[int, DecisionInputs]
    anonymous: set[int] = field(default_factory=set)

    @property
    def size(self) -> int:
        """About the number of rows."""
        votes = sum(len(one.ballots) * len(one.choices) for one in self.decisions.values())
        return len(self.members) + len(self.followings) + votes

    def graph(self) -> DelegationGraph:
        return DelegationGraph.build(
            revision=self.revision,
            members=self.members.items(),
            followings=((*pair, tags) for pair, tags in self.followings.items()),
        )

    def dormant(self) -> dict[Pair, frozenset[str]]:
        """The followings that a former member is an end of: they count again if that member comes back."""
        members = self.members
        return {p: tags for p, tags in self.followings.items() if p[0] not in members or p[1] not in members}

    def apply(self, subject: str, content: Content) -> None:
        """Apply a subject's content in the ledger."""
        kind, *ids = subject.split(":")
        match kind:
            case "membership":
                member = int(ids[0])
                if content is not None and content["active"]:
                    self.members[member] = is_counted(content)
                else:
                    self.members.pop(member, None)
                (self.anonymous.add if is_anonymous(content) else self.anonymous.discard)(member)
            case "following":
                pair = (int(ids[0]), int(ids[1]))
                if content is None:
                    self.followings.pop(pair, None)
                else:
                    self.followings[pair] = frozenset(content["tags"])
            case "ballot" if (decision := self.decisions.get(int(ids[0]))) is not None:
                decision.apply(int(ids[1]), content)


def is_counted(content: Mapping[str, Any]) -> bool:
    return bool(content["role"] == Membership.Role.VOTER)


def is_anonymous(content: Content) -> bool:
    return content is not None and bool(content["anonymous"])


def current_inputs(community_id: int, decision_ids: Iterable[int]) -> CommunityInputs:
    """Read the inputs of these decisions now, with their revision."""
    revision = Community.objects.values_list("revision", flat=True).get(pk=community_id)
    inputs = _rows(community_id, decision_ids, revision)
    for entry in ledger.entries_after(community_id, revision):
        inputs.apply(entry.subject, entry.after)
        inputs.revision = entry.revision
    return inputs


def inputs_at(community_id: int, decision_ids: Iterable[int], revision: int) -> CommunityInputs:
    """Read the inputs of these decisions as they stood at an earlier revision."""
    inputs = _rows(community_id, decision_ids, revision)
    for subject, content in ledger.calculated_contents_at(community_id, revision, list(inputs.decisions)):
        inputs.apply(subject, content)
    return inputs


def closing_revision(decision: Decision) -> int:
    """Find the revision of a closed decision's inputs: every change before `closes_at` counts, none later."""
    assert decision.closes_at is not None
    # A writer who read the clock in time may still be writing: wait. The next writer reads a later time.
    with ledger.recording(decision.community_id):
        pass
    return ledger.revision_before(decision.community_id, decision.closes_at)


def _rows(community_id: int, decision_ids: Iterable[int], revision: int) -> CommunityInputs:
    members = member_rows(Membership.objects.filter(community=community_id))
    followings = following_rows(Following.objects.filter(follower__community=community_id))
    anonymous = Membership.objects.filter(community=community_id, is_anonymous=True).values_list("pk", flat=True)
    return CommunityInputs(revision, members, followings, decision_inputs(decision_ids), set(anonymous))


def member_rows(memberships: MembershipQuerySet) -> dict[int, bool]:
    """Read the current ones among these memberships, and whether each is counted."""
    rows = memberships.current().values_list("pk", "role")
    return {pk: role == Membership.Role.VOTER for pk, role in rows}


def following_rows(followings: QuerySet[Following]) -> dict[Pair, frozenset[str]]:
    rows = followings.annotate(tags_text=TAGS_TEXT).values_list("follower_id", "followee_id", "tags_text")
    return {(follower, followee): tag_set(text) for follower, followee, text in rows.iterator(_ROWS)}


def decision_inputs(decision_ids: Iterable[int]) -> dict[int, DecisionInputs]:
    """Read the choices and ballots of these decisions as the rows show them now."""
    decisions = without_ballots(decision_ids)
    for pk, one in decisions.items():
        one.read(Ballot.objects.filter(decision=pk), Vote.objects.filter(ballot__decision=pk))
    for decision, member, before in ledger.ballots_withdrawn(decisions):
        if before["anonymous"]:
            decisions[decision].withdrawn.add(member)
    return decisions


def without_ballots(decision_ids: Iterable[int]) -> dict[int, DecisionInputs]:
    """Read the choices of these decisions."""
    # A decision that lost its choices is included: left out, it would stay stale and be tried without end.
    choices: dict[int, list[Choice]] = {decision_id: [] for decision_id in decision_ids}
    for choice in Choice.objects.filter(decision__in=choices):
        choices[choice.decision_id].append(choice)
    return {
        pk: DecisionInputs(tuple(one.pk for one in found), tuple(one.lot or 0 for one in found))
        for pk, found in choices.items()
    }
