"""Sessions over the user's own connections: they work, can be stopped, and leave the object as it was found."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa

from siege_nb.adapters import objects
from siege_nb.errors import InvalidError, QueryError, QueryTimeoutError
from siege_nb.pool import Lease, dismiss
from siege_nb.query.ask import How, ask
from siege_nb.query.run import Worker
from siege_nb.query.session import Browsable, Loadable
from siege_nb.testing import BareHost
from tests.adapters.dialects import ENDLESS
from tests.servers import MariaDB, Postgres


@contextmanager
def lent(value: Any) -> Iterator[Lease]:
    """A session over the object in a thread of its own, as the pool lends it."""
    worker = Worker("lent")
    lease = Lease("lent", None, worker.call(lambda: objects.lend(value, BareHost())), worker)
    try:
        yield lease
    finally:
        dismiss(lease)


def rows(lease: Lease, sql: str, how: How | None = None, timeout: float | None = None, **values: Any) -> Any:
    session = lease.queryable
    assert session is not None
    answers = lease.call(lambda: ask(session, sql, values, how or How())[0], timeout=timeout)
    return None if answers[-1].table is None else [tuple(row.values()) for row in answers[-1].table.to_pylist()]


def sqlite_here() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", check_same_thread=False)


@pytest.fixture
def pg(postgres: Postgres) -> Iterator[Any]:
    with postgres.connect() as connection:
        connection.autocommit = False  # as psycopg's own default is
        yield connection


@pytest.fixture
def my(mariadb: MariaDB) -> Iterator[Any]:
    connection = mariadb.connect(autocommit=False)
    yield connection
    connection.close()


@pytest.fixture(params=["duckdb", "sqlite", "postgres", "mysql", "engine", "dialect", "bare"])
def thing(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    """A connection of each sort, as a user would make it."""
    match request.param:
        case "duckdb":
            return duckdb.connect()
        case "sqlite":
            return sqlite_here()
        case "postgres":
            return request.getfixturevalue("pg")
        case "mysql":
            return request.getfixturevalue("my")
        case "engine":
            return sa.create_engine(f"sqlite:///{tmp_path}/engine.db")
        case "dialect":
            sa.dialects.registry.register("strange", "tests.adapters.dialects", "Strange")
            return sa.create_engine(f"strange:///{tmp_path}/strange.db")
    return request.getfixturevalue("bare")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The connection of a driver that nobody knows: all that it has is what PEP 249 asks for."""
    module = ModuleType("nobodys_driver")
    module.paramstyle, module.Error = "qmark", sqlite3.Error  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nobodys_driver", module)
    inner = sqlite_here()

    class Connection:
        def cursor(self) -> Any:
            return inner.cursor()

        def commit(self) -> None:
            inner.commit()

        def rollback(self) -> None:
            inner.rollback()

        def close(self) -> None:
            inner.close()

    Connection.__module__ = "nobodys_driver"
    return Connection()


def test_statements_run_with_binds_and_count_at_once(thing: Any) -> None:
    with lent(thing) as lease:
        rows(lease, "DROP TABLE IF EXISTS lent_t")
        rows(lease, "CREATE TABLE lent_t (a INT)")
        rows(lease, "INSERT INTO lent_t VALUES (:n), (:n + 1)", n=5)
        assert rows(lease, "SELECT a FROM lent_t WHERE a = :n", n=6) == [(6,)]
        assert not lease.in_transaction
        with pytest.raises(QueryError) as caught:
            rows(lease, "SELECT * FROM nosuch_table")
        assert caught.value.kind == "not_found"
        assert not lease.in_transaction
        rows(lease, "BEGIN; INSERT INTO lent_t VALUES (9)")
        assert lease.in_transaction
        rows(lease, "ROLLBACK")
        assert not lease.in_transaction
        rows(lease, "BEGIN; INSERT INTO lent_t VALUES (9); COMMIT")
        assert rows(lease, "SELECT count(*) AS n FROM lent_t") == [(3,)]
    if isinstance(thing, sa.Engine):
        with thing.connect() as connection:
            assert connection.execute(sa.text("SELECT count(*) FROM lent_t")).scalar() == 3
        return
    cursor = thing.cursor()
    cursor.execute("SELECT count(*) FROM lent_t")
    assert cursor.fetchall() == [(3,)], "it was closed, or what was written is not there"
    cursor.execute("DROP TABLE lent_t")


