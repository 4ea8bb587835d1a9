"""Imports that were stopped before their end: what may not be done meanwhile, and deleting what they wrote."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import models, transaction

from accounts.models import User
from democracy.database import bulk
from democracy.errors import InvalidInput
from democracy.models import (
    Ballot,
    CalculationClaim,
    Checkpoint,
    Choice,
    Clarification,
    Community,
    Decision,
    Following,
    LedgerEntry,
    Membership,
    NoticeCursor,
    UnfinishedImport,
    Vote,
)

_OF_COMMUNITY = (Membership, Decision, LedgerEntry, Checkpoint, NoticeCursor, CalculationClaim, UnfinishedImport)


def refuse_unfinished(community: Community) -> None:
    """Refuse to add to a community whose import has not ended. Raises InvalidInput."""
    if UnfinishedImport.objects.filter(community=community).exists():
        raise InvalidInput(unfinished(community.name), field="community")


def unfinished(name: str) -> str:
    return (
        f"An import of “{name}” has not ended. Give its command once more, and it goes on; or delete what it wrote: "
        "import_community --discard."
    )


def discard(name: str) -> None:
    """Delete what an unfinished import has written, its ledger too: nobody has seen it. Raises InvalidInput."""
    row = UnfinishedImport.objects.filter(community__name__iexact=name).first()
    if row is None:
        raise InvalidInput("There is no unfinished import of a community with this name.", field="discard")
    with bulk.large_cache(), transaction.atomic():
        # Held, so that no process goes on with the import meanwhile.
        pk = Community.objects.select_for_update().get(pk=row.community_id).pk
        _delete(pk)


def _delete(community_id: int) -> None:
    """Delete the rows from the outside in. In bulk, so that no receiver writes about it."""
    members = _keys(Membership.objects.filter(community=community_id))
    accounts = list(Membership.objects.filter(community=community_id).values_list("user", flat=True))
    decisions = _keys(Decision.objects.filter(community=community_id))
    ballots = _keys(Ballot.objects.filter(decision__community=community_id))
    _delete_where(Vote, "ballot_id", ballots)
    for of_decision in (Ballot, Choice, Clarification):
        _delete_where(of_decision, "decision_id", decisions)
    _delete_where(Following, "follower_id", members)
    for of_community in _OF_COMMUNITY:
        _delete_where(of_community, "community_id", [community_id])
    _delete_where(Community, "id", [community_id])
    # The accounts were made by this import alone: an import makes one for each member, and nobody can sign in.
    _delete_where(User, "id", accounts)


def _keys(rows: models.QuerySet[models.Model]) -> list[int]:
    return list(rows.values_list("pk", flat=True))


def _delete_where(model: type[models.Model], column: str, values: Iterable[int]) -> None:
    bulk.delete(model._meta.db_table, values, column=column)
