"""Writing and deleting many rows at once, in plain SQL: bulk_create takes up to ten times as long over them.

No signal is sent, so whoever writes here says what changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any

from django.db import connection

# Up to so many rows, PostgreSQL is done before a table to copy into has been made.
_FEW = 500
_BATCH = 10_000
_CACHE_KIB = 128 * 1024
_STAGING = "crowdvote_rows"


def insert(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, key: Sequence[str] = ()) -> None:
    """Insert rows, in a transaction. Their values are as the driver takes them, JSON as text.

    `rows` may be a generator: they are read as they are written. `key`: columns that are unique together; a row
    replaces the one with its key. No key may come twice in `rows`.
    """
    quote = connection.ops.quote_name
    table, columns, key = quote(table), [quote(column) for column in columns], [quote(column) for column in key]
    waiting = iter(rows)
    if connection.vendor == "postgresql":
        first = list(islice(waiting, _FEW + 1))
        if len(first) > _FEW:
            _copy(table, columns, chain(first, waiting), key)
            return
        waiting = iter(first)
    values = ", ".join(["%s"] * len(columns))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values}){_on_conflict(columns, key)}"
    with connection.cursor() as cursor:
        while batch := list(islice(waiting, _BATCH)):
            cursor.executemany(statement, batch)


def new_keys(table: str, number: int) -> Sequence[int]:
    """Take primary keys for so many new rows, in rising order. In a transaction that writes: SQLite has one writer."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", [table, number]
            )
            return [key for (key,) in cursor.fetchall()]
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        (last,) = cursor.fetchone() or (0,)
    return range(last + 1, last + 1 + number)


@contextmanager
def large_cache() -> Iterator[None]:
    """Have SQLite keep more of its indexes in memory: rows that come in no order would else read and write the file
    anew.
    """
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA cache_size")
        (before,) = cursor.fetchone()
        cursor.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA cache_size = {before}")


def delete(table: str, keys: Iterable[Any], *, column: str = "id") -> None:
    """Delete the rows with these values in `column`, and nothing that refers to them: the database refuses that."""
    quote = connection.ops.quote_name
    waiting = iter(keys)
    with connection.cursor() as cursor:
        while batch := list(islice(waiting, _FEW)):
            places = ", ".join(["%s"] * len(batch))
            cursor.execute(f"DELETE FROM {quote(table)} WHERE {quote(column)} IN ({places})", batch)


def _copy(table: str, columns: Sequence[str], rows: Iterator[Sequence[Any]], key: Sequence[str]) -> None:
    """Insert rows by COPY. It can't replace rows, so with a key they go through a temporary table."""
    names = ", ".join(columns)
    with connection.cursor() as cursor:
        target = table
        if key:
            target = _STAGING
            empty = f"SELECT {names} FROM {table} WITH NO DATA"
            cursor.execute(f"CREATE TEMPORARY TABLE {target} ON COMMIT DROP AS {empty}")
        with connection.wrap_database_errors, cursor.copy(f"COPY {target} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        if key:
            # In order of the key, the table's index is filled from left to right.
            order = ", ".join(key)
            cursor.execute(
                f"INSERT INTO {table} ({names}) SELECT {names} FROM {target} ORDER BY {order}"
                f"{_on_conflict(columns, key)}"
            )
            cursor.execute(f"DROP TABLE {target}")


def _on_conflict(columns: Sequence[str], key: Sequence[str]) -> str:
    if not key:
        return ""
    changed = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in key)
    return f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}"
