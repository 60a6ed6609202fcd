"""Connections that the user's own code made, in variables of the notebook: which they are, and a session over each.

They are lent: see `lent` for what that means. What their driver can do decides what ours can: a statement is stopped
where it has a way.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from siege_nb.adapters.base import Host
from siege_nb.adapters.dialect import DatabaseParams, DialectAdapter
from siege_nb.adapters.lent import (
    Leave,
    LentDialect,
    LentDuckDB,
    LentMySQL,
    LentPostgres,
    LentSQLite,
    UnstoppableDialect,
)
from siege_nb.adapters.mysql import MySQLAdapter, MySQLParams
from siege_nb.adapters.postgres import PostgresAdapter, PostgresParams
from siege_nb.adapters.spark import SparkAdapter, SparkParams
from siege_nb.adapters.spark_session import SparkSQLSession
from siege_nb.adapters.sqlite import SQLiteAdapter, SQLiteParams
from siege_nb.declare import Secret
from siege_nb.errors import InvalidError, SiegeError
from siege_nb.query.session import Session

if TYPE_CHECKING:
    import sqlalchemy as sa


@runtime_checkable
class DBAPIConnection(Protocol):
    """What every driver's connection can do by PEP 249."""

    def cursor(self) -> Any: ...
    def commit(self) -> Any: ...
    def rollback(self) -> Any: ...
    def close(self) -> Any: ...


#: Classes by the package they come from and their name, which is known without importing any.
_CLASSES = {
    ("duckdb", "DuckDBPyConnection"): "duckdb",
    ("sqlite3", "Connection"): "sqlite",
    ("psycopg", "Connection"): "postgres",
    ("mysql", "MySQLConnectionAbstract"): "mysql",
    ("mysql", "PooledMySQLConnection"): "mysql",
    ("sqlalchemy", "Engine"): "sqlalchemy",
    ("sqlalchemy", "Connection"): "sqlalchemy",
    ("pyspark", "SparkSession"): "spark",
}


def kind_of(value: object) -> str:
    """What kind of connection a variable holds; "" where it holds none that can be used."""
    for each in type(value).__mro__:
        if found := _CLASSES.get((each.__module__.partition(".")[0].lstrip("_"), each.__name__)):
            return found
    if isinstance(value, DBAPIConnection) and not inspect.iscoroutinefunction(type(value).commit):
        return "dbapi"
    return ""


def taken(value: Any, host: Host) -> Session:
    """A session over a connection that was made for us, which is closed with it."""
    end: Leave = getattr(value, "dispose", None) or getattr(value, "close", None) or (lambda: None)
    return lend(value, host, leave=end, is_own=True)


def made(url: str, host: Host, **arguments: Any) -> Session:
    """A session over a connection that SQLAlchemy makes, perhaps with arguments that only its driver knows."""
    import sqlalchemy as sa

    there = _There(url)
    there.ready()  # or says what is to be installed
    return taken(sa.create_engine(there.place, hide_parameters=True, **arguments), host)


def explained(error: Exception) -> SiegeError:
    """A foreign error while a connection was made, in our words."""
    from sqlalchemy.engine.default import DefaultDialect

    return _Given(DefaultDialect()).translate(error)


def lend(value: Any, host: Host, *, leave: Leave = lambda: None, is_own: bool = False) -> Session:
    """A session over a connection of somebody else's; `leave` is called when it is done with."""
    match kind_of(value):
        case "duckdb":
            return LentDuckDB(value, leave)
        case "spark":
            return _spark(value, leave)
        case "sqlalchemy":
            return _sqlalchemy(value, host, leave, is_own)
        case "sqlite":
            return LentSQLite(SQLiteAdapter(SQLiteParams()), value, host.deadline, leave)
        case "postgres":
            return LentPostgres(_postgres(value), value, host.deadline, leave)
        case "mysql":
            return LentMySQL(_mysql(value), value, host.deadline, leave)
        case "dbapi":
            return _dialect(_dialect_of(value), value, host, leave)
    raise InvalidError(f"A {type(value).__name__} is no connection that %sql could talk over.", hint=_THERE_ARE)


_THERE_ARE = (
    "It takes a SQLAlchemy engine or connection, a DuckDB, sqlite3 or other DB-API connection, or a SparkSession."
)


def _postgres(connection: Any) -> PostgresAdapter:
    info = connection.info  # not checked: it may be a socket's directory
    return PostgresAdapter(PostgresParams.model_construct(host=info.host, port=info.port, database=info.dbname,
                                                          username=info.user))  # fmt: skip


