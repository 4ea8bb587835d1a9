"""kill -9 at the worst moments, then a restart: nothing acknowledged is lost, and every result becomes current.

Nobody asks for a calculation.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests import servers
from tests.processes import PROJECT, Program

PRELUDE = """
    import os, signal, sys, time
    import django
    django.setup()
    from democracy import recalculation
    from democracy.models import Decision, DecisionSnapshot, Membership
    from tests import factories
    def die():
        os.kill(os.getpid(), signal.SIGKILL)
"""
SCENE = """
    community, members = factories.community("ada", "ben")
    decision = factories.decision(community, members["manager"].user)
    factories.follow(members["ben"], members["ada"])
    recalculation.recalculate_community(community.pk)
"""
# Does what a server does after a restart until the decision is current; prints its winner and its counted ballots.
RESTART = """
    recalculation.scheduler.start()
    started = time.monotonic()
    decision = Decision.objects.get()
    while decision.calculation_status != "current" and time.monotonic() < started + 30:
        time.sleep(0.02)
        decision.refresh_from_db()
    result = DecisionSnapshot.objects.order_by("-is_final", "-revision")[0].result
    winner = result["winner"] and decision.choices.get(pk=result["winner"]).title
    print(decision.calculation_status, winner, result["participation"]["counted"], time.monotonic() - started < 10)
    recalculation.scheduler.stop()
