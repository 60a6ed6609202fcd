"""A database that is no kind of ours, through whatever dialect of SQLAlchemy's is installed for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from siege_nb.adapters import urls
from siege_nb.adapters.base import Host, Params
from siege_nb.adapters.dialect_load import DialectLoader
from siege_nb.adapters.failures import Rule
from siege_nb.adapters.loading import MARKS
from siege_nb.adapters.sql import SQLAdapter
from siege_nb.adapters.sql_session import SQLSession
from siege_nb.declare import Secret, ui
from siege_nb.errors import InvalidError, MissingDriverError, SiegeError
from siege_nb.masking import mask
from siege_nb.query import binds
from siege_nb.query.session import Answer, Column, Schema, Session, Table, Take
from siege_nb.query.statements import STANDARD, Grammar, begins_transaction, ends_transaction

if TYPE_CHECKING:
    import sqlalchemy as sa


class DatabaseParams(Params):
    """Any database that SQLAlchemy has a dialect for, or whose kind is known here."""

    connection_string: Secret = ui(title="Connection string", placeholder="postgresql://user:password@host:5432/db")
    """A URL of SQLAlchemy's, libpq's or JDBC's. It is a secret as a whole."""


class DialectSession(SQLSession):
    """A session of whatever driver a dialect has; what it can do is found out."""

    loader = DialectLoader

    def __init__(self, adapter: DialectAdapter, connection: Any, deadline: float) -> None:
        super().__init__(adapter, connection, deadline)
        self.dialect, self.commits = adapter.dialect, not adapter.autocommits
        self._in_transaction = self._lost = False
        self._cursor: Any = None

    @property
    def grammar(self) -> Grammar:  # type: ignore[override]  # of an object, not of the class
        quote, mysql = self.dialect.identifier_preparer.initial_quote, self.dialect.name in ("mysql", "mariadb")
        theirs = replace(STANDARD, backslash=True, escapes=False, dollars=False, nested=False, hashes=True)
        return replace(theirs if mysql else STANDARD, backticks=quote == "`", brackets=quote == "[")

    @property
    def style(self) -> binds.Style:  # type: ignore[override]  # as above
        # An empty list is one of no type there, which IN (SELECT NULL …) would have as text.
        if self.dialect.name in ("postgresql", "cockroachdb"):
            return "arrays"
        return "named" if self.dialect.name == "sqlite" else "lists"

    @property
    def in_transaction(self) -> bool:
        return self._in_transaction and not self._closed

    def interrupt(self, connection: Any) -> None:
        if stop := _stopper(connection, self._cursor):
            stop()

    def run(self, text: str, values: Any, take: Take) -> Answer:
        begins, ends = begins_transaction(text, self.grammar), ends_transaction(text, self.grammar)
        try:
            answer = self._turned(text, ends) if self.commits and (begins or ends) else self._sent(text, values, take)
            if self.commits and not (begins or self._in_transaction):
                self.connection.commit()
        except Exception as error:
            self._lost = self._lost or self._is_disconnect(error)
            if self.commits and not (self._in_transaction or self._lost):
                self.connection.rollback()  # some refuse all that follows a failure until then
            raise
        finally:
            if ends:  # a COMMIT that fails has ended it as well
                self._in_transaction = False
        self._in_transaction = self._in_transaction or begins
        return answer

    def _sent(self, text: str, values: Any, take: Take) -> Answer:
        with self._cursors() as cursor:
            sent, given = bound(text, values, str(self.dialect.paramstyle), self.grammar)
            cursor.execute(sent, given) if given else cursor.execute(sent)
            return self.answer(cursor, take)

    def _turned(self, text: str, ends: bool) -> Answer:
        """A BEGIN, COMMIT or ROLLBACK to a driver that begins by itself; its server must not be told twice."""
        if ends:
            self.connection.rollback() if _gives_up(text) else self.connection.commit()
        return Answer()

    def beat(self) -> None:
        self.dialect.do_ping(self.connection)

    def is_lost(self) -> bool:
        return self._lost

    def finds(self, name: str) -> bool:
        # Whether a SELECT that fails ends a transaction here is not known; then there may be such a table.
        return self.in_transaction or super().finds(name)

    def schemas(self) -> list[Schema]:
        with self._inspector() as inspector:
            return [Schema(name) for name in inspector.get_schema_names() if name != "information_schema"]

    def tables(self, schema: str) -> list[Table]:
        with self._inspector() as inspector:
            tables = [Table(schema, name) for name in inspector.get_table_names(schema)]
            return tables + [Table(schema, name, "view") for name in inspector.get_view_names(schema)]

    def has_table(self, name: str, schema: str) -> bool:
        """There is a table of this name."""
        with self._inspector() as inspector:
            return inspector.has_table(name, schema or None)

    def columns(self, schema: str, table: str) -> list[Column]:
        with self._inspector() as inspector:
            found = inspector.get_columns(table, schema)
        return [
            Column(one["name"], str(one["type"]), one.get("nullable"), one.get("default"), one.get("comment") or "")
            for one in found
        ]

    @contextmanager
    def _cursors(self) -> Iterator[Any]:
        with closing(self.connection.cursor()) as cursor:
            self._cursor = cursor
            try:
                yield cursor
            finally:
                self._cursor = None

    @contextmanager
    def _inspector(self) -> Iterator[sa.Inspector]:
        """SQLAlchemy's view of the catalogue, over a connection of its own: it ends transactions as it likes."""
        import sqlalchemy as sa

        try:
            with self.engine().connect() as connection:
                yield sa.inspect(connection)
            return
        except SiegeError as error:
            failure = error.with_traceback(None)
        except Exception as error:  # the border
            failure = self.adapter.translate(error, statement=True)
        raise failure

    def _is_disconnect(self, error: Exception) -> bool:
        known = isinstance(error, self.dialect.loaded_dbapi.Error)
        return known and bool(self.dialect.is_disconnect(error, self.connection, None))  # type: ignore[arg-type]


