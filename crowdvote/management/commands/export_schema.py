"""`manage.py export_schema MODULE [--path FILE]`: the GraphQL schema of a module, in the schema language."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import strawberry
from django.core.management.base import BaseCommand, CommandError, CommandParser
from strawberry.printer import print_schema
from strawberry.utils.importer import import_module_symbol


class Command(BaseCommand):
    help = "Print the GraphQL schema, or write it to a file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("schema", help="module with the schema, such as crowdvote.api.schema")
        parser.add_argument("--path", type=Path, help="write to this file")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            schema = import_module_symbol(options["schema"], default_symbol_name="schema")
        except (ImportError, AttributeError) as error:
            raise CommandError(str(error)) from error
        if not isinstance(schema, strawberry.Schema):
            raise CommandError(f"{options['schema']} has no schema.")
        text = print_schema(schema)
        if options["path"]:
            options["path"].write_text(text, encoding="utf-8")
        else:
            self.stdout.write(text)
