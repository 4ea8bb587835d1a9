"""Bundles: one JSON file with everything that a decision's result rests on, for import, export and verification.

# Note [What an export tells of anonymous members]
Whoever voted under a pseudonym, or is anonymous and did not vote, goes by the decision's pseudonym, as id and as name,
and everything is sorted by id, so that no order tells who joined or voted when. Whether they manage is left out, as are
comments. Whom somebody follows is the same in every decision, so it would tell which pseudonyms are one person's: no
following that they are an end of is there. A ballot that rests on such a following stands as *given*: with its stars,
and not to be calculated again. The verifier says how many it took so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple, TypeAlias

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from accounts.errors import DomainError
from democracy import access, ledger
from democracy.files.bundle_followings import following_rows
from democracy.files.bundle_reader import FORMAT, VERSION
from democracy.files.bundle_wording import comments_at, community_at, question_at
from democracy.files.json_pieces import TextRows, in_pieces
from democracy.ledger import checkpoints, contents, signing
from democracy.ledger.canonical import canonical
from democracy.ledger.pseudonyms import pseudonym_id
from democracy.models import Decision, DecisionSnapshot, LedgerEntry, Membership, StagedBallot
from democracy.models.results import DecisionResult
from democracy.models.staged_ballots import Integers
from democracy.reading import staged_ballots
from democracy.recalculation.inputs import CommunityInputs, inputs_at

# Kind, microstars and tags.
StagedRow: TypeAlias = tuple[str, Integers, frozenset[str]]
Staged: TypeAlias = Mapping[int, StagedRow]

_ATTEMPTS = 3
_ROWS = 10_000


class ExportedMember(NamedTuple):
    """A member as a file shows or hides it.

    `is_hidden`: goes by a pseudonym in the file. `kind`: that of the ballot that the pseudonym is made for: cast, or
    inherited where they cast none.
    """

    is_hidden: bool
    kind: str
    is_anonymous: bool
    is_voter: bool
    is_manager: bool
    file_id: str
    name: str


Members: TypeAlias = Mapping[int, ExportedMember]


class NothingToExport(DomainError):
    """A draft, results that are not shown yet, or a decision that was never calculated."""

    code = "NOTHING_TO_EXPORT"


def export(decision: Decision) -> Iterator[str]:
    """Write a decision as a bundle that anybody may see: its stored result and the inputs as they stood for it.

    Returns the text in pieces. Rows become text as they are asked for, but all that the result rests on is read before
    the first, of one revision even where later changes are not calculated yet. Raises NothingToExport.
    """
    for _ in range(_ATTEMPTS):
        bundle, calculated = _export(decision.pk)
        # A calculation stored meanwhile would leave a mixture of two revisions.
        if Decision.objects.filter(pk=decision.pk, calculated_revision=calculated).exists():
            return in_pieces(bundle, end="}\n")
    with transaction.atomic():
        Decision.objects.select_for_update().get(pk=decision.pk)
        return in_pieces(_export(decision.pk)[0], end="}\n")


def _export(decision_id: int) -> tuple[dict[str, Any], int]:
    """The bundle, with iterators for its long lists, and the decision's calculated revision as it was read."""
    decision = Decision.objects.select_related("community").get(pk=decision_id)
    snapshot = _snapshot(decision)
    revision = decision.calculated_revision if snapshot is not None else _calling_off_revision(decision)
    inputs = inputs_at(decision.community_id, [decision.pk], revision)
    staged = _staged(decision) if snapshot is not None else {}
    members = _exported(decision, inputs, staged)
    names = _member_ids(decision, members)
    hash = ledger.hash_at(decision.community_id, revision)
    bundle = {
        "format": FORMAT,
        "version": VERSION,
        "exported_at": timezone.now().isoformat(),
        "ledger": {"revision": revision, "hash": hash},
        "checkpoint": checkpoints.content(checkpoints.signed(decision.community_id, revision, hash, timezone.now())),
        "community": community_at(decision.community, revision),
        "members": _members(decision, members, names),
        "ledger_members": _ledger_members(members, names),
        "followings": _following_rows(decision.community_id, inputs, members, names),
        "decisions": (_decision(decision, snapshot, inputs, members, staged, names),),
    }
    return bundle, decision.calculated_revision


def _calling_off_revision(decision: Decision) -> int:
    """The revision of the entry that called a decision off."""
    assert decision.called_off_at is not None
    subject = contents.decision_subject(decision.pk)
    entries = LedgerEntry.objects.filter(community=decision.community_id, subject=subject, time=decision.called_off_at)
    return int(entries.aggregate(last=Max("revision"))["last"] or 0)