class UnstoppableSession(DialectSession):
    """A session whose driver has nothing that stops a statement."""

    cancel = None  # type: ignore[assignment]  # so do protocols know a class that is not Cancellable


class DialectAdapter(SQLAdapter[DatabaseParams]):
    """A database of a kind that is not ours, through an installed dialect of SQLAlchemy's."""

    kind, title = "database", "Database"
    drivers = ("sqlalchemy",)
    params_type = DatabaseParams
    rules = (
        Rule("57014", "cancelled"), Rule("08", "lost"), Rule("28", "auth", ("connection_string",)),
        Rule("42601", "syntax"), Rule("42P01", "not_found"), Rule("42S02", "not_found"), Rule("42703", "not_found"),
        Rule("23", "constraint"), Rule("22", "usage"), Rule("25", "usage"), Rule("42501", "permission"),
        Rule("IntegrityError", "constraint"), Rule("DataError", "usage"), Rule("NotSupportedError", "usage"),
        Rule(re.compile("(?i)interrupt|cancel"), "cancelled"),
        Rule(re.compile("(?i)syntax error|parse error|incorrect syntax|incomplete input"), "syntax"),
        Rule(re.compile("(?i)no such |does not exist|not found|doesn't exist|unknown (?:table|column)|invalid object"),
             "not_found"),
        Rule(re.compile("(?i)password|authenticat|log[io]n failed|access denied|credential"), "auth",
             ("connection_string",)),
        Rule("ProgrammingError", "usage"), Rule("InterfaceError", "usage"),
    )  # fmt: skip

    def __init__(self, params: DatabaseParams) -> None:
        super().__init__(params)
        self.autocommits = self.stops = False
        self.version = ""

    @property
    def session_type(self) -> type[DialectSession]:  # type: ignore[override]  # known once there is a connection
        return DialectSession if self.stops else UnstoppableSession

    @property
    def dialect(self) -> sa.Dialect:
        """The dialect, with its driver imported; MissingDriverError when one of them is not here."""
        import sqlalchemy as sa

        where = self.url()
        try:
            kind: Any = where.get_dialect()
            made: sa.Dialect | None = None if kind.is_async else kind(dbapi=kind.import_dbapi())
        except sa.exc.NoSuchModuleError:
            said, install = "has no dialect", "%pip install the package that brings the dialect"
        except ImportError as error:
            said = f"cannot import the driver ({mask(str(error))}) of"
            install = f"%pip install {error.name or 'the driver'}"
        else:
            if made is None:
                hint = "Leave its driver out, or name one that waits."
                raise InvalidError(f"{where.drivername} is a driver for asyncio only.", hint=hint)
            return made
        raise MissingDriverError(f"SQLAlchemy {said} {where.drivername}.", install=install)

    def ready(self) -> None:
        self.require_driver()
        assert self.dialect

    def open(self, host: Host) -> SQLSession:
        self.ready()
        return super().open(host)

    def address(self) -> tuple[str, int] | None:
        where = self.url()
        return (where.host, where.port) if where.host and where.port else None

    def url(self) -> sa.URL:
        return self._url(self.params.connection_string.reveal()).set(password=None, query={})

    def connect(self, deadline: float, *, autocommit: bool = True) -> Any:
        import sqlalchemy as sa

        engine = sa.create_engine(
            self._url(self.params.connection_string.reveal()), poolclass=sa.pool.NullPool, hide_parameters=True
        )
        pooled = engine.raw_connection()  # with all that the dialect does to a new connection
        connection: Any = pooled.dbapi_connection
        pooled.detach()
        with closing(connection.cursor()) as cursor:
            self.stops = _stopper(connection, cursor) is not None
        dialect = engine.dialect
        self.version = ".".join(str(part) for part in getattr(dialect, "server_version_info", None) or ())
        try:
            if autocommit and "AUTOCOMMIT" in dialect.get_isolation_level_values(connection):
                dialect.set_isolation_level(connection, "AUTOCOMMIT")
                self.autocommits = True
        except NotImplementedError:  # then each statement is committed by us
            self.autocommits = False
        return connection

    def identify(self, session: Session) -> dict[str, str]:
        dialect = self.dialect
        name = f"{dialect.name} over {dialect.driver}"
        return {"version": f"{name} {self.version}".strip()}

    @staticmethod
    def _url(text: str) -> sa.URL:
        """The string as SQLAlchemy's URL, with the password whole; what is secret in it is known to the mask."""
        import sqlalchemy as sa

        try:
            scheme, name, password, rest = urls.split_user(text)
            url = sa.make_url(f"{scheme}://{rest}").set(username=name or None, password=password or None)
        except (sa.exc.ArgumentError, ValueError):  # they quote it
            url = None
        if url is None:
            del text, name, password, rest
            raise InvalidError("SQLAlchemy cannot read the connection string.", hint=urls.HINT)
        for key, value in url.query.items():
            if _NAMED_SECRET.search(key):
                Secret(value if isinstance(value, str) else value[0])
        if url.password:
            Secret(str(url.password))
        return url


