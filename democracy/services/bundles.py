"""Bundles: one JSON file with everything that a decision's result rests on, for import, export and verification.

# Note [What an export tells of anonymous members]
An anonymous member goes by the decision's pseudonym, as id and as name, and everything is sorted by id, so that no
order tells who joined when. Whether they manage is left out, as are comments. Of the followings that an anonymous
member is an end of, only the active ones are there: the result rests on no other, and whom somebody follows is a
fingerprint that would be the same in every decision's file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from django.db import transaction
from django.utils import timezone

from accounts.errors import DomainError
from democracy import access, ledger
from democracy.models import Ballot, Choice, Decision, DecisionSnapshot, Following, Membership, StagedBallot
from democracy.services.decisions import lots_drawn
from democracy.services.importing import Made, import_community
from democracy.services.inputs import TAGS_TEXT, CommunityInputs, DecisionInputs, Pair, inputs_at, tag_set
from democracy.services.reading import FORMAT, VERSION, read_bundle

# Kind, packed microstars and tags.
StagedRow: TypeAlias = tuple[str, bytes, frozenset[str]]
Staged: TypeAlias = Mapping[int, StagedRow]

_ATTEMPTS = 3
_ROWS = 10_000
_encode = json.JSONEncoder(ensure_ascii=False).encode


class ExportedMember(NamedTuple):
    """What a file says of a member, or must know to keep it to itself."""

    is_anonymous: bool
    is_manager: bool
    file_id: str
    name: str


Members: TypeAlias = Mapping[int, ExportedMember]


class NothingToExport(DomainError):
    """A draft, results that are not shown yet, or a decision that was never calculated."""

    code = "NOTHING_TO_EXPORT"


def import_bundle(text: str, *, name: str | None = None) -> Made:
    """Make the community in a bundle, under another name if one is given. Raises Malformed, NameTaken."""
    return import_community(read_bundle(text, name=name))


def export(decision: Decision) -> Iterator[str]:
    """A decision with its stored result and the inputs as they stood for it, as the text of a bundle that anybody may
    see, in pieces: rows become text as they are asked for; what the result rests on is read before the first.

    Where changes since then are not calculated yet, it is still all of one revision. Raises NothingToExport.
    """
    for _ in range(_ATTEMPTS):
        bundle, revision = _export(decision.pk)
        # A calculation stored meanwhile would leave a mixture of two revisions.
        if Decision.objects.filter(pk=decision.pk, calculated_revision=revision).exists():
            return _object(bundle, end="}\n")
    with transaction.atomic():
        Decision.objects.select_for_update().get(pk=decision.pk)
        return _object(_export(decision.pk)[0], end="}\n")


def _export(decision_id: int) -> tuple[dict[str, Any], int]:
    """The bundle, with iterators for its long lists."""
    decision = Decision.objects.select_related("community").get(pk=decision_id)
    snapshot = _snapshot(decision)
    revision = decision.calculated_revision
    inputs = inputs_at(decision.community_id, [decision.pk], revision)
    rows = Membership.objects.filter(community=decision.community_id)
    columns = rows.values_list("pk", "is_anonymous", "is_manager", "file_id", "user__name")
    members = {
        pk: ExportedMember(is_anonymous, is_manager, file_id, name)
        for pk, is_anonymous, is_manager, file_id, name in columns.iterator(_ROWS)
        if pk in inputs.members
    }
    staged = _staged(decision)
    names = _member_ids(decision, members)
    hidden = {pk for pk, member in members.items() if member.is_anonymous}
    followings = _followings(inputs, names, hidden, staged)
    bundle = {
        "format": FORMAT,
        "version": VERSION,
        "exported_at": timezone.now().isoformat(),
        "ledger": {"revision": revision, "hash": ledger.hash_at(decision.community_id, revision)},
        "community": {
            "name": decision.community.name,
            "description": decision.community.description,
            "visibility": decision.community.visibility,
        },
        "members": _members(decision, inputs, members, names, {followee for _, followee in followings}),
        "followings": _following_rows(decision.community_id, inputs, followings, names, hidden),
        "decisions": iter([_decision(decision, snapshot, inputs.decisions[decision.pk], members, staged, names)]),
    }
    return bundle, revision


def _snapshot(decision: Decision) -> DecisionSnapshot:
    """The stored result. Raises NothingToExport."""
    if decision.status == Decision.Status.DRAFT:
        raise NothingToExport("A draft has no result yet.")
    if not access.shows_ballots(decision):
        raise NothingToExport("The ballots of this decision are shown after voting has closed, and exported then.")
    snapshot = DecisionSnapshot.objects.filter(decision=decision).first()
    is_closed = decision.status == Decision.Status.CLOSED
    if snapshot is None or snapshot.is_final != is_closed:
        raise NothingToExport("This decision is not calculated yet. Try again in a moment, or run recalculate.")
    return snapshot


def _member_ids(decision: Decision, members: Members) -> dict[int, str]:
    """Each member's id in the file: the one it came with, else its number; pseudonyms for the anonymous."""
    wanted = {
        pk: access.pseudonym(decision.pk, pk).lower().replace(" ", "-")
        if member.is_anonymous
        else member.file_id or str(pk)
        for pk, member in members.items()
    }
    # Those with an id of their own keep it; another that would be the same gets a longer one.
    return _all_different(wanted, first=[pk for pk, member in members.items() if member.file_id])