def _snapshot(decision: Decision) -> DecisionSnapshot | None:
    """The stored result; None of a decision that was called off. Raises NothingToExport."""
    if decision.status == Decision.Status.CALLED_OFF:
        if not access.opens_entries_on_ballots(decision):
            raise NothingToExport("This decision was called off while its ballots were hidden, and they stay so.")
        return None
    if decision.status == Decision.Status.DRAFT:
        raise NothingToExport("A draft has no result yet.")
    if access.hides_ballots(decision):
        raise NothingToExport("The ballots of this decision are shown after voting has closed, and exported then.")
    snapshot = DecisionSnapshot.objects.filter(decision=decision).first()
    is_closed = decision.status == Decision.Status.CLOSED
    if snapshot is None or snapshot.is_final != is_closed:
        raise NothingToExport("This decision is not calculated yet. Try again in a moment, or run recalculate.")
    return snapshot


def _exported(decision: Decision, inputs: CommunityInputs, staged: Staged) -> dict[int, ExportedMember]:
    """The members at that revision, and whoever left since with a ballot that stays in the urn."""
    ballots = inputs.decisions[decision.pk].ballots
    pseudonymous = staged_ballots.members_under_pseudonyms([decision])[decision.pk]
    rows = Membership.objects.filter(community=decision.community_id)
    columns = rows.values_list("pk", "is_anonymous", "is_manager", "file_id", "user__name")
    members = {}
    for pk, is_anonymous, is_manager, file_id, name in columns.iterator(_ROWS):
        if pk not in inputs.members and pk not in staged:
            continue
        # A ballot stays under the name under which it was cast.
        is_hidden = ballots[pk].anonymous if pk in ballots else is_anonymous or pk in pseudonymous
        is_voter = inputs.members.get(pk, True) or (pk in ballots and is_hidden)
        kind = StagedBallot.Kind.CAST if pk in ballots else StagedBallot.Kind.INHERITED
        members[pk] = ExportedMember(is_hidden, kind, is_anonymous, is_voter, is_manager, file_id, name)
    return members


def _member_ids(decision: Decision, members: Members) -> dict[int, str]:
    """Each member's id in the file: the one it came with, else its number; pseudonyms for the anonymous."""
    wanted = {
        pk: pseudonym_id(decision.pk, pk, kind=member.kind) if member.is_hidden else member.file_id or str(pk)
        for pk, member in members.items()
    }
    # A pseudonym stays what receipts say that it is, and an id that came with a file what it was there; another that
    # would be the same gets a longer one.
    hidden = sorted(pk for pk, member in members.items() if member.is_hidden)
    return _all_different(wanted, first=[*hidden, *sorted(pk for pk, member in members.items() if member.file_id)])


def _all_different(wanted: Mapping[int, str], *, first: Iterable[int]) -> dict[int, str]:
    names: dict[int, str] = {}
    used: set[str] = set()
    for pk in [*first, *sorted(wanted)]:
        if pk not in names:
            name = wanted[pk]
            while name in used:
                name += "~"
            names[pk] = name
            used.add(name)
    return names


def _members(decision: Decision, members: Members, names: Mapping[int, str]) -> Iterator[dict[str, Any]]:
    for pk in sorted(members, key=names.__getitem__):
        member = members[pk]
        role = "voter" if member.is_voter else "lobbyist"
        if member.is_hidden:
            pseudonym = access.pseudonym(decision.pk, pk, kind=member.kind)
            yield {"id": names[pk], "name": pseudonym, "role": role, "manager": False, "anonymous": True}
        else:
            is_manager = member.is_manager and not member.is_anonymous
            yield {"id": names[pk], "name": member.name, "role": role, "manager": is_manager, "anonymous": False}


def _ledger_members(members: Members, names: Mapping[int, str]) -> Iterator[dict[str, Any]]:
    """List the numbers by which the ledger knows the members who bear names."""
    for pk in sorted(members, key=names.__getitem__):
        if not members[pk].is_hidden:
            yield {"member": names[pk], "membership": pk}


def _following_rows(community_id: int, inputs: CommunityInputs, members: Members, names: Mapping[int, str]) -> TextRows:
    """The followings between members who are named, in order of the ids in the file.

    Whom somebody anonymous follows is not told, though a ballot of theirs may bear their name.
    """
    named = sorted((pk for pk, member in members.items() if not member.is_hidden), key=names.__getitem__)
    silent = [pk for pk in named if members[pk].is_anonymous]
    return following_rows(community_id, inputs.followings, named, silent, [names[pk] for pk in named])


def _given(inputs: CommunityInputs, members: Members, staged: Staged) -> set[int]:
    """Find the members whose inherited ballots can't be calculated from the file: hidden ones, and whoever followed one
    of them before they became anonymous, and so on.
    """
    inherited = {pk for pk, (kind, _, _) in staged.items() if kind == StagedBallot.Kind.INHERITED}
    given = {pk for pk in inherited if pk in members and members[pk].is_hidden}
    followers: dict[int, list[int]] = {}
    if given:
        for (follower, followee), tags in inputs.followings.items():
            if follower in inherited and followee in inherited and (not tags or tags & staged[followee][2]):
                followers.setdefault(followee, []).append(follower)
    waiting = list(given)
    while waiting:
        for follower in followers.get(waiting.pop(), ()):
            if follower not in given:
                given.add(follower)
                waiting.append(follower)
    return given