def bound(text: str, values: dict[str, Any], style: str, grammar: Grammar) -> tuple[str, Any]:
    """The text and its values in one of the DB-API's five styles, from `:name`."""
    pieces, given, at = [], [], 0
    percent = style in ("format", "pyformat") and bool(values)
    for name, start, end in binds.parse(text, grammar) if values else []:
        if name not in values:  # it is no bind here
            continue
        pieces.append(text[at:start].replace("%", "%%") if percent else text[at:start])
        given.append(values[name])
        pieces.append(MARKS[style].format(name=name, number=len(given)))
        at = end
    pieces.append(text[at:].replace("%", "%%") if percent else text[at:])
    return "".join(pieces), values if style in ("named", "pyformat") else given


def _stopper(*candidates: Any) -> Callable[[], Any] | None:
    """What stops a statement, of a connection or of a cursor."""
    found = (getattr(one, name, None) for one in candidates for name in ("interrupt", "cancel_safe", "cancel"))
    return next(filter(callable, found), None)


def _gives_up(text: str) -> bool:
    return re.match(r"\W*(?:ROLLBACK|ABORT)\b", text, re.IGNORECASE) is not None


_NAMED_SECRET = re.compile("pass|pwd|secret|token|key|odbc_connect", re.IGNORECASE)
