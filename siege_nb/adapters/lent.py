"""Sessions over a connection that somebody else made: its settings are found as they were, and it is not closed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from siege_nb.adapters.dialect import DialectSession
from siege_nb.adapters.duckdb import DuckDBAdapter, DuckDBParams, DuckDBSession
from siege_nb.adapters.mysql import MySQLSession
from siege_nb.adapters.postgres import PostgresSession
from siege_nb.adapters.sql_session import SQLSession
from siege_nb.adapters.sqlite import SQLiteSession
from siege_nb.errors import ConnectError, InvalidError
from siege_nb.query.session import ALL, Answer, Take

if TYPE_CHECKING:
    import sqlalchemy as sa

log = logging.getLogger(__name__)

#: Gives back what was lent.
Leave = Callable[[], None]


class Lent(SQLSession):
    """A session over a driver's connection that is given back as it was found.

    A driver that would begin transactions by itself is in its autocommit while we call it and none is open.
    """

    #: How the driver is set while we call it.
    ways: Mapping[str, Any] = {}
    #: What autocommit is called there, and what it is when it is on.
    autocommit: tuple[str, Any] = ("", None)

    def __init__(self, adapter: Any, connection: Any, deadline: float, leave: Leave) -> None:
        self._leave = leave
        #: Their autocommit, while ours is on; and whether the transaction that is open began in a cell.
        self._theirs: list[Any] = []
        self._is_ours = False
        with _set(connection, self.ways) as now:
            super().__init__(adapter, connection, deadline)
            self.ways = {name: getattr(connection, name) for name in now}

    @contextmanager
    def _using(self) -> Iterator[None]:
        with super()._using(), _set(self.connection, self.ways):
            was_open = self.in_transaction
            self._commit_by_itself()
            try:
                yield
            finally:
                self._is_ours = self.in_transaction and (self._is_ours or not was_open)
                self._give_back()

    def _commit_by_itself(self) -> None:
        name, on = self.autocommit
        if name and not self._theirs and not self.in_transaction and (theirs := getattr(self.connection, name)) != on:
            setattr(self.connection, name, on)
            self._theirs.append(theirs)

    def _give_back(self) -> None:
        if not self._theirs or self.in_transaction or self.is_lost():
            return
        try:
            setattr(self.connection, self.autocommit[0], self._theirs[0])
        except Exception as error:  # it is gone, as its owner will find out
            log.debug("giving %s back: %s", self.adapter.title, type(error).__name__)
        self._theirs.clear()

    def _sweep(self) -> None:
        if not self._closed or self.connection is None or not self._turn.acquire(blocking=False):
            return
        try:
            if self._is_ours:
                self._closed = False  # for its state is asked once more
                self.connection.rollback()
                self._give_back()
        except Exception as error:  # as above
            log.debug("leaving %s: %s", self.adapter.title, type(error).__name__)
        finally:
            self._closed, self.connection = True, None  # which is its owner's
            self._turn.release()
            self._leave()


class LentSQLite(Lent, SQLiteSession):
    """Over a sqlite3 connection."""

    ways = {"row_factory": None, "text_factory": str}
    autocommit = ("isolation_level", None)

    def __init__(self, adapter: Any, connection: Any, deadline: float, leave: Leave) -> None:
        import sqlite3

        try:
            connection.cursor().close()
        except sqlite3.ProgrammingError as error:
            said = str(error)
        else:
            super().__init__(adapter, connection, deadline, leave)
            return
        if "thread" not in said:
            raise ConnectError(f"The sqlite3 connection cannot be used: {said}", problem="lost")
        raise InvalidError(
            "This sqlite3 connection serves only the thread that made it, and cells run in another, so that Stop"
            " reaches them.",
            hint="Make it with sqlite3.connect(PATH, check_same_thread=False), or name the file: %sql sqlite:///PATH",
        )


class LentPostgres(Lent, PostgresSession):
    """Over a psycopg connection."""

    autocommit = ("autocommit", True)

    def __init__(self, adapter: Any, connection: Any, deadline: float, leave: Leave) -> None:
        from psycopg import Cursor, adapters
        from psycopg.adapt import AdaptersMap
        from psycopg.rows import tuple_row

        self.ways = {"row_factory": tuple_row, "cursor_factory": Cursor, "_adapters": AdaptersMap(adapters),
                     "prepare_threshold": None}  # fmt: skip
        super().__init__(adapter, connection, deadline, leave)


class LentMySQL(Lent, MySQLSession):
    """Over a mysql-connector connection. To stop a statement takes a second one, and its password is not ours."""

    ways = {"can_consume_results": True}
    autocommit = ("autocommit", True)
    cancel = None  # type: ignore[assignment]  # so do protocols know a class that is not Cancellable

    def interrupt(self, connection: Any) -> None:
        raise ConnectError("This takes a second connection.", problem="auth")


class LentDialect(Lent, DialectSession):
    """Over any other driver's connection, by SQLAlchemy's dialect of it."""

    #: Whether who made the connection has a transaction open, where that can be known.
    is_theirs: Callable[[], bool] = staticmethod(lambda: False)
    #: Their engine, to look around with.
    theirs: sa.Engine | None = None

    def run(self, text: str, values: Any, take: Take) -> Answer:
        return self._sent(text, values, take) if self.is_theirs() else super().run(text, values, take)

    def has_table(self, name: str, schema: str) -> bool:
        if self.theirs is not None or self.in_transaction or self.is_theirs():
            return super().has_table(name, schema)
        quote = self.dialect.identifier_preparer.quote_identifier
        try:
            self.run(f"SELECT 1 FROM {'.'.join(quote(part) for part in (schema, name) if part)} WHERE 1 = 0", {}, ALL)
        except Exception:  # whatever its driver says; what else is wrong is said when the table is made
            return False
        return True

    def engine(self) -> sa.Engine:
        if self.theirs is None:
            raise InvalidError("What is in this database cannot be listed over a bare connection of a driver.",
                               hint="Give %sql an engine of SQLAlchemy's, or a URL.")  # fmt: skip
        return self.theirs


class UnstoppableDialect(LentDialect):
    """The same over a driver that has nothing that stops a statement."""

    cancel = None  # type: ignore[assignment]  # as above


class LentDuckDB(DuckDBSession):
    """Over a DuckDB connection; a setting that we need is set for each of our statements only."""

    def __init__(self, connection: Any, leave: Leave) -> None:
        self._leave = leave
        theirs = _settings(connection)
        super().__init__(connection, DuckDBAdapter(DuckDBParams()))
        ours = _settings(connection)
        self._ours, self._theirs = _setting(ours, theirs), _setting(theirs, ours)
        self._put(self._theirs)

    def _put(self, settings: str) -> None:
        import duckdb

        if settings:
            with suppress(duckdb.Error):  # an aborted transaction takes nothing but a ROLLBACK; it is set after that
                self._connection.execute(settings)

    def execute(self, statement: str, values: Mapping[str, Any], take: Take = ALL) -> Answer:
        self._put(self._ours)
        try:
            return super().execute(statement, values, take)
        finally:
            self._put(self._theirs)

    def close(self) -> None:
        leave, self._leave = self._leave, lambda: None
        leave()


# What our session sets on a DuckDB connection.
_SETTINGS = ("enable_progress_bar", "enable_progress_bar_print")


def _settings(connection: Any) -> dict[str, bool]:
    wanted = ", ".join(f"current_setting('{name}')" for name in _SETTINGS)
    return dict(zip(_SETTINGS, connection.execute(f"SELECT {wanted}").fetchone(), strict=True))


def _setting(wanted: Mapping[str, bool], there: Mapping[str, bool]) -> str:
    """The statements that make of one set of settings the other."""
    return "; ".join(f"SET {name} = {str(value).lower()}" for name, value in wanted.items() if value != there[name])


@contextmanager
def _set(thing: Any, ways: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Attributes as we need them, and afterwards as they were."""
    before = {name: getattr(thing, name) for name in ways}
    try:
        for name, value in ways.items():
            setattr(thing, name, value)
        yield ways
    finally:
        for name, value in before.items():
            setattr(thing, name, value)
