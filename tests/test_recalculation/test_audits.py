"""An audit finds every row that is not what was written: each column of each input and derived table, one at a time."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction
from pytest_django import Settings

from accounts.models import User
from democracy import ledger, services
from democracy.ledger import checkpoints, contents, signing
from democracy.management import foreground
from democracy.models import (
    Application,
    Ballot,
    Checkpoint,
    Community,
    Decision,
    DecisionSnapshot,
    Following,
    Invitation,
    InvitationLink,
    LedgerEntry,
    Membership,
    PastBlock,
    StagedBlock,
    Vote,
)
from democracy.recalculation import audits
from tests import factories, histories, rules
from tests.rules import Clock

pytestmark = pytest.mark.django_db

_INVITATIONS = {Invitation, InvitationLink}
AUDITED: tuple[type[models.Model], ...] = (
    *(model for model in rules.WRITTEN if model not in _INVITATIONS),
    *(StagedBlock, PastBlock, DecisionSnapshot, Checkpoint),
)
# What an audit takes as it finds it, with the reason.
TAKEN_AS_FOUND = {
    "Choice.position": "the ledger has the choices in their order; by which numbers they are in order says nothing",
    "Decision.failed_at": "when a calculation failed; it decides only when that is tried again",
    "Decision.calculation_error": "the words of that failure",
    "Moderation.hidden_by": "which operator it was; in the ledger the site acts",
    "DecisionSnapshot.keeps_ballots": "whether the ballots of a past result can still be read",
    "PublishedResult.token": "a secret address, and the ledger is read by more people",
}
NOT_AUDITED = {
    "CalculationClaim": "which process calculates at the moment",
    "UnfinishedImport": "how far an import has come whose community nobody sees yet",
    "IdempotencyKey": "which commands programs have sent lately",
    "Greeting": "who was not greeted yet on a page",
    **dict.fromkeys((model.__name__ for model in _INVITATIONS), "see Note [Invitations are not in the ledger]"),
    "Notice": "what people are told: nothing is calculated from it",
    "NoticePreference": "how somebody wants to be told, which is nobody else's business",
    "NoticeCursor": "how far the ledger was turned into notices",
    "NoticeMark": "which times of a decision were turned into notices",
    "Webhook": "whom a community has told; nothing is calculated from it",
    "WebhookDelivery": "what was posted, and what came of it",
    "ExtraReminder": "when a manager last asked that people are reminded",
    "MailPace": "when the next mail may leave",
}
COLUMNS = [
    (model, column)
    for model in AUDITED
    for column in model._meta.concrete_fields
    if not column.primary_key and f"{model.__name__}.{column.name}" not in TAKEN_AS_FOUND
]


def faults(community: Community) -> list[str]:
    community.refresh_from_db()
    return list(audits.faults(community))


def is_faulty(community: Community) -> bool:
    """Tell whether an audit finds anything, without looking for all that it finds."""
    community.refresh_from_db()
    return any(True for _ in audits.faults(community))


def calculate(community: Community) -> None:
    assert not foreground.calculate(community.pk, patience=60).failed


def keep_checkpoint(community: Community) -> None:
    revision = rules.revision(community)
    checkpoints.keep(community.pk, revision, ledger.hash_at(community.pk, revision))


@pytest.fixture(scope="module")
def audited(module_rows: None) -> tuple[Community, datetime]:
    """Write a community with something in every table: a closed decision, whose result is
    published, an open one with two results, a draft.

    Returned with the time it is then.
    """
    with pytest.MonkeyPatch.context() as monkeypatch:
        clock = Clock(monkeypatch)
        made = fill_every_table(clock)
    return made, clock.now


@pytest.fixture
def town(audited: tuple[Community, datetime], monkeypatch: pytest.MonkeyPatch) -> Community:
    community, now = audited
    Clock(monkeypatch).set(now)
    return copy.deepcopy(community)


def fill_every_table(clock: Clock) -> Community:
    community, members = rules.new_community("ada", "ben", "cleo", "dora", "eve")
    manager = members["manager"].user
    services.apply_to_community(factories.person(), community.pk, message="Hello")
    links = [services.create_invitation_link(manager, community.pk, needs_approval=True) for _ in range(2)]
    services.use_invitation_link(factories.person(), links[0].token)
    factories.follow(members["ben"], members["ada"], "parks")
    factories.follow(members["cleo"], members["ben"])
    closed = factories.decision(community, manager)
    factories.vote(members["ada"], closed, ["parks"], Ash=5, Birch=1)
    calculate(community)
    clock.advance(days=8)
    calculate(community)
    services.publish_result(manager, closed.pk)
    factories.decision(community, manager)
    running = factories.decision(community, manager)
    services.add_clarification(manager, running.pk, text="Both sides of the street.")
    factories.vote(members["ada"], running, ["parks"], Ash=5)
    clock.advance(minutes=1)
    calculate(community)
    services.set_anonymity(members["eve"].user, community.pk, anonymous=True)
    factories.vote(members["eve"], running, Cedar=3)
    factories.vote(members["dora"], running, Birch=4, Cedar=2)
    clock.advance(minutes=1)
    calculate(community)
    root = User.objects.create_superuser(f"root@{community.pk}.example.org", name="Root", handle=f"root_{community.pk}")
    services.hide_decision_text(root, running.pk, place="clarification:1", reason="It is wrong.")
    calculate(community)
    factories.draft(community, manager, "Yes", "No")
    clock.advance(minutes=1)
    assert faults(community) == []
    return community


def different(value: Any, column: models.Field[Any, Any]) -> Any:
    """Another value that the column takes."""
    if column.is_relation:
        others = column.related_model._default_manager.exclude(pk=value)  # type: ignore[union-attr]
        return others.values_list("pk", flat=True).order_by("-pk")[0]
    match value:
        case bool():
            return not value
        case int():
            return value - 1 if column.name == "stars" and value else value + 1_000
        case datetime():
            return value - timedelta(days=1_000)
        case bytes() | memoryview():
            return b"\1" + bytes(value)[1:]
        case list():
            return [*value, "forged"]
        case dict():
            return {**value, "forged": 1}
        case None if isinstance(column, models.DateTimeField):
            return datetime.fromisoformat("2020-01-01T00:00:00+00:00")
        case None:
            return {} if isinstance(column, models.JSONField) else 1_000
    if column.choices:
        return next(one for one, _ in column.choices if one != value)
    return f"{'0' if value[:1] != '0' else '1'}{value[1:]}"


def rows_of(model: type[models.Model], community: Community) -> Iterator[models.Model]:
    path = dict.fromkeys((StagedBlock, PastBlock, DecisionSnapshot), "decision__community") | rules.WRITTEN
    path |= {Checkpoint: "community"}
    yield from model._default_manager.filter(**{path[model]: community.pk}).order_by("pk")


def test_every_table_is_audited_or_says_why_not() -> None:
    models_there = {model.__name__ for model in apps.get_app_config("democracy").get_models(include_auto_created=True)}
    assert {model.__name__ for model in AUDITED} | {*NOT_AUDITED} == models_there


def test_every_changed_column_of_every_row_is_found(town: Community) -> None:
    factories.community("elsewhere")
    missed, tried = [], set()
    for model, column in COLUMNS:
        rows = list(rows_of(model, town))
        for row in {rows[0], rows[-1]}:
            try:
                with transaction.atomic():
                    value = different(getattr(row, column.attname), column)
                    model._default_manager.filter(pk=row.pk).update(**{column.attname: value})
                    tried.add((model, column))
                    if not is_faulty(town):
                        missed.append(f"{model.__name__}.{column.name} of {row!r}")
                    transaction.set_rollback(True)
            except IntegrityError:
                continue  # the database itself refuses it
    assert missed == []
    assert {f"{model.__name__}.{column.name}" for model, column in {*COLUMNS} - tried} == set()


def test_every_removed_row_is_found(town: Community) -> None:
    missed = []
    for model in (*AUDITED[1:-1],):
        rows = list(rows_of(model, town))
        # Interim results but the newest are pruned after a while; that one is gone says nothing.
        for row in {rows[0], rows[-1]} if model is not DecisionSnapshot else rows[-1:]:
            with transaction.atomic():
                # Past the receivers; what refers to it stays.
                with connection.cursor() as cursor:
                    if connection.vendor == "postgresql":
                        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
                    cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE id = %s", [row.pk])
                if not is_faulty(town):
                    missed.append(repr(row))
                transaction.set_rollback(True)
    assert missed == []


def forged(row: models.Model, **values: Any) -> list[str]:
    """Find what an audit says once a row is changed past all commands; it is put back."""
    community = Community.objects.get()
    with transaction.atomic():
        type(row)._default_manager.filter(pk=row.pk).update(**values)
        found = faults(community)
        transaction.set_rollback(True)
    return found


class TestNeighbouringRevisions:
    """The next number may well belong to an entry that changed nothing for a decision."""

    def test_a_closed_decision_was_calculated_last_for_its_final_result(self, town: Community) -> None:
        final = DecisionSnapshot.objects.get(decision__community=town, is_final=True)
        said = f"the final result of decision {final.decision_id} at revision {final.revision}"
        found = forged(final.decision, calculated_revision=final.revision + 1)
        assert found == [f"{said} was not calculated at that revision"]

    def test_the_newest_result_has_the_revision_at_which_its_decision_was_calculated(self, town: Community) -> None:
        newest = DecisionSnapshot.objects.filter(decision__community=town, is_final=False).latest("revision")
        found = forged(newest, revision=newest.revision - 1)
        assert any("was not calculated at that revision" in fault for fault in found)

    def test_a_failure_is_never_older_than_the_result(self, town: Community) -> None:
        decision = DecisionSnapshot.objects.filter(decision__community=town)[0].decision
        assert forged(decision, failed_revision=decision.calculated_revision) == []
        [fault] = forged(decision, failed_revision=decision.calculated_revision - 1)
        assert "says that its calculation failed at revision" in fault


class TestHiddenResults:
    """Of decisions that show few interim results or none, one too few or too many."""

    @pytest.fixture
    def hidden(self, monkeypatch: pytest.MonkeyPatch) -> tuple[Decision, Decision]:
        """A BATCHED and an AFTER_CLOSE decision, five ballots in each."""
        clock = Clock(monkeypatch)
        community, members = rules.new_community("ada", "ben", "cleo", "dora", "eve")
        decisions = []
        for visibility in (Decision.Visibility.BATCHED, Decision.Visibility.AFTER_CLOSE):
            decision = factories.decision(community, members["manager"].user, results_visibility=visibility)
            for name in ("ada", "ben", "cleo", "dora", "eve"):
                factories.vote(members[name], decision, Ash=4)
            decisions.append(decision)
        clock.advance(minutes=1)
        calculate(community)
        assert faults(community) == []
        batched, after_close = decisions
        return batched, after_close

    def test_a_batch_that_is_gone_is_found(self, hidden: tuple[Decision, Decision]) -> None:
        batched, _ = hidden
        DecisionSnapshot.objects.get(decision=batched).delete()
        assert faults(batched.community) == [f"the newest result of decision {batched.pk} is missing"]

    def test_an_interim_result_that_nobody_was_to_see_is_found(self, hidden: tuple[Decision, Decision]) -> None:
        batched, after_close = hidden
        shown = DecisionSnapshot.objects.get(decision=batched)
        after_close.refresh_from_db()
        DecisionSnapshot.objects.create(
            decision=after_close,
            revision=after_close.calculated_revision,
            calculated_at=after_close.last_calculated,
            result=shown.result,
        )
        found = faults(after_close.community)
        assert any("of a decision that shows none before its closing" in fault for fault in found)


class TestInsertions:
    def test_a_row_that_the_ledger_never_heard_of_is_found(self, town: Community) -> None:
        ada, ben = Membership.objects.filter(community=town).order_by("pk")[1:3]
        following = Following(follower=ada, followee=ben)
        with transaction.atomic():
            Following.objects.bulk_create([following])
            assert faults(town) == [
                f"the following from membership {ada.pk} to {ben.pk} stands in the tables and not in the ledger"
            ]
            transaction.set_rollback(True)

    def test_a_vote_that_was_added_is_found(self, town: Community) -> None:
        ballot = Ballot.objects.filter(decision__community=town).exclude(votes__choice__title="Cedar")[0]
        with transaction.atomic():
            Vote.objects.bulk_create([Vote(ballot=ballot, choice=ballot.decision.choices.get(title="Cedar"), stars=5)])
            assert faults(town) == [
                f"the ballot of membership {ballot.membership_id} in decision {ballot.decision_id} "
                "is not as the ledger says: stars"
            ]
            transaction.set_rollback(True)


def rechain(community: Community) -> None:
    """Forge the chain, as somebody can who writes the database and knows how entries are chained."""
    previous = ledger.GENESIS
    for entry in rules.entries(community):
        entry.commitment = ledger.commitment(entry)
        previous = entry.hash = ledger.chain_hash(previous, entry.revision, entry.commitment)
        entry.save()


class TestTheWholeLedger:
    def test_entries_cut_off_at_the_end_with_the_revision_lowered_are_found(self, town: Community) -> None:
        town.refresh_from_db()
        LedgerEntry.objects.filter(community=town, revision__gt=town.revision - 2).delete()
        Community.objects.filter(pk=town.pk).update(revision=town.revision - 2)
        assert faults(town) != []

    def test_so_is_an_emptied_ledger(self, town: Community) -> None:
        LedgerEntry.objects.filter(community=town).delete()
        Community.objects.filter(pk=town.pk).update(revision=0)
        assert faults(town) != []

    def test_a_ledger_cut_off_with_everything_else_put_back_contradicts_the_kept_checkpoint(self) -> None:
        community, _ = rules.new_community()
        keep_checkpoint(community)
        joined = rules.revision(community)
        later = factories.join(community, factories.person())
        keep_checkpoint(community)
        Application.objects.filter(community=community).delete()
        LedgerEntry.objects.filter(community=community, revision__gt=joined).delete()
        Membership.objects.filter(pk=later.pk)._raw_delete(using="default")
        LedgerEntry.objects.filter(community=community, revision__gt=joined).delete()
        Community.objects.filter(pk=community.pk).update(revision=joined)
        assert faults(community) == [f"the checkpoint at revision {joined + 2} vouches for an entry that is missing"]

    def test_a_ballot_rewritten_everywhere_and_the_chain_hashed_again_contradicts_a_checkpoint(
        self, town: Community
    ) -> None:
        """Interim results and staged rows put right, too: only the signature tells."""
        entry = LedgerEntry.objects.filter(community=town, kind="ballot").order_by("revision")[0]
        ballot = Ballot.objects.get(decision=entry.decision_id, membership=entry.membership_id)
        entry.after = {**entry.after, "comment": "forged"}
        entry.save()
        Ballot.objects.filter(pk=ballot.pk).update(comment="forged")
        rechain(town)
        found = faults(town)
        assert found
        assert all("contradicts the ledger" in fault for fault in found)

    def test_with_another_secret_key_nothing_is_said_to_be_falsified(self, town: Community, settings: Settings) -> None:
        """Pseudonyms are made with it, and an auditor of a copy need not have it."""
        assert LedgerEntry.objects.filter(community=town, after__has_key="pseudonym").exists()
        settings.SECRET_KEY = "another key, as whoever has the database alone has one"
        assert faults(town) == []

    def test_two_ballots_recorded_under_one_pseudonym_are_found(
        self, town: Community, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = LedgerEntry.objects.get(community=town, after__has_key="pseudonym")
        monkeypatch.setattr(contents, "pseudonym_id", lambda *ids: first.after["pseudonym"])
        others = Membership.objects.exclude(ballots__decision=first.decision_id)
        cleo = others.filter(community=town, is_manager=False)[0]
        services.set_anonymity(cleo.user, town.pk, anonymous=True, confirmed=True)
        factories.vote(cleo, Decision.objects.get(pk=first.decision_id), Ash=4)
        calculate(town)
        ballots = [
            f"the ballot of membership {pk} in decision {first.decision_id}" for pk in (first.membership_id, cleo.pk)
        ]
        (fault,) = faults(town)
        assert set(fault.split(" was recorded under the pseudonym of ")) == set(ballots)

    def test_checkpoints_signed_anew_with_another_key_are_found(self, town: Community, settings: Settings) -> None:
        former = signing.public_key()
        settings.SIGNING_KEY = "11" * 32
        assert {fault.split(" is ")[-1] for fault in faults(town)} == {"signed with another key than the site's"}
        town.refresh_from_db()
        assert list(audits.faults(town, keys=[former])) == []


def test_an_anonymous_ballot_taken_back_is_remembered_when_its_decision_changes(town: Community) -> None:
    """Its caster goes on under a pseudonym there, named or not."""
    sealed = Ballot.objects.get(decision__community=town, is_anonymous=True)
    eve, running = sealed.membership, sealed.decision
    services.withdraw_ballot(eve.user, running.pk)
    services.set_anonymity(eve.user, town.pk, anonymous=False)
    services.add_clarification(Membership.objects.get(community=town, is_manager=True).user, running.pk, text="More.")
    factories.follow(eve, Ballot.objects.filter(decision=running, is_anonymous=False)[0].membership)
    calculate(town)
    assert faults(town) == []


@pytest.mark.parametrize("seed", range(2))
def test_random_histories_are_as_written_at_every_calculation(seed: int) -> None:
    history = histories.History(seed)
    for _ in range(3):
        history.steps(25)
        assert faults(history.community) == []
        calculate(history.community)
        assert faults(history.community) == []


def test_nobody_else_is_blamed(town: Community) -> None:
    other, _ = factories.community()
    Ballot.objects.filter(decision__community=town).update(comment="forged")
    assert (faults(town) != [], faults(other)) == (True, [])
