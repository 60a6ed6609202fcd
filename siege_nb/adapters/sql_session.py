"""A session of a driver that follows the DB-API: one way to run a statement, to stop it and to take its rows."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from siege_nb.adapters import failures
from siege_nb.adapters.failures import Said
from siege_nb.adapters.loading import Loader, already, is_already
from siege_nb.errors import ConnectError, QueryError, SiegeError
from siege_nb.masking import mask
from siege_nb.query import binds
from siege_nb.query.columns import BATCH, Build, built, gather
from siege_nb.query.session import ALL, Answer, Column, Load, Schema, Table, Take
from siege_nb.query.statements import STANDARD, Grammar, split

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa

    from siege_nb.adapters.sql import SQLAdapter

log = logging.getLogger(__name__)


class Place(NamedTuple):
    """Where in the text that was sent a server found an error; not exact means: somewhere on that line."""

    at: int
    exact: bool = True


class SQLSession:
    """One connection of a driver. Statements run one at a time; cancel() and close() may come from any thread."""

    #: What is not SQL in the engine's text.
    grammar: ClassVar[Grammar] = STANDARD
    style: ClassVar[binds.Style]
    #: Rows fetched at a time.
    batch: ClassVar[int] = BATCH
    #: How tables are made of rows that come from here.
    loader: ClassVar[type[Loader]] = Loader

    def __init__(self, adapter: SQLAdapter[Any], connection: Any, deadline: float) -> None:
        self.adapter = adapter
        self.deadline = deadline
        self.connection = connection
        self._turn = threading.Lock()
        self._closed = False
        self._cancelled = False

    # --- what a kind says of its driver

    @property
    def in_transaction(self) -> bool:
        """The user began a transaction that is still open."""
        return not self._closed and bool(self.connection.in_transaction)

    def interrupt(self, connection: Any) -> None:
        """Stop what runs on the connection; called from another thread than the one that waits for it."""
        raise NotImplementedError

    def builders(self, cursor: Any) -> Sequence[Build]:
        """How the columns of a result are built, where the driver tells their types."""
        return ()

    def adapt(self, value: Any) -> Any:
        """A value in a form that the driver takes, where Python's own is none."""
        return value

    def place(self, error: Exception, text: str) -> Place | None:
        """Where in the text that was sent the error is, where the server tells."""
        return None

    def is_lost(self) -> bool:
        """The driver knows that the connection is no more."""
        return False

    def after_failure(self) -> str:
        """What a transaction that a failure left open means for the user."""
        return "The transaction is still open: COMMIT or ROLLBACK."

    def fetched(self, cursor: Any) -> Iterator[list[Any]]:
        """The rows of a cursor, some at a time."""
        while rows := cursor.fetchmany(self.batch):
            yield rows

    def run(self, text: str, values: Any, take: Take) -> Answer:
        """Send one statement and take what comes back."""
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(text, values) if values else cursor.execute(text)
            return self.answer(cursor, take)

    # --- what the house asks of a session

    def split(self, sql: str) -> list[str]:
        """The statements of a text."""
        return split(sql, self.grammar)

    def execute(self, statement: str, values: Mapping[str, Any], take: Take = ALL) -> Answer:
        """Run one statement; its cursor is closed when this returns."""
        text, given = binds.render(statement, values, self.style, self.grammar)
        if isinstance(given, dict):
            given = {name: self.adapt(value) for name, value in given.items()}
        else:
            given = [self.adapt(value) for value in given]
        with self._using():
            try:
                return self.run(text, given, take)
            except SiegeError as error:
                failure = self._hinted(error.with_traceback(None))
            except Exception as error:  # the border: no driver's exception passes
                failure = self._explain(error, statement, values, text)
        raise failure

    def load(self, table: pa.Table, name: str, schema: str = "", mode: Load = "fail") -> int:
        """How many rows were written into a table, all or none; see `Loadable`."""
        with self._using():
            try:
                self.loader(self).load(table, name, schema, mode)
                return int(table.num_rows)
            except SiegeError as error:
                failure = error.with_traceback(None)
            except Exception as error:  # as above
                is_there = mode == "fail" and is_already(error)
                failure = already(name) if is_there else self._translated(error)
        raise failure

    @property
    def is_stopped(self) -> bool:
        """What runs now was told to stop."""
        return self._cancelled

    def cancel(self) -> None:
        """Stop the statement that runs, if one does."""
        connection = self.connection
        if connection is None or not self._turn.locked():
            return
        self._cancelled = True
        try:
            self.interrupt(connection)
            return
        except SiegeError as error:
            failure = error.with_traceback(None)
        except Exception as error:  # as above
            failure = self.adapter.translate(error, statement=True)
        raise failure

    def ping(self) -> None:
        """A round trip to the server, or a ConnectError."""
        with self._using():
            try:
                return self.beat()
            except Exception as error:  # as above
                said = mask(self.adapter.said(error).message)
        raise failures.connect_error("lost", {"title": self.adapter.title}, said=Said(said))

    def beat(self) -> None:
        """The cheapest round trip."""
        with closing(self.connection.cursor()) as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchall()

    def close(self) -> None:
        """Let go of the connection, at once or as soon as the statement that runs has ended."""
        self._closed = True
        self._sweep()

    def engine(self) -> sa.Engine:
        """A SQLAlchemy engine that opens connections like this one; each is its own, and so are its transactions."""
        import sqlalchemy as sa

        return sa.create_engine(
            self.adapter.url(),
            creator=lambda: self.adapter.dial(self.deadline, autocommit=False),
            poolclass=sa.pool.NullPool,
        )

    # --- the catalogue, in the kind's own words

    def finds(self, name: str) -> bool:
        """There is a table of this bare name here, be it a temporary one; asking leaves a transaction as it is."""
        try:
            self.execute(f"SELECT 1 FROM {name} WHERE 1 = 0", {})
        except QueryError as error:
            return error.kind != "not_found"
        return True

    def schemas(self) -> list[Schema]:
        raise NotImplementedError

    def tables(self, schema: str) -> list[Table]:
        raise NotImplementedError

    def columns(self, schema: str, table: str) -> list[Column]:
        raise NotImplementedError

    def rows(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        """The rows of one of our own questions."""
        table = self.execute(statement, values).table
        return [] if table is None else table.to_pylist()

    # --- inside

    def answer(self, cursor: Any, take: Take) -> Answer:
        """What a cursor has, fetched."""
        if cursor.description is None:
            return Answer(rowcount=cursor.rowcount if cursor.rowcount >= 0 else None)
        names = [column[0] for column in cursor.description]
        return gather(names, built(names, self._batches(cursor), self.builders(cursor)), take)

    def _batches(self, cursor: Any) -> Iterator[list[Any]]:
        for rows in self.fetched(cursor):
            if self._cancelled:  # also where the server ends SLEEP or BENCHMARK as if they had come to a value
                raise QueryError("The statement was cancelled.", kind="cancelled")
            yield rows

    @contextmanager
    def _using(self) -> Iterator[None]:
        try:
            with self._turn:
                if self._closed:
                    raise ConnectError("The session is closed.", problem="lost")
                self._cancelled = False
                yield
        finally:
            self._sweep()

    def _sweep(self) -> None:
        # Not under a statement that still runs: a C driver's memory must not go away below it. Its thread does it then.
        if not self._closed or not self._turn.acquire(blocking=False):
            return
        connection, self.connection = self.connection, None
        try:
            if connection is not None:
                connection.close()
        except Exception as error:  # it is gone already, which is what was wanted
            log.debug("closing %s: %s", self.adapter.title, type(error).__name__)
        finally:
            self._turn.release()

    def _explain(self, error: Exception, statement: str, values: Mapping[str, Any], text: str) -> SiegeError:
        ours = self._translated(error)
        if not isinstance(ours, QueryError):
            return ours
        if place := self.place(error, text):
            at = binds.origin(statement, values, self.style, place.at, self.grammar)
            ours.line = statement.count("\n", 0, at) + 1
            ours.column = at - statement.rfind("\n", 0, at) if place.exact else None
        return self._hinted(ours)

    def _hinted(self, error: SiegeError) -> SiegeError:
        if self.in_transaction and isinstance(error, QueryError):
            error.hint = " ".join(part for part in (error.hint, self.after_failure()) if part)
        return error

    def _translated(self, error: Exception) -> SiegeError:
        if self.is_lost():
            return failures.connect_error("lost", {"title": self.adapter.title}, said=self.adapter.said(error))
        return self.adapter.translate(error, statement=True)
