"""A table made of rows that come from here: whole or not at all, by the fastest way its engine has.

Every name is quoted by the engine's own rule, and every value travels as one: nothing of either is ever SQL.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from siege_nb.adapters.filling import Family, Filling, Kind, digits, each, family_of, integer, interval, plain
from siege_nb.errors import QueryError
from siege_nb.query.columns import BATCH, Array, as_text, distinct
from siege_nb.query.session import Load

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa

    from siege_nb.adapters.sql_session import SQLSession

log = logging.getLogger(__name__)

#: How a statement marks where a value goes, in each of the DB-API's styles.
MARKS = {
    "qmark": "?", "numeric": ":{number}", "numeric_dollar": "${number}", "named": ":{name}", "format": "%s",
    "pyformat": "%({name})s",
}  # fmt: skip
_IS_THERE = re.compile("already (?:exists|an object|used)|ORA-00955", re.IGNORECASE)


class Loader:
    """Makes a table over a session's own connection. A kind adds what is peculiar to it."""

    #: Digits of a decimal, in all and after the point, that the engine holds.
    most: ClassVar[tuple[int, int]] = (38, 38)
    #: How a transaction begins where none is open.
    begin: ClassVar[str] = "BEGIN"

    def __init__(self, session: SQLSession) -> None:
        self.session = session
        self.title = session.adapter.title

    @cached_property
    def dialect(self) -> sa.Dialect:
        """Where the spelling of types and names is looked up."""
        kind: Any = self.session.adapter.url().get_dialect()
        made: sa.Dialect = kind(dbapi=kind.import_dbapi())
        return made

    def load(self, table: pa.Table, name: str, schema: str, mode: Load) -> None:
        """Make the table as asked, and fill it."""
        columns, target = self.columns(table), self.target(schema, name)
        with self.whole():
            self.make(target, columns, mode)
            self.fill(target, columns)

    def make(self, target: str, columns: Sequence[Filling], mode: Load) -> None:
        """See that there is a table to fill."""
        if mode == "replace":
            self.run(f"DROP TABLE IF EXISTS {target}")
        self.run(self.creation(target, columns, "IF NOT EXISTS " if mode == "append" else ""))

    def fill(self, target: str, columns: Sequence[Filling]) -> None:
        """Write the rows, in the driver's own way for many of them."""
        style = str(self.dialect.paramstyle)
        marks = [MARKS[style].format(name=f"c{n}", number=n + 1) for n in range(len(columns))]
        lead = f"INSERT INTO {target} ({self.names(columns)}) VALUES "
        lead = lead.replace("%", "%%") if style in ("format", "pyformat") else lead
        with closing(self.session.connection.cursor()) as cursor:
            for batch in self.batches(columns):
                values = [self.given(column, part) for column, part in zip(columns, batch, strict=True)]
                rows: list[Any] = list(zip(*values, strict=True))
                if style in ("named", "pyformat"):
                    rows = [{f"c{n}": value for n, value in enumerate(row)} for row in rows]
                cursor.executemany(f"{lead}({', '.join(marks)})", rows)

    def given(self, column: Filling, values: Array) -> list[Any]:
        """Values as the driver takes them, by the dialect's own conversion."""
        import pyarrow as pa

        if column.family in ("duration", "interval", "nested"):
            values = self.written(column, values)
        elif column.family == "timestamp" and column.kind.tz is not None:
            values = values.cast(pa.timestamp("us", "UTC"))  # a dialect without zones leaves the zone out
        found: list[Any] = values.to_pylist()
        if column.family == "decimal" and not self.is_exact:
            return [None if value is None else float(value) for value in found]
        convert = column.declared.dialect_impl(self.dialect).bind_processor(self.dialect)
        return [convert(value) for value in found] if convert else found

    # --- names and statements

    def quoted(self, name: str) -> str:
        """A name in the engine's quotes, whatever is in it."""
        preparer: Any = self.dialect.identifier_preparer
        end = preparer.final_quote
        return f"{preparer.initial_quote}{name.replace(end, end * 2)}{end}"

    def target(self, schema: str, name: str) -> str:
        """The table as a statement names it."""
        return ".".join(self.quoted(part) for part in (schema, name) if part)

    def names(self, columns: Sequence[Filling]) -> str:
        """The names of the columns, side by side."""
        return ", ".join(self.quoted(column.name) for column in columns)

    def creation(self, target: str, columns: Sequence[Filling], only: str = "") -> str:
        """The statement that makes the table."""
        described = (f"{self.quoted(one.name)} {one.declared.compile(dialect=self.dialect)}" for one in columns)
        return f"CREATE TABLE {only}{target} ({', '.join(described)})"

    def run(self, statement: str, values: Any = None) -> list[Any]:
        """The rows of a statement, if it gives any. Stop is heeded before each."""
        self.heed()
        with closing(self.session.connection.cursor()) as cursor:
            cursor.execute(statement, values) if values else cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def heed(self) -> None:
        """Raise if the user pressed Stop: between two statements there is nothing that the driver could stop."""
        if self.session.is_stopped:
            raise QueryError("Loading was cancelled.", kind="cancelled")

    @contextmanager
    def whole(self) -> Iterator[None]:
        """All that is done inside, or nothing; a transaction that is open stays open."""
        inside = self.session.in_transaction
        self.run("SAVEPOINT siege_load" if inside else self.begin)
        try:
            yield
            self.run("RELEASE SAVEPOINT siege_load" if inside else "COMMIT")
        except BaseException:
            self.attempt("ROLLBACK TO SAVEPOINT siege_load" if inside else "ROLLBACK")
            if inside:
                self.attempt("RELEASE SAVEPOINT siege_load")
            raise

    def attempt(self, statement: str) -> bool:
        """Whether a statement ran that may be refused, also after a Stop; whatever led to it is what will be told."""
        for _ in range(3):  # a Stop is repeated until all has ended, and may end this too
            try:
                with closing(self.session.connection.cursor()) as cursor:
                    cursor.execute(statement)
                return True
            except Exception as error:  # the connection is lost, or the engine has undone it already
                log.debug("%s: %s", statement, type(error).__name__)
        return False

    # --- types and values

    def columns(self, table: pa.Table) -> list[Filling]:
        """The columns as they are to be written."""
        if not table.num_columns:
            raise QueryError("There are no columns to make a table of.", kind="usage")
        columns = zip(distinct(table.column_names), table.columns, strict=True)
        return [self.filling(name, plain(column)) for name, column in columns]

    def filling(self, name: str, values: Array) -> Filling:
        """One column; what the engine's type would not hold is text."""
        import pyarrow as pa

        if pa.types.is_uint64(values.type):
            values = self.unsigned(values)
        elif pa.types.is_floating(values.type):
            values = values.cast(pa.float64())  # what else there is shows, in most engines, fewer digits than it has
        family = family_of(values.type)
        if family == "decimal" and not self.fits(values):
            family, values = "text", values.cast(pa.string())
        if family in ("timestamp", "time", "duration"):
            values = self._microseconds(name, values)
        return Filling(name, family, values.type, self.declared(family, values.type), values)

    def unsigned(self, values: Array) -> Array:
        """Whole numbers of 64 bits without a sign, as the engine holds them."""
        import pyarrow as pa

        if self.is_exact:
            return values.cast(pa.decimal128(20, 0))
        try:
            return values.cast(pa.int64())
        except pa.ArrowInvalid:
            return values.cast(pa.string())

    @cached_property
    def is_exact(self) -> bool:
        """The engine has decimals, not only floats that keep 15 digits of one."""
        import sqlalchemy as sa

        convert = sa.Numeric(9, 2).dialect_impl(self.dialect).bind_processor(self.dialect)
        return convert is None or not isinstance(convert(Decimal("0.5")), float)

    def fits(self, values: Array) -> bool:
        """The engine loses no digit of these decimals."""
        from pyarrow import compute

        precision, scale = digits(values.type)
        if self.is_exact:
            return precision <= self.most[0] and scale <= self.most[1]
        ends: Any = compute.min_max(values).as_py()
        return all(abs(int(end.scaleb(scale))) < 10**15 for end in ends.values() if end is not None)

    def declared(self, family: Family, kind: Kind) -> sa.types.TypeEngine[Any]:
        """The type of a column, which SQLAlchemy's dialect spells."""
        import sqlalchemy as sa

        match family:
            case "integer":
                return integer(kind)
            case "float":
                return sa.Double()
            case "decimal":
                return sa.Numeric(*digits(kind))
            case "timestamp":
                return sa.DateTime(timezone=kind.tz is not None)
        simple: dict[str, type[sa.types.TypeEngine[Any]]] = {
            "bool": sa.Boolean, "binary": sa.LargeBinary, "date": sa.Date, "time": sa.Time,
        }  # fmt: skip
        return simple.get(family, sa.UnicodeText)()

    def span(self, microseconds: int) -> str:
        """A span of time as text."""
        from datetime import timedelta

        return str(timedelta(microseconds=microseconds))

    def written(self, column: Filling, values: Array) -> Array:
        """Values as text, in words that every engine reads; numbers, bytes and truths as they are."""
        import pyarrow as pa

        match column.family:
            case "bool" | "integer" | "float" | "text" | "binary":
                return values
            case "timestamp" if column.kind.tz is not None:
                values = values.cast(pa.timestamp("us", "UTC"))
            case "duration":
                return each(values.cast(pa.int64()), self.span)
            case "interval":
                return each(values, interval)
            case "nested":
                return each(values, as_text)
        return values.cast(pa.string())

    def batches(self, columns: Sequence[Filling], size: int = BATCH) -> Iterator[list[Array]]:
        """The columns, some rows at a time."""
        for start in range(0, len(columns[0].values), size):
            self.heed()
            yield [column.values[start : start + size] for column in columns]

    def refuse(self, column: Filling, what: str, hint: str) -> QueryError:
        """The error for a column with values that the engine cannot hold."""
        message = f"Column {column.name!r} has {what}, which {self.title} cannot hold."
        return QueryError(message, kind="usage", hint=hint)

    def _microseconds(self, name: str, values: Array) -> Array:
        import pyarrow as pa

        kind = values.type
        whole: Any = (
            pa.timestamp("us", kind.tz) if pa.types.is_timestamp(kind)
            else pa.duration("us") if pa.types.is_duration(kind) else pa.time64("us")
        )  # fmt: skip
        try:
            return values.cast(whole)
        except pa.ArrowInvalid:
            message = f"Column {name!r} has nanoseconds, and {self.title} counts microseconds."
            problem = QueryError(message, kind="usage", hint="Round it first, in pandas with .dt.floor('us').")
        raise problem


def already(name: str) -> QueryError:
    """The error for a table that is there and was not to be touched."""
    hint = "Replace it or append to it, or choose another name."
    return QueryError(f"There is a table {name} already.", kind="usage", hint=hint)


def is_already(error: Exception) -> bool:
    """A driver says that there is a table of this name."""
    codes = {getattr(error, "sqlstate", None), getattr(error, "errno", None)}
    return bool(codes & {"42P07", "42S01", 1050}) or _IS_THERE.search(str(error)) is not None
