"""Rows of one model as the API reads them for whoever asks: by id, and as a single relation of another row.

# Note [Loaders batch, the optimizer fills]
A type that is the rows of one model says in `get_queryset` which of them the viewer may see. Loaders collect all that
is wanted at one place of an operation, under every parent, and read it in one statement. The optimizer of
strawberry_django adds to that statement what the operation selects below: relations, and columns that are calculated
only when somebody asks for them. Where one statement serves several selections (under other names), it has what
the first one selects; what else the others select is read by further loaders, never row by row.

Deferring columns that nobody selects is switched off: rules on rights read columns that were not asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar, cast

from django.db.models import ForeignKey, Model, QuerySet
from strawberry_django.fields.field import StrawberryDjangoField
from strawberry_django.optimizer import OptimizerConfig, optimize
from strawberry_django.utils.typing import get_django_definition

from accounts.api import Info, Node, Reader
from democracy.access import Viewer

_CONFIG = OptimizerConfig(enable_only=False)

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Place:
    """A place in an operation: the names on the way to it, and what is selected below."""

    names: tuple[str, ...]
    info: Info = field(compare=False, repr=False)

    @classmethod
    def of(cls, info: Info) -> Place:
        return cls(tuple(step for step in info.path.as_list() if isinstance(step, str)), info)


def selected(rows: QuerySet[Row], place: Place) -> QuerySet[Row]:
    """These rows, with what is selected below the place where they are wanted."""
    return optimize(rows, place.info, config=_CONFIG)


async def by_id(info: Info, kind: type[Node], pk: int) -> Any:
    """The row with this number that the viewer may see, as its type; None where there is none."""
    return await info.context.load(_reader(cast(Hashable, kind)), (pk, Place.of(info)))


@cache
def _reader(kind: Any) -> Reader[tuple[int, Place], Model]:
    model = get_django_definition(kind, strict=True).model

    def read(viewer: Viewer, keys: list[tuple[int, Place]]) -> Mapping[tuple[int, Place], Model]:
        place = keys[0][1]
        rows = selected(kind.get_queryset(model.objects.all(), place.info), place)
        found = {row.pk: row for row in rows.filter(pk__in={pk for pk, _ in keys})}
        return {(pk, place): found[pk] for pk, place in keys if pk in found}

    return read


class Relation(StrawberryDjangoField):
    """A single relation: what was read with its row, or else the row that the viewer may see, read with others'."""

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        column = cast("ForeignKey[Any, Any]", source._meta.get_field(self.django_name or self.python_name))
        if column.is_cached(source):
            return column.get_cached_value(source)
        key = getattr(source, column.attname)
        return None if key is None else by_id(info, cast(type[Node], self.django_type), key)


def relation(description: str) -> Any:
    """Declare a field that is a single relation of the type's model to the rows of another."""
    return Relation(description=description)


async def calculated(info: Info, row: Model, name: str, read: Callable[[Viewer, list[int]], Mapping[int, Any]]) -> Any:
    """The value of a column that the optimizer adds where it is selected, or what `read` finds for the row."""
    return vars(row)[name] if name in vars(row) else await info.context.load(read, row.pk)