def test_a_whole_cell_is_one_transaction_there_too(thing: Any) -> None:
    with lent(thing) as lease:
        rows(lease, "CREATE TABLE whole_t (a INT)")
        with pytest.raises(QueryError):
            rows(lease, "INSERT INTO whole_t VALUES (1); INSERT INTO nosuch VALUES (1)", How(whole=True))
        assert rows(lease, "SELECT count(*) AS n FROM whole_t") == [(0,)]
        rows(lease, "DROP TABLE whole_t")


def test_what_the_user_left_open_is_not_committed(pg: Any, postgres: Postgres) -> None:
    pg.execute("CREATE TABLE theirs (a INT)")
    with lent(pg) as lease:
        rows(lease, "INSERT INTO theirs VALUES (1)")
        assert rows(lease, "SELECT a FROM theirs") == [(1,)]
        assert lease.in_transaction
    assert postgres.sql("SELECT count(*) FROM pg_class WHERE relname = 'theirs'") == [(0,)]
    pg.rollback()


def test_sqlite_and_its_settings_are_as_they_were_found() -> None:
    connection = sqlite_here()
    connection.row_factory = sqlite3.Row
    with lent(connection) as lease:
        assert rows(lease, "SELECT 1 AS a") == [(1,)]
        assert connection.row_factory is sqlite3.Row
        assert connection.isolation_level == ""
        rows(lease, "CREATE TABLE t (a INT); BEGIN; INSERT INTO t VALUES (1)")
        assert lease.in_transaction
    assert connection.isolation_level == ""
    assert not connection.in_transaction, "a cell's transaction outlived its session"
    assert connection.execute("SELECT count(*) FROM t").fetchone()[0] == 0


def test_psycopg_and_its_settings_are_as_they_were_found(pg: Any) -> None:
    from decimal import Decimal

    from psycopg import Cursor
    from psycopg.rows import dict_row

    pg.row_factory = dict_row
    with lent(pg) as lease:
        assert rows(lease, "SELECT 1.5::numeric AS a, :n::int AS n", n=2) == [(Decimal("1.5"), 2)]
        assert rows(lease, "VALUES (1)") == [(1,)]
        assert pg.execute("SELECT 1.5::numeric AS a").fetchone() == {"a": Decimal("1.5")}
        pg.rollback()
    assert (pg.row_factory, pg.cursor_factory, pg.autocommit) == (dict_row, Cursor, False)
    assert not pg.closed


def test_mysql_and_its_settings_are_as_they_were_found(my: Any) -> None:
    with lent(my) as lease:
        assert rows(lease, "SELECT 1 AS a") == [(1,)]
        assert lease.cancel is None, "its password is not ours to stop it with"
    assert my.autocommit is False
    assert my.can_consume_results is False
    assert my.is_connected()


def test_duckdb_and_its_settings_are_as_they_were_found() -> None:
    connection = duckdb.connect()
    sees = "SELECT current_setting('python_enable_replacements'), current_setting('enable_progress_bar_print')"
    before = connection.execute(sees).fetchall()
    connection.execute("CREATE TEMP TABLE t AS SELECT 5 AS a")
    with lent(connection) as lease:
        assert rows(lease, "FROM t") == [(5,)]
        assert connection.execute(sees).fetchall() == before
    frame = duckdb.sql("SELECT 7 AS a").df()
    assert len(frame) == 1
    assert connection.execute("SELECT a FROM frame").fetchall() == [(7,)]


@pytest.mark.parametrize("make", [duckdb.connect, sqlite_here], ids=["duckdb", "sqlite"])
def test_a_statement_is_stopped_and_the_object_lives(make: Callable[[], Any]) -> None:
    connection = make()
    endless = ENDLESS if make is sqlite_here else "SELECT count(*) FROM range(10000000000) a WHERE hash(range) % 7 = 9"
    with lent(connection) as lease:
        with pytest.raises(QueryTimeoutError, match="no longer runs"):
            rows(lease, endless, timeout=0.3)
        assert rows(lease, "SELECT 1 AS a") == [(1,)]
    assert connection.execute("SELECT 2").fetchall() == [(2,)]


