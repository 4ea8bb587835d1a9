"""Pages of the administration that write nothing. See Note [The admin writes nothing itself]."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern

from accounts.strict import StrictModelAdmin


class ReadOnlyAdmin(StrictModelAdmin):
    """Pages to read only. See Note [The admin writes nothing itself]."""

    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="Tags")
    def tags_in_words(self, row: Any) -> str:
        return ", ".join(row.tags) or "-"


class ListOnlyAdmin(ReadOnlyAdmin):
    """A list without pages of single rows: their addresses would show the rows' numbers, whose gaps count hidden rows.

    Lists of this kind have no search either: with one, Django would hand out rows' numbers to complete words in forms.
    """

    list_display_links = None

    def get_urls(self) -> list[URLPattern]:
        return [url for url in super().get_urls() if str(url.name).endswith("_changelist")]


class ReadOnlyInline(admin.TabularInline):
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
