"""Lists by the page, as connections: the pages of all parents in one query.

A cursor is the place of an edge in what its viewer may see, so it tells nothing else.
"""

from __future__ import annotations

import base64
import binascii
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import strawberry
from django.db.models import Count, F, OrderBy, QuerySet, Window
from django.db.models.functions import RowNumber

from accounts.api import Info
from democracy.access import Viewer
from democracy.errors import InvalidInput

MAX_PAGE = 100
DEFAULT_PAGE = 20
_LARGEST = 2**53

T = TypeVar("T")


class InvalidCursor(InvalidInput):
    code = "INVALID_CURSOR"
    field = "after"


@strawberry.type(description="Where a page is in its list. Lists are read forwards.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more follows: ask again with `endCursor` as `after`.")
    has_previous_page: bool = strawberry.field(description="Whether the page has an `after`: something was before it.")
    start_cursor: str | None = strawberry.field(description="Of the first edge; null where there are no edges.")
    end_cursor: str | None = strawberry.field(description="Of the last edge; null where there are no edges.")


@strawberry.type(description="A thing in a list, with its place there.")
class Edge(Generic[T]):
    node: T = strawberry.field(description="The thing itself.")
    cursor: str = strawberry.field(description="Opaque: give it as `after` to go on behind this node.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="In the order of the list; at most `first` of them.")
    page_info: PageInfo = strawberry.field(description="How to go on.")
    count: strawberry.Private[Callable[[], Awaitable[int]]]

    @strawberry.field(description="The length of the whole list, as far as you may see.")
    async def total_count(self) -> int:
        return await self.count()


@dataclass(frozen=True)
class Page:
    """The page asked for: `first` nodes behind `after`. Raises InvalidInput, InvalidCursor."""

    first: int
    after: int

    @classmethod
    def of(cls, first: int, after: str | None) -> Page:
        if not 1 <= first <= MAX_PAGE:
            raise InvalidInput(f"A page has 1 to {MAX_PAGE} nodes.", field="first")
        return cls(first, _read_cursor(after) if after is not None else 0)

    @property
    def stop(self) -> int:
        """One further than asked for, to know whether there is a next page."""
        return self.after + self.first + 1


def cursor(place: int) -> str:
    return base64.urlsafe_b64encode(f"place:{place}".encode()).decode()


def _read_cursor(text: str) -> int:
    try:
        kind, _, place = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True).decode().partition(":")
    except (UnicodeError, binascii.Error, ValueError):
        kind, place = "", ""
    if kind != "place" or not (place.isascii() and place.isdigit() and len(place) < 17 and int(place) < _LARGEST):
        raise InvalidCursor("This is not a cursor of this list.")
    return int(place)


def connection(
    page: Page,
    nodes: Sequence[T],
    *,
    count: Callable[[], Awaitable[int]],
    place: Callable[[int], int] | None = None,
) -> Connection[T]:
    """A connection of these nodes, one more than asked for where there is a next page. `place`: of the i-th node."""
    at = place or (lambda index: page.after + index + 1)
    edges = [Edge(node=node, cursor=cursor(at(index))) for index, node in enumerate(nodes[: page.first])]
    return Connection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=len(nodes) > page.first,
            has_previous_page=page.after > 0,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
        count=count,
    )


# Arguments of a list, as pairs; the parent's id or None; first and last place.
_Key = tuple[tuple[tuple[str, Any], ...], int | None, int, int]


@dataclass(frozen=True)
class Listing:
    """A list of rows below each parent, or one for the viewer where `parent` is None.

    `rows(viewer, parent_ids, **arguments)` are those of all these parents, `parent` the column that says whose one is,
    `order` a total order within a parent.
    """

    rows: Callable[..., QuerySet[Any]]
    order: tuple[str | OrderBy, ...]
    parent: str | None = None

    async def page(
        self,
        info: Info,
        page: Page,
        node: Callable[[Any], T],
        *,
        parent: int | None = None,
        **arguments: Any,
    ) -> Connection[T]:
        """The page below `parent`, its rows made into nodes."""
        given = tuple(sorted(arguments.items()))
        rows = await info.context.load(self.read, (given, parent, page.after, page.stop)) or []

        async def count() -> int:
            return await info.context.load(self.count, (given, parent, 0, 0)) or 0

        return connection(page, [node(row) for row in rows], count=count)

    def read(self, viewer: Viewer, keys: list[_Key]) -> Mapping[_Key, list[Any]]:
        found: defaultdict[_Key, list[Any]] = defaultdict(list)
        for given, start, stop, parents in _groups(keys):
            rows = self._rows(viewer, given, parents)
            if len(parents) == 1:
                found[given, parents[0], start, stop] = list(rows.order_by(*self.order)[start:stop])
                continue
            assert self.parent is not None
            place = Window(RowNumber(), partition_by=F(self.parent), order_by=self.order)
            placed = rows.annotate(place_in_list=place).filter(place_in_list__gt=start, place_in_list__lte=stop)
            for row in placed.order_by("place_in_list"):
                found[given, getattr(row, self.parent), start, stop].append(row)
        return found

    def count(self, viewer: Viewer, keys: list[_Key]) -> Mapping[_Key, int]:
        found: dict[_Key, int] = {}
        for given, start, stop, parents in _groups(keys):
            rows = self._rows(viewer, given, parents).order_by()
            if self.parent is None:
                found[given, None, start, stop] = rows.count()
                continue
            numbers = rows.values(self.parent).annotate(number=Count("pk")).values_list(self.parent, "number")
            found |= {(given, parent, start, stop): number for parent, number in numbers}
        return found

    def _rows(self, viewer: Viewer, given: tuple[tuple[str, Any], ...], parents: list[int | None]) -> QuerySet[Any]:
        return self.rows(viewer, *([] if self.parent is None else [parents]), **dict(given))


def _groups(keys: Iterable[_Key]) -> list[tuple[tuple[tuple[str, Any], ...], int, int, list[int | None]]]:
    """Keys that differ in their parents only, together."""
    groups: defaultdict[tuple[Any, int, int], list[int | None]] = defaultdict(list)
    for given, parent, start, stop in keys:
        groups[given, start, stop].append(parent)
    return [(*group, parents) for group, parents in groups.items()]
