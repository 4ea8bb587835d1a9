"""Columns that follow others."""

from __future__ import annotations

from typing import Any

from django.db import models


class SortKeyField(models.CharField):
    """The case-folded text of another field, `of`: what people are put in order by, and found by, on every database
    alike. Ordered by code points, as Python does, and not by the language of the database. Written with its row;
    whatever writes by `QuerySet.update` has to write both.
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
