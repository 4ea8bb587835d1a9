from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest

from accounts.models import ApiToken, Passkey, User
from accounts.strict import StrictModelAdmin
from accounts.views import admin_login

# There are no passwords: administrators sign in by magic link like everybody else.
admin.site.login = admin_login  # type: ignore[method-assign]

_RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class UserAdmin(StrictModelAdmin):
    """The people of the site, with their rights.

    Nobody's address can be changed here: whoever can set an address can sign in by it, and read what its owner alone
    may. Only a superuser may give rights, or change somebody who has them. Nobody can be deleted here: that would
    remove what results rest on, and list it when asking for confirmation. To keep somebody out, make the account
    inactive.
    """

    list_display = ("handle", "name", "email", "is_active", "is_staff", "is_demo", "last_login")
    list_filter = ("is_active", "is_staff", "is_demo")
    search_fields = ("handle", "name", "email")
    ordering = ("handle",)
    fields = ("email", "name", "handle", "is_active", "is_demo", *_RIGHTS, "date_joined", "last_login")
    readonly_fields: ClassVar = ["date_joined", "last_login"]
    filter_horizontal = ("groups", "user_permissions")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        fixed = ("email",) if obj is not None and obj.email else ()
        return [*self.readonly_fields, *fixed, *(() if _is_superuser(request) else _RIGHTS)]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            obj.set_unusable_password()
        super().save_model(request, obj, form, change)


@admin.register(ApiToken)
class ApiTokenAdmin(StrictModelAdmin):
    """API tokens with their owners. An administrator can revoke one, and can neither create nor read it."""

    list_display = ("name", "user", "created_at", "last_used_at", "revoked_at")
    list_select_related = ("user",)
    search_fields = ("name", "user__handle")
    fields = ("user", "name", "created_at", "last_used_at", "revoked_at")
    readonly_fields = ("user", "name", "created_at", "last_used_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Passkey)
class PasskeyAdmin(StrictModelAdmin):
    """Passkeys with their owners. An administrator can remove one, such as a lost device's, and nothing else."""

    list_display = ("name", "user", "created_at", "last_used_at")
    list_select_related = ("user",)
    search_fields = ("name", "user__handle")
    fields = ("user", "name", "created_at", "last_used_at")
    readonly_fields = ("user", "name", "created_at", "last_used_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


admin.site.unregister(Group)


@admin.register(Group)
class StrictGroupAdmin(StrictModelAdmin, GroupAdmin):
    """Django's page for groups, without filters that tell who is in a group with whom."""


def _is_superuser(request: HttpRequest) -> bool:
    return request.user.is_authenticated and request.user.is_superuser


def _may_touch(request: HttpRequest, user: User | None) -> bool:
    return user is None or _is_superuser(request) or not (user.is_staff or user.is_superuser)
