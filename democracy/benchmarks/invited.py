"""Invitations to many people, which are written and mailed while others vote."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from strawberry.relay import to_base64

from democracy import recalculation
from democracy.benchmarks import installation, mail_server, networks, towns
from democracy.benchmarks.figures import Figure, percentile, seconds
from democracy.benchmarks.installation import Client

_RATE = 6_000
_PATIENCE = 1_800.0
_INVITE = "mutation ($input: InviteMembersInput!) { inviteMembers(input: $input) { invited errors { message } } }"


def invitations(scale: float) -> Iterator[Figure]:
    """Measure the cost to votes in the same community while many are invited, and while their mails leave."""
    number = max(500, int(20_000 * min(1.0, scale)))
    votes = max(20, int(100 * min(1.0, scale * 4))) * 4
    town = towns.store("invitations", networks.preferential(1_000, 3_000))
    recalculation.recalculate_community(town.community.pk)
    chance = random.Random(8)
    with (
        _mail_server() as (port, arrived),
        installation.running(
            CROWDVOTE_EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
            CROWDVOTE_EMAIL_HOST="127.0.0.1",
            CROWDVOTE_EMAIL_PORT=str(port),
            CROWDVOTE_MAILS_PER_MINUTE=str(_RATE),
            # The page has no such limit.
            CROWDVOTE_OPERATION_SECONDS="300",
        ) as running,
        ThreadPoolExecutor(1) as pool,
    ):
        voters = [Client(running.first, town.memberships[n].user) for n in chance.sample(range(1, 1_000), 20)]
        manager = Client(running.last, town.memberships[0].user, patience=_PATIENCE)

        def vote_while(condition: Callable[[int], bool]) -> list[float]:
            times: list[float] = []
            while condition(len(times)):
                voter = voters[len(times) % len(voters)]
                times.append(seconds(partial(voter.vote_at_random, town, chance))[0])
            return times

        vote_while(lambda done: done < votes)
        idle = vote_while(lambda done: done < votes)
        start = time.monotonic()
        inviting = pool.submit(_invite, manager, town, number)
        during = vote_while(lambda _: not inviting.done())
        inviting.result()
        invited = time.monotonic() - start
        leaving = vote_while(lambda done: done < votes and len(_letters(arrived)) < number)
        while len(_letters(arrived)) < number and time.monotonic() < start + _PATIENCE:
            time.sleep(0.1)
        left = time.monotonic() - start
        letters = _letters(arrived)
    unmailed, doubled = number - len(set(letters)), len(letters) - len(set(letters))
    without = f"idle p50 {percentile(idle, 50) * 1e3:.1f} ms, slowest {max(idle) * 1e3:.0f} ms"
    for what, times, took, most in (
        # The list is checked and written in the process that answers votes, so for some seconds they share its core.
        (f"while {number:,} people are invited in one request", during, invited, 4),
        (f"while their mails leave, {_RATE:,} a minute", leaving, left, 2),
    ):
        ratio = percentile(times, 99) / percentile(idle, 99)
        yield Figure(
            "invitations",
            f"vote over HTTP {what}, p99 of {len(times)}",
            percentile(times, 99) * 1e3,
            "ms",
            target=f"p99 at most {most} times idle, none unmailed",
            reached=ratio <= most and not unmailed if scale == 1 else None,
            baseline=percentile(idle, 99) * 1e3,
            baseline_is="idle",
            note=f"{running}; {ratio:.2f} times; p50 {percentile(times, 50) * 1e3:.1f} ms, slowest "
            f"{max(times) * 1e3:.0f} ms; {without}; "
            f"over after {took:.1f} s; {unmailed} unmailed, {doubled} doubled",
        )


def _invite(manager: Client, town: towns.StoredTown, number: int) -> None:
    lines = ["address,name", *(f"person{n}@example.org,Person {n}" for n in range(number))]
    given = {"communityId": to_base64("Community", town.community.pk), "memberList": "\n".join(lines)}
    manager.ask(_INVITE, {"input": given})


@contextmanager
def _mail_server() -> Iterator[tuple[int, Path]]:
    """Run a mail server. Yield its port, and the file of the addresses whose mails it has taken."""
    with tempfile.TemporaryDirectory(prefix="crowdvote-bench-") as directory:
        port, arrived = installation.free_port(), Path(directory) / "arrived.txt"
        arrived.touch()
        process = subprocess.Popen([sys.executable, mail_server.__file__, str(port), str(arrived)])
        try:
            yield port, arrived
        finally:
            process.kill()
            process.wait()


def _letters(arrived: Path) -> list[str]:
    return arrived.read_text().splitlines()
