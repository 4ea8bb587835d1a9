"""Accounts, API tokens and permissions, which people's rights rest on: a change of them is told at once.

Rows that are saved or deleted, in the administration too, tell it by the receivers here. Whoever writes rows by
`update` or in bulk calls `changed`. Sessions tell by themselves: a row of theirs is deleted.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete

from accounts.models import ApiToken, User
from accounts.signals import rights_changed

_COLUMNS = frozenset({"password", "is_active", "is_staff", "is_superuser"})


def changed(user_id: int) -> None:
    """Tell, in the transaction of the change, that somebody's rights may have changed."""
    rights_changed.send_robust(sender=None, user_id=user_id)


def _account_saved(instance: User, created: bool, update_fields: frozenset[str] | None, **kwargs: Any) -> None:
    # A sign-in writes when it was, and gives or takes nothing.
    if not created and (update_fields is None or _COLUMNS & update_fields):
        changed(instance.pk)


def _token_saved(instance: ApiToken, created: bool, **kwargs: Any) -> None:
    if not created:
        changed(instance.user_id)


def _account_deleted(instance: User, **kwargs: Any) -> None:
    changed(instance.pk)


def _token_deleted(instance: ApiToken, **kwargs: Any) -> None:
    changed(instance.user_id)


def _given_or_taken(instance: Any, action: str, pk_set: set[int] | None, reverse: bool, **kwargs: Any) -> None:
    """Tell of groups and permissions that somebody got or lost, whichever side it was written from."""
    if action == "pre_clear" and reverse:
        # Afterwards nobody knows who they were.
        _all_changed(instance.user_set)
    elif action.startswith("post_"):
        for user_id in (pk_set or ()) if reverse else (instance.pk,):
            changed(user_id)


def _group_changed(instance: Any, **kwargs: Any) -> None:
    # The other side is a permission, which no page gives to groups.
    if isinstance(instance, Group):
        _all_changed(instance.user_set)


def _all_changed(people: Any) -> None:
    for user_id in people.values_list("pk", flat=True):
        changed(user_id)


post_save.connect(_account_saved, sender=User, dispatch_uid="accounts.rights.account_saved")
post_delete.connect(_account_deleted, sender=User, dispatch_uid="accounts.rights.account_deleted")
post_save.connect(_token_saved, sender=ApiToken, dispatch_uid="accounts.rights.token_saved")
post_delete.connect(_token_deleted, sender=ApiToken, dispatch_uid="accounts.rights.token_deleted")
for _held in (User.groups, User.user_permissions):
    m2m_changed.connect(_given_or_taken, sender=_held.through, dispatch_uid=f"accounts.rights.{_held.field.name}")
m2m_changed.connect(_group_changed, sender=Group.permissions.through, dispatch_uid="accounts.rights.group_changed")
pre_delete.connect(_group_changed, sender=Group, dispatch_uid="accounts.rights.group_deleted")
