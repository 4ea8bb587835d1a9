"""Lists in pages: connections with cursors, and lists of many parents in one query.

# Note [Pages go on where the last one ended]
A page of rows begins behind the row at which the one before ended, by the values that order the list: what is added or
taken away meanwhile moves nobody past a row, and shows none twice. What is worked out as a whole (influence), or does
not change any more, goes on by place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar, cast

import strawberry
from django.db.models import Count, F, Field, Model, Q, QuerySet, Window
from django.db.models.expressions import OrderBy
from django.db.models.functions import RowNumber
from strawberry import relay
from strawberry.types.nodes import SelectedField

from accounts.api import Info
from democracy.access import Viewer
from democracy.errors import InvalidInput
from democracy.schema.cursors import InvalidCursor, name_list, seal, unseal
from democracy.schema.rows import Place, selected

DEFAULT_PAGE = 20
MAX_PAGE = 100

# The name by which the optimizer finds the type of a connection's nodes.
NodeType = TypeVar("NodeType")


@strawberry.type(description="Where a page is in its list. Lists are read forwards.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more follows: ask again with `endCursor` as `after`.")
    has_previous_page: bool = strawberry.field(description="Whether the page has an `after`: something was before it.")
    edges: strawberry.Private[Sequence[Any]]

    @strawberry.field(description="Of the first edge; null where there are no edges.")
    def start_cursor(self) -> str | None:
        return self.edges[0].find_cursor() if self.edges else None

    @strawberry.field(description="Of the last edge; null where there are no edges.")
    def end_cursor(self) -> str | None:
        return self.edges[-1].find_cursor() if self.edges else None


@strawberry.type(description="A thing in a list, with its place there.")
class Edge(Generic[NodeType]):
    node: NodeType = strawberry.field(description="The thing itself.")
    find_cursor: strawberry.Private[Callable[[], str]]

    @strawberry.field(description="Opaque: give it as `after` to go on behind this node.")
    def cursor(self) -> str:
        return self.find_cursor()


@strawberry.type(description="A page of a list.")
class Connection(relay.Connection[NodeType]):  # type: ignore[type-var]
    """A connection as the optimizer knows it, with nodes, edges and cursors of our own."""

    edges: list[Edge[NodeType]] = strawberry.field(  # type: ignore[assignment]
        description="In the order of the list; at most `first` of them."
    )
    page_info: PageInfo = strawberry.field(description="How to go on.")  # type: ignore[assignment]
    count: strawberry.Private[Callable[[], Awaitable[int]]]

    @strawberry.field(description="The length of the whole list, as far as you may see.")
    async def total_count(self) -> int:
        return await self.count()


@dataclass(frozen=True)
class Page:
    """The page asked for: `first` nodes behind `after`. Raises InvalidInput."""

    first: int
    after: str | None

    def __post_init__(self) -> None:
        if not 1 <= self.first <= MAX_PAGE:
            raise InvalidInput(f"A page has 1 to {MAX_PAGE} nodes.", field="first")


# --- Lists by place ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Places:
    """The places of a page in a list that is calculated as a whole: behind `after`, up to `stop`, which is one further
    than asked for, to know whether there is a next page. `listing`: the list's name. Raises InvalidCursor.
    """

    listing: str
    after: int
    stop: int

    @classmethod
    def of(cls, listing: str, page: Page) -> Places:
        (after,) = (0,) if page.after is None else unseal(listing, page.after)
        return cls(listing, after, after + page.first + 1)

    def cursor(self, index: int) -> str:
        """The cursor of the i-th node of the page."""
        return self.at(self.after + index + 1)

    def at(self, place: int) -> str:
        return seal(self.listing, [place])


def connection(
    page: Page,
    nodes: Sequence[NodeType],
    *,
    count: Callable[[], Awaitable[int]],
    cursor: Callable[[int], str],
) -> Connection[NodeType]:
    """A connection of these nodes, one more than asked for where there is a next page; `cursor`: of the i-th node."""
    edges = [Edge(node=node, find_cursor=partial(cursor, index)) for index, node in enumerate(nodes[: page.first])]
    return Connection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=len(nodes) > page.first, has_previous_page=page.after is not None, edges=edges
        ),
        count=count,
    )


# --- Lists of rows ----------------------------------------------------------------------------------------------------

Order = tuple[str | OrderBy, ...]


@dataclass(frozen=True)
class _Asked:
    """A page of a list below a parent; `after`: the values at which it begins; `given`: arguments as pairs."""

    given: tuple[tuple[str, Any], ...]
    order: Order
    after: tuple[Any, ...] | None
    first: int
    parent: int | None
    place: Place


@dataclass(frozen=True)
class Listing:
    """A list of rows below each parent, or one for the viewer where `parent` is None.

    `rows(viewer, parent_ids, **arguments)` are those of all these parents, `parent` the column that says whose one is,
    `order` a total order within a parent, unless a page asks for another one.
    """

    rows: Callable[..., QuerySet[Any]]
    order: Order
    parent: str | None = None

    async def page(
        self,
        info: Info,
        page: Page,
        node: Callable[[Any], NodeType],
        *,
        parent: int | None = None,
        order: Order | None = None,
        **arguments: Any,
    ) -> Connection[NodeType]:
        """The page below `parent`, its rows made into nodes. Raises InvalidCursor."""
        columns = order or self.order
        given = tuple(sorted(arguments.items()))
        name = name_list(
            f"{self.rows.__module__}.{self.rows.__qualname__}",
            parent=("viewer", info.context.viewer.pk) if self.parent is None else (self.parent, parent),
            order=columns,
            filters=given,
        )
        after = None if page.after is None else tuple(unseal(name, page.after))
        asked = _Asked(given, columns, after, page.first, parent, Place.of(info))
        rows = await info.context.load(self.read, asked) or []

        async def count() -> int:
            if after is None and (not rows or "list_length" in vars(rows[0])):
                return rows[0].list_length if rows else 0
            return await info.context.load(self.count, (given, parent)) or 0

        def cursor(index: int) -> str:
            return seal(name, [_value(rows[index], _path(one)) for one in columns])

        return connection(page, [node(row) for row in rows], count=count, cursor=cursor)

    def read(self, viewer: Viewer, keys: list[_Asked]) -> Mapping[_Asked, list[Any]]:
        found: defaultdict[_Asked, list[Any]] = defaultdict(list)
        for asked in _alike(keys):
            one = asked[0]
            parents = list({each.parent for each in asked})
            rows = selected(self._rows(viewer, one.given, parents), one.place)
            if one.after is not None:
                rows = rows.filter(_beyond(rows.model, one.order, one.after))
            elif any(_selects(each.place.info.selected_fields, "totalCount") for each in _once_per_place(asked)):
                partition = None if self.parent is None else F(self.parent)
                rows = rows.annotate(list_length=Window(Count("pk"), partition_by=partition))
            if len(parents) == 1:
                page = list(rows.order_by(*one.order)[: one.first + 1])
                found |= dict.fromkeys(asked, page)
                continue
            assert self.parent is not None
            place = Window(RowNumber(), partition_by=F(self.parent), order_by=one.order)
            placed = rows.annotate(place_in_list=place).filter(place_in_list__lte=one.first + 1)
            below = defaultdict(list)
            for row in placed.order_by("place_in_list"):
                below[getattr(row, self.parent)].append(row)
            found |= {each: below[each.parent] for each in asked}
        return found

    def count(self, viewer: Viewer, keys: list[_Counted]) -> Mapping[_Counted, int]:
        found: dict[_Counted, int] = {}
        for given in {given for given, _ in keys}:
            parents = [parent for each, parent in keys if each == given]
            rows = self._rows(viewer, given, parents).order_by()
            if self.parent is None:
                found[given, None] = rows.count()
                continue
            numbers = rows.values(self.parent).annotate(number=Count("pk")).values_list(self.parent, "number")
            found |= {(given, parent): number for parent, number in numbers}
        return found

    def _rows(self, viewer: Viewer, given: tuple[tuple[str, Any], ...], parents: list[int | None]) -> QuerySet[Any]:
        return self.rows(viewer, *([] if self.parent is None else [parents]), **dict(given))


_Counted = tuple[tuple[tuple[str, Any], ...], int | None]


def _alike(keys: Iterable[_Asked]) -> Iterable[list[_Asked]]:
    """Keys that differ in their parents and places only, together."""
    groups: defaultdict[tuple[Any, ...], list[_Asked]] = defaultdict(list)
    for one in keys:
        groups[one.given, one.order, one.after, one.first].append(one)
    return groups.values()


def _once_per_place(asked: Iterable[_Asked]) -> Iterable[_Asked]:
    return {one.place: one for one in asked}.values()


def _selects(selections: Iterable[Any], name: str) -> bool:
    """Whether a field of this name is selected below fields, directly or by fragments."""
    return any(
        below.name == name if isinstance(below, SelectedField) else _selects([below], name)
        for one in selections
        for below in one.selections
    )


def _path(column: str | OrderBy) -> str:
    if isinstance(column, OrderBy):
        return cast(str, column.expression.name)  # type: ignore[union-attr]
    return column.removeprefix("-")


def _value(row: Any, path: str) -> Any:
    for name in path.split("__"):
        row = getattr(row, name)
    return row


def _field(model: type[Model], path: str) -> Field[Any, Any]:
    *relations, last = path.split("__")
    for name in relations:
        model = model._meta.get_field(name).related_model  # type: ignore[assignment]
    return model._meta.pk if last == "pk" else model._meta.get_field(last)  # type: ignore[return-value]


def _beyond(model: type[Model], order: Order, after: tuple[Any, ...]) -> Q:
    """A condition on rows that come after the one with these values. Raises InvalidCursor."""
    if len(order) != len(after):
        raise InvalidCursor
    beyond, equal = Q(pk__in=[]), Q()
    for column, sealed in zip(order, after, strict=True):
        path = _path(column)
        value = _field(model, path).to_python(sealed)
        beyond |= equal & _later(column, path, value)
        equal &= Q(**{f"{path}__isnull": True}) if value is None else Q(**{path: value})
    return beyond


def _later(column: str | OrderBy, path: str, value: Any) -> Q:
    """A condition on rows whose value in this column of an order comes later."""
    is_descending = column.descending if isinstance(column, OrderBy) else column.startswith("-")
    nulls_first = isinstance(column, OrderBy) and bool(column.nulls_first)
    if value is None:
        return Q(**{f"{path}__isnull": False}) if nulls_first else Q(pk__in=[])
    later = Q(**{f"{path}__lt" if is_descending else f"{path}__gt": value})
    nulls_last = isinstance(column, OrderBy) and bool(column.nulls_last)
    return later | Q(**{f"{path}__isnull": True}) if nulls_last else later
