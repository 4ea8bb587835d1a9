from __future__ import annotations

import sys
from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.utils.text import capfirst

from accounts.models import User


class Command(createsuperuser.Command):
    """Create an administrator as Django does, without a password: administrators sign in by mailed link.

    The command is in `crowdvote` because the first installed app that has a command provides it.
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
        """Ask until there is an answer."""
        for field in User._meta.fields:
            while field.name in {User.USERNAME_FIELD, *User.REQUIRED_FIELDS} and not options[field.name]:
                options[field.name] = self.get_input_data(field, f"{capfirst(field.verbose_name)}: ")