def test_a_statement_of_psycopgs_is_stopped(pg: Any) -> None:
    with lent(pg) as lease:
        with pytest.raises(QueryTimeoutError, match="no longer runs"):
            rows(lease, "SELECT pg_sleep(60)", timeout=0.3)
        assert rows(lease, "SELECT 1 AS a") == [(1,)]


def test_a_sqlite3_connection_that_is_bound_to_its_thread_says_the_way_out() -> None:
    with (
        pytest.raises(InvalidError, match="serves only the thread that made it") as caught,
        lent(sqlite3.connect(":memory:")),
    ):
        pass
    assert "check_same_thread=False" in caught.value.hint
    assert "%sql sqlite:///PATH" in caught.value.hint


def test_an_engine_that_has_a_database_for_each_thread_says_the_way_out() -> None:
    with (
        pytest.raises(InvalidError, match="gives each thread a database of its own") as caught,
        lent(sa.create_engine("sqlite://")),
    ):
        pass
    assert "StaticPool" in caught.value.hint
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE t AS SELECT 1 AS a"))
    with lent(engine) as lease:
        assert rows(lease, "SELECT a FROM t") == [(1,)]


def test_a_connection_of_sqlalchemys_keeps_its_transaction(tmp_path: Any) -> None:
    sa.dialects.registry.register("strange", "tests.adapters.dialects", "Strange")
    for url in (f"sqlite:///{tmp_path}/a.db", f"strange:///{tmp_path}/b.db"):
        with sa.create_engine(url).connect() as connection:
            connection.execute(sa.text("CREATE TABLE t (a INT)"))
            connection.commit()
            connection.execute(sa.text("INSERT INTO t VALUES (1)"))
            with lent(connection) as lease:
                rows(lease, "INSERT INTO t VALUES (2)")
                assert rows(lease, "SELECT count(*) AS n FROM t") == [(2,)]
            connection.rollback()
            assert connection.execute(sa.text("SELECT count(*) FROM t")).scalar() == 0, url


def test_what_is_there_can_be_looked_at_where_there_is_an_engine(tmp_path: Any) -> None:
    sa.dialects.registry.register("strange", "tests.adapters.dialects", "Strange")
    with lent(sa.create_engine(f"strange:///{tmp_path}/b.db")) as lease:
        rows(lease, "CREATE TABLE t (a INT)")
        session = lease.session
        assert isinstance(session, Browsable)
        assert [table.name for table in lease.call(lambda: session.tables("main"))] == ["t"]


def test_a_bare_connection_says_that_it_cannot_be_looked_at(bare: Any) -> None:
    with lent(bare) as lease:
        session: Any = lease.session
        assert lease.cancel is None
        with pytest.raises(InvalidError, match="cannot be listed"):
            lease.call(session.schemas)


def test_frames_can_be_written_over_them(thing: Any) -> None:
    import pyarrow as pa

    with lent(thing) as lease:
        session = lease.session
        assert isinstance(session, Loadable)
        assert lease.call(lambda: session.load(pa.table({"a": [1, 2]}), "lent_frame", "", "replace")) == 2
        assert rows(lease, "SELECT sum(a) AS s FROM lent_frame") == [(3,)]
        assert not lease.in_transaction
        rows(lease, "DROP TABLE lent_frame")


@pytest.mark.parametrize("value", [5, "x", None, sqlite3, object(), duckdb.connect, sa.MetaData()])
def test_what_is_no_connection_is_none(value: Any) -> None:
    assert objects.kind_of(value) == ""
    with pytest.raises(InvalidError, match="is no connection"):
        objects.lend(value, BareHost())


def test_a_spark_session_is_one() -> None:
    pytest.importorskip("pyspark")
    from pyspark.sql import SparkSession

    assert objects.kind_of(SparkSession.__new__(SparkSession)) == "spark"
