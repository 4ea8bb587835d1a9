"""`manage.py import_followings FILE --community NAME`: an edge list; prints `community ID`."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from democracy.management.files import importing, read_text
from democracy.services.edge_lists import import_followings, read_edge_list


class Command(BaseCommand):
    help = (
        "Add members and followings from an edge list (`from to [weight ...]` a line) to a community, making it if it "
        "is missing. All or nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--community", required=True, metavar="NAME")
        parser.add_argument("--tag-by-weight", action="store_true", help="make the weight the following's tag")

    def handle(self, *args: Any, file: Path, community: str, tag_by_weight: bool, **options: Any) -> None:
        text = read_text(file)
        with importing(file):
            edges = read_edge_list(text, tag_by_weight=tag_by_weight)
            made = import_followings(edges, community=community)
        self.stdout.write(f"community {made.community.pk}")
        counts = {
            "members made": made.new_members,
            "followings made or changed": made.followings,
            "self-loops skipped": edges.self_loops,
            "negative weights skipped": edges.negative,
            "repeated pairs, the last of which counts": edges.repeated,
        }
        self.stderr.write("; ".join(f"{count:,} {what}" for what, count in counts.items()), self.style.NOTICE)
        if edges.header:
            self.stderr.write(f"taken for a header: {edges.header}", self.style.NOTICE)
