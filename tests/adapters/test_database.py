"""The kind `database`: as the kind that its string means, and through any dialect of SQLAlchemy's."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import registry

from siege_nb.adapters.database import DatabaseAdapter
from siege_nb.adapters.dialect import DatabaseParams, DialectSession, bound
from siege_nb.adapters.duckdb import DuckDBSession
from siege_nb.adapters.postgres import PostgresSession
from siege_nb.adapters.sqlite import SQLiteSession
from siege_nb.declare import structure
from siege_nb.errors import (
    AuthError,
    ConnectError,
    IntegrityError,
    InvalidError,
    MissingDriverError,
    QueryError,
    QueryTimeoutError,
    SiegeError,
)
from siege_nb.masking import mask
from siege_nb.query.ask import ask
from siege_nb.query.run import Worker
from siege_nb.query.session import Browsable, Cancellable, Queryable
from siege_nb.query.statements import STANDARD
from siege_nb.testing import BareHost
from tests.adapters import dialects
from tests.servers import Postgres, SilentServer, closed_port


@pytest.fixture(scope="module", autouse=True)
def _dialects() -> None:
    """Databases of strangers' kinds, with real drivers: what their packages would register."""
    for name, dialect in (("strange", "Strange"), ("elephant", "Elephant"), ("stubborn", "Stubborn"),
                          ("orphan", "Orphan"), ("hasty", "Hasty")):  # fmt: skip
        registry.register(name, dialects.__name__, dialect)


def adapter(text: str) -> DatabaseAdapter:
    return DatabaseAdapter(structure(DatabaseParams, {"connection_string": text}))


def connect(text: str, deadline: float = 10.0) -> Any:
    return adapter(text).open(BareHost(deadline=deadline))


def refused(text: str, kind: type[SiegeError] = ConnectError, deadline: float = 10.0) -> Any:
    with pytest.raises(kind) as caught:
        connect(text, deadline)
    assert caught.value.__context__ is None
    return caught.value


def rows(session: Queryable, sql: str, **values: Any) -> list[dict[str, Any]]:
    table = ask(session, sql, values)[0][-1].table
    assert table is not None
    return table.to_pylist()


def on(server: Postgres, scheme: str, password: str | None = None) -> str:
    where = sa.URL.create(scheme, server.username, password or server.password, server.host, server.port,
                          server.database)  # fmt: skip
    return where.render_as_string(hide_password=False)


# --- the kinds that are known


def test_sqlite_in_memory_passes_its_test() -> None:
    result = adapter("sqlite://").test(BareHost())
    assert result.ok
    assert [step.name for step in result.steps] == ["driver", "auth", "identity", "browse"]


@pytest.mark.parametrize(("text", "kind"), [
    ("sqlite://", SQLiteSession), ("sqlite+pysqlite:///:memory:", SQLiteSession), ("duckdb://", DuckDBSession),
    ("duckdb+duckdb_sqlalchemy:///:memory:", DuckDBSession),
])  # fmt: skip
def test_a_string_of_a_known_kind_opens_that_kinds_session(text: str, kind: type) -> None:
    session = connect(text)
    assert isinstance(session, kind)
    assert rows(session, "SELECT :x AS x", x=1) == [{"x": 1}]
    session.close()


def test_a_server_of_a_known_kind_is_tested_by_that_kinds_steps(postgres: Postgres) -> None:
    session = connect(on(postgres, "postgresql+psycopg2"))
    assert isinstance(session, PostgresSession)
    session.close()
    result = adapter(on(postgres, "postgres")).test(BareHost())
    assert result.ok
    assert [step.name for step in result.steps] == ["driver", "dns", "tcp", "auth", "identity", "browse"]
    assert result.server["version"].startswith("PostgreSQL")


def test_what_is_wrong_with_it_is_wrong_with_the_string(postgres: Postgres) -> None:
    error = refused(on(postgres, "postgresql", "wrong-passw0rd"))
    assert isinstance(error, AuthError)
    assert (error.problem, error.fields) == ("auth", ("connection_string",))
    result = adapter(f"postgresql://me@127.0.0.1:{closed_port()}/db").test(BareHost())
    assert isinstance(result.error, ConnectError)
    assert (result.error.problem, result.error.fields) == ("refused", ("connection_string",))


