"""SQLite, in files and in memory."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from siege_nb.adapters.sqlite import SQLiteAdapter, SQLiteParams, SQLiteSession
from siege_nb.declare import structure
from siege_nb.errors import (
    ConnectError,
    IntegrityError,
    InvalidError,
    MissingDriverError,
    QueryError,
    QueryTimeoutError,
)
from siege_nb.query.ask import ask
from siege_nb.testing import BareHost


def connect(deadline: float = 10, **given: Any) -> SQLiteSession:
    session = SQLiteAdapter(structure(SQLiteParams, given)).open(BareHost(deadline=deadline))
    assert isinstance(session, SQLiteSession)
    return session


@pytest.fixture
def session() -> Iterator[SQLiteSession]:
    """A session in memory."""
    opened = connect()
    yield opened
    opened.close()


def table(session: SQLiteSession, sql: str, **values: Any) -> pa.Table:
    found = session.execute(sql, values).table
    assert found is not None
    return found


def failed(session: SQLiteSession, sql: str, **values: Any) -> QueryError:
    with pytest.raises(QueryError) as caught:
        session.execute(sql, values)
    assert caught.value.__context__ is None
    return caught.value


# --- opening


@pytest.mark.parametrize("given", [{}, {"read_only": True}])
def test_a_path_that_is_none_is_told_and_not_made(tmp_path: Path, given: dict[str, Any]) -> None:
    path = tmp_path / "typo.sqlite"
    with pytest.raises(ConnectError) as caught:
        connect(database=str(path), **given)
    assert (caught.value.problem, caught.value.fields) == ("database", ("database",))
    assert caught.value.message == f"There is no SQLite file at {path}."
    assert "create" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_made_when_asked_for_and_kept(tmp_path: Path) -> None:
    path = str(tmp_path / "odd ?#%41 name.sqlite")
    first = connect(database=path, create=True)
    first.execute("CREATE TABLE t (n)", {})
    first.close()
    second = connect(database=path)
    assert second.execute("INSERT INTO t VALUES (1), (2)", {}).rowcount == 2
    second.close()
    third = connect(database=path, read_only=True)
    assert table(third, "SELECT count(*) AS n FROM t").to_pylist() == [{"n": 2}]
    assert failed(third, "INSERT INTO t VALUES (3)").kind == "permission"
    third.close()
    assert [found.name for found in tmp_path.iterdir()] == ["odd ?#%41 name.sqlite"]


def test_to_create_and_only_to_read_do_not_go_together() -> None:
    with pytest.raises(InvalidError, match="cannot be created"):
        structure(SQLiteParams, {"database": "x", "create": True, "read_only": True})


def test_a_relative_path_means_the_same_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert structure(SQLiteParams, {"database": "x.sqlite"}).database == str(tmp_path / "x.sqlite")
    assert structure(SQLiteParams, {}).database == ":memory:"
    with pytest.raises(InvalidError, match="database"):
        structure(SQLiteParams, {"database": ""})


def test_what_is_no_database_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear SQLite, this is not a database at all." * 30)
    for path, problem in ((tmp_path / "letter.txt", "no SQLite database"), (tmp_path, "may not open it")):
        with pytest.raises(ConnectError, match=problem) as caught:
            connect(database=str(path))
        assert (caught.value.problem, caught.value.fields) == ("database", ("database",))
        assert caught.value.__context__ is None


def test_a_missing_driver_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SQLiteAdapter, "drivers", ("no_such_driver",))
    with pytest.raises(MissingDriverError):
        connect()


# --- types and binds


@pytest.mark.parametrize(("values", "kind", "back"), [
    ("(1), (NULL), (9223372036854775807)", pa.int64(), [1, None, 2**63 - 1]),
    ("(1), (2.5), (NULL)", pa.float64(), [1.0, 2.5, None]),
    ("('é'), (NULL)", pa.string(), ["é", None]),
    ("(x'00ff'), (NULL)", pa.binary(), [b"\x00\xff", None]),
    ("(1), ('a'), (2.0)", pa.string(), ["1", "a", "2.0"]),
    ("('a'), (x'ff'), (1)", pa.binary(), [b"a", b"\xff", b"1"]),
    ("(NULL)", pa.null(), [None]),
])  # fmt: skip
def test_a_columns_type_is_what_its_values_agree_on(
    session: SQLiteSession, values: str, kind: pa.DataType, back: list[Any]
) -> None:
    session.execute("CREATE TABLE t (v)", {})
    session.execute(f"INSERT INTO t VALUES {values}", {})
    found = table(session, "SELECT v FROM t")
    assert (found.schema.field("v").type, found.column("v").to_pylist()) == (kind, back)


def test_a_type_that_changes_after_many_rows_is_seen(session: SQLiteSession) -> None:
    numbers = "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 25000) "
    found = table(session, numbers + "SELECT n, CASE WHEN n = 24000 THEN 0.5 ELSE n END AS late FROM s")
    assert found.column("n").to_pylist() == list(range(1, 25001))
    assert found.schema.field("late").type == pa.float64()
    assert found.column("late")[23999].as_py() == 0.5


def test_columns_of_one_name_are_all_kept(session: SQLiteSession) -> None:
    assert table(session, "SELECT 1 AS a, 2 AS a, 3 AS a").to_pylist() == [{"a": 1, "a_1": 2, "a_2": 3}]


@pytest.mark.parametrize(("value", "back"), [
    (1, 1), (1.5, 1.5), (True, 1), ("it's :x % é😀", "it's :x % é😀"), (b"\x00\xff", b"\x00\xff"), (None, None),
    (Decimal("1.10"), 1.1), (date(2020, 1, 2), "2020-01-02"), (clock(1, 2, 3), "01:02:03"),
    (datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC), "2020-01-02 03:04:05+00:00"), (timedelta(hours=1), "1:00:00"),
    (UUID(int=7), str(UUID(int=7))), ({"a": [1]}, '{"a": [1]}'),
])  # fmt: skip
def test_a_value_goes_there_and_back(session: SQLiteSession, value: Any, back: Any) -> None:
    assert table(session, "SELECT :x AS x, :x AS y", x=value).to_pylist() == [{"x": back, "y": back}]


def test_a_list_opens_up_after_in(session: SQLiteSession) -> None:
    found = "SELECT count(*) AS n FROM (SELECT 1 AS x UNION SELECT 2 UNION SELECT 3) WHERE x "
    assert table(session, found + "IN (:xs)", xs=[2, 9]).to_pylist() == [{"n": 1}]
    assert table(session, found + "NOT IN (:xs)", xs=[]).to_pylist() == [{"n": 3}]


# --- errors


@pytest.mark.parametrize(("sql", "kind", "place"), [
    ("SELECT 1 FRM t WHERE x", "syntax", (1, 14)), ("SELECT :a,\n  'FRM'\n  FRM t (", "syntax", (3, 7)),
    ("SELEC 1", "syntax", (1, 1)), ("SELECT (", "syntax", (None, None)), ("SELECT a a a", "syntax", (None, None)),
    ("SELECT * FROM nope", "not_found", (None, None)), ("SELECT nope", "not_found", (None, None)),
    ("SELECT nope(1)", "not_found", (None, None)), ("ATTACH '/no/such/dir/x' AS x", "not_found", (None, None)),
    ("SELECT ?", "usage", (None, None)), ("SELECT 1; SELECT 2", "usage", (None, None)),
])  # fmt: skip
def test_a_wrong_statement_is_told_by_kind_and_place(
    session: SQLiteSession, sql: str, kind: str, place: tuple[int | None, int | None]
) -> None:
    error = failed(session, sql, a=1)
    assert (error.kind, (error.line, error.column)) == (kind, place)
    assert table(session, "SELECT 3 AS three").to_pylist() == [{"three": 3}]


def test_a_constraint_names_its_column(session: SQLiteSession) -> None:
    session.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)", {})
    session.execute("INSERT INTO t VALUES (1)", {})
    error = failed(session, "INSERT INTO t VALUES (1)")
    assert isinstance(error, IntegrityError)
    assert "t.id" in error.message


def test_a_value_that_does_not_fit_is_told(session: SQLiteSession) -> None:
    assert failed(session, "SELECT :x", x=2**64).kind == "usage"
    assert failed(session, "SELECT :x", x=object()).kind == "usage"


def test_a_lock_of_somebody_else_is_a_timeout_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "shared.sqlite"
    session = connect(deadline=0.2, database=str(path), create=True)
    session.execute("CREATE TABLE t (n)", {})
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        error = failed(session, "INSERT INTO t VALUES (1)")
    assert isinstance(error, QueryTimeoutError)
    assert "locked" in error.message
    session.close()


def test_inside_a_transaction_an_error_says_what_it_means_for_it(session: SQLiteSession) -> None:
    session.execute("BEGIN", {})
    assert session.in_transaction
    assert "still open" in failed(session, "SELECT nope").hint
    session.execute("ROLLBACK", {})
    assert not session.in_transaction
    assert failed(session, "SELECT nope").hint == ""


# --- cancelling and closing

ENDLESS = "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s) SELECT max(n) FROM s"


def test_a_long_statement_is_cancelled_where_it_runs(session: SQLiteSession) -> None:
    started, outcome = threading.Event(), {}
    session.connection.create_function("beat", 0, lambda: started.set() or 1)

    def work() -> None:
        try:
            session.execute(ENDLESS + " WHERE beat() = 1", {})
        except QueryError as error:
            outcome["error"], outcome["ended"] = error, time.monotonic()

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(20)
    session.close()  # waits for the statement
    began = time.monotonic()
    session.cancel()
    thread.join(20)
    assert outcome["error"].kind == "cancelled"
    assert outcome["ended"] - began < 2
    assert session.connection is None


def test_a_cancelled_session_goes_on(session: SQLiteSession) -> None:
    session.connection.create_function("stop", 0, lambda: session.cancel() or 1)
    assert failed(session, ENDLESS + " WHERE stop() = 1").kind == "cancelled"
    session.cancel()
    assert table(session, "SELECT 3 AS three").to_pylist() == [{"three": 3}]


def test_a_closed_session_says_so(session: SQLiteSession) -> None:
    session.ping()
    session.close()
    session.close()
    session.cancel()
    with pytest.raises(ConnectError, match="closed"):
        session.execute("SELECT 1", {})
    with pytest.raises(ConnectError, match="closed"):
        session.ping()


# --- what else a session is asked


def test_it_tests_itself() -> None:
    result = SQLiteAdapter(structure(SQLiteParams, {})).test(BareHost())
    assert result.ok, result
    assert [step.name for step in result.steps] == ["driver", "auth", "identity", "browse"]
    assert result.server == {"version": f"SQLite {sqlite3.sqlite_version}", "database": ":memory:"}


def test_a_trigger_is_one_statement(session: SQLiteSession) -> None:
    script = """CREATE TABLE t (n); CREATE TABLE log (n);
    CREATE TRIGGER copy AFTER INSERT ON t BEGIN INSERT INTO log VALUES (NEW.n); INSERT INTO log VALUES (0); END;
    INSERT INTO t VALUES (7)"""
    statements = session.split(script)
    assert len(statements) == 4
    for statement in statements:
        session.execute(statement, {})
    assert table(session, "SELECT n FROM log").column("n").to_pylist() == [7, 0]


def test_what_there_is_can_be_looked_up(session: SQLiteSession, tmp_path: Path) -> None:
    session.execute('CREATE TABLE "odd ""t" (id INTEGER NOT NULL DEFAULT 5, "n m" TEXT, g AS (id + 1))', {})
    session.execute("CREATE VIEW v AS SELECT 1 AS one", {})
    session.execute("ATTACH :path AS \"at'\"\"tached\"", {"path": str(tmp_path / "other.sqlite")})
    session.execute("CREATE TABLE \"at'\"\"tached\".t (x)", {})
    assert [schema.name for schema in session.schemas()] == ["main", "at'\"tached"]
    assert [(t.name, t.kind, t.row_estimate) for t in session.tables("main")] == [
        ('odd "t', "table", None), ("v", "view", None),
    ]  # fmt: skip
    assert [t.name for t in session.tables("at'\"tached")] == ["t"]
    told = [(c.name, c.native_type, c.nullable, c.default) for c in session.columns("main", 'odd "t')]
    assert told == [("id", "INTEGER", False, "5"), ("n m", "TEXT", True, None), ("g", "", True, None)]
    assert session.columns("main", "nope") == []


def test_rows_are_estimated_only_where_analyze_counted_them(session: SQLiteSession) -> None:
    session.execute("CREATE TABLE t (n)", {})
    session.execute("CREATE INDEX i ON t (n)", {})
    session.execute("INSERT INTO t VALUES (1), (2), (3)", {})
    session.execute("ANALYZE", {})
    assert [(t.name, t.row_estimate) for t in session.tables("main")] == [("t", 3)]


def test_sqlalchemy_gets_connections_with_transactions_of_their_own(tmp_path: Path) -> None:
    import sqlalchemy as sa

    session = connect(database=str(tmp_path / "alchemy.sqlite"), create=True)
    session.execute("CREATE TABLE t (n)", {})
    engine = session.engine()
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO t VALUES (:n)"), {"n": 1})
    with engine.connect() as connection:
        connection.execute(sa.text("INSERT INTO t VALUES (2)"))
        connection.rollback()
    assert table(session, "SELECT n FROM t").to_pylist() == [{"n": 1}]
    engine.dispose()
    session.close()


def test_a_decimal_is_compared_as_a_number() -> None:
    adapter = SQLiteAdapter(structure(SQLiteParams, {"database": ":memory:"}))
    session = adapter.open(BareHost())
    make = "CREATE TABLE t (price REAL, qty INT); INSERT INTO t VALUES (5, 10), (1, 1)"
    ask(session, make, {})
    for limit in (Decimal("2"), Decimal("2.5"), Decimal(2**70)):
        answers, _, _ = ask(session, "SELECT price FROM t WHERE price * qty > :limit", {"limit": limit})
        assert answers[-1].table.num_rows == (1 if limit < 50 else 0)
    session.close()
