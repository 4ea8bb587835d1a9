"""Lists of the administration that accept only their own filters.

Django's lists accept any column of their rows, and of some related rows, as a filter in the address. Somebody who may
see few columns could so ask about all of them, and about rows that the list leaves out.
"""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR

from django.contrib import admin
from django.http import HttpRequest


class StrictModelAdmin(admin.ModelAdmin):
    """Accepts the filters in `list_filter` and `date_hierarchy`, and no other lookup.

    A year is accepted only if the next one exists.
    """

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
    """Tell whether the text is a year that has a next one."""
    return value.isascii() and value.isdecimal() and len(value) <= 4 and MINYEAR <= int(value) < MAXYEAR