def test_half_of_a_password_is_never_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    asked = []

    def look_up(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    for scheme in ("postgresql", "elephant"):
        assert refused(f"{scheme}://me:s3cr@t@db.invalid:5432/x").problem == "dns"
    assert asked == ["db.invalid", "db.invalid"]


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for text in ("sqlite:///rel.db", f"sqlite:///{tmp_path}/a.db", "duckdb:///rel.duckdb"):
        error = refused(text)
        assert error.fields == ("connection_string",)
        assert str(tmp_path) in error.message
        assert not adapter(text).test(BareHost()).ok
    assert list(tmp_path.iterdir()) == []
    connect("sqlite:///rel.db?create=true").close()
    assert [path.name for path in tmp_path.iterdir()] == ["rel.db"]


def test_what_is_not_acted_on_is_told(caplog: pytest.LogCaptureFixture) -> None:
    text = "sqlite:///:memory:?cache=shared&password=s3cret"
    told: list[Any] = []
    result = adapter(text).test(BareHost(), told.append)
    assert result.ok
    assert tuple(told) == result.steps
    warned = [step.detail for step in result.steps if step.status == "warn"]
    assert warned == ["Not acted on: cache.", "Not acted on: password."]
    with caplog.at_level(logging.WARNING):
        connect(text).close()
    assert "cache, password" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_value_that_does_not_fit_names_its_field() -> None:
    error = refused("postgresql://me@h/db?sslmode=maybe", InvalidError)
    assert [issue.path for issue in error.issues] == ["sslmode"]
    result = adapter("postgresql://me@h/db?sslmode=maybe").test(BareHost())
    assert [(step.name, step.status) for step in result.steps] == [("config", "fail")]


# --- any dialect: SQLite by question marks, PostgreSQL by %(name)s, and a driver that knows no autocommit


@pytest.fixture(params=["strange", "elephant", "stubborn"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "elephant":
        opened = connect(on(request.getfixturevalue("postgres"), "elephant"))
    else:
        opened = connect(f"{request.param}:///{tmp_path}/x.db")
    assert isinstance(opened, DialectSession)
    yield opened
    opened.close()


def test_a_dialect_of_a_stranger_is_tested_step_by_step(tmp_path: Path, postgres: Postgres) -> None:
    for text in (f"strange:///{tmp_path}/x.db", "stubborn://"):
        result = adapter(text).test(BareHost())
        assert result.ok, result
        assert [step.name for step in result.steps] == ["driver", "auth", "identity", "browse"]
        assert "3." in result.server["version"]
    result = adapter(on(postgres, "elephant")).test(BareHost())
    assert result.ok, result
    assert [step.name for step in result.steps] == ["driver", "dns", "tcp", "auth", "identity", "browse"]


def test_rows_and_binds_come_back(session: Any) -> None:
    found = rows(session, "SELECT :n + :n AS n, :text AS text, '100% :n' AS \"a%b\" WHERE 7 IN (:xs)",
                 n=4, text="it's %s ? :x", xs=[7, 8])  # fmt: skip
    assert found == [{"n": 8, "text": "it's %s ? :x", "a%b": "100% :n"}]
    assert rows(session, "SELECT '%s :x ?' AS x, 5 % 3 AS y") == [{"x": "%s :x ?", "y": 2}]


def test_an_empty_list_holds_nothing(session: Any) -> None:
    assert rows(session, "SELECT 1 AS x WHERE 'a' IN (:xs)", xs=[]) == []
    assert rows(session, "SELECT :n AS x WHERE 'a' NOT IN (:xs)", n=1, xs=[]) == [{"x": 1}]


def test_each_statement_is_kept_and_a_transaction_is_the_users(session: Any) -> None:
    ask(session, "DROP TABLE IF EXISTS kept; CREATE TABLE kept (n INTEGER PRIMARY KEY)", {})
    counts = [answer.rowcount for answer in ask(session, "INSERT INTO kept VALUES (1), (2)", {})[0]]
    assert counts == [2]
    other = connect_again(session)
    assert rows(other, "SELECT count(*) AS n FROM kept") == [{"n": 2}]
    assert not session.in_transaction
    ask(session, "BEGIN; INSERT INTO kept VALUES (3)", {})
    assert session.in_transaction
    assert rows(session, "SELECT count(*) AS n FROM kept") == [{"n": 3}]
    ask(session, "ROLLBACK", {})
    assert not session.in_transaction
    ask(session, "BEGIN; INSERT INTO kept VALUES (4); COMMIT", {})
    assert not session.in_transaction
    assert rows(other, "SELECT n FROM kept ORDER BY n") == [{"n": 1}, {"n": 2}, {"n": 4}]
    with pytest.raises(IntegrityError):
        ask(session, "INSERT INTO kept VALUES (4)", {})
    assert rows(session, "SELECT 3 AS three") == [{"three": 3}]
    other.close()
    ask(session, "DROP TABLE kept", {})


def connect_again(session: Any) -> Any:
    return DatabaseAdapter(session.adapter.params).open(BareHost())


def test_what_there_is_can_be_browsed(session: Any) -> None:
    ask(session, "DROP TABLE IF EXISTS seen; CREATE TABLE seen (id INTEGER NOT NULL, name VARCHAR(20))", {})
    assert isinstance(session, Browsable)
    (home,) = [s.name for s in session.schemas() if any(t.name == "seen" for t in session.tables(s.name))]
    found = [(c.name, c.native_type, c.nullable) for c in session.columns(home, "seen")]
    assert found == [("id", "INTEGER", False), ("name", "VARCHAR(20)", True)]
    ask(session, "DROP TABLE seen", {})
    with pytest.raises(SiegeError):
        session.columns(home, "seen")


@pytest.mark.parametrize(("sql", "kind"), [
    ("SELEC 1", "syntax"), ("SELECT * FROM nope_nope", "not_found"), ("SELECT nope_nope", "not_found"),
])  # fmt: skip
def test_a_wrong_statement_is_told_by_kind_and_the_session_goes_on(session: Any, sql: str, kind: str) -> None:
    with pytest.raises(QueryError) as caught:
        ask(session, sql, {})
    assert caught.value.kind == kind
    assert caught.value.__context__ is None
    assert rows(session, "SELECT 3 AS three") == [{"three": 3}]


def test_a_running_statement_is_cancelled_by_what_the_driver_has(session: Any) -> None:
    assert isinstance(session, Cancellable)
    is_server = session.dialect.name == "elephant"
    long = "SELECT pg_sleep(60)" if is_server else dialects.ENDLESS
    worker = Worker("x")
    began = time.monotonic()
    with pytest.raises(QueryTimeoutError):
        worker.call(lambda: ask(session, long, {}), cancel=session.cancel, timeout=0.3)
    assert time.monotonic() - began < 2.5
    assert not worker.lost
    assert worker.call(lambda: rows(session, "SELECT 3 AS three")) == [{"three": 3}]
    worker.close()


def test_a_driver_that_cannot_cancel_is_not_asked_to() -> None:
    session = connect("hasty://")
    assert isinstance(session, Queryable)
    assert not isinstance(session, Cancellable)
    session.close()


def test_it_gives_a_sign_of_life_and_closes_twice(session: Any) -> None:
    session.ping()
    session.close()
    session.close()
    with pytest.raises(ConnectError, match="closed"):
        ask(session, "SELECT 1", {})


def test_a_session_that_the_server_ends_is_lost(postgres: Postgres) -> None:
    session = connect(on(postgres, "elephant"))
    pid = rows(session, "SELECT pg_backend_pid() AS pid")[0]["pid"]
    postgres.sql(f"SELECT pg_terminate_backend({pid})")
    with pytest.raises(ConnectError) as caught:
        ask(session, "SELECT 1", {})
    assert caught.value.problem == "lost"
    session.close()


def test_sqlalchemys_engine_leads_to_the_same_place(session: Any) -> None:
    ask(session, "DROP TABLE IF EXISTS same; CREATE TABLE same (n INTEGER); INSERT INTO same VALUES (7)", {})
    with session.engine().connect() as connection:
        assert connection.execute(sa.text("SELECT n FROM same")).scalar() == 7
    ask(session, "DROP TABLE same", {})


# --- what is missing, and what must not be seen


def test_a_dialect_that_is_not_installed_is_told_without_the_string() -> None:
    error = refused("firebird+fdb://me:s3cr3t-w0rd@h/db", MissingDriverError)
    assert "firebird+fdb" in error.message
    result = adapter("firebird+fdb://me:s3cr3t-w0rd@h/db").test(BareHost())
    assert [(step.name, step.status) for step in result.steps] == [("driver", "fail")]
    assert "s3cr3t" not in repr(result)


def test_a_dialect_without_its_driver_names_the_driver() -> None:
    error = refused("orphan://me:s3cr3t-w0rd@h/db", MissingDriverError)
    assert error.install == "%pip install no_such_driver_at_all"


def test_a_driver_for_asyncio_is_refused() -> None:
    registry.register("waiting", dialects.__name__, "Waiting")
    assert "asyncio" in refused("waiting://", InvalidError).message


@pytest.mark.parametrize("text", [
    "jdbc:oracle:thin:me/s3cr3t-w0rd@h:1521/s", "jdbc:oracle:thin:me/s3cr3t-w0rd@//h:1521/s",
    "jdbc:oracle:thin:me/s3cr3t-w0rd@tcps://h:1521/s", "jdbc:sqlserver://h;user=me;password=s3cr3t-w0rd",
])  # fmt: skip
def test_what_sqlalchemy_cannot_read_is_not_quoted(text: str) -> None:
    error = refused(text, InvalidError)
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    below = [frame for frame in told.stack if "/siege_nb/" in frame.filename]
    assert below
    assert "s3cr3t" not in str(error) + "".join(str(frame.locals) for frame in below)
    assert "s3cr3t" not in repr(adapter(text).test(BareHost()))


@pytest.mark.parametrize("part", ["password", "query"])
def test_no_error_of_a_dialect_shows_a_secret(postgres: Postgres, part: str) -> None:
    secret = f"c4nary-{part}-0f-6"
    text = on(postgres, "elephant", secret if part == "password" else "x1")
    text += f"?passfile={secret}" if part == "query" else ""
    error = refused(text)
    assert isinstance(error, AuthError)
    assert error.fields == ("connection_string",)
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    below = [frame for frame in told.stack if "/siege_nb/" in frame.filename]
    assert below
    assert secret not in str(error) + "".join(str(frame.locals) for frame in below)
    assert secret not in mask(f"a driver that says {secret}")


def test_a_silent_server_is_given_up_in_time() -> None:
    with SilentServer() as server:
        began = time.monotonic()
        error = refused(f"elephant://me:s3cret@{server.host}:{server.port}/db", deadline=0.5)
        assert time.monotonic() - began < 3
        assert server.accepted
    assert error.problem == "timeout"


def test_threads_of_a_session_do_not_meet(tmp_path: Path) -> None:
    session = connect(f"strange:///{tmp_path}/x.db")
    threads = [threading.Thread(target=lambda: rows(session, "SELECT 1 AS x")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.close()
    assert sqlite3.connect(tmp_path / "x.db").close() is None


@pytest.mark.parametrize(("style", "sent", "given"), [
    ("qmark", "SELECT ?, ?, ':x %' % 1, ?", [1, 2, 1]), ("numeric", "SELECT :1, :2, ':x %' % 1, :3", [1, 2, 1]),
    ("numeric_dollar", "SELECT $1, $2, ':x %' % 1, $3", [1, 2, 1]),
    ("format", "SELECT %s, %s, ':x %%' %% 1, %s", [1, 2, 1]),
    ("named", "SELECT :a, :b, ':x %' % 1, :a", {"a": 1, "b": 2}),
    ("pyformat", "SELECT %(a)s, %(b)s, ':x %%' %% 1, %(a)s", {"a": 1, "b": 2}),
])  # fmt: skip
def test_values_are_sent_in_the_drivers_style(style: str, sent: str, given: Any) -> None:
    assert bound("SELECT :a, :b, ':x %' % 1, :a", {"a": 1, "b": 2}, style, STANDARD) == (sent, given)
    assert bound("SELECT 5 % 3", {}, style, STANDARD)[0] == "SELECT 5 % 3"
