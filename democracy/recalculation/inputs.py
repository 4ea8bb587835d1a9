"""Inputs of a community's calculation, read exactly as they stood at one revision.

# Note [Revision first]
The revision is read first, the rows second, the ledger entries after that revision third. Rows may already show some of
those entries. Contents in the ledger are absolute, so laying them over the rows gives the inputs exactly as of the last
entry read, without a transaction that would hold writers up. The inputs at an earlier revision are found in the same
way, from the entries' `before`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.db.models import BigIntegerField, Case, F, OuterRef, QuerySet, Subquery, Sum, TextField, Value, When
from django.db.models.functions import Cast

from democracy import ledger
from democracy.ledger import Content
from democracy.models import Ballot, Choice, Community, Decision, Following, Membership, Vote
from democracy.models.communities import MembershipQuerySet
from democracy.models.decisions import MAX_STARS
from democracy.models.packed import TAGS_TEXT, tag_set
from graph import CastBallot, DelegationGraph

Pair = tuple[int, int]

_ROWS = 10_000

# The stars of a ballot are read as digits of one number, so that a row comes for each ballot, not for each vote. A
# 64-bit integer holds so many choices.
_BITS = MAX_STARS.bit_length()
_DIGIT = (1 << _BITS) - 1
_TOGETHER = 63 // _BITS
_ABSTAINS, _UNNAMED = "a", "u"
# As text, which comes as it is: Django would convert each truth value and each calculated number by itself.
_MARKS = Case(
    When(abstain=True, is_anonymous=True, then=Value(_ABSTAINS + _UNNAMED)),
    When(abstain=True, then=Value(_ABSTAINS)),
    When(is_anonymous=True, then=Value(_UNNAMED)),
    default=Value(""),
)


def _digits(choices: Sequence[int]) -> Subquery:
    """Join the stars that a ballot's votes give these choices, as the text of a number."""
    worth = (When(choice=choice, then=Value(1 << _BITS * place)) for place, choice in enumerate(choices))
    digit = Case(*worth, default=Value(0), output_field=BigIntegerField())
    total = Cast(Sum(F("stars") * digit, output_field=BigIntegerField()), TextField())
    votes = Vote.objects.filter(ballot=OuterRef("pk")).order_by().values("ballot")
    return Subquery(votes.annotate(total=total).values("total"))


@lru_cache(maxsize=20_000)
def _read_ballot(choices: tuple[int, ...], tags: str, marks: str, *numbers: str | None) -> CastBallot:
    """Make a ballot of what is read; `choices`: how many are joined in each number, which is None without votes."""
    stars = [
        int(number or 0) >> _BITS * place & _DIGIT
        for number, count in zip(numbers, choices, strict=True)
        for place in range(count)
    ]
    return _cast_ballot(tuple(stars), tag_set(tags), _ABSTAINS in marks, _UNNAMED in marks)


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

    def read(self, ballots: QuerySet[Ballot]) -> None:
        """Read these ballots of the decision, with their votes, as the rows show them now."""
        parts = [self.choices[start : start + _TOGETHER] for start in range(0, len(self.choices), _TOGETHER)]
        numbers = {f"number_{place}": _digits(part) for place, part in enumerate(parts)}
        counts = tuple(map(len, parts))
        rows = ballots.annotate(tags_text=TAGS_TEXT, marks=_MARKS, **numbers)
        for member, *columns in rows.values_list("membership_id", "tags_text", "marks", *numbers).iterator(_ROWS):
            self.ballots[member] = _read_ballot(counts, *columns)

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
        one.read(Ballot.objects.filter(decision=pk))
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
