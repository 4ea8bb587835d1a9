"""`manage.py import_members FILE --community NAME [--invite]`: read a list of people, and make invitations of it."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from democracy.files.decoding import decode_spreadsheet
from democracy.files.member_lists import read_member_list
from democracy.management.files import importing, read_bytes
from democracy.services.inviting import invite_as_operator


class Command(BaseCommand):
    help = (
        "Invite the people on a list to a community: CSV whose header names the columns address, name, role, manager, "
        "tags to follow; or addresses alone, a line each. Without --invite no mail is sent, and people join by signing "
        "in with their address. Where a line is faulty, nobody is invited and every faulty line is named."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--community", required=True, metavar="NAME")
        parser.add_argument("--invite", action="store_true", help="mail each person a link")

    def handle(self, *args: Any, file: Path, community: str, invite: bool, **options: Any) -> None:
        data = read_bytes(file)
        with importing(file):
            found = read_member_list(decode_spreadsheet(data).text)
            done = invite_as_operator(community, found.people, send=invite)
        if found.passed_over:
            self.stderr.write(f"not read: {', '.join(found.passed_over)}", self.style.NOTICE)
        self.stdout.write(
            f"listed {done.new}, mailed {done.mailed}, waiting already {done.waiting}, members already {done.members}"
        )
