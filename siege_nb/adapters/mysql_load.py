"""Rows into MySQL and MariaDB: INSERTs of many rows each. LOAD DATA LOCAL stays off."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from siege_nb.adapters.filling import Family, Filling, Kind, each
from siege_nb.adapters.loading import Loader, already
from siege_nb.errors import QueryError
from siege_nb.query.columns import Array
from siege_nb.query.session import Load

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa

# A quarter of what the smallest server in use takes at once.
_PACKET = 1 << 20


class MySQLLoader(Loader):
    """Tables of MySQL. It has no times with a zone: a moment is its time in UTC, but in a column of TIMESTAMP itself.

    To make a table ends a transaction there, so one that is open is refused, unless rows are only appended. A table is
    filled under a passing name, and takes its place when it is whole.
    """

    most = (65, 30)
    begin = "START TRANSACTION"
    #: Columns that take a time for one of the session's zone.
    _local: frozenset[str] = frozenset()

    def load(self, table: pa.Table, name: str, schema: str, mode: Load) -> None:
        columns, target = self.columns(table), self.target(schema, name)
        there = self._told("SELECT table_type FROM information_schema.tables", schema, name)
        if there and mode == "append":
            kinds = self._told("SELECT column_name, data_type FROM information_schema.columns", schema, name)
            self._local = frozenset(column.casefold() for column, kind in kinds if kind == "timestamp")
            with self.whole():
                return self.fill(target, columns)
        if there and mode == "fail":
            raise already(name)
        if there and "VIEW" in str(there[0][0]):
            raise QueryError(f"{name} is a view, and views are not replaced.", kind="usage")
        if self.session.in_transaction:
            message = "A transaction is open, and MySQL ends it as soon as a table is made."
            hint = "COMMIT or ROLLBACK first, or append to a table that is there."
            raise QueryError(message, kind="usage", hint=hint)
        passing = self.target(schema, f"siege_{secrets.token_hex(8)}")
        try:
            self.run(self.creation(passing, columns))
            with self.whole():
                self.fill(passing, columns)
            self._place(passing, target, self.target(schema, f"siege_{secrets.token_hex(8)}") if there else "")
        except BaseException:
            self.attempt(f"DROP TABLE IF EXISTS {passing}")
            raise

    def _told(self, question: str, schema: str, name: str) -> list[Any]:
        here = " WHERE table_schema = COALESCE(NULLIF(%s, ''), DATABASE()) AND table_name = %s"
        return self.run(question + here, (schema, name))

    def _place(self, passing: str, target: str, former: str) -> None:
        """Give the new table its name, in one step with the one it replaces."""
        if not former:
            self.run(f"RENAME TABLE {passing} TO {target}")
            return
        self.run(f"RENAME TABLE {target} TO {former}, {passing} TO {target}")
        try:
            self.run(f"DROP TABLE {former}")
        except BaseException:  # another table refers to it
            self.attempt(f"RENAME TABLE {target} TO {passing}, {former} TO {target}")
            raise

    def fill(self, target: str, columns: Sequence[Filling]) -> None:
        lead = f"INSERT INTO {target} ({self.names(columns)}) VALUES "
        rows: list[str] = []
        size = 0
        for row in self._rows(columns):
            if rows and size + len(row) > _PACKET:
                self.run(lead + ",".join(rows))
                rows, size = [], 0
            rows.append(row)
            size += len(row)
        if rows:
            self.run(lead + ",".join(rows))

    def _rows(self, columns: Sequence[Filling]) -> Iterator[str]:
        for batch in self.batches(columns):
            parts = [self._literals(column, part) for column, part in zip(columns, batch, strict=True)]
            for row in zip(*parts, strict=True):
                yield f"({','.join(row)})"

    def unsigned(self, values: Array) -> Array:
        return values

    def _literals(self, column: Filling, part: Array) -> list[str]:
        """Each value as MySQL writes it. Text goes as bytes: which characters escape hangs on the session's mode."""
        import pyarrow as pa

        values, shown = self.written(column, part), "'{}'"
        match column.family:
            case "bool":
                values, shown = values.cast(pa.int8()).cast(pa.string()), "{}"
            case "integer" | "float":
                values, shown = values.cast(pa.string()), "{}"
            case "binary":
                values, shown = each(values, bytes.hex), "X'{}'"
            case "text" | "nested" | "interval":
                values, shown = each(values, lambda text: text.encode().hex()), "_utf8mb4 X'{}'"
            case "timestamp" if column.kind.tz is not None and column.name.casefold() in self._local:
                shown = "CONVERT_TZ('{}', '+00:00', @@session.time_zone)"
        return ["NULL" if value is None else shown.format(value) for value in values.to_pylist()]

    def declared(self, family: Family, kind: Kind) -> sa.types.TypeEngine[Any]:
        import pyarrow as pa
        from sqlalchemy.dialects import mysql

        made: dict[str, sa.types.TypeEngine[Any]] = {
            # MySQL shows six digits of a FLOAT only. TEXT and BLOB end after 64 KiB.
            "float": mysql.DOUBLE(), "text": mysql.LONGTEXT(), "interval": mysql.LONGTEXT(), "binary": mysql.LONGBLOB(),
            "timestamp": mysql.DATETIME(fsp=6), "time": mysql.TIME(fsp=6), "duration": mysql.TIME(fsp=6),
            "nested": mysql.JSON(),
        }  # fmt: skip
        if family == "integer":
            unsigned = pa.types.is_unsigned_integer(kind)
            widths = {8: mysql.TINYINT, 16: mysql.SMALLINT, 32: mysql.INTEGER, 64: mysql.BIGINT}
            return widths[kind.bit_width](unsigned=unsigned)
        return made.get(family) or super().declared(family, kind)

    def span(self, microseconds: int) -> str:
        seconds, rest = divmod(abs(microseconds), 10**6)
        return f"{'-' if microseconds < 0 else ''}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:06}"

    def written(self, column: Filling, values: Array) -> Array:
        import pyarrow as pa
        from pyarrow import compute

        pc: Any = compute
        if column.family == "float" and pc.all(pc.is_finite(values)).as_py() not in (True, None):
            raise self.refuse(column, "NaN or infinity", "Make it NULL first.")
        if column.family == "duration" and (pc.max(pc.abs(values.cast(pa.int64()))).as_py() or 0) >= _LONGEST:
            raise self.refuse(column, "a span of more than 838 hours", "Write its seconds instead.")
        text = super().written(column, values)
        # A zone is not understood by all of them.
        return pc.replace_substring(text, "Z", "") if column.family == "timestamp" else text


_LONGEST = 839 * 3600 * 10**6