def _all_different(wanted: Mapping[int, str], *, first: Iterable[int]) -> dict[int, str]:
    names: dict[int, str] = {}
    used: set[str] = set()
    for pk in [*sorted(first), *sorted(wanted)]:
        if pk not in names:
            name = wanted[pk]
            while name in used:
                name += "~"
            names[pk] = name
            used.add(name)
    return names


def _members(
    decision: Decision, inputs: CommunityInputs, members: Members, names: Mapping[int, str], followed: set[int]
) -> Iterator[dict[str, Any]]:
    for pk in sorted(members, key=names.__getitem__):
        member = members[pk]
        hidden = member.is_anonymous
        yield {
            "id": names[pk],
            "name": access.pseudonym(decision.pk, pk) if hidden else member.name,
            "role": "voter" if inputs.members[pk] else "lobbyist",
            "manager": member.is_manager and not hidden,
            # Somebody who became anonymous since was followed then; in this file they are not anonymous.
            "anonymous": hidden and pk not in followed,
        }


def _followings(inputs: CommunityInputs, names: Mapping[int, str], hidden: set[int], staged: Staged) -> list[Pair]:
    """The followings that are told, in order of the ids in the file."""
    told = [
        (follower, followee)
        for (follower, followee), tags in inputs.followings.items()
        if follower in names
        and followee in names
        and (hidden.isdisjoint((follower, followee)) or _is_active(follower, followee, tags, staged))
    ]
    told.sort(key=lambda pair: (names[pair[0]], names[pair[1]]))
    return told


def _following_rows(
    community_id: int, inputs: CommunityInputs, told: list[Pair], names: Mapping[int, str], hidden: set[int]
) -> Iterator[dict[str, Any]]:
    rows = Following.objects.filter(follower__community=community_id)
    columns = rows.values_list("follower_id", "followee_id", "order")
    orders = {(follower, followee): order for follower, followee, order in columns.iterator(_ROWS)}
    for pair in told:
        follower, followee = pair
        tags = sorted(inputs.followings[pair])
        row: dict[str, Any] = {"follower": names[follower], "followee": names[followee], "tags": tags}
        if follower not in hidden and pair in orders:
            row["order"] = orders[pair]
        yield row


def _is_active(
    follower: int,
    followee: int,
    tags: frozenset[str],
    staged: Staged,
) -> bool:
    if follower not in staged or followee not in staged or staged[follower][0] != StagedBallot.Kind.INHERITED:
        return False
    kind, _, theirs = staged[followee]
    return kind != StagedBallot.Kind.ABSTAINED and (not tags or not tags.isdisjoint(theirs))


def _staged(decision: Decision) -> dict[int, StagedRow]:
    """Kind, microstars and tags of each stored staged ballot."""
    rows = StagedBallot.objects.filter(decision=decision).exclude(kind=StagedBallot.Kind.NONE)
    columns = rows.annotate(tags_text=TAGS_TEXT).values_list("membership_id", "kind", "microstars", "tags_text")
    return {
        member: (sys.intern(kind), bytes(packed), tag_set(text))
        for member, kind, packed, text in columns.iterator(_ROWS)
    }


