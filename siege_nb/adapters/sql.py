"""What the kinds with a driver of rows share: one guarded way to connect, one way to run a statement."""

from __future__ import annotations

import logging
import re
import threading
import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from pydantic import AfterValidator

from siege_nb.adapters import failures, probe
from siege_nb.adapters.base import Adapter, Host, P
from siege_nb.adapters.failures import Said
from siege_nb.errors import ConnectError, QueryError, SiegeError
from siege_nb.masking import mask
from siege_nb.query import binds
from siege_nb.query.columns import BATCH, Build, built, gather
from siege_nb.query.session import ALL, Answer, Column, Schema, Table, Take
from siege_nb.query.statements import STANDARD, Grammar, split

if TYPE_CHECKING:
    import sqlalchemy as sa

log = logging.getLogger(__name__)


def _one_host(name: str) -> str:
    """Drivers read more into a host than a name: lists, paths of sockets, options. None of that may come in here."""
    if not name:
        raise ValueError("is required")
    if "://" in name:
        raise ValueError("should be the server's name alone, no URL")
    if re.fullmatch(r"[^:]*:\d+", name):
        raise ValueError("should be the server's name alone; the port has a field of its own")
    if not re.fullmatch(r"[^\W_](?:[\w.-]*\w)?\.?|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(?:%\w+)?", name):
        raise ValueError("should be one host name or address: no list, no path, no brackets, no spaces")
    return name


#: One server's name or address, as a field of parameters.
HostName = Annotated[str, AfterValidator(_one_host)]


class Place(NamedTuple):
    """Where in the text that was sent a server found an error; not exact means: somewhere on that line."""

    at: int
    exact: bool = True


class SQLAdapter(Adapter[P]):
    """A kind whose driver follows the DB-API. A kind adds how to connect, and its session."""

    session_type: ClassVar[type[SQLSession]]

    @abstractmethod
    def connect(self, deadline: float, *, autocommit: bool = True) -> Any:
        """The driver's own connection. Only here, in the driver's call itself, are secrets revealed."""

    @abstractmethod
    def url(self) -> sa.URL:
        """The dialect and place for SQLAlchemy, without a password: `connect` is what connects."""

    def about(self) -> dict[str, Any]:
        """What the texts of failures may name."""
        return {}

    def said(self, error: Exception) -> Said:
        """What the server said, without what the driver put around it."""
        return Said(str(error) or type(error).__name__)

    def translate(self, error: Exception, *, statement: bool = False) -> SiegeError:
        about, said = self.about(), self.said(error)
        return failures.translate(
            error, self.title, self.rules, self.address(), statement=statement, about=about, said=said
        )

    def open(self, host: Host) -> SQLSession:
        self.require_driver()
        over = time.monotonic() + host.deadline
        if address := self.address():
            probe.reach(*address, title=self.title, deadline=host.deadline)
        # What is left of the time, but enough for a driver to say what is wrong.
        connection = self.dial(max(over - time.monotonic(), 0.1), stop=host.stop)
        return self.session_type(self, connection, host.deadline)

    def dial(self, deadline: float, *, stop: threading.Event | None = None, autocommit: bool = True) -> Any:
        """A driver's connection within the deadline, whatever the driver makes of it; failures in our words."""
        def connect() -> Any:
            return self.connect(deadline, autocommit=autocommit)

        try:
            return probe.within(deadline, connect, stop=stop, late=lambda connection: connection.close())
        except SiegeError as error:
            failure = error.with_traceback(None)
        except Exception as error:  # whatever a driver throws; its frames hold the password and stay behind
            failure = self.translate(error)
        raise failure


class SQLSession:
    """One connection of a driver. Statements run one at a time; cancel() and close() may come from any thread."""

    #: What is not SQL in the engine's text.
    grammar: ClassVar[Grammar] = STANDARD
    style: ClassVar[binds.Style]

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
                failure = error.with_traceback(None)
            except Exception as error:  # the border: no driver's exception passes
                failure = self._explain(error, statement, values, text)
        raise failure

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
        while rows := cursor.fetchmany(BATCH):
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
        if self.is_lost():
            return failures.connect_error("lost", {"title": self.adapter.title}, said=self.adapter.said(error))
        ours = self.adapter.translate(error, statement=True)
        if not isinstance(ours, QueryError):
            return ours
        if place := self.place(error, text):
            at = binds.origin(statement, values, self.style, place.at, self.grammar)
            ours.line = statement.count("\n", 0, at) + 1
            ours.column = at - statement.rfind("\n", 0, at) if place.exact else None
        if self.in_transaction:
            ours.hint = " ".join(part for part in (ours.hint, self.after_failure()) if part)
        return ours

