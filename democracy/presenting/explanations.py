"""Explanations of ballots for pages: the ballots that one rests on, and those that carry most others."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from django.contrib.auth.models import AnonymousUser

from democracy import access
from democracy.access import Viewer
from democracy.errors import PermissionDenied
from democracy.explaining.closures import KnownBallots, ballots_known
from democracy.explaining.sources import active_followings, influence, members_under_pseudonyms
from democracy.models import Choice, Decision, Membership
from democracy.models import StagedBallot as Stored
from democracy.presenting import numbers, wording
from democracy.presenting.wording import SourceWords
from democracy.reading.ballots import Owner, ballot_behind, owners
from democracy.reading.followings import MOST_DRAWN
from graph import Source, StagedBallot

_INHERITED = Stored.Kind.INHERITED
# A ballot can rest on thousands of others: the heaviest are read, the rest are counted.
MOST_SOURCES = 12
MOST_INFLUENTIAL = 10


@dataclass(frozen=True)
class SourceLine:
    """A cast ballot that the explained one rests on; `via`: the people between, `tags`: of the first following."""

    owner: Owner
    share: Fraction | float
    microstars: tuple[int, ...]
    via: tuple[Owner, ...]
    tags: tuple[str, ...]

    @property
    def share_text(self) -> str:
        return numbers.share_text(self.share)


@dataclass
class TreeNode:
    """A person on the way to the sources; `share` is "" for those who only pass a ballot on."""

    name: str
    handle: str
    share: str = ""
    note: str = ""
    children: list[TreeNode] = field(default_factory=list)

    def child(self, owner: Owner) -> TreeNode:
        """Find the child for this person, or add it."""
        for node in self.children:
            if (node.name, node.handle) == (owner.name, owner.handle):
                return node
        self.children.append(TreeNode(owner.name, owner.handle))
        return self.children[-1]


@dataclass(frozen=True)
class ChoiceWords:
    choice: Choice
    microstars: int
    sentence: str


@dataclass(frozen=True)
class Explanation:
    """A member's ballot in one decision. `sources` are the heaviest; `others` more have `others_share` together."""

    owner: Owner
    kind: str
    tags: tuple[str, ...]
    choices: tuple[ChoiceWords, ...]
    sources: tuple[SourceLine, ...]
    others: int
    others_share: str
    tree: tuple[TreeNode, ...]


def explain_own(viewer: Viewer, decision: Decision) -> Explanation | None:
    """Explain the viewer's own ballot; None for somebody without one, and where ballots are hidden."""
    membership = access.membership_of(viewer, decision.community_id)
    if membership is None or not access.shows_ballots(decision):
        return None
    return _explain(viewer, decision, membership.pk)


def explain_ballot(viewer: Viewer, decision: Decision, key: str) -> Explanation:
    """Explain the ballot that a key in the list of ballots names.

    Raises PermissionDenied where ballots are hidden, where there is no such ballot, and for somebody else's ballot
    under a pseudonym: its sources would tell whom its owner follows.
    """
    if not access.shows_ballots(decision):
        raise PermissionDenied
    shown = ballot_behind(decision, key)
    if shown is None:
        raise PermissionDenied
    # A ballot by name that was just withdrawn may still be stored. What its owner inherits now is not told.
    is_unnamed = shown.is_anonymous or shown.membership.pk in members_under_pseudonyms([decision])[decision.pk]
    if is_unnamed and not access.is_self(viewer, shown.membership):
        raise PermissionDenied
    explanation = _explain(viewer, decision, shown.membership.pk)
    if explanation is None:
        raise PermissionDenied
    return explanation


def explain_to_each(decision: Decision, members: Collection[int]) -> dict[int, Explanation]:
    """Explain to each of these members the ballot that they inherit, as `explain_own` does, all at once. Those who
    inherit none are left out, and all where ballots are hidden.
    """
    if not access.shows_ballots(decision):
        return {}
    calculation = (known := ballots_known(decision, members)).calculation
    inherited = {
        member: calculation.sources(member)
        for member in members
        if (ballot := calculation.staged(member)) is not None and ballot.kind == _INHERITED
    }
    named = set(inherited).union(*(_named(member, sources) for member, sources in inherited.items()))
    hidden = members_under_pseudonyms([decision])[decision.pk]
    people = owners(AnonymousUser(), decision, list(named), hidden=dict.fromkeys(hidden, _INHERITED))
    others = people | {one: _unnamed(people[one]) for one in hidden.intersection(people)}
    choices = _choices_by_id(decision)
    return {
        member: _explanation(
            known, member, sources, choices, ChainMap({member: replace(people[member], is_self=True)}, others)
        )
        for member, sources in inherited.items()
        if member in people
    }


def _explain(viewer: Viewer, decision: Decision, member: int) -> Explanation | None:
    known = ballots_known(decision, [member])
    ballot = known.calculation.staged(member)
    if ballot is None:
        return None
    sources = known.calculation.sources(member)
    hidden = members_under_pseudonyms([decision])[decision.pk]
    named = [member, *_named(member, sources)]
    people = owners(viewer, decision, named, hidden=dict.fromkeys(hidden, ballot.kind))
    people |= {one: _unnamed(people[one]) for one in hidden.intersection(people) - {member}}
    return _explanation(known, member, sources, _choices_by_id(decision), people)


