"""Lists of the administration that answer no question but those written down in them.

Django's lists take any column of their rows for a filter in the address, and of some that refer to them: who may see
few columns can so ask about all of them, and about rows that the list leaves out.
"""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR

from django.contrib import admin
from django.http import HttpRequest


class StrictModelAdmin(admin.ModelAdmin):
    """Takes the filters in `list_filter` and `date_hierarchy`, and no other lookup, nor a year without a next one."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        if lookup == f"{self.date_hierarchy}__year" and not _is_year(value):
            return False
        return lookup in self._written_down(request)

    def _written_down(self, request: HttpRequest) -> set[str]:
        parts = ("year", "month", "day") if self.date_hierarchy else ()
        lookups = {f"{self.date_hierarchy}__{part}" for part in parts}
        for one in self.get_list_filter(request):
            if isinstance(one, str):
                lookups.add(f"{one}__exact")
            elif isinstance(one, type) and issubclass(one, admin.SimpleListFilter):
                lookups.add(str(one.parameter_name))
        return lookups

    def to_field_allowed(self, request: HttpRequest, to_field: str) -> bool:
        return to_field == self.opts.pk.name


def _is_year(value: str) -> bool:
    """One whose end can be reckoned with."""
    return value.isascii() and value.isdecimal() and len(value) <= 4 and MINYEAR <= int(value) < MAXYEAR
