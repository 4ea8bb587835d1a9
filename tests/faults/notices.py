"""Notices through kills: none is lost, and at most one mail is doubled by each kill.

    python -m tests.faults.notices --notices 10000 --kills 50 --seed 1 [--postgres]

Two processes turn the ledger into notices and mail them; another one invites people and publishes decisions; a mail
server on loopback takes the mails. Each is killed (kill -9) now and then and started again; with --postgres so is the
database. In the end everybody has to have the invitation, or a mail about each decision.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from tests.faults.services import Postgres, missing
from tests.processes import PROJECT
from tests.servers import environment, free_port

# Members, of whom each is told that each of so many decisions opens.
_MEMBERS, _DECISIONS = 250, 8
_SENDER = """
import time
import django
django.setup()
from democracy.notices import sending
sending.start()
while True:
    time.sleep(1)
"""
# It writes a mail down before it answers, as mail servers do.
_MAIL_SERVER = """
import os, sys, time
from email import message_from_bytes
from aiosmtpd.controller import Controller
file = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
class Box:
    async def handle_DATA(self, server, session, envelope):
        subject = " ".join(message_from_bytes(envelope.content)["Subject"].split())
        os.write(file, f"{envelope.rcpt_tos[0]} {subject}\\n".encode())
        return "250 OK"
Controller(Box(), hostname="127.0.0.1", port=int(sys.argv[1]), ready_timeout=60).start()
while True:
    time.sleep(1)
"""
_SET_UP = """
import sys
import django
django.setup()
from tests import factories
community, members = factories.community(name="Maple Court")
factories.voters(community, [f"m{number}" for number in range(int(sys.argv[1]) - 1)])
"""
# As slowly as mails leave, so that it is killed as often as the others.
_ADD = """
import sys, time
import django
django.setup()
from democracy.models import Community, Decision, Membership
from democracy.services import Invitee
from democracy.services.inviting import invite_as_operator
from tests import factories
invitations, decisions, seconds = map(int, sys.argv[1:])
community = Community.objects.get()
manager = Membership.objects.get(is_manager=True).user
share = -(-invitations // decisions)
for number in range(decisions):
    people = [Invitee(f"a{one}@example.org") for one in range(number * share, min((number + 1) * share, invitations))]
    for start in range(0, len(people), 250):
        if invite_as_operator(community.name, people[start : start + 250]).new:
            time.sleep(seconds * 250 / invitations)
    if not Decision.objects.exclude(published_at=None).filter(title=f"Decision {number}").exists():
        factories.decision(community, manager, title=f"Decision {number}")
"""
_UNSENT = """
import django
django.setup()
from democracy.models import Notice
print(Notice.objects.filter(sent_at=None).count())
"""


class Town:
    """The processes, which can be killed and started again, and the file of what arrived."""

    def __init__(self, directory: Path, notices: int, postgres: Postgres | None) -> None:
        self.arrived = directory / "arrived.txt"
        self.arrived.touch()
        self.postgres = postgres
        port, invitations = free_port(), notices - _MEMBERS * _DECISIONS
        self.environment = environment(
            directory / "crowdvote",
            CROWDVOTE_EXECUTOR="off",
            CROWDVOTE_EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
            CROWDVOTE_EMAIL_HOST="127.0.0.1",
            CROWDVOTE_EMAIL_PORT=str(port),
            CROWDVOTE_MAILS_PER_MINUTE="0",
            CROWDVOTE_MAIL_LEASE="20",
            CROWDVOTE_SWEEP_INTERVAL="0.5",
            **({"DATABASE_URL": postgres.url} if postgres else {}),
        )
        self.programs = {
            "sender 1": [_SENDER],
            "sender 2": [_SENDER],
            "mail server": [_MAIL_SERVER, str(port), str(self.arrived)],
            # A hundred mails leave in a second where nothing is killed.
            "adder": [_ADD, str(invitations), str(_DECISIONS), str(notices // 50)],
        }
        self.victims = [*self.programs, *(["database"] if postgres else [])]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        self.processes[name] = subprocess.Popen(
            [sys.executable, "-c", *self.programs[name]],
            cwd=PROJECT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait()

    def strike(self, name: str) -> None:
        """Kill something, and start it again."""
        if name == "database":
            assert self.postgres is not None
            self.postgres.kill()
            _start(self.postgres)
        else:
            self.kill(name)
            self.start(name)

    def has_added_all(self) -> bool:
        """Whether all was added. Where the database died under whoever adds, it is started again."""
        ended = self.processes["adder"].poll()
        if ended:
            self.start("adder")
        return ended == 0

    def run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def letters(self) -> Counter[str]:
        return Counter(self.arrived.read_text().splitlines())


def run(directory: Path, *, notices: int, kills: int, chance: random.Random, postgres: Postgres | None = None) -> str:
    """Send the notices through the kills. Returns a report; raises AssertionError where one is lost."""
    town = Town(directory, notices, postgres)
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=PROJECT, env=town.environment, check=True
    )
    town.run(_SET_UP, str(_MEMBERS))
    started = time.monotonic()
    killed: Counter[str] = Counter()
    try:
        for name in town.programs:
            town.start(name)
        while killed.total() < kills:
            # Spread over the whole: the next kill comes when the next share has arrived, or after a while without news.
            wanted, patience = notices * killed.total() // kills, time.monotonic() + 30
            while len(town.letters()) < wanted and time.monotonic() < patience:
                time.sleep(0.05)
            time.sleep(chance.uniform(0, 0.5))
            name = chance.choice(town.victims)
            if name == "adder" and town.has_added_all():
                continue
            town.strike(name)
            killed[name] += 1
        while not town.has_added_all() or town.run(_UNSENT) != "0":
            time.sleep(1)
    finally:
        for name in town.processes:
            town.kill(name)
    letters = town.letters()
    doubled = letters.total() - len(letters)
    lost = notices - len(letters)
    who = ", ".join(f"{name} {number}" for name, number in sorted(killed.items()))
    report = (
        f"{notices:,} notices, {killed.total()} kills ({who}), "
        f"{time.monotonic() - started:.0f} s: {lost} lost, {doubled} doubled"
    )
    assert lost == 0, report
    # A mail server that is killed may have taken a mail from each sender without an answer.
    assert doubled <= killed.total() + killed["mail server"], report
    return report


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notices", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL of its own, which is killed, too")
    options = parser.parse_args()
    if options.notices < 2 * _MEMBERS * _DECISIONS:
        parser.error(f"--notices: at least {2 * _MEMBERS * _DECISIONS}.")
    if options.postgres and (reason := missing()):
        parser.error(reason)
    os.nice(5)
    with tempfile.TemporaryDirectory(prefix="crowdvote-notices-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        with _postgres(directory) if options.postgres else nullcontext() as postgres:
            report = run(
                directory,
                notices=options.notices,
                kills=options.kills,
                chance=random.Random(options.seed),
                postgres=postgres,
            )
    sys.stdout.write(f"{report}\n")


@contextmanager
def _postgres(directory: Path) -> Iterator[Postgres]:
    # Its user has to reach its data.
    directory.chmod(0o755)
    found = Postgres(directory / "postgres", free_port(), directory / "postgres.log")
    found.make()
    _start(found)
    try:
        yield found
    finally:
        found.kill()


def _start(postgres: Postgres) -> None:
    while not postgres.answers():
        # It ends where the one before is not quite gone.
        if not postgres.is_up:
            postgres.start()
        time.sleep(0.2)


if __name__ == "__main__":
    main()