"""


def _program(*parts: str) -> str:
    return "\n".join(textwrap.dedent(part) for part in (PRELUDE, *parts))


class Machine:
    """A data directory, and processes that work on it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = servers.environment(directory, CROWDVOTE_EXECUTOR="threads")
        self._numbers = count()

    def start_as_a_shell_does(self, *parts: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", _program(*parts)],
            cwd=PROJECT,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def start(self, *parts: str) -> Callable[[], tuple[int | None, str]]:
        """Start a program. What is returned waits for its end, and returns its exit code and what it printed."""
        output, errors = (self.directory / f"{next(self._numbers)}.txt" for _ in range(2))
        process = Program(_program(*parts), self.environment, output=output, errors=errors)

        def end() -> tuple[int | None, str]:
            code = process.exit_code(120)
            process.end()
            assert "Traceback" not in errors.read_text(), errors.read_text()
            return code, output.read_text().strip()

        return end

    def run(self, *parts: str) -> tuple[int | None, str]:
        return self.start(*parts)()


@pytest.fixture
def machine(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Machine:
    """Copy a machine with a community whose only decision is current."""

    def prepare(directory: Path) -> None:
        servers.copy_empty_site(tmp_path_factory, directory)
        assert Machine(directory).run(SCENE) == (0, "")

    prepared = servers.prepared(tmp_path_factory, "machine", prepare)
    return Machine(shutil.copytree(prepared, tmp_path / "data"))


VOTE = """
    decision = Decision.objects.get()
    ada = Membership.objects.select_related("user").get(user__handle__startswith="ada")
    factories.vote(ada, decision, Birch=5)
"""


def test_killed_after_the_vote_and_before_its_calculation(machine):
    assert machine.run("recalculation.scheduler.start()", VOTE, "die()") == (-signal.SIGKILL, "")
    assert machine.run(RESTART) == (0, "current Birch 2 True")


def test_killed_in_the_middle_of_a_calculation_that_holds_the_claim(machine):
    hang = """
        from democracy.recalculation.results import Tally
        Tally.process = lambda self, staged: die()
    """
    code, _ = machine.run(hang, VOTE, "recalculation.recalculate_community(decision.community_id)")
    assert code == -signal.SIGKILL
    assert machine.run(RESTART) == (0, "current Birch 2 True")


def test_killed_inside_the_storing_transaction(machine):
    die_before_commit = """
        from democracy.recalculation import blocks
        write = blocks.write
        def write_and_die(*arguments):
            write(*arguments)
            die()
        blocks.write = write_and_die
    """
    code, _ = machine.run(die_before_commit, VOTE, "recalculation.recalculate_community(decision.community_id)")
    assert code == -signal.SIGKILL
    assert machine.run(RESTART) == (0, "current Birch 2 True")


def test_killed_inside_the_votes_transaction(machine):
    die_in_transaction = """
        from democracy import ledger
        from django.db import transaction
        with transaction.atomic():
            decision = Decision.objects.get()
            ada = Membership.objects.select_related("user").get(user__handle__startswith="ada")
            factories.vote(ada, decision, Birch=5)
            die()
    """
    assert machine.run(die_in_transaction) == (-signal.SIGKILL, "")
    check = """
        from democracy import ledger
        from democracy.models import Ballot, Community
        print(Ballot.objects.count(), list(ledger.faults(Community.objects.get())))
    """
    assert machine.run(check) == (0, "0 []")
    assert machine.run(RESTART) == (0, "current None 0 True")


TOGETHER = """
    import threading
    from democracy.ledger import recordings
    from tests.lines import let_go_together
    answered, tell_once = [], recordings._tell_once
    def vote(handle):
        member = Membership.objects.select_related("user").get(user__handle__startswith=handle)
        answered.append(factories.vote(member, Decision.objects.get(), Birch=5).entry_hash)
        if len(answered) == 2:
            die()
    def vote_together(before_commit):
        recordings._tell_once = before_commit
        threads = [threading.Thread(target=vote, args=(handle,)) for handle in ("ada", "ben")]
        let_go_together(threads)
"""
COUNT = """
    from democracy import ledger
    from democracy.models import Ballot, Community
    print(Ballot.objects.count(), list(ledger.faults(Community.objects.get())))
"""


def test_killed_before_two_votes_commit_together_neither_is_there(machine):
    assert machine.run(TOGETHER, "vote_together(die)") == (-signal.SIGKILL, "")
    assert machine.run(COUNT) == (0, "0 []")
    assert machine.run(RESTART) == (0, "current None 0 True")


def test_killed_once_two_votes_that_committed_together_are_answered_both_are_there(machine):
    assert machine.run(TOGETHER, "vote_together(tell_once)") == (-signal.SIGKILL, "")
    assert machine.run(COUNT) == (0, "2 []")
    assert machine.run(RESTART) == (0, "current Birch 2 True")


def test_killed_while_it_was_closed_the_decision_gets_its_final_result(machine):
    close = """
        from datetime import timedelta
        from django.utils import timezone
        Decision.objects.update(closes_at=timezone.now() + timedelta(seconds=0.5))
        decision.refresh_from_db()
        die()
    """
    assert machine.run(VOTE, close)[0] == -signal.SIGKILL
    time.sleep(0.5)
    assert machine.run(RESTART) == (0, "current Birch 2 True")
    assert machine.run("print(DecisionSnapshot.objects.get(is_final=True).result['participation']['counted'])") == (
        0,
        "2",
    )


def test_two_processes_calculate_side_by_side_without_overlapping(machine):
    """Both sweep the same database. One of them takes each run, and the result is right."""
    many_votes = """
        from tests.recalculation import until_current
        recalculation.scheduler.start()
        decision = Decision.objects.get()
        for stars in (1, 2, 3, 4, 5):
            for member in Membership.objects.select_related("user"):
                factories.vote(member, decision, Cedar=stars)
        until_current(decision)
        recalculation.scheduler.stop()
        print("done")
    """
    # They differ in the seed of hashes, as all processes do that a shell has started.
    other = machine.start_as_a_shell_does(many_votes)
    one_ended = machine.start(many_votes)
    output, _ = other.communicate(timeout=120)
    assert (other.returncode, output.strip()) == (0, "done")
    assert one_ended() == (0, "done")
    assert machine.run(RESTART) == (0, "current Cedar 3 True")
    check = """
        from democracy import ledger
        from democracy.models import Community
        print(list(ledger.faults(Community.objects.get())))
    """
    assert machine.run(check) == (0, "[]")