def _mysql(connection: Any) -> MySQLAdapter:
    return MySQLAdapter(
        MySQLParams.model_construct(
            host=connection.server_host,
            port=connection.server_port,
            username=connection.user,
            database=connection.database or "",
        )
    )


def _spark(session: Any, leave: Leave) -> SparkSQLSession:
    adapter = SparkAdapter(SparkParams())
    return SparkSQLSession(
        session,
        is_remote=".connect." in type(session).__module__,
        explain=lambda error: adapter.translate(error, statement=True),
        leave=leave,
    )


class _There(DialectAdapter):
    """What a URL of SQLAlchemy's needs on this machine; its password is known to the mask from here on."""

    def __init__(self, url: str) -> None:
        self.place = self._url(url)
        super().__init__(DatabaseParams.model_construct())

    def url(self) -> sa.URL:
        return self.place.set(password=None)


class _Given(DialectAdapter):
    """What a session asks of its adapter, where there is a connection already."""

    def __init__(self, dialect: sa.Dialect) -> None:
        super().__init__(DatabaseParams(connection_string=Secret(f"{dialect.name}://")))
        self._dialect = dialect

    @property
    def dialect(self) -> sa.Dialect:
        return self._dialect


def _sqlalchemy(value: Any, host: Host, leave: Leave, is_own: bool) -> Session:
    """Over what an engine's pool lends, or what a connection of SQLAlchemy's stands before."""
    import sqlalchemy as sa

    is_theirs: Callable[[], bool] | None = None
    if isinstance(value, sa.Engine):
        if isinstance(value.pool, sa.pool.SingletonThreadPool) and not is_own:
            raise InvalidError(
                "This engine gives each thread a database of its own, and cells run in another, so that Stop reaches"
                " them.",
                hint="Make it with poolclass=sqlalchemy.StaticPool, connect_args={'check_same_thread': False}.",
            )
        pooled: Any = value.raw_connection()
        engine = value

        def leave_it() -> None:
            pooled.close()  # which gives it back to the engine
            leave()
    else:
        pooled, engine, leave_it, is_theirs = value.connection, value.engine, leave, value.in_transaction
    driver = pooled.driver_connection
    if kind_of(driver) in ("sqlite", "postgres", "mysql") and driver is pooled.dbapi_connection:
        return lend(driver, host, leave=leave_it)
    session = _dialect(engine.dialect, pooled.dbapi_connection, host, leave_it)
    session.theirs = engine
    if is_theirs is not None:
        session.is_theirs = is_theirs
    return session


def _dialect(dialect: sa.Dialect, connection: Any, host: Host, leave: Leave) -> LentDialect:
    with closing(connection.cursor()) as cursor:
        stops = any(
            callable(getattr(one, name, None))
            for one in (connection, cursor)
            for name in ("interrupt", "cancel_safe", "cancel")
        )
    session = LentDialect if stops else UnstoppableDialect
    return session(_Given(dialect), connection, host.deadline, leave)


#: SQLAlchemy's names for the drivers of which it knows more than PEP 249 says.
_DIALECTS = {
    "psycopg2": "postgresql+psycopg2", "pg8000": "postgresql+pg8000", "pymysql": "mysql+pymysql",
    "MySQLdb": "mysql+mysqldb", "mariadb": "mariadb+mariadbconnector", "oracledb": "oracle+oracledb",
    "pymssql": "mssql+pymssql",
}  # fmt: skip


def _dialect_of(connection: Any) -> sa.Dialect:
    import sqlalchemy as sa

    path = type(connection).__module__.split(".")
    parents = [sys.modules.get(".".join(path[:end])) for end in range(1, len(path) + 1)]
    driver = next((module for module in parents if isinstance(getattr(module, "paramstyle", None), str)), None)
    if driver is None:
        raise InvalidError(f"The driver of this {type(connection).__name__} does not say how it takes values.",
                           hint=_THERE_ARE)  # fmt: skip
    if path[0] in _DIALECTS:
        kind: Any = sa.make_url(f"{_DIALECTS[path[0]]}://").get_dialect()
        return kind(dbapi=driver)  # type: ignore[no-any-return]
    from sqlalchemy.engine.default import DefaultDialect

    return DefaultDialect(dbapi=driver, paramstyle=driver.paramstyle)
