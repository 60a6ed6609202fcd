"""DuckDB: a file, or memory. The embedded default; nothing to start."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siege_nb.adapters.base import Adapter, Host
from siege_nb.adapters.duckdb_frames import blamed, called, offered, refused
from siege_nb.adapters.duckdb_load import load
from siege_nb.adapters.duckdb_rows import pieces
from siege_nb.adapters.failures import Rule, Said, translate
from siege_nb.adapters.files import MEMORY, FileParams
from siege_nb.adapters.loading import already, is_already
from siege_nb.errors import ConnectError, QueryError, SiegeError
from siege_nb.query import binds, statements
from siege_nb.query.columns import Array, gather
from siege_nb.query.session import ALL, Answer, Column, Load, Schema, Session, Table, Take
from siege_nb.query.statements import begins_transaction

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


class DuckDBParams(FileParams):
    """A DuckDB database, in this process."""


class DuckDBAdapter(Adapter[DuckDBParams]):
    """DuckDB's own interface, without SQLAlchemy: its results are Arrow already."""

    kind, title = "duckdb", "DuckDB"
    drivers = ("duckdb",)
    params_type = DuckDBParams
    rules = (
        Rule(re.compile("Could not set lock|Conflicting lock"), "busy", ("database",)),
        Rule(re.compile("not a valid DuckDB database file|Cannot open (file|database)"), "database", ("database",)),
        Rule(re.compile("Connection already closed|Connection Error"), "lost"),
        Rule(re.compile("Failed to commit: .*constraint"), "constraint"),
        Rule(re.compile("Conflict on|write-write conflict"), "timeout"),
        Rule(re.compile("transaction is aborted|no transaction is active|within a transaction"), "usage"),
        Rule("ParserException", "syntax"),
        Rule("CatalogException", "not_found"),
        Rule("BinderException", "usage"),
        Rule("ConstraintException", "constraint"),
        Rule("PermissionException", "permission"),
        Rule("InterruptException", "cancelled"),
        Rule("InvalidInputException", "usage"),
        Rule("NotImplementedException", "usage"),
        Rule("ConversionException", "usage"),
        Rule("RuntimeError", "usage", text="DuckDB cannot take one of the bound values."),  # before 2.0
    )

    def open(self, host: Host) -> Session:
        self.require_driver()
        import duckdb

        where = self.params.database
        if where != MEMORY and not self.params.create and not Path(where).exists():
            raise ConnectError(
                f"There is no DuckDB file at {where}.",
                problem="database",
                fields=("database", "create"),
                hint="Check the path, or tick `create` (create=true) to have it made.",
            )
        try:
            return DuckDBSession(duckdb.connect(where, read_only=self.params.read_only), self)
        except duckdb.Error as error:
            problem = translate(error, self.title, self.rules, about={"database": where})
        raise problem

    def identify(self, session: Session) -> dict[str, str]:
        assert isinstance(session, DuckDBSession)
        return {"version": f"DuckDB {session.version()}", "database": self.params.database}


