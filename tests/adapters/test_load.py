"""Rows from here made into tables, on every engine: all types, odd names, whole or not at all."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote_plus
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sqlalchemy.dialects import registry

from siege_nb.adapters.dialect import DatabaseParams, DialectAdapter, DialectSession
from siege_nb.adapters.duckdb import DuckDBAdapter, DuckDBParams
from siege_nb.adapters.mysql import MySQLAdapter, MySQLParams
from siege_nb.adapters.postgres import PostgresAdapter, PostgresParams
from siege_nb.adapters.sqlite import SQLiteAdapter, SQLiteParams
from siege_nb.declare import structure
from siege_nb.errors import IntegrityError, QueryError
from siege_nb.query.session import Answer, Loadable, Queryable
from siege_nb.testing import BareHost
from tests.adapters import dialects

#: The last three through SQLAlchemy's dialects: one with autocommit, one that begins by itself, one with a server.
ENGINES = ["duckdb", "sqlite", "postgres", "mysql", "strange", "stubborn", "elephant"]
FOREIGN = ("strange", "stubborn", "elephant")


def product(engine: str) -> str:
    """What an engine is by its true name."""
    return {"strange": "sqlite", "stubborn": "sqlite", "elephant": "postgres"}.get(engine, engine)


class Session(Queryable, Loadable, Protocol):
    """What is tested."""

    def cancel(self) -> None: ...


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Which engine."""
    return str(request.param)


