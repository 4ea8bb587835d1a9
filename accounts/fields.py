"""Columns that are derived from other columns."""

from __future__ import annotations

from typing import Any

from django.db import models


class SortKeyField(models.CharField):
    """The case-folded text of the field `of`, by which people are sorted and searched.

    Every database sorts it by code points, as Python does, not by a language. Saving the row writes it; a
    `QuerySet.update` of the other field has to write both.
    """

    def __init__(self, *args: Any, of: str, **kwargs: Any) -> None:
        self.of = of
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, kwargs | {"of": self.of}

    def db_parameters(self, connection: Any) -> Any:
        collation = "C" if connection.vendor == "postgresql" else "BINARY"
        return super().db_parameters(connection) | {"collation": collation}

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        key: str = getattr(model_instance, self.of).casefold()
        setattr(model_instance, self.attname, key)
        return key