class DuckDBSession:
    """One DuckDB connection with its temporary tables, settings and transaction."""

    grammar = statements.STANDARD

    def __init__(self, connection: duckdb.DuckDBPyConnection, adapter: DuckDBAdapter) -> None:
        self._connection = connection
        self._adapter = adapter
        self._kinds: dict[str, str] = {}
        self._namespace: Mapping[str, Any] = {}
        self._frames: dict[str, Any] = {}
        self.in_transaction = False
        # In a notebook DuckDB draws a bar of its own, thousands of messages long; we only ask how far it is.
        connection.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")

    def split(self, sql: str) -> list[str]:
        import duckdb

        try:
            spelled, found = self._extracted(sql)
            texts = _cut(sql, spelled, [statement.query for statement in found])
            if texts is None:
                # Before 2.0 DuckDB rewrites a PIVOT into statements whose text is nobody's.
                texts = statements.split(sql)
                found = [self._connection.extract_statements(_dollared(text))[-1] for text in texts]
        except duckdb.Error as error:
            problem = self._translate(error, sql)
        except TypeError:  # so says DuckDB of a text that is no Unicode
            problem = QueryError("The statement holds half a character (a lone surrogate).", kind="usage")
        else:
            self._kinds = {text: each.type.name for text, each in zip(texts, found, strict=True)}
            return texts
        if isinstance(problem, QueryError):
            problem.place(sql, 0, 1, 1)
        raise problem

    def _extracted(self, sql: str) -> tuple[str, list[duckdb.Statement]]:
        """The statements in the text with $name for :name, or as it is: what looks like a bind may be none."""
        import duckdb

        spelled = _dollared(sql)
        try:
            return spelled, self._connection.extract_statements(spelled)
        except duckdb.ParserException:
            if spelled != sql:
                with suppress(duckdb.ParserException):
                    return sql, self._connection.extract_statements(sql)
            raise

    @contextmanager
    def seeing(self, namespace: Mapping[str, Any]) -> Iterator[None]:
        self._namespace = namespace
        try:
            yield
        finally:
            self._namespace, self._frames = {}, {}

    def execute(self, statement: str, values: Mapping[str, Any], take: Take = ALL) -> Answer:
        import duckdb

        text, given = binds.render(statement, values, "dollar")
        kind = self._kinds.get(statement, "SELECT")
        undoes = kind == "TRANSACTION" and statements.first_word(statement) in ("COMMIT", "END") and self._is_aborted()
        returns = kind in _RETURNING and any(statements.outside(statement, r"(?i:\bRETURNING\b)"))
        try:
            self._frames = offered(self._connection, statement, self._namespace)
            if kind in _CHANGING and not returns:
                # Before 2.0 only execute() tells how many rows were changed.
                changed = called(partial(self._connection.execute, text, given or None), self._frames).fetchone()
                return Answer(rowcount=changed[0] if changed and kind != "CREATE" else None)
            relation = called(partial(self._connection.sql, text, params=given or None), self._frames)
            # DuckDB spells "nothing to show" as no row of Success.
            if relation is None or not (returns or kind in _GIVING or relation.columns != ["Success"] or len(relation)):
                if undoes:  # DuckDB says that all went well
                    message = "COMMIT took everything back: a statement of the transaction had failed."
                    raise QueryError(message, kind="usage")
                return Answer()
        except (duckdb.Error, RuntimeError) as error:
            problem = refused(self._frames) or self._translate(error, statement)
        else:
            names = [_coloned(name, statement) for name in relation.columns]
            return gather(names, self._pieces(relation, statement), take)
        finally:
            # A COMMIT that fails has ended its transaction as well.
            if kind == "TRANSACTION":
                self.in_transaction = begins_transaction(statement)
        raise self._hinted(problem)

    def after_failure(self) -> str:
        """What a transaction that a failure left open means for the user."""
        if self._is_aborted():
            return "The transaction is aborted and takes no more statements: ROLLBACK."
        return "The transaction is still open: COMMIT or ROLLBACK."

    def _is_aborted(self) -> bool:
        """The transaction only waits for its end; not every error does that, and DuckDB must be asked."""
        import duckdb

        try:
            self._connection.execute("SELECT 1").fetchall()
        except duckdb.TransactionException:
            return True
        except duckdb.Error:  # lost, which is told elsewhere
            return False
        return False

    def _hinted(self, problem: SiegeError) -> SiegeError:
        if self.in_transaction and isinstance(problem, QueryError):
            problem.hint = " ".join(part for part in (problem.hint, self.after_failure()) if part)
        return problem

    def _pieces(self, relation: duckdb.DuckDBPyRelation, statement: str) -> Iterator[list[Array]]:
        import duckdb

        try:
            yield from pieces(relation)
            return
        except duckdb.Error as error:
            problem = refused(self._frames) or self._translate(error, statement)
        raise self._hinted(problem)

    def load(self, table: pa.Table, name: str, schema: str = "", mode: Load = "fail") -> int:
        import duckdb

        target = ".".join('"' + part.replace('"', '""') + '"' for part in (schema, name) if part)
        try:
            load(self._connection, table, target, mode, in_transaction=self.in_transaction)
            return int(table.num_rows)
        except duckdb.Error as error:
            is_there = mode == "fail" and is_already(error)
            problem = already(name) if is_there else self._translate(error)
        raise self._hinted(problem)

    def _translate(self, error: Exception, sql: str = "") -> SiegeError:
        """DuckDB draws the spot into its text; ours is drawn under the statement by who knows the whole cell."""
        head, _, drawn = str(error).partition("\n\nLINE ")
        message, _, advice = head.partition("\n")
        message = blamed(message, self._frames) or message.partition(" Error: ")[2] or message
        said = Said(_coloned(message, sql), advice.replace("\n", " "))
        adapter = self._adapter
        about = {"database": adapter.params.database}
        ours = translate(error, adapter.title, adapter.rules, statement=True, about=about, said=said)
        if isinstance(ours, QueryError) and ours.kind == "usage" and re.search("not found|does not exist", message):
            ours.kind = "not_found"
        if isinstance(ours, QueryError) and (spot := re.match(r"(\d+): (.*)\n( *)\^", drawn)):
            ours.line = int(spot[1])
            # A long line is shown from its middle, after dots: then the column is not to be had from the drawing.
            if not spot[2].startswith("..."):
                ours.column = len(spot[3]) - len(f"LINE {spot[1]}: ") + 1
        return ours

    def cancel(self) -> None:
        self._connection.interrupt()

    def progress(self) -> float | None:
        percent = self._connection.query_progress()
        return None if percent < 0 else percent / 100

    def version(self) -> str:
        """The engine's version."""
        return str(self._rows("SELECT version()")[0][0])

    def ping(self) -> None:
        self._rows("SELECT 1")

    def close(self) -> None:
        self._connection.close()

    def finds(self, name: str) -> bool:
        found = self._rows(
            "SELECT 1 FROM duckdb_tables() WHERE lower(table_name) = lower($name)"
            " UNION ALL SELECT 1 FROM duckdb_views() WHERE lower(view_name) = lower($name) LIMIT 1",
            name=name,
        )
        return bool(found)

    def schemas(self) -> list[Schema]:
        rows = self._rows(
            "SELECT schema_name FROM duckdb_schemas() WHERE database_name = current_database()"
            " AND schema_name NOT IN ('information_schema', 'pg_catalog') ORDER BY 1"
        )
        return [Schema(name) for (name,) in rows]

    def tables(self, schema: str) -> list[Table]:
        rows = self._rows(
            "SELECT schema_name, table_name, 'table', coalesce(comment, ''), estimated_size FROM duckdb_tables()"
            " WHERE database_name = current_database() AND schema_name = $schema UNION ALL"
            " SELECT schema_name, view_name, 'view', coalesce(comment, ''), NULL FROM duckdb_views()"
            " WHERE database_name = current_database() AND schema_name = $schema AND NOT internal ORDER BY 2",
            schema=schema,
        )
        return [Table(*row) for row in rows]

    def columns(self, schema: str, table: str) -> list[Column]:
        rows = self._rows(
            "SELECT column_name, data_type, is_nullable, column_default, coalesce(comment, '') FROM duckdb_columns()"
            " WHERE database_name = current_database() AND schema_name = $schema AND table_name = $table"
            " ORDER BY column_index",
            schema=schema,
            table=table,
        )
        return [Column(*row) for row in rows]

    def _rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        import duckdb

        try:
            return self._connection.execute(sql, values or None).fetchall()
        except duckdb.Error as error:
            problem = self._translate(error)
        raise problem


