"""Rows into DuckDB, which reads Arrow's memory as a table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from siege_nb.adapters.duckdb_frames import called
from siege_nb.adapters.filling import plain
from siege_nb.errors import QueryError
from siege_nb.query.columns import distinct
from siege_nb.query.session import Load

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_SOURCE = "siege rows to load"


def load(
    connection: duckdb.DuckDBPyConnection, table: pa.Table, target: str, mode: Load, *, in_transaction: bool
) -> None:
    """Make the table as asked; raises DuckDB's errors."""
    if not table.num_columns:
        raise QueryError("There are no columns to make a table of.", kind="usage")
    frames = {_SOURCE: _readable(table)}
    rows = f'SELECT * FROM "{_SOURCE}"'

    def run(statement: str) -> None:
        called(partial(connection.execute, statement), frames)

    if mode != "append":
        run(f"CREATE {'OR REPLACE ' if mode == 'replace' else ''}TABLE {target} AS {rows}")
        return
    with _whole(connection, in_transaction):
        run(f"CREATE TABLE IF NOT EXISTS {target} AS {rows} LIMIT 0")
        run(f"INSERT INTO {target} BY NAME {rows}")


@contextmanager
def _whole(connection: duckdb.DuckDBPyConnection, in_transaction: bool) -> Iterator[None]:
    """DuckDB has no savepoints: in a transaction that is open, an error has ended all of it anyway."""
    if in_transaction:
        yield
        return
    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _readable(table: pa.Table) -> pa.Table:
    """What DuckDB has types for; a decimal of more than 38 digits is text."""
    import pyarrow as pa

    def fit(column: Any) -> Any:
        kind = column.type
        if not pa.types.is_decimal256(kind):
            return column
        return column.cast(pa.string() if kind.precision > 38 else pa.decimal128(kind.precision, kind.scale))

    return pa.table([fit(plain(column)) for column in table.columns], names=distinct(table.column_names))