def _named(member: int, sources: Sequence[Source]) -> set[int]:
    """The others who are named where the member's ballot is explained."""
    return {one for source in sources[:MOST_SOURCES] for one in source.path} - {member}


def _unnamed(owner: Owner) -> Owner:
    """Somebody who has become anonymous since bears no pseudonym here: former followers could tell whose it is."""
    return replace(owner, key="", name=access.ANONYMOUS)


def _choices_by_id(decision: Decision) -> dict[int, Choice]:
    return {choice.pk: choice for choice in Choice.objects.filter(decision=decision)}


def _explanation(
    known: KnownBallots,
    member: int,
    everything: Sequence[Source],
    choices: Mapping[int, Choice],
    people: Mapping[int, Owner],
) -> Explanation:
    ballot = known.calculation.staged(member)
    assert ballot is not None
    sources = everything[:MOST_SOURCES]
    lines = tuple(
        SourceLine(
            owner=people[source.member],
            share=source.weight,
            microstars=_microstars(known, source.member),
            via=tuple(people[one] for one in source.path[1:-1]),
            tags=_tags(known, source),
        )
        for source in sources
    )
    rest = 1 - sum(source.weight for source in sources)
    return Explanation(
        owner=people[member],
        kind=ballot.kind,
        tags=tuple(sorted(ballot.tags)),
        choices=_choices(choices, known.choices, ballot, lines, rest, len(everything) - len(lines)),
        sources=lines,
        others=len(everything) - len(lines),
        others_share=numbers.percent_text(float(rest)),
        tree=_tree(people[member], lines),
    )


def _microstars(known: KnownBallots, member: int) -> tuple[int, ...]:
    ballot = known.calculation.staged(member)
    return ballot.microstars if ballot is not None else (0,) * len(known.choices)


def _tags(known: KnownBallots, source: Source) -> tuple[str, ...]:
    """The tags by which the path's first following is active; none where it is on everything."""
    if len(source.path) < 2:
        return ()
    following: frozenset[str] = known.calculation.graph.followees[source.path[0]][source.path[1]]["tags"]
    asked = known.calculation.staged(source.path[1])
    return tuple(sorted(following & asked.tags)) if asked is not None else ()


def _choices(
    choices: Mapping[int, Choice],
    order: Sequence[int],
    ballot: StagedBallot,
    lines: Sequence[SourceLine],
    rest: Fraction | float,
    others: int,
) -> tuple[ChoiceWords, ...]:
    found = []
    for at, pk in enumerate(order):
        words = [
            SourceWords(
                name="you" if line.owner.is_self else line.owner.name,
                share=line.share,
                stars=line.microstars[at],
                via=tuple(one.name for one in line.via),
                tags=line.tags,
            )
            for line in lines
        ]
        sentence = wording.sources_sentence(ballot.microstars[at], words, others=others, others_share=rest)
        found.append(ChoiceWords(choices[pk], ballot.microstars[at], sentence))
    return tuple(found)


def _tree(owner: Owner, lines: Iterable[SourceLine]) -> tuple[TreeNode, ...]:
    """Join the strongest paths into a tree, from the ballot's owner to the sources."""
    root = TreeNode("You" if owner.is_self else owner.name, owner.handle)
    for line in lines:
        node = root
        for one in (*line.via, line.owner):
            node = node.child(one)
        node.share = line.share_text
    return (root,)


# --- Everybody's ballots ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Influential:
    """A cast ballot and the number of counted ballots it carries, itself included; `share`: of all counted ballots."""

    owner: Owner
    ballots: float
    share: float


def most_influential(viewer: Viewer, decision: Decision, *, counted: int) -> list[Influential]:
    """Find the cast ballots that carry more than themselves, weightiest first, without what pseudonyms inherit."""
    weightiest, _ = influence(decision, stop=MOST_INFLUENTIAL)
    carrying = [one for one in weightiest if one.ballots > 1]
    people = owners(viewer, decision, [one.member.pk for one in carrying], hidden={})
    return [Influential(people[one.member.pk], one.ballots, one.ballots / max(counted, 1)) for one in carrying]


def drawn_followings(viewer: Viewer, decision: Decision) -> dict[str, Any]:
    """Prepare a decision's active followings for drawing, in the form of `reading.followings.followings_to_draw`."""
    found = active_followings(decision, most=MOST_DRAWN)
    members = [member for member, _ in found.members]
    topics: dict[tuple[str, ...], int] = {(): 0}
    followings = [
        [follower, followee, topics.setdefault(tags, len(topics))] for follower, followee, tags in found.followings
    ]
    lobbyist = Membership.Role.LOBBYIST
    return {
        "members": [
            [one.pk, one.user.handle, one.user.name, "lobbyist" if one.role == lobbyist else ""] for one in members
        ],
        "topics": list(topics),
        "followings": followings,
        "me": next((at for at, one in enumerate(members) if access.is_self(viewer, one)), None),
    }
