"""Columns that follow others."""

from __future__ import annotations

from typing import Any

from django.db import connection, models
from django.db.models.functions import Collate


class SortKeyField(models.CharField):
    """The case-folded text of another field, `of`: what people are put in order by, and found by, on every database
    alike. Written with its row; whatever writes by `QuerySet.update` has to write both.
    """

    def __init__(self, *args: Any, of: str, **kwargs: Any) -> None:
        self.of = of
        super().__init__(*args, **kwargs | {"editable": False})

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["editable"]
        return name, path, args, kwargs | {"of": self.of}

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        key: str = getattr(model_instance, self.of).casefold()
        setattr(model_instance, self.attname, key)
        return key


def by_code_point(field: str) -> Collate:
    """To order by a text as Python does: PostgreSQL would go by the language of its database."""
    return Collate(field, "C" if connection.vendor == "postgresql" else "BINARY")
