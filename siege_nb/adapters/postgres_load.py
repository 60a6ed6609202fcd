"""Rows into PostgreSQL: COPY from CSV, which Arrow writes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from siege_nb.adapters.filling import Family, Filling, Kind
from siege_nb.adapters.loading import Loader
from siege_nb.query.columns import Array

if TYPE_CHECKING:
    import sqlalchemy as sa


class PostgresLoader(Loader):
    """Tables of PostgreSQL. Collections are JSONB, spans of time are INTERVAL."""

    most = (1000, 1000)

    def declared(self, family: Family, kind: Kind) -> sa.types.TypeEngine[Any]:
        from sqlalchemy.dialects import postgresql

        match family:
            case "duration" | "interval":
                return postgresql.INTERVAL()
            case "nested":
                return postgresql.JSONB()
        return super().declared(family, kind)

    def span(self, microseconds: int) -> str:
        return f"{microseconds} microseconds"

    def fill(self, target: str, columns: Sequence[Filling]) -> None:
        import pyarrow as pa
        from pyarrow import csv

        # NULL is nothing, and an empty text two quotes: so Arrow writes them and PostgreSQL reads them.
        manner = csv.WriteOptions(include_header=False, quoting_style="needed")
        names = [f"c{n}" for n in range(len(columns))]
        statement = f"COPY {target} ({self.names(columns)}) FROM STDIN (FORMAT csv)"
        with closing(self.session.connection.cursor()) as cursor, cursor.copy(statement) as copy:
            for batch in self.batches(columns):
                text = io.BytesIO()
                values = [self.written(column, part) for column, part in zip(columns, batch, strict=True)]
                csv.write_csv(pa.table(values, names=names), text, manner)
                copy.write(text.getbuffer())

    def written(self, column: Filling, values: Array) -> Array:
        import pyarrow as pa

        if column.family != "binary":
            return super().written(column, values)
        return pa.array([None if value is None else f"\\x{value.hex()}" for value in values.to_pylist()], pa.string())
