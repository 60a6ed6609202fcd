"""SQLite: a file, or memory, through the driver that comes with Python."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from siege_nb.adapters.failures import Rule
from siege_nb.adapters.files import MEMORY, FileParams
from siege_nb.adapters.sql import SQLAdapter
from siege_nb.adapters.sql_session import Place, SQLSession
from siege_nb.adapters.sqlite_load import SQLiteLoader
from siege_nb.errors import ConnectError
from siege_nb.query.columns import as_text
from siege_nb.query.session import Column, Schema, Session, Table
from siege_nb.query.statements import Grammar, outside

if TYPE_CHECKING:
    import sqlite3

    import sqlalchemy as sa


class SQLiteParams(FileParams):
    """A SQLite database, in this process."""


class SQLiteSession(SQLSession):
    """One SQLite connection. Values have types, columns have none: see query.columns for how they meet."""

    grammar = Grammar(escapes=False, dollars=False, nested=False, backticks=True, brackets=True)
    style = "named"
    loader = SQLiteLoader

    def interrupt(self, connection: Any) -> None:
        connection.interrupt()

    def adapt(self, value: Any) -> Any:
        # Python's own adapters for dates are deprecated, and there are none for the rest.
        match value:
            case bool() | int() | float() | str() | bytes() | None:
                return value
            case datetime():
                return value.isoformat(" ")
            case date() | time():
                return value.isoformat()
            case Decimal() if value.is_finite():
                # Never as text: beside an expression, which has no affinity, text is greater than every number.
                # SQLite's own numbers are what it can compare with, though they hold 15 digits only.
                whole = int(value)
                return whole if whole == value and abs(whole) < 2**63 else float(value)
            case Decimal() | UUID() | timedelta():
                return str(value)
            case dict() | list():
                return as_text(value)
        return value

    def place(self, error: Exception, text: str) -> Place | None:
        # SQLite names the token it stumbled over; where it stands is sure only if it stands there once.
        near = re.match(r'near "(.+)": syntax error', str(error), re.DOTALL)
        token = near[1] if near else ""
        found = list(outside(text, r"(?<!\w)" + re.escape(token) + r"(?!\w)", self.grammar)) if token else []
        return Place(found[0].start()) if len(found) == 1 else None

    def schemas(self) -> list[Schema]:
        return [Schema(row["name"]) for row in self.rows("SELECT name FROM pragma_database_list ORDER BY seq")]

    def tables(self, schema: str) -> list[Table]:
        catalogue = f"{quoted(schema)}.sqlite_master"
        rows = self.rows(
            f"SELECT name, type FROM {catalogue} WHERE type IN ('table', 'view')"
            " AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name"
        )
        estimates = self._estimates(schema, catalogue)
        return [Table(schema, row["name"], row["type"], row_estimate=estimates.get(row["name"])) for row in rows]

    def _estimates(self, schema: str, catalogue: str) -> dict[str, int]:
        """Rows as ANALYZE last counted them; nobody else knows without reading the table."""
        if not self.rows(f"SELECT 1 AS is_there FROM {catalogue} WHERE name = 'sqlite_stat1'"):
            return {}
        rows = self.rows(f"SELECT tbl, stat FROM {quoted(schema)}.sqlite_stat1 WHERE stat IS NOT NULL")
        return {row["tbl"]: int(row["stat"].split()[0]) for row in rows}

    def columns(self, schema: str, table: str) -> list[Column]:
        rows = self.rows(
            'SELECT name, type, "notnull" AS required, dflt_value FROM pragma_table_xinfo(:table, :schema)'
            " WHERE hidden <> 1 ORDER BY cid",
            schema=schema,
            table=table,
        )
        return [Column(row["name"], row["type"], not row["required"], row["dflt_value"]) for row in rows]


class SQLiteAdapter(SQLAdapter[SQLiteParams]):
    """The database file is opened as it is: nothing is created, and no setting of SQLite's is changed."""

    kind, title = "sqlite", "SQLite"
    drivers = ("sqlite3",)
    params_type = SQLiteParams
    session_type = SQLiteSession
    rules = (
        Rule(9, "cancelled"),  # SQLITE_INTERRUPT
        Rule(5, "timeout", text="The database is locked: somebody else writes to it."),  # BUSY
        Rule(6, "timeout", text="A table is locked by another statement of this session."),  # LOCKED
        Rule(8, "permission", text="The database is opened to be read only."),  # READONLY
        Rule(3, "permission", ("database",)),  # PERM
        Rule(14, "database", ("database",)),  # CANTOPEN
        Rule(26, "database", ("database",), "{database} is no SQLite database, or is encrypted."),  # NOTADB
        Rule(11, "database", ("database",), "{database} is damaged."),  # CORRUPT
        Rule(19, "constraint"),
        Rule(re.compile("no such (table|column|function|collation|index|view|trigger|module|database)"), "not_found"),
        Rule(re.compile("unknown database"), "not_found"),
        Rule(re.compile("syntax error|incomplete input|unrecognized token"), "syntax"),
        Rule(re.compile("Could not decode to UTF-8"), "usage", text="A text is not UTF-8; read it as CAST(… AS BLOB)."),
        Rule("OverflowError", "usage", text="A whole number does not fit into SQLite's 64 bits."),
        Rule("Error", "usage"),  # what is wrong with a statement or its values, and has no code of its own
    )

    def connect(self, deadline: float, *, autocommit: bool = True) -> sqlite3.Connection:
        import sqlite3

        where, mode = self.params.database, "memory"
        if where != MEMORY:
            path = Path(where)
            if not self.params.create and not path.exists():
                raise ConnectError(
                    f"There is no SQLite file at {where}.",
                    problem="database",
                    fields=("database",),
                    hint="Check the path, or tick `create` (create=true) to have it made.",
                )
            where, mode = path.as_uri(), "ro" if self.params.read_only else "rwc" if self.params.create else "rw"
        connection = sqlite3.connect(
            f"{where}?mode={mode}" if mode != "memory" else where,
            uri=mode != "memory",
            timeout=min(deadline, 5.0),  # how long to wait for another's lock
            isolation_level=None if autocommit else "DEFERRED",
            check_same_thread=False,  # cancelled and closed from other threads, used by one at a time
        )
        try:
            connection.execute("PRAGMA schema_version").fetchone()  # opening reads nothing; this tells what it is
        except BaseException:
            connection.close()
            raise
        return connection

    def url(self) -> sa.URL:
        import sqlalchemy as sa

        return sa.URL.create("sqlite", database=self.params.database)

    def about(self) -> dict[str, Any]:
        return {"database": self.params.database}

    def identify(self, session: Session) -> dict[str, str]:
        import sqlite3

        return {"version": f"SQLite {sqlite3.sqlite_version}", "database": self.params.database}


def quoted(name: str) -> str:
    """A name as SQL writes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'