@pytest.fixture
def session(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    """A session in an empty database."""
    adapter: Any
    if engine == "duckdb":
        adapter = DuckDBAdapter(DuckDBParams())
    elif engine == "sqlite":
        adapter = SQLiteAdapter(SQLiteParams())
    elif engine in FOREIGN:
        registry.register(engine, dialects.__name__, engine.capitalize())
        where = f"/{tmp_path / 'any.db'}"
        if engine == "elephant":
            server = request.getfixturevalue("postgres")
            password, base = quote_plus(server.password), server.database_for("test_load")
            where = f"{server.username}:{password}@{server.host}:{server.port}/{base}"
        adapter = DialectAdapter(structure(DatabaseParams, {"connection_string": f"{engine}://{where}"}))
    else:
        server = request.getfixturevalue("mariadb" if engine == "mysql" else "postgres")
        known: Any = MySQLParams if engine == "mysql" else PostgresParams
        given = {"host": server.host, "port": server.port, "database": server.database_for("test_load"),
                 "username": server.username, "password": server.password}  # fmt: skip
        adapter = (MySQLAdapter if engine == "mysql" else PostgresAdapter)(structure(known, given))
    opened: Any = adapter.open(BareHost(deadline=10))
    assert isinstance(opened, DialectSession) == (engine in FOREIGN)
    assert isinstance(opened, Loadable)
    yield opened
    opened.close()


def run(session: Session, sql: str) -> Answer:
    answer = Answer()
    for statement in session.split(sql):
        answer = session.execute(statement, {})
    return answer


def rows(session: Session, sql: str) -> list[dict[str, Any]]:
    table = run(session, sql).table
    assert table is not None
    return table.to_pylist()


def quote(engine: str, name: str) -> str:
    mark = "`" if engine == "mysql" else '"'
    return mark + name.replace(mark, mark * 2) + mark


ROWS = 10_000
WORDS = ["plain", "", "it's \"q\"", "a,b\nc\r\td", "\\N", "NULL", "back\\slash\\'", "é😀",
         "100% %(x)s %s", ":x $1 ?", " "]  # fmt: skip
DAY = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


@cache
def mixed(count: int = ROWS) -> pa.Table:
    """A table with every type there is, each column NULL in other rows."""

    def column(kind: Any, value: Any, every: int) -> Any:
        return pa.array([None if n % every == 3 else value(n) for n in range(count)], kind)

    naive = DAY.replace(tzinfo=None)
    words = [None if n % 5 == 3 else WORDS[n % len(WORDS)] for n in range(count)]
    return pa.table({
        "id": pa.array(range(count), pa.int32()),
        "i8": column(pa.int8(), lambda n: n % 256 - 128, 4), "i16": column(pa.int16(), lambda n: n - 5000, 5),
        "i64": column(pa.int64(), lambda n: -(2**63) + n, 6), "u8": column(pa.uint8(), lambda n: n % 256, 7),
        "u16": column(pa.uint16(), lambda n: 65535 - n, 4), "u32": column(pa.uint32(), lambda n: 2**32 - 1 - n, 5),
        "u64": column(pa.uint64(), lambda n: 2**64 - 1 - n, 6), "f16": column(pa.float16(), lambda n: n % 100 / 4, 4),
        "f32": column(pa.float32(), lambda n: n / 7, 5), "f64": column(pa.float64(), lambda n: n / 7 * 1e300, 6),
        "b": column(pa.bool_(), lambda n: n % 2 == 0, 7),
        "money": column(pa.decimal128(10, 2), lambda n: Decimal(n).scaleb(-2), 4),
        "tiny": column(pa.decimal128(38, 10), lambda n: Decimal(f"12345678901234567890.{n:010}"), 5),
        "s": pa.array(words, pa.string()), "ls": pa.array(words, pa.large_string()),
        "sv": pa.array(words, pa.string_view()), "dict": pa.array(words).dictionary_encode(),
        "d": column(pa.date32(), lambda n: date(1900, 1, 1) + timedelta(days=n * 5), 4),
        "d64": column(pa.date64(), lambda n: date(1970, 1, 1) + timedelta(days=n), 5),
        "ts": column(pa.timestamp("us"), lambda n: naive + timedelta(days=n - 5000, microseconds=n), 6),
        "tss": column(pa.timestamp("s"), lambda n: naive.replace(microsecond=0), 7),
        "tsn": column(pa.timestamp("ns"), lambda n: naive + timedelta(microseconds=n), 4),
        "tz": column(pa.timestamp("us", "Europe/Berlin"), lambda n: DAY + timedelta(hours=n), 5),
        "t": column(pa.time64("us"), lambda n: clock(n % 24, 59, 58, n), 6),
        "t32": column(pa.time32("s"), lambda n: clock(n % 24, 59, 58), 7),
        "span": column(pa.duration("us"), lambda n: timedelta(hours=n % 800, microseconds=n) * (-1) ** n, 4),
        "bytes": column(pa.binary(), lambda n: bytes([n % 256, 0, 255, 39, 92]), 5),
        "fixed": column(pa.binary(3), lambda n: b"\x00a%", 6), "nothing": pa.nulls(count),
        "list": column(pa.list_(pa.int32()), lambda n: [n, None, 3], 7),
        "uuid": pa.array([None if n % 5 == 3 else UUID(int=n).bytes for n in range(count)], pa.uuid()),
        "runs": pc.run_end_encode(pa.array([n // 100 for n in range(count)], pa.int32())),
        "struct": column(pa.struct({"a": pa.int32(), "b": pa.string()}), lambda n: {"a": n, "b": "it's \\ \"é\""}, 4),
    })  # fmt: skip


def normal(name: str, value: Any) -> Any:
    """A value as it can be compared, whatever type its engine has for it."""
    if value is None:
        return None
    if name in ("u64", "money", "tiny"):
        return Decimal(str(value))
    if name in ("list", "struct"):
        return json.loads(value) if isinstance(value, str) else value
    if name == "uuid":
        return str(value)
    if name in ("d", "d64"):
        return date.fromisoformat(value) if isinstance(value, str) else value
    if name in ("ts", "tss", "tsn", "tz"):
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        moment = moment.to_pydatetime() if hasattr(moment, "to_pydatetime") else moment
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    if name in ("t", "t32"):
        if isinstance(value, timedelta):
            return value
        at = clock.fromisoformat(value) if isinstance(value, str) else value
        return timedelta(hours=at.hour, minutes=at.minute, seconds=at.second, microseconds=at.microsecond)
    if name == "span":
        if hasattr(value, "nanoseconds") and hasattr(value, "months"):
            return str(timedelta(days=value.days, microseconds=value.nanoseconds // 1000))
        return str(value)
    return value


@cache
def wanted(name: str) -> list[Any]:
    """The values of a column of `mixed`, as they can be compared."""
    return [normal(name, value) for value in mixed().column(name).to_pylist()]


def test_every_type_goes_there_and_back(session: Session, engine: str) -> None:
    table = mixed()
    assert session.load(table, "t") == ROWS
    found = run(session, "SELECT * FROM t ORDER BY id").table
    assert found is not None
    assert found.column_names == table.column_names
    for name in table.column_names:
        assert [normal(name, value) for value in found.column(name).to_pylist()] == wanted(name), name


def test_no_rows_make_a_table_of_the_same_types(session: Session, engine: str) -> None:
    assert session.load(mixed(50), "full") == 50
    assert session.load(mixed(0), "nil") == 0
    empty = run(session, "SELECT * FROM nil").table
    assert empty is not None
    assert (empty.num_rows, empty.num_columns) == (0, 34)
    assert session.load(mixed(50), "nil", mode="append") == 50
    assert rows(session, "SELECT count(*) AS n FROM nil") == [{"n": 50}]


NAMES = ["order", 'a.b it\'s "x" `y` [z]; DROP TABLE t; --', "50% %s %(x)s :x $1 ? größe"]


def test_a_name_is_a_name_whatever_is_in_it(session: Session, engine: str) -> None:
    modes: list[tuple[Any, int]] = [("fail", 2), ("append", 4), ("replace", 2)]
    for name, (mode, count) in itertools.product(NAMES, modes):
        assert session.load(pa.table({name: [1, 2], f"{name} too": ["x", None]}), name, mode=mode) == 2
        found = run(session, f"SELECT * FROM {quote(engine, name)} ORDER BY 1").table
        assert found is not None
        assert (found.num_rows, found.column_names) == (count, [name, f"{name} too"])


def test_a_schema_can_be_named(session: Session, engine: str) -> None:
    schema = "main" if "sqlite" in product(engine) else "my own"
    if schema != "main":
        run(session, f"DROP SCHEMA IF EXISTS {quote(engine, schema)}{' CASCADE' if engine != 'mysql' else ''}")
        run(session, f"CREATE SCHEMA {quote(engine, schema)}")
    for mode in ("fail", "replace", "append"):
        session.load(pa.table({"a": [1]}), "t", schema, mode)
    assert rows(session, f"SELECT count(*) AS n FROM {quote(engine, schema)}.t") == [{"n": 2}]


def test_what_is_there_is_kept_unless_it_is_to_go(session: Session, engine: str) -> None:
    session.load(pa.table({"a": [1]}), "t")
    with pytest.raises(QueryError) as caught:
        session.load(pa.table({"a": [2]}), "t")
    assert (caught.value.kind, caught.value.message) == ("usage", "There is a table t already.")
    assert rows(session, "SELECT a FROM t") == [{"a": 1}]
    session.load(pa.table({"a": [3]}), "t", mode="append")
    assert rows(session, "SELECT a FROM t ORDER BY a") == [{"a": 1}, {"a": 3}]
    session.load(pa.table({"b": ["x"]}), "t", mode="replace")
    assert rows(session, "SELECT * FROM t") == [{"b": "x"}]


def test_columns_are_appended_by_their_names(session: Session, engine: str) -> None:
    run(session, "CREATE TABLE t (a INT, b VARCHAR(9) DEFAULT 'other', c INT)")
    session.load(pa.table({"c": [3], "a": [1]}), "t", mode="append")
    assert rows(session, "SELECT * FROM t") == [{"a": 1, "b": "other", "c": 3}]
    with pytest.raises(QueryError):
        session.load(pa.table({"nowhere": [1]}), "t", mode="append")
    assert rows(session, "SELECT count(*) AS n FROM t") == [{"n": 1}]


def test_an_append_that_fails_adds_nothing(session: Session, engine: str) -> None:
    run(session, "CREATE TABLE t (a INT PRIMARY KEY)")
    run(session, "INSERT INTO t VALUES (29999)")
    with pytest.raises(IntegrityError):
        session.load(pa.table({"a": range(30_000)}), "t", mode="append")
    assert rows(session, "SELECT a FROM t") == [{"a": 29999}]
    assert not session.in_transaction
    assert session.load(pa.table({"a": [1]}), "t", mode="append") == 1


def broken(engine: str) -> pa.Table:
    """Rows of which the last one is refused."""
    last: dict[str, Any] = {
        "mysql": pa.array([1.0] * 25_000 + [float("nan")]), "sqlite": pa.array([1.0] * 25_000 + [float("nan")]),
        "postgres": pa.array(["x"] * 25_000 + ["\0"]),
        "duckdb": pa.array([b"x"] * 25_000 + [b"\xff"]).view(pa.string()),
    }  # fmt: skip
    if product(engine) == "sqlite" and engine != "sqlite":
        return pa.table({"a": pa.array([0] * 25_000 + [10**7], pa.int32()).cast(pa.date32())})
    return pa.table({"a": last[product(engine)]})


@pytest.mark.parametrize("mode", ["fail", "replace", "append"])
def test_a_load_that_fails_leaves_what_was_there(session: Session, engine: str, mode: Any) -> None:
    session.load(pa.table({"kept": ["yes"]}), "t")
    name = "t" if mode == "replace" else "other"
    with pytest.raises(QueryError):
        session.load(broken(engine), name, mode=mode)
    assert rows(session, "SELECT * FROM t") == [{"kept": "yes"}]
    names = {one["name"] for one in tables(session, engine)}
    assert names == {"t"}
    assert not session.in_transaction


def tables(session: Session, engine: str) -> list[dict[str, Any]]:
    if product(engine) == "sqlite":
        return rows(session, "SELECT name FROM sqlite_master WHERE type = 'table'")
    here = {"mysql": "DATABASE()", "postgres": "'public'", "duckdb": "'main'"}[product(engine)]
    return rows(session, f"SELECT table_name AS name FROM information_schema.tables WHERE table_schema = {here}")


def test_it_is_part_of_a_transaction_that_is_open(session: Session, engine: str) -> None:
    run(session, "CREATE TABLE t (a INT)")
    run(session, "START TRANSACTION" if engine == "mysql" else "BEGIN")
    if engine == "mysql":
        for mode in ("fail", "replace"):
            with pytest.raises(QueryError, match="A transaction is open"):
                session.load(pa.table({"a": [1]}), "new", mode=mode)
    elif engine != "stubborn":  # its driver begins a transaction at the first INSERT only
        session.load(pa.table({"a": [1]}), "new")
    session.load(pa.table({"a": [1, 2]}), "t", mode="append")
    assert session.in_transaction
    assert rows(session, "SELECT count(*) AS n FROM t") == [{"n": 2}]
    run(session, "ROLLBACK")
    assert rows(session, "SELECT count(*) AS n FROM t") == [{"n": 0}]
    assert {one["name"] for one in tables(session, engine)} == {"t"}


@pytest.mark.parametrize("engine", ["sqlite", "postgres", "mysql"])
def test_a_load_that_fails_takes_nothing_else_with_it(session: Session, engine: str) -> None:
    run(session, "CREATE TABLE t (a INT PRIMARY KEY)")
    run(session, "START TRANSACTION" if engine == "mysql" else "BEGIN")
    run(session, "INSERT INTO t VALUES (7)")
    with pytest.raises(IntegrityError):
        session.load(pa.table({"a": [1, 7]}), "t", mode="append")
    assert session.in_transaction
    run(session, "COMMIT")
    assert rows(session, "SELECT a FROM t") == [{"a": 7}]


@pytest.mark.parametrize("engine", ENGINES[1:])
def test_stop_ends_it_and_leaves_nothing(session: Session, engine: str) -> None:
    outcome: dict[str, Any] = {}
    table = pa.table({f"c{n}": pa.array(range(300_000)).cast(pa.string()) for n in range(4)})

    def work() -> None:
        try:
            outcome["rows"] = session.load(table, "t")
        except Exception as error:  # told by the test
            outcome["error"] = error

    thread = threading.Thread(target=work)
    thread.start()
    deadline = time.monotonic() + 60
    while thread.is_alive() and time.monotonic() < deadline:
        session.cancel()
        thread.join(0.05)
    assert getattr(outcome.get("error"), "kind", outcome) == "cancelled"
    assert tables(session, engine) == []
    assert session.load(pa.table({"a": [1]}), "t") == 1


def test_what_an_engine_cannot_hold_is_named(session: Session, engine: str) -> None:
    if engine == "duckdb":
        assert session.load(pa.table({"n": pa.array([1], pa.timestamp("ns"))}), "t") == 1
        return
    with pytest.raises(QueryError, match="Column 'n' has nanoseconds") as caught:
        session.load(pa.table({"n": pa.array([1], pa.timestamp("ns"))}), "t")
    assert caught.value.kind == "usage"
    if engine == "mysql":
        with pytest.raises(QueryError, match="838 hours"):
            session.load(pa.table({"n": [timedelta(hours=900)]}), "t")
        with pytest.raises(QueryError, match="NaN or infinity"):
            session.load(pa.table({"n": [float("inf")]}), "t")
    with pytest.raises(QueryError, match="no columns"):
        session.load(pa.table({}), "t")
    assert tables(session, engine) == []


def test_columns_of_one_name_and_long_values(session: Session, engine: str) -> None:
    long = "é" * 300_000
    session.load(pa.table([[1], [2], [long], [long.encode()]], names=["a", "a", "s", "b"]), "t")
    assert rows(session, "SELECT * FROM t") == [{"a": 1, "a_1": 2, "s": long, "b": long.encode()}]


@pytest.mark.parametrize("engine", ["postgres", "mysql"])
def test_a_table_that_others_refer_to_is_not_lost(session: Session, engine: str) -> None:
    run(session, "CREATE TABLE t (a INT PRIMARY KEY)")
    run(session, "INSERT INTO t VALUES (7)")
    run(session, "CREATE TABLE child (a INT REFERENCES t (a))")
    with pytest.raises(QueryError):
        session.load(pa.table({"a": [1]}), "t", mode="replace")
    assert rows(session, "SELECT a FROM t") == [{"a": 7}]
    assert {one["name"] for one in tables(session, engine)} == {"t", "child"}
    with pytest.raises(IntegrityError):
        run(session, "INSERT INTO child VALUES (8)")


@pytest.mark.parametrize("engine", ["postgres", "mysql"])
def test_a_moment_is_the_same_moment_in_a_table_that_keeps_moments(session: Session, engine: str) -> None:
    run(session, "SET time_zone = '-07:00'" if engine == "mysql" else "SET timezone = 'America/Phoenix'")
    run(session, f"CREATE TABLE t (at TIMESTAMP{'' if engine == 'mysql' else 'TZ'}(6))")
    session.load(pa.table({"at": pa.array([DAY, None], pa.timestamp("us", "Asia/Tokyo"))}), "t", mode="append")
    run(session, "SET time_zone = '+00:00'" if engine == "mysql" else "SET timezone = 'UTC'")
    found = rows(session, "SELECT at FROM t WHERE at IS NOT NULL")
    assert [normal("tz", row["at"]) for row in found] == [DAY]
