"""Notices through kills: none is lost, and at most one mail is doubled by each kill.

    python -m tests.faults.notices --notices 10000 --kills 50 --seed 1

Two senders mail what another process adds, to a mail server on loopback. Each of the three is killed (kill -9) now and
then and started again. In the end every notice has to have arrived.
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
from pathlib import Path

from tests.processes import PROJECT
from tests.servers import environment, free_port

_SENDER = """
import time
import django
django.setup()
from democracy.notices import sending
sending.mail_sender.start()
while True:
    time.sleep(1)
"""
# It writes a mail down before it answers, as mail servers do.
_MAIL_SERVER = """
import os, sys, time
from aiosmtpd.controller import Controller
file = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
class Box:
    async def handle_DATA(self, server, session, envelope):
        os.write(file, f"{envelope.rcpt_tos[0]}\\n".encode())
        return "250 OK"
Controller(Box(), hostname="127.0.0.1", port=int(sys.argv[1]), ready_timeout=60).start()
while True:
    time.sleep(1)
"""
_ADD = """
import sys
import django
django.setup()
from django.db import transaction
from democracy.models import Community
from democracy.notices import outbox
from democracy.notices.kinds import Kind
community, _ = Community.objects.get_or_create(name="Maple Court")
said = {"key": "x", "by": "Bo"}
for start in range(0, int(sys.argv[1]), 250):
    with transaction.atomic():
        outbox.add_many(
            outbox.Draft(Kind.INVITED, "x", address=f"a{number}@example.org", community_id=community.pk, data=said)
            for number in range(start, min(start + 250, int(sys.argv[1])))
        )
"""
_UNSENT = """
import django
django.setup()
from democracy.models import Notice
print(Notice.objects.filter(sent_at=None).count())
"""


class Town:
    """The processes, which can be killed and started again, and the file of what arrived."""

    def __init__(self, directory: Path, notices: int) -> None:
        self.arrived = directory / "arrived.txt"
        self.arrived.touch()
        self.port, self.notices = free_port(), notices
        self.environment = environment(
            directory,
            CROWDVOTE_EXECUTOR="off",
            CROWDVOTE_EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
            CROWDVOTE_EMAIL_HOST="127.0.0.1",
            CROWDVOTE_EMAIL_PORT=str(self.port),
            CROWDVOTE_MAILS_PER_MINUTE="0",
            CROWDVOTE_MAIL_LEASE="20",
            CROWDVOTE_SWEEP_INTERVAL="0.5",
        )
        self.programs = {
            "sender 1": [_SENDER],
            "sender 2": [_SENDER],
            "mail server": [_MAIL_SERVER, str(self.port), str(self.arrived)],
            "adder": [_ADD, str(notices)],
        }
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

    def ask(self, program: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def letters(self) -> Counter[str]:
        return Counter(self.arrived.read_text().split())


def run(directory: Path, *, notices: int, kills: int, chance: random.Random) -> str:
    """Send the notices through the kills. Returns a report; raises AssertionError where one is lost."""
    town = Town(directory, notices)
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=PROJECT, env=town.environment, check=True
    )
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
            name = chance.choice([*town.programs])
            if name == "adder" and town.processes[name].poll() == 0:
                continue
            town.kill(name)
            killed[name] += 1
            town.start(name)
        while town.processes["adder"].poll() is None or town.ask(_UNSENT) != "0":
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
    # A killed mail server may have taken a mail from each sender without an answer.
    assert doubled <= killed.total() + killed["mail server"], report
    return report


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notices", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.nice(5)
    with tempfile.TemporaryDirectory(prefix="crowdvote-notices-", ignore_cleanup_errors=True) as directory:
        chance = random.Random(options.seed)
        sys.stdout.write(run(Path(directory), notices=options.notices, kills=options.kills, chance=chance) + "\n")


if __name__ == "__main__":
    main()
