"""Casting the ballots of a file: as decisions that open now, for the members the file names and for new ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from democracy.errors import InvalidInput
from democracy.files import lengths
from democracy.files.ballot_columns import Race
from democracy.files.ballot_files import BallotFile, FileBallot
from democracy.files.bulk_writing import add_ballots, add_decision, tell_of_decisions
from democracy.files.imported_members import (
    KnownMembers,
    adding_to,
    by_number,
    community_name,
    free_ids,
    is_address,
    make_members,
    new_member,
)
from democracy.files.malformed import Malformed
from democracy.files.new_community import OPEN_FOR, NewBallot, NewChoice, NewDecision, NewMember
from democracy.files.progress import Progress
from democracy.ledger import Recording
from democracy.models import Community, Decision, Membership
from democracy.services import validation
from democracy.tags import normalise_tags


@dataclass(frozen=True)
class Voters:
    """The voter of each ballot, in the order of the file: a member's number or, None, somebody new."""

    known: list[int | None]
    new: list[NewMember]


def import_ballots(
    file: BallotFile,
    *,
    community: str,
    title: str,
    tags: Iterable[str] = (),
    open_for: timedelta = OPEN_FOR,
    in_order: bool = False,
    progress: Progress | None = None,
) -> list[Decision]:
    """Make a decision for each race, open from now on, with these ballots; all or nothing.

    A ballot is cast for the member with the voter's id or handle; others become members. `in_order`: the first ballot
    is the member's with the lowest id, and so on, whatever the file says. Raises Malformed, InvalidInput.
    """
    name = community_name(community)
    titles, wanted = _titles(file, title), normalise_tags(tags)
    told = progress or Progress()
    with adding_to(name) as (recording, is_new):
        voters = _in_order(file, recording.community) if in_order else _by_id(file, recording.community)
        told.expect(len(voters.new) + len(file.ballots) * len(file.races))
        made = iter(make_members(recording, voters.new, is_new=is_new, progress=told).values())
        pks = {f"{at}": next(made) if pk is None else pk for at, pk in enumerate(voters.known)}
        decisions = [
            _cast(recording, file, race, title, pks, wanted, open_for, told)
            for race, title in zip(file.races, titles, strict=True)
        ]
        tell_of_decisions(decisions, recording.community.name)
    return decisions


def voters_of(file: BallotFile, *, community: str, in_order: bool = False) -> Voters:
    """Find who would cast the ballots in the community of this name; writes nothing. Raises Malformed, InvalidInput."""
    name = community_name(community)
    # One that is not there yet has no members.
    present = Community.objects.filter(name__iexact=name).first() or Community(name=name, pk=0)
    return _in_order(file, present) if in_order else _by_id(file, present)


def _titles(file: BallotFile, title: str) -> list[str]:
    """Make each decision's title; it names the race where the file has several."""
    title = validation.line(title, field="title")
    titles = [f"{title}: {validation.line(race.title, field='title')}" if race.title else title for race in file.races]
    for longest in titles:
        if len(longest) > lengths.DECISION_TITLE:
            raise InvalidInput(f"A title has at most {lengths.DECISION_TITLE} characters: {longest!r}", field="title")
    return titles


def _by_id(file: BallotFile, community: Community) -> Voters:
    members = KnownMembers(community)
    known: list[int | None] = []
    lines: dict[int, FileBallot] = {}
    for ballot in file.ballots:
        member = members.find(ballot.voter, f"line {ballot.line}") if ballot.voter else None
        known.append(member.pk if member else None)
        if member is None:
            continue
        other = lines.setdefault(member.pk, ballot)
        if other is not ballot:
            raise Malformed(
                f"line {ballot.line}", f"{ballot.voter!r} is the member that {other.voter!r} on line {other.line} is."
            )
    new = [ballot for ballot, pk in zip(file.ballots, known, strict=True) if pk is None]
    return Voters(known, _new_members(new, {*members.file_ids, *(ballot.voter for ballot in file.ballots)}))


def _new_members(ballots: list[FileBallot], taken: set[str]) -> list[NewMember]:
    unnamed = iter(range(1, len(ballots) + len(taken) + 1))
    members = []
    for ballot in ballots:
        if ballot.voter and not is_address(ballot.voter):
            named = new_member(ballot.voter)
            role = Membership.Role.LOBBYIST if ballot.is_lobbyist else Membership.Role.VOTER
            members.append(NewMember(named.id, ballot.name or named.name, role))
        else:
            number = next(number for number in unnamed if f"ballot-{number}" not in taken)
            members.append(NewMember(f"ballot-{number}", f"Ballot {number}"))
    return members


def _in_order(file: BallotFile, community: Community) -> Voters:
    rows = Membership.objects.filter(community=community)
    file_ids = {file_id or f"{pk}": pk for pk, file_id in rows.current().values_list("pk", "file_id")}
    first = [file_ids[file_id] for file_id in sorted(file_ids, key=by_number)][: len(file.ballots)]
    rest = file.ballots[len(first) :]
    taken = {*rows.values_list("file_id", flat=True), *file_ids}
    members = _new_members(list(rest), taken)
    free = free_ids([member.id for member in members], taken)
    new = [NewMember(file_id, member.name, member.role) for file_id, member in zip(free, members, strict=True)]
    return Voters([*first, *[None] * len(rest)], new)


def _cast(
    recording: Recording,
    file: BallotFile,
    race: Race,
    title: str,
    pks: dict[str, int],
    tags: list[str],
    open_for: timedelta,
    progress: Progress,
) -> Decision:
    ids = [f"c{number}" for number in range(1, len(race.choices) + 1)]
    decision = add_decision(
        recording,
        NewDecision(
            id="",
            title=title,
            choices=[NewChoice(choice_id, choice) for choice_id, choice in zip(ids, race.choices, strict=True)],
            opens_at=recording.time,
            closes_at=recording.time + open_for,
        ),
    )
    ballots = []
    for at, (ballot, given) in enumerate(zip(file.ballots, file.of_race(race), strict=True)):
        stars = {choice_id: count for choice_id, count in zip(ids, given, strict=True) if count is not None}
        own = normalise_tags({*ballot.tags, *tags})
        ballots.append(NewBallot(f"{at}", stars, own, abstain=not stars, comment=ballot.comment))
    add_ballots(recording, decision, pks, ballots, progress)
    return decision
