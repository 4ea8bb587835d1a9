from __future__ import annotations

import sys
from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.utils.text import capfirst

from accounts.models import User


class Command(createsuperuser.Command):
    """Django's own, without its question for a password: nobody has one here, administrators sign in by mailed link.

    In `crowdvote`, for the first of the installed apps that has a command is the one whose command is run.
    """

    def handle(self, *args: Any, **options: Any) -> None:
        if options["interactive"] and self.stdin.isatty():
            try:
                self._ask(options)
            except KeyboardInterrupt:
                self.stderr.write("\nOperation cancelled.")
                sys.exit(1)
            options["interactive"] = False
        super().handle(*args, **options)

    def _ask(self, options: dict[str, Any]) -> None:
        """For whatever is missing, until it is given."""
        for field in User._meta.fields:
            while field.name in {User.USERNAME_FIELD, *User.REQUIRED_FIELDS} and not options[field.name]:
                options[field.name] = self.get_input_data(field, f"{capfirst(field.verbose_name)}: ")
