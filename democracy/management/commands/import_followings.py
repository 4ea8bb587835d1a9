"""`manage.py import_followings FILE --community NAME`: read an edge list or a graph; print `community ID`."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from democracy.files.decoding import decode_unicode
from democracy.files.edge_columns import Wanted
from democracy.files.edge_lists import read_edge_list
from democracy.files.imported_followings import import_followings
from democracy.files.progress import Progress
from democracy.management.files import importing, read_bytes


class Command(BaseCommand):
    help = (
        "Add members and followings to a community, making it if it is missing, from an edge list (`from to [weight]` "
        "a line, or columns that a header names), MatrixMarket, DIMACS, GML, GraphML, Pajek or DOT. Whatever is not "
        "certain is refused. All or nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--community", required=True, metavar="NAME")
        parser.add_argument("--tag-by-weight", action="store_true", help="make the weight the following's tag")
        told = "by its title or its number from 1, where the words of the header do not tell"
        parser.add_argument("--from-column", default="", metavar="COLUMN", help=f"who follows, {told}")
        parser.add_argument("--to-column", default="", metavar="COLUMN", help=f"who is followed, {told}")
        parser.add_argument("--weight-column", default="", metavar="COLUMN", help=f"the weight, {told}")

    def handle(
        self,
        *args: Any,
        file: Path,
        community: str,
        tag_by_weight: bool,
        from_column: str,
        to_column: str,
        weight_column: str,
        **options: Any,
    ) -> None:
        data = read_bytes(file)
        with importing(file):
            wanted = Wanted(from_column, to_column, weight_column)
            edges = read_edge_list(decode_unicode(data).text, wanted=wanted, tag_by_weight=tag_by_weight)
            made = import_followings(edges, community=community, progress=Progress(self.stderr.write))
        self.stdout.write(f"community {made.community.pk}")
        counts = {
            "members made": made.new_members,
            "followings made or changed": made.followings,
            "self-loops skipped": edges.self_loops,
            "negative weights skipped": edges.negative,
            "repeated pairs, the last of which counts": edges.repeated,
            "comment lines passed over": edges.comments,
        }
        said = ["; ".join(f"{count:,} {what}" for what, count in counts.items()), f"read as: {edges.reading}"]
        for line in [*said, *edges.remarks]:
            self.stderr.write(line, self.style.NOTICE)
