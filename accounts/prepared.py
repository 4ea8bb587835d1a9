"""Prepared queries and updates: Django writes the SQL of each once, and later calls only give it their values.

# Note [Written once]
To write the SQL of a query takes Django several times as long as the database needs to answer it. A function marked
with `prepared` is called with placeholders in place of its arguments, once for each shape that these may have (a list
of one id, of two, ...), and the SQL of its queryset is kept. So it must not decide anything by the values themselves,
looks at no clock, and asks for related rows by `decision__pk__in`, because `decision__in` wants to see numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, ParamSpec, TypeVar

from django.db import connections, models
from django.db.models import Expression, QuerySet
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.subqueries import UpdateQuery

P = ParamSpec("P")
Row = TypeVar("Row")

# Shapes of the arguments that are kept of each query, and the longest list in one of them: a page's.
_KEPT = 64
_LONGEST = 100
_FIELDS: dict[type, type[models.Field[Any, Any]]] = {
    bool: models.BooleanField,
    int: models.BigIntegerField,
    str: models.TextField,
    datetime: models.DateTimeField,
}


class _Placeholder(Expression):
    """The place of an argument in a query, which comes as a parameter of the SQL."""

    def __init__(self, kind: type, place: tuple[int, int | None]) -> None:
        super().__init__(output_field=_FIELDS[kind]())
        self.place = place

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self,)

    def value(self, arguments: Sequence[Any], connection: Any) -> Any:
        index, element = self.place
        given = arguments[index] if element is None else arguments[index][element]
        return self.output_field.get_db_prep_value(given, connection)


class _Bound(SQLCompiler):
    """The compiler of a query whose SQL is written, with the values of one call."""

    def __init__(self, written: SQLCompiler, connection: Any, sql: str, params: tuple[Any, ...]) -> None:
        self.__dict__.update(written.__dict__)
        self.connection = connection
        self._statement = sql, params

    def as_sql(self, with_limits: bool = True, with_col_aliases: bool = False) -> tuple[str, tuple[Any, ...]]:
        return self._statement


class _Written:
    """A query whose SQL is written."""

    def __init__(self, rows: QuerySet[Any]) -> None:
        self._rows = rows
        self._compiler = rows.query.get_compiler(using=rows.db)
        self._sql, self._params = self._compiler.as_sql()

    def __call__(self, arguments: Sequence[Any]) -> QuerySet[Any]:
        connection = connections[self._rows.db]
        params = _bound(self._params, arguments, connection)
        bound = _Bound(self._compiler, connection, self._sql, params)
        rows = self._rows.all()
        rows.query.get_compiler = lambda *args, **kwargs: bound  # type: ignore[method-assign]
        return rows


class _WrittenUpdate:
    """An update whose SQL is written."""

    def __init__(self, rows: QuerySet[Any], values: Mapping[str, Any]) -> None:
        query: UpdateQuery = rows.query.chain(UpdateQuery)  # type: ignore[assignment]  # of the class that is given
        query.add_update_values(dict(values))
        self._using = rows.db
        self._sql, self._params = query.get_compiler(using=rows.db).as_sql()

    def __call__(self, arguments: Sequence[Any]) -> int:
        connection = connections[self._using]
        with connection.cursor() as cursor:
            cursor.execute(self._sql, _bound(self._params, arguments, connection))
            number: int = cursor.rowcount
        return number


def _bound(params: Iterable[Any], arguments: Sequence[Any], connection: Any) -> tuple[Any, ...]:
    return tuple(one.value(arguments, connection) if isinstance(one, _Placeholder) else one for one in params)


class _Prepared(Generic[P, Row]):
    def __init__(self, write: Callable[P, QuerySet[Any, Row]]) -> None:
        self._write = write
        self._written = functools.lru_cache(maxsize=_KEPT)(self._written_for)
        functools.update_wrapper(self, write)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> list[Row]:
        assert not kwargs, "the arguments of a prepared query stand in their order"
        lengths = [len(one) for one in args if isinstance(one, list)]
        if 0 in lengths:
            # Nothing is in an empty list.
            return []
        if lengths and max(lengths) > _LONGEST:
            return list(self._write(*args, **kwargs))
        return list(self._written(*map(_shape, args))(args))

    def _written_for(self, *shapes: tuple[type, int | None]) -> _Written:
        places: list[Any] = [
            _Placeholder(kind, (index, None))
            if length is None
            else [_Placeholder(kind, (index, element)) for element in range(length)]
            for index, (kind, length) in enumerate(shapes)
        ]
        return _Written(self._write(*places))  # type: ignore[call-arg]  # in place of the arguments


def _shape(argument: Any) -> tuple[type, int | None]:
    return (type(argument[0]), len(argument)) if isinstance(argument, list) else (type(argument), None)


def prepared(write: Callable[P, QuerySet[Any, Row]]) -> Callable[P, list[Row]]:
    """Make a function that returns the rows of a query from one that makes the query, see Note [Written once].

    Its arguments are numbers, texts, times and lists of these, given in their order; where a list is empty, there are
    no rows.
    """
    return _Prepared(write)


def prepared_update(write: Callable[P, tuple[QuerySet[Any], Mapping[str, Any]]]) -> Callable[P, int]:
    """Make a function that updates rows, and returns their number, from one that returns a query and the new values of
    its columns, see Note [Written once]. Its arguments are numbers, texts and times, given in their order.
    """

    @functools.lru_cache(maxsize=_KEPT)
    def written(*kinds: type) -> _WrittenUpdate:
        places: list[Any] = [_Placeholder(kind, (index, None)) for index, kind in enumerate(kinds)]
        return _WrittenUpdate(*write(*places))  # type: ignore[call-arg]  # in place of the arguments

    @functools.wraps(write)
    def update(*args: P.args, **kwargs: P.kwargs) -> int:
        assert not kwargs, "the arguments of a prepared update stand in their order"
        return written(*map(type, args))(args)

    return update