def _staged(decision: Decision) -> dict[int, StagedRow]:
    """Kind, microstars and tags of each stored staged ballot."""
    columns = staged_ballots.read_columns(decision, decision.choices.count())
    tags = map(columns.tag_sets.__getitem__, columns.tags.tolist())
    rows = zip(columns.kinds, columns.microstars, tags, strict=True)
    return dict(zip(columns.members.tolist(), rows, strict=True))


def _decision(
    decision: Decision,
    snapshot: DecisionSnapshot | None,
    inputs: CommunityInputs,
    members: Members,
    staged: Staged,
    names: Mapping[int, str],
) -> dict[str, Any]:
    choices = list(decision.choices.all())
    with_ids = sorted(c.pk for c in choices if c.file_id)
    ids = _all_different({c.pk: c.file_id or str(c.pk) for c in choices}, first=with_ids)
    columns = [ids[choice] for choice in inputs.decisions[decision.pk].choices]
    asked = [
        {
            "id": ids[choice.pk],
            "title": choice.title,
            "description": choice.description,
            "lot": choice.lot,
        }
        for choice in choices
    ]
    question = {
        "ledger_ids": {"decision": decision.pk, "choices": {ids[choice.pk]: choice.pk for choice in choices}},
        **question_at(decision, inputs.revision),
        # Lots that came with a file have no seed.
        **({"lot_seed": decision.lot_seed} if decision.lot_seed else {}),
    }
    signed = question | {"community": decision.community_id, "choices": asked}
    assert decision.opens_at is not None
    assert decision.closes_at is not None
    return {
        "id": decision.file_id or str(decision.pk),
        **question,
        "topics": decision.topics,
        "status": str(decision.status),
        **contents.calling_off(decision),
        "results_visibility": decision.results_visibility,
        "opens_at": decision.opens_at.isoformat(),
        "closes_at": decision.closes_at.isoformat(),
        "choices": iter(asked),
        "signature": signing.sign(b"crowdvote-question " + canonical(signed)),
        "ballots": _ballots(decision, inputs, members, columns, names),
        "result": None
        if snapshot is None
        else _result(snapshot.read_result(), ids)
        | {"revision": decision.calculated_revision, "final": snapshot.is_final},
        "staged": _staged_rows(staged, members, _given(inputs, members, staged), columns, names),
    }


def _staged_rows(
    staged: Staged, members: Members, given: set[int], columns: list[str], names: Mapping[int, str]
) -> Iterator[dict[str, Any]]:
    for member in sorted(staged, key=names.__getitem__):
        kind, microstars, tags = staged[member]
        row: dict[str, Any] = {
            "member": names[member],
            "kind": kind,
            "microstars": dict(zip(columns, microstars.tolist(), strict=True)),
            # Those of an inherited ballot tell whom its owner follows.
            "tags": [] if member in given and members[member].is_hidden else sorted(tags),
        }
        if member in given:
            row["given"] = True
        yield row


def _ballots(
    decision: Decision,
    inputs: CommunityInputs,
    members: Members,
    columns: list[str],
    names: Mapping[int, str],
) -> Iterator[dict[str, Any]]:
    comments = comments_at(decision, inputs.revision)
    cast = inputs.decisions[decision.pk].ballots
    for pk in sorted(cast.keys() & members.keys(), key=names.__getitem__):
        ballot = cast[pk]
        row = {
            "member": names[pk],
            # All of them: a ballot that gives every choice no star is a ballot, not an abstention.
            "stars": {} if ballot.abstain else dict(zip(columns, ballot.stars, strict=True)),
            "tags": sorted(ballot.tags),
            "abstain": ballot.abstain,
        }
        if comments.get(pk) and not members[pk].is_hidden:
            row["comment"] = comments[pk]
        yield row


def _result(stored: DecisionResult, ids: Mapping[int, str]) -> dict[str, Any]:
    """A stored result with the file's ids of choices; only what can be verified, not what follows from it (ranks)."""

    def named(numbers: Mapping[int, int]) -> dict[str, int]:
        return {ids[choice]: number for choice, number in numbers.items()}

    def name(choice: int | None) -> str | None:
        return None if choice is None else ids[choice]

    return {
        "rules": stored.rules,
        "reason": stored.reason,
        "winner": name(stored.winner),
        "runner_up": name(stored.runner_up),
        "finalists": [ids[choice] for choice in stored.finalists],
        "scores": named(stored.scores),
        "preferences": {ids[choice]: named(row) for choice, row in stored.preferences.items()},
        "runoff": {"for": named(stored.runoff_for), "equal": stored.runoff_equal},
        "tie_breaks": [
            {
                "round": tie.round,
                "kind": tie.kind,
                "choices": [ids[choice] for choice in tie.choices],
                "won": ids[tie.won],
                "numbers": named(tie.numbers),
            }
            for tie in stored.tie_breaks
        ],
        "participation": asdict(stored.participation),
    }