# CREATE … AS counts its rows too, but what a user made is a table.
_CHANGING = {"INSERT", "UPDATE", "DELETE", "COPY", "CREATE", "MERGE_INTO", "MERGE"}
_RETURNING = _CHANGING - {"COPY", "CREATE"}
# Always rows; MULTI is a PIVOT. Whether a PRAGMA, CALL or EXECUTE gives any is known by its answer only.
_GIVING = {"SELECT", "EXPLAIN", "MULTI"}


def _dollared(sql: str) -> str:
    """The text as DuckDB's parser knows it, which has $name but not :name; as long, so that its cuts are ours."""
    for bind in reversed(binds.parse(sql)):
        sql = f"{sql[: bind.start]}${sql[bind.start + 1 :]}"
    return sql


def _coloned(text: str, sql: str) -> str:
    """What DuckDB says of a statement, with the :name that its user wrote."""
    names = "|".join(binds.names(sql))
    return re.sub(rf'\$(?=(?:{names})(?:_+\d+)?\b)|(?<=near ")\$(?=")', ":", text) if names else text


def _cut(sql: str, spelled: str, queries: Sequence[str]) -> list[str] | None:
    """The text cut where DuckDB cut its spelled-out twin; None when its cuts are not to be found there."""
    texts, at = [], 0
    for query in queries:
        start = spelled.find(query, at)
        if start < 0 or not query:
            return None
        at = start + len(query)
        texts.append(sql[start:at].strip().rstrip(";").rstrip())
    return texts
