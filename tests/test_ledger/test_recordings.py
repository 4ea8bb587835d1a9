"""The ledger: one entry per change, in one order, chained by hash; it replays to the present and undoes to the past."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from democracy import ledger, services
from democracy.ledger import contents
from democracy.ledger.rows import BallotRow
from democracy.models import Ballot, Choice, Community, Decision, Following, LedgerEntry, Membership, Vote
from tests import factories, histories, rules
from tests.lengths import times

pytestmark = pytest.mark.django_db


def faults(community: Community) -> list[str]:
    community.refresh_from_db()
    return list(ledger.faults(community))


def in_thread(work: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.fixture
def town(request: pytest.FixtureRequest, db: None) -> tuple[Community, dict[str, Membership], Decision]:
    community, members = rules.new_community("ada", "ben", "cleo")
    return community, members, factories.decision(community, members["manager"].user)


Town = tuple[Community, dict[str, Membership], Decision]


class TestRandomHistories:
    @pytest.mark.parametrize("seed", range(times(3, long=6)))
    def test_the_ledger_replays_to_the_present_and_undoes_to_every_earlier_moment(self, seed: int) -> None:
        bystander, _ = factories.community("dora")
        untouched = rules.written(bystander)
        history = histories.History(seed)
        moments: dict[int, histories.Contents] = {}
        for _ in range(60):
            moments[rules.revision(history.community)] = histories.contents(history.community)
            history.step()
        present = histories.contents(history.community)
        assert histories.replayed(history.community) == present
        for revision, then in moments.items():
            undone = {**present, **ledger.contents_at(history.community.pk, revision)}
            subjects = {
                subject: content
                for subject, content in undone.items()
                if content is not None and not subject.startswith("recalculation:")
            }
            assert subjects == then
        assert faults(history.community) == []
        assert rules.written(bystander) == untouched

    def test_every_entry_changes_something_and_starts_where_the_last_one_about_it_ended(self) -> None:
        history = histories.History(99)
        history.steps(60)
        news = rules.entries(history.community)
        assert [entry.revision for entry in news] == list(range(1, len(news) + 1))
        known: dict[str, Any] = {}
        for entry in news:
            assert entry.before == known.get(entry.subject) != entry.after
            known[entry.subject] = entry.after
        assert [entry.time for entry in news] == sorted(entry.time for entry in news)


class TestOneTransaction:
    def test_several_changes_share_time_and_actor_and_commit_together(self, town: Town) -> None:
        community, members, _ = town
        factories.follow(members["ada"], members["cleo"])
        factories.follow(members["ben"], members["cleo"])
        before = rules.revision(community)
        services.set_anonymity(members["cleo"].user, community.pk, anonymous=True, confirmed=True)
        news = rules.entries(community, after=before)
        assert [entry.revision for entry in news] == [before + 1, before + 2, before + 3]
        assert {(entry.time, entry.actor_id) for entry in news} == {(news[0].time, members["cleo"].user_id)}

    def test_a_recording_inside_a_recording_of_the_same_community_is_that_recording(self, town: Town) -> None:
        community, members, _ = town
        before = rules.revision(community)
        with ledger.recording(community.pk, actor=members["manager"].user) as outer:
            with ledger.recording(community.pk, actor=members["ada"].user) as inner:
                assert inner is outer
            factories.follow(members["ada"], members["ben"])
            factories.follow(members["ada"], members["ben"], "parks")
        (entry,) = rules.entries(community, after=before)
        assert (entry.actor_id, entry.before, entry.after["tags"]) == (members["manager"].user_id, None, ["parks"])

    def test_a_recording_of_another_community_inside_is_one_of_its_own(self, town: Town) -> None:
        community, members, _ = town
        other, others = rules.new_community("eve", "fay")
        before = (rules.revision(community), rules.revision(other))
        with ledger.recording(community.pk, actor=members["manager"].user) as outer:
            factories.follow(members["ada"], members["ben"])
            with ledger.recording(other.pk, actor=others["eve"].user) as inner:
                assert inner is not outer
                factories.follow(others["eve"], others["fay"])
        news = [rules.entries(one, after=past) for one, past in zip((community, other), before, strict=True)]
        assert [[entry.membership_id for entry in some] for some in news] == [[members["ada"].pk], [others["eve"].pk]]
        assert (faults(community), faults(other)) == ([], [])

    def test_a_receipt_is_of_the_newest_entry_though_others_came_since(self, town: Town) -> None:
        community, members, decision = town
        for stars in (1, 2):
            receipt = factories.vote(members["ada"], decision, Ash=stars)
        factories.follow(members["ben"], members["ada"])
        assert factories.vote(members["ada"], decision, Ash=2).entry_hash == receipt.entry_hash
        newest = rules.entries(community)[-2]
        assert (newest.kind, newest.hash) == ("ballot", receipt.entry_hash)

    def test_what_changed_after_a_revision_is_told_of_one_community(self, town: Town) -> None:
        community, members, _ = town
        other, others = rules.new_community("eve", "fay")
        start = rules.revision(community)
        factories.follow(members["ada"], members["ben"])
        factories.follow(others["eve"], others["fay"])
        following = f"following:{members['ada'].pk}:{members['ben'].pk}"
        assert ledger.subjects_after(community.pk, start) == {following}
        assert ledger.subjects_after(other.pk, 0) == {entry.subject for entry in rules.entries(other)}
        assert [entry.subject for entry in ledger.entries_after(community.pk, start)] == [following]
        assert ledger.contents_at(community.pk, start) == {following: None}
        assert ledger.entries_after(community.pk, start + 1) == []

    def test_each_entry_has_a_salt_of_its_own_that_nobody_guesses(self, town: Town) -> None:
        community, members, _ = town
        for _ in range(2):
            factories.follow(members["ada"], members["ben"])
            services.unfollow(members["ada"].user, members["ben"].pk)
        salts = [entry.salt for entry in rules.entries(community)]
        assert len(set(salts)) == len(salts)
        assert min(map(len, salts)) >= 32

    def test_what_is_undone_within_a_recording_leaves_no_entry(self, town: Town) -> None:
        community, members, _ = town
        before = rules.written()
        with ledger.recording(community.pk):
            factories.follow(members["ada"], members["ben"])
            services.unfollow(members["ada"].user, members["ben"].pk)
        assert rules.written() == before

    def test_there_is_no_recording_of_a_community_that_does_not_exist(self) -> None:
        with rules.refused(Community.DoesNotExist), ledger.recording(10**9):
            pass

    def test_time_never_runs_backwards(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        community, members, decision = town
        clock = rules.Clock(monkeypatch)
        clock.advance(minutes=5)
        factories.vote(members["ada"], decision, Ash=1)
        ahead = clock.now
        clock.advance(minutes=-3)
        factories.vote(members["ada"], decision, Ash=2)
        clock.advance(minutes=4)
        factories.vote(members["ada"], decision, Ash=3)
        times = [entry.time for entry in rules.entries(community)][-3:]
        assert times == [ahead, ahead, ahead + timedelta(minutes=1)]
        assert faults(community) == []

    def test_the_revision_before_a_moment_is_that_of_the_last_earlier_entry(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        community, members, decision = town
        start = rules.revision(community)
        clock = rules.Clock(monkeypatch)
        clock.advance(minutes=1)
        factories.vote(members["ada"], decision, Ash=1)
        factories.vote(members["ada"], decision, Ash=2)
        moment = timedelta(microseconds=1)
        assert ledger.revision_before(community.pk, clock.now) == start
        assert ledger.revision_before(community.pk, clock.now + moment) == start + 2
        assert ledger.revision_before(community.pk, community.created_at - timedelta(days=1)) == 0


@pytest.mark.django_db(transaction=True)
class TestRowsSavedPastTheCommands:
    def test_a_ballot_saved_with_its_votes_is_one_entry(self, town: Town) -> None:
        community, members, decision = town
        before = rules.revision(community)
        with transaction.atomic():
            ballot = Ballot.objects.create(decision=decision, membership=members["ada"], tags=["parks"])
            for number, choice in enumerate(decision.choices.all()):
                Vote.objects.create(ballot=ballot, choice=choice, stars=number)
        (entry,) = rules.entries(community, after=before)
        assert (entry.before, entry.after["tags"], list(entry.after["stars"].values())) == (None, ["parks"], [0, 1, 2])
        assert (histories.replayed(community), faults(community)) == (histories.contents(community), [])

    def test_votes_folded_into_an_entry_that_concerned_no_result_make_the_decision_stale(self, town: Town) -> None:
        community, members, decision = town
        factories.vote(members["ada"], decision, Ash=1)
        ballot = Ballot.objects.get(decision=decision, membership=members["ada"])
        Decision.objects.update(calculated_revision=rules.revision(community))
        with transaction.atomic():
            ballot.comment = "on second thoughts"
            ballot.save()
            assert not Decision.objects.get(pk=decision.pk).is_stale
            vote = ballot.votes.get(choice__title="Ash")
            vote.stars = 5
            vote.save()
        now = Decision.objects.get(pk=decision.pk)
        assert (now.is_stale, now.input_revision) == (True, rules.revision(community))

    def test_two_communities_in_one_transaction_fold_each_into_its_own_entries(self, town: Town) -> None:
        community, _, _ = town
        other, others = rules.new_community("eve")
        # The newest entry of this one, on something else, has the number that the other's entry gets below.
        while rules.revision(other) + 1 < rules.revision(community):
            factories.follow(others["eve"], others["manager"], f"tag {rules.revision(other)}")
        before = (rules.revision(community), rules.revision(other))
        with transaction.atomic():
            for one in (other, community):
                row = Community.objects.get(pk=one.pk)
                row.description = "Ours."
                row.save()
        for one, past in zip((community, other), before, strict=True):
            assert [entry.subject for entry in rules.entries(one, after=past)] == ["community"]
            assert (histories.replayed(one), faults(one)) == (histories.contents(one), [])
        assert before[0] == before[1] + 1

    def test_the_next_transaction_is_a_new_entry(self, town: Town) -> None:
        community, members, decision = town
        before = rules.revision(community)
        ballot = Ballot.objects.create(decision=decision, membership=members["ada"])
        for choice in decision.choices.all()[:2]:
            Vote.objects.create(ballot=ballot, choice=choice, stars=4)
        assert [len(entry.after["stars"]) for entry in rules.entries(community, after=before)] == [0, 1, 2]
        assert faults(community) == []

    def test_a_save_folds_only_into_the_newest_entry(self, town: Town) -> None:
        community, members, decision = town
        choice = decision.choices.all()[0]
        before = rules.revision(community)
        with transaction.atomic():
            first = Ballot.objects.create(decision=decision, membership=members["ada"])
            second = Ballot.objects.create(decision=decision, membership=members["ben"])
            Vote.objects.create(ballot=second, choice=choice, stars=1)
            Vote.objects.create(ballot=first, choice=choice, stars=2)
        news = rules.entries(community, after=before)
        assert [(entry.membership_id, list(entry.after["stars"].values())) for entry in news] == [
            (members["ada"].pk, []),
            (members["ben"].pk, [1]),
            (members["ada"].pk, [2]),
        ]
        assert (histories.replayed(community), faults(community)) == (histories.contents(community), [])

    def test_a_save_after_a_savepoint_that_was_rolled_back_does_not_fold_into_what_is_gone(self, town: Town) -> None:
        community, members, decision = town
        choice = decision.choices.all()[0]
        before = rules.revision(community)
        with transaction.atomic():
            ballot = Ballot.objects.create(decision=decision, membership=members["ada"])
            with transaction.atomic():
                Vote.objects.create(ballot=ballot, choice=choice, stars=1)
                factories.follow(members["ben"], members["ada"])
                transaction.set_rollback(True)
            Vote.objects.create(ballot=ballot, choice=choice, stars=3)
        assert histories.replayed(community) == histories.contents(community)
        assert [entry.subject for entry in rules.entries(community, after=before)] == [
            f"ballot:{decision.pk}:{members['ada'].pk}"
        ]
        assert faults(community) == []

    def test_deleting_a_person_is_recorded_in_each_of_their_communities(self, town: Town) -> None:
        community, members, decision = town
        other, others = factories.community("dora")
        ada = members["ada"].user
        elsewhere = factories.join(other, ada)
        factories.follow(elsewhere, others["dora"])
        factories.follow(members["ben"], members["ada"])
        factories.vote(members["ada"], decision, Ash=5)
        ada.delete()
        for one in (community, other):
            assert (histories.replayed(one), faults(one)) == (histories.contents(one), [])

    def test_a_saved_community_or_decision_keeps_the_counters_of_the_database(self, town: Town) -> None:
        community, members, decision = town
        stale_community, stale_decision = Community.objects.get(pk=community.pk), Decision.objects.get(pk=decision.pk)
        factories.vote(members["ada"], decision, Ash=5)
        revision = rules.revision(community)
        stale_community.save()
        stale_decision.save()
        assert rules.revision(community) == revision
        assert Decision.objects.get(pk=decision.pk).input_revision == revision
        assert faults(community) == []


@pytest.mark.django_db(transaction=True)
class TestConcurrency:
    def test_revisions_have_no_gaps_under_eight_threads(self, town: Town) -> None:
        community, _, decision = town
        people = [factories.join(community, factories.person()) for _ in range(8)]
        start = rules.revision(community)
        ready = threading.Barrier(8)

        def busy(member: Membership, neighbour: Membership) -> None:
            ready.wait()
            for number in range(3):
                factories.vote(member, decision, Ash=number, Birch=5 - number)
                factories.follow(member, neighbour, f"tag {number}")

        pairs = zip(people, [*people[1:], people[0]], strict=True)
        for thread in [in_thread(lambda pair=pair: busy(*pair)) for pair in pairs]:  # type: ignore[misc]
            thread.join()
        assert rules.revision(community) == start + 8 * 6
        assert faults(community) == []
        assert histories.replayed(community) == histories.contents(community)

    def test_a_change_that_is_rolled_back_leaves_no_trace(self, town: Town) -> None:
        community, members, decision = town
        heard: list[int] = []

        def listen(sender: object, revision: int, **kwargs: object) -> None:
            heard.append(revision)

        ledger.committed.connect(listen)
        try:
            before = rules.written()
            with transaction.atomic():
                factories.vote(members["ada"], decision, Ash=5)
                factories.follow(members["ben"], members["ada"])
                transaction.set_rollback(True)
            assert (rules.written(), heard) == (before, [])
            factories.vote(members["ada"], decision, Ash=5)
            assert heard == [rules.revision(community)]
        finally:
            ledger.committed.disconnect(listen)


def _different(entry: LedgerEntry, column: str) -> Any:
    now = getattr(entry, column)
    match column:
        case "time":
            return now + timedelta(microseconds=1)
        case "community_id" | "revision" | "actor_id" | "decision_id" | "membership_id":
            return (now or 0) + 1_000
        case "before" | "after":
            return {} if now is None else {**now, "tags": ["forged"]}
        case "hash" | "commitment" | "salt":
            return now[:-1] + ("1" if now[-1] == "0" else "0")
        case "kind":
            return "ballot" if now != "ballot" else "following"
    return f"{now}1"


def chained(entry: LedgerEntry, previous_hash: str) -> None:
    """Give an entry the commitment and hash that it would have here."""
    entry.commitment = ledger.commitment(entry)
    entry.hash = ledger.chain_hash(previous_hash, entry.revision, entry.commitment)


COLUMNS = [field.attname for field in LedgerEntry._meta.fields if not field.primary_key]


class TestTampering:
    @pytest.fixture
    def chain(self, town: Town) -> Iterator[tuple[Community, Community]]:
        community, members, decision = town
        other, _ = factories.community()
        factories.follow(members["ben"], members["ada"], "parks")
        factories.vote(members["ada"], decision, ["parks"], Ash=5)
        factories.vote(members["ada"], decision, Ash=4)
        services.withdraw_ballot(members["ada"].user, decision.pk)
        yield community, other
        assert faults(community) == []

    @pytest.mark.parametrize("column", COLUMNS)
    def test_a_changed_column_of_any_row_is_found(self, chain: tuple[Community, Community], column: str) -> None:
        community, _ = chain
        for entry in rules.entries(community):
            with transaction.atomic():
                LedgerEntry.objects.filter(pk=entry.pk).update(**{column: _different(entry, column)})
                assert faults(community) != [], f"{column} of {entry}"
                transaction.set_rollback(True)

    def test_a_removed_row_is_found_wherever_it_stood(self, chain: tuple[Community, Community]) -> None:
        community, _ = chain
        for entry in rules.entries(community):
            with transaction.atomic():
                LedgerEntry.objects.filter(pk=entry.pk).delete()
                assert faults(community) != [], f"{entry}"
                transaction.set_rollback(True)

    def test_a_removed_row_is_found_where_the_later_ones_were_renumbered(
        self, chain: tuple[Community, Community]
    ) -> None:
        community, _ = chain
        *_, gone, last = rules.entries(community)
        with transaction.atomic():
            gone.delete()
            LedgerEntry.objects.filter(pk=last.pk).update(revision=gone.revision)
            Community.objects.filter(pk=community.pk).update(revision=gone.revision)
            assert faults(community) != []
            transaction.set_rollback(True)

    def test_two_rows_in_each_others_place_are_found(self, chain: tuple[Community, Community]) -> None:
        community, _ = chain
        rows = rules.entries(community)
        for first, second in pairwise(rows):
            with transaction.atomic():
                for entry, revision in ((first, 10**6), (second, first.revision), (first, second.revision)):
                    LedgerEntry.objects.filter(pk=entry.pk).update(revision=revision)
                assert faults(community) != []
                transaction.set_rollback(True)

    def test_a_forged_row_at_the_end_is_found(self, chain: tuple[Community, Community]) -> None:
        community, _ = chain
        last = rules.entries(community)[-1]
        with transaction.atomic():
            forged = LedgerEntry(
                community=community,
                revision=last.revision + 1,
                time=timezone.now(),
                kind="ballot",
                subject=last.subject,
                before=None,
                after={"stars": {}},
                salt="",
            )
            chained(forged, last.hash)
            forged.save()
            assert faults(community) != []
            transaction.set_rollback(True)

    def test_a_forged_row_that_does_not_start_from_what_was_is_found(self, chain: tuple[Community, Community]) -> None:
        community, _ = chain
        *_, previous, last = rules.entries(community)
        with transaction.atomic():
            last.before = {"stars": {}}
            chained(last, previous.hash)
            last.save()
            assert faults(community) == [
                f"entry {last.revision} does not start from what entry before it left of {last.subject}"
            ]
            transaction.set_rollback(True)

    def test_other_communities_are_not_blamed(self, chain: tuple[Community, Community]) -> None:
        community, other = chain
        with transaction.atomic():
            LedgerEntry.objects.filter(community=community).update(salt="")
            assert (faults(community) != [], faults(other)) == (True, [])
            transaction.set_rollback(True)


def test_bulk_changes_say_themselves_what_changed(town: Town) -> None:
    community, members, _ = town
    before = rules.revision(community)
    following = Following(follower=members["ada"], followee=members["ben"], tags=["parks"])
    with ledger.recording(community.pk) as recording:
        Following.objects.bulk_create([following])
        recording.add(contents.following_change(following, is_new=True))
    assert [entry.after["tags"] for entry in rules.entries(community, after=before)] == [["parks"]]
    assert histories.replayed(community) == histories.contents(community)
    assert faults(community) == []


def test_a_deleted_choice_of_a_draft_changes_its_decision(town: Town) -> None:
    community, members, _ = town
    draft = factories.draft(community, members["manager"].user)
    Choice.objects.get(decision=draft, title="Birch").delete()
    assert histories.replayed(community) == histories.contents(community)


def test_of_one_subject_the_last_change_says_what_it_is_now(town: Town) -> None:
    community, members, _ = town
    before = rules.revision(community)
    with ledger.recording(community.pk) as recording:
        following = factories.follow(members["ada"], members["ben"])
        following.tags = ["parks"]
        following.save()
        Following.objects.filter(pk=following.pk).update(order=7)
        recording.add(contents.following_change(following))
        following.tags.append("never saved")
    (entry,) = rules.entries(community, after=before)
    assert (entry.before, entry.after["tags"], entry.after["order"]) == (None, ["parks"], 7)
    assert histories.replayed(community) == histories.contents(community)


class TestManyNewSubjects:
    """Above a hundred they are written in a stream."""

    @pytest.mark.parametrize("number", [1, 100, 101])
    def test_each_has_an_entry_that_is_chained_and_replays(self, town: Town, number: int) -> None:
        community, _, _ = town
        before = rules.revision(community)
        joined = factories.voters(community, [f"joined_{count}" for count in range(number)])
        news = rules.entries(community, after=before)
        assert [(entry.kind, entry.subject) for entry in news] == [
            ("membership", f"membership:{row.pk}") for row in joined
        ]
        assert [entry.revision for entry in news] == list(range(before + 1, before + 1 + number))
        assert {entry.membership_id for entry in news} == {row.pk for row in joined}
        assert len({entry.salt for entry in news}) == number
        assert histories.replayed(community) == histories.contents(community)
        assert faults(community) == []

    def test_their_decisions_are_stale_and_what_follows_them_is_chained_to_them(self, town: Town) -> None:
        community, members, decision = town
        factories.voters(community, [f"joined_{count}" for count in range(101)])
        last = rules.revision(community)
        decision.refresh_from_db()
        assert decision.input_revision == last
        factories.vote(members["ada"], decision, Ash=5)
        assert rules.revision(community) == last + 1
        assert faults(community) == []

    @pytest.mark.parametrize("text", ["plain", 'quo"te \\ back', "é 😀 \u2028", "tab\tline\n"])
    def test_their_commitments_are_those_of_their_contents(self, town: Town, text: str) -> None:
        community, members, _ = town
        pk, time = members["ada"].pk, timezone.now()
        rows = [
            BallotRow(pk, number, pk, [text], text, abstain=False, is_anonymous=False, cast_at=time)
            for number in range(101)
        ]
        with ledger.recording(community.pk, actor=members["ada"].user) as recording:
            recording.append_new([contents.new_ballot(row, {7: 5}) for row in rows])
        assert faults(community) == []
        newest = rules.entries(community)[-1]
        assert (newest.after["comment"], newest.actor, newest.decision_id) == (text, members["ada"].user, 100)