def _decision(
    decision: Decision,
    snapshot: DecisionSnapshot,
    inputs: DecisionInputs,
    members: Members,
    staged: Staged,
    names: Mapping[int, str],
) -> dict[str, Any]:
    choices = list(decision.choices.all())
    ids = _all_different({c.pk: c.file_id or str(c.pk) for c in choices}, first=[c.pk for c in choices if c.file_id])
    columns = [ids[choice] for choice in inputs.choices]
    assert decision.opens_at is not None
    assert decision.closes_at is not None
    return {
        "id": decision.file_id or str(decision.pk),
        "title": decision.title,
        "description": decision.description,
        "status": str(decision.status),
        "results_visibility": decision.results_visibility,
        "opens_at": decision.opens_at.isoformat(),
        "closes_at": decision.closes_at.isoformat(),
        "choices": iter(
            {"id": ids[choice.pk], "title": choice.title, "description": choice.description, "lot": choice.lot}
            for choice in choices
        ),
        **_lots(decision, choices, ids),
        "ballots": _ballots(decision, inputs, members, columns, names),
        "result": _result(snapshot.result, {str(pk): name for pk, name in ids.items()})
        | {"revision": decision.calculated_revision, "final": snapshot.is_final},
        "staged": _staged_rows(staged, columns, names),
    }


def _staged_rows(staged: Staged, columns: list[str], names: Mapping[int, str]) -> Iterator[dict[str, Any]]:
    for member in sorted(staged, key=names.__getitem__):
        kind, packed, tags = staged[member]
        microstars = np.frombuffer(packed, dtype="<i4").tolist()
        yield {
            "member": names[member],
            "kind": kind,
            "microstars": dict(zip(columns, microstars, strict=True)),
            "tags": sorted(tags),
        }


def _lots(decision: Decision, choices: list[Choice], ids: Mapping[int, str]) -> dict[str, Any]:
    """Where the lots were drawn here, what they can be drawn from again; those of an imported file stand as given."""
    if {choice.pk: choice.lot for choice in choices} != lots_drawn(decision.pk, [choice.pk for choice in choices]):
        return {}
    written = {name: str(pk) for pk, name in ids.items()}
    return {"lots_from": "sha256", "lot_ids": {"decision": str(decision.pk), "choices": written}}


def _ballots(
    decision: Decision,
    inputs: DecisionInputs,
    members: Members,
    columns: list[str],
    names: Mapping[int, str],
) -> Iterator[dict[str, Any]]:
    commented = Ballot.objects.filter(decision=decision, membership__is_anonymous=False).exclude(comment="")
    comments = dict(commented.values_list("membership_id", "comment"))
    for pk in sorted(inputs.ballots.keys() & members.keys(), key=names.__getitem__):
        ballot = inputs.ballots[pk]
        row = {
            "member": names[pk],
            # All of them: a ballot that gives every choice no star is a ballot, not an abstention.
            "stars": {} if ballot.abstain else dict(zip(columns, ballot.stars, strict=True)),
            "tags": sorted(ballot.tags),
            "abstain": ballot.abstain,
        }
        if pk in comments:
            row["comment"] = comments[pk]
        yield row


def _result(stored: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """A stored result with the file's ids of choices; only what can be verified, not what follows from it (ranks)."""

    def named(numbers: Mapping[str, int]) -> dict[str, int]:
        return {ids[choice]: number for choice, number in numbers.items()}

    def name(choice: str | None) -> str | None:
        return None if choice is None else ids[choice]

    return {
        "rules": stored["rules"],
        "reason": stored["reason"],
        "winner": name(stored["winner"]),
        "runner_up": name(stored["runner_up"]),
        "finalists": [ids[choice] for choice in stored["finalists"]],
        "scores": named(stored["scores"]),
        "preferences": {ids[choice]: named(row) for choice, row in stored["preferences"].items()},
        "runoff": {"for": named(stored["runoff"]["for"]), "equal": stored["runoff"]["equal"]},
        "tie_breaks": [
            {
                "round": tie["round"],
                "kind": tie["kind"],
                "choices": [ids[choice] for choice in tie["choices"]],
                "won": ids[tie["won"]],
                "numbers": named(tie["numbers"]),
            }
            for tie in stored["tie_breaks"]
        ],
        "participation": stored["participation"],
    }


def _object(content: Mapping[str, Any], *, end: str = "}") -> Iterator[str]:
    """An object as text, a key a line; an iterator is a list with a row a line, so that two files can be compared."""
    start = "{"
    for key, value in content.items():
        yield f"{start}{json.dumps(key)}: "
        if isinstance(value, Iterator):
            yield from _list(value)
        else:
            yield _encode(value)
        start = ",\n"
    yield end


def _list(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    start = "[\n"
    for row in rows:
        yield start
        # A decision has long lists of its own.
        if any(isinstance(value, Iterator) for value in row.values()):
            yield from _object(row)
        else:
            yield _encode(row)
        start = ",\n"
    yield "[]" if start == "[\n" else "]"
