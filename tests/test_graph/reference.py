"""The judge of the engine: staging and tally as the rules say them, with sets and fractions, slow and plain."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from graph import CastBallot, GraphChange, StagedBallot
from graph.values import FollowingRemoved, FollowingSet, Kind, Member, MemberRemoved, MemberSet


@dataclass
class Community:
    """Plain inputs that a test can change."""

    roles: dict[Member, bool]
    followings: dict[tuple[Member, Member], frozenset[str]]

    def apply(self, change: GraphChange) -> None:
        match change:
            case MemberSet(member, counted):
                self.roles[member] = counted
            case MemberRemoved(member):
                self.roles.pop(member, None)
                self.followings = {pair: tags for pair, tags in self.followings.items() if member not in pair}
            case FollowingSet(follower, followee, tags):
                if follower != followee and follower in self.roles and followee in self.roles:
                    self.followings[follower, followee] = tags
            case FollowingRemoved(follower, followee):
                self.followings.pop((follower, followee), None)


@dataclass
class Reference:
    """One decision as the rules have it."""

    staged: dict[Member, StagedBallot]
    active: dict[Member, list[Member]]
    weights: dict[Member, dict[Member, Fraction]]
    urn: frozenset[Member]


def calculate(community: Community, ballots: Mapping[Member, CastBallot]) -> Reference:
    """Stage everybody's ballot."""
    written = {member: one for member, one in ballots.items() if member in community.roles or one.anonymous}
    # What lies in the urn hands nothing on.
    cast = {member: one for member, one in written.items() if not one.abstain and not one.anonymous}
    tags = spread(community, written, cast)
    active: dict[Member, list[Member]] = {member: [] for member in tags if member not in written}
    for (follower, followee), topics in community.followings.items():
        if follower in active and followee in tags and (not topics or topics & tags[followee]):
            active[follower].append(followee)
    weights = solve(active, cast)
    staged = {member: as_written(community, member, ballot) for member, ballot in written.items()}
    for member in community.roles.keys() & active.keys():
        microstars = mean([(cast[source].stars, weight) for source, weight in weights[member].items()])
        counted = community.roles[member]
        staged[member] = StagedBallot(member, "inherited", microstars, frozenset(tags[member]), counted)
    urn = frozenset(member for member, ballot in written.items() if ballot.anonymous)
    return Reference(staged, active, weights, urn)


def spread(
    community: Community, written: Container[Member], cast: Mapping[Member, CastBallot]
) -> dict[Member, set[str]]:
    """Hand tags on until nobody receives any more."""
    tags = {member: set(ballot.tags) for member, ballot in cast.items()}
    growing = True
    while growing:
        growing = False
        for (follower, followee), topics in community.followings.items():
            if follower not in written and followee in tags:
                shared = tags[followee] & topics if topics else tags[followee]
                if (shared or not topics) and not (follower in tags and shared <= tags[follower]):
                    tags[follower] = tags.get(follower, set()) | shared
                    growing = True
    return tags


def as_written(community: Community, member: Member, ballot: CastBallot) -> StagedBallot:
    counted = community.roles.get(member, False) or ballot.anonymous
    microstars = tuple(star * 1_000_000 for star in ballot.stars)
    kind: Kind = "abstained" if ballot.abstain else "cast"
    return StagedBallot(member, kind, microstars, ballot.tags, counted and not ballot.abstain)


def mean(rows: Sequence[tuple[Sequence[int], Fraction]]) -> tuple[int, ...]:
    """The weighted mean of stars, in microstars."""
    choices = range(len(rows[0][0]))
    means = [sum((weight * stars[c] for stars, weight in rows), Fraction(0)) for c in choices]
    return tuple(round(number * 1_000_000) for number in means)


def solve(active: Mapping[Member, Sequence[Member]], cast: Iterable[Member]) -> dict[Member, dict[Member, Fraction]]:
    """The weights of the cast ballots in everybody's, by Gaussian elimination."""
    sources = sorted(cast)
    members = sorted(active)
    column = {member: at for at, member in enumerate(members)}
    answer = {source: len(members) + at for at, source in enumerate(sources)}
    width = len(members) + len(sources)
    rows = []
    for member in members:
        row = [Fraction(0)] * width
        row[column[member]] += 1
        for followee in active[member]:
            share = Fraction(1, len(active[member]))
            if followee in column:
                row[column[followee]] -= share
            else:
                row[answer[followee]] += share
        rows.append(row)
    for at in range(len(members)):
        pivot = next(other for other in range(at, len(members)) if rows[other][at])
        rows[at], rows[pivot] = rows[pivot], rows[at]
        scale = rows[at][at]
        rows[at] = [value / scale for value in rows[at]]
        for other in range(len(members)):
            if other != at and rows[other][at]:
                factor = rows[other][at]
                rows[other] = [mine - factor * its for mine, its in zip(rows[other], rows[at], strict=True)]
    return {
        member: {source: rows[at][answer[source]] for source in sources if rows[at][answer[source]]}
        for at, member in enumerate(members)
    }


def totals(ballots: Iterable[StagedBallot], choices: int) -> dict[str, object]:
    """Scores, preferences, five-star counts and number of counted ballots."""
    counted = [ballot.microstars for ballot in ballots if ballot.counted]
    return {
        "scores": tuple(sum(ballot[c] for ballot in counted) for c in range(choices)),
        "preferences": tuple(
            tuple(sum(ballot[a] > ballot[b] for ballot in counted) for b in range(choices)) for a in range(choices)
        ),
        "five_stars": tuple(sum(ballot[c] == 5_000_000 for ballot in counted) for c in range(choices)),
        "counted": len(counted),
    }


def participation(community: Community, reference: Reference) -> dict[str, int]:
    """Count those who took part."""
    voters = [member for member, voter in community.roles.items() if voter and member not in reference.urn]
    kinds = [reference.staged[one].kind if one in reference.staged else "none" for one in [*voters, *reference.urn]]
    groups = {kind: kinds.count(kind) for kind in ("cast", "inherited", "abstained", "none")}
    named = {member: ballot for member, ballot in reference.staged.items() if member not in reference.urn}
    lobbyists = sum(ballot.kind == "cast" and not community.roles[member] for member, ballot in named.items())
    return groups | {
        "eligible": len(kinds),
        "lobbyists": lobbyists,
        "counted": groups["cast"] + groups["inherited"],
    }
