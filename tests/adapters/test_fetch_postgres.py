"""PostgreSQL's rows by COPY: the same as row by row, run once, let go of when there is enough."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from siege_nb.adapters import postgres_copy
from siege_nb.adapters.postgres import PostgresAdapter, PostgresParams, PostgresSession
from siege_nb.adapters.sql_calls import only_reads
from siege_nb.declare import structure
from siege_nb.errors import ConnectError, QueryError
from siege_nb.query.session import Take
from siege_nb.testing import BareHost
from tests.servers import Postgres


@pytest.fixture(scope="module")
def shared(postgres: Postgres) -> Iterator[PostgresSession]:
    """A session with types of its own."""
    given = {"host": postgres.host, "port": postgres.port, "username": postgres.username,
             "password": postgres.password, "database": postgres.database_for("test_fetch_postgres")}  # fmt: skip
    session = PostgresAdapter(structure(PostgresParams, given)).open(BareHost())
    for made in ("TYPE mood AS ENUM ('sad', 'so, so', '')", "TYPE pair AS (a int, b text)",
                 "DOMAIN positive AS int CHECK (VALUE > 0)", "DOMAIN price AS numeric(9, 3)"):  # fmt: skip
        session.execute(f"CREATE {made}", {})
    yield session
    session.close()


@pytest.fixture
def session(shared: PostgresSession) -> Iterator[PostgresSession]:
    """The session, with settings and transaction as it had them."""
    yield shared
    if shared.in_transaction:
        shared.execute("ROLLBACK", {})
    shared.execute("RESET ALL", {})


def table(session: PostgresSession, sql: str, take: Take | None = None, **values: Any) -> pa.Table:
    found = session.execute(sql, values, take or Take()).table
    assert found is not None
    return found


def both(session: PostgresSession, monkeypatch: pytest.MonkeyPatch, sql: str, **values: Any) -> pa.Table:
    """The table, which came by COPY and is the same by rows."""
    assert postgres_copy.pays(sql)
    by_copy = table(session, sql, **values)
    assert session._copying, "it did not come by COPY"
    with monkeypatch.context() as patch:
        patch.setattr(postgres_copy, "pays", lambda *_: False)
        by_rows = table(session, sql, **values)
    assert not session._copying
    assert by_copy.schema == by_rows.schema
    for name in by_rows.column_names:  # NaN equals nothing, not even where both have it
        ours, theirs = by_copy[name], by_rows[name]
        assert ours.equals(theirs) or repr(ours.to_pylist()) == repr(theirs.to_pylist()), name
    return by_copy


#: Expressions over the number of the row.
CORPUS = [
    # numbers
    "n::int2", "n", "n::int8 * 4000000000", "-n::int8", "n::oid", "4294967295::oid", "n / 7.0::float4",
    "n / 7.0::float8", "n * 1e300::float8", "1e-300::float8 / n",
    "CASE n % 4 WHEN 1 THEN 'NaN' WHEN 2 THEN 'Infinity' WHEN 3 THEN '-Infinity' ELSE '-0' END::float8",
    "CASE n % 3 WHEN 1 THEN 'NaN' WHEN 2 THEN '-Infinity' ELSE '1e38' END::float4", "n % 2 = 0",
    "n * 1.01::numeric(18, 2)", "(n * 1.5)::numeric(38, 10)", "(n * 1.25)::numeric", "n::numeric * 1e40",
    "CASE WHEN n % 5 = 1 THEN 'NaN'::numeric ELSE n END", "CASE n WHEN 2 THEN 'Infinity'::numeric ELSE 1.5 END",
    "repeat('9', 80)::numeric", "(n / 1000.0)::numeric(40, 5)", "n::numeric(5, -2)", "0.00001::numeric(3, 5)",
    "n::money", "(-n)::money", "n::price", "n::positive",
    # text
    "'row ' || n", "''", "CASE WHEN n % 2 = 0 THEN '' END", "'a,b'", "'say \"so\"'", "'\"'", "'\"\"'", "E'a\\nb'",
    "E'a\\r\\nb\\r'", "E'\\n'", "E'\\\\N'", "E'\\\\.'", "E'tab\\tand \\\\ back'", "'NULL'", "'null'", "'NaN'", "'t'",
    "' padded '", "'é😀中' || n", "E'\\u202e\\u0007'", "repeat('x', 20 + n % 5)", "('x' || n % 10)::char(5)",
    "'v'::varchar(9)", "'c'::\"char\"", "'name'::name", "('<a>' || n || '</a>')::xml",
    # moments
    "date '2020-01-01' + n", "date 'infinity'", "date '0044-03-15 BC'",
    "CASE WHEN n % 2 = 0 THEN date '-infinity' ELSE date '9999-12-31' END",
    "timestamp '2020-01-01' + n * interval '1.000001 s'", "timestamp '2020-01-01' + n * interval '1.5 s'",
    "timestamp 'infinity'", "timestamp '0001-01-01 BC'", "timestamptz '2020-03-29 00:00+00' + n * interval '1 h'",
    "timestamptz '1890-01-01 00:00+00'", "timestamptz '-infinity'", "timestamp(0) '2020-01-01 10:00:00.7'",
    "time '10:00' + n * interval '1 ms'", "timetz '10:00+02'", "n * interval '1.5 h'", "interval '1 year 2 mons' * n",
    "interval '-1 day +02:03:04.5'", "interval '0'",
    # the rest
    "('\\x00ff' || decode(lpad(to_hex(n % 256), 2, '0'), 'hex'))::bytea", "''::bytea", "lpad(n::text, 32, '0')::uuid",
    "jsonb_build_object('n', n, 'a', array['x', null, E'\\n\"'])", "('{\"b\": ' || n || ' }')::json", "'null'::jsonb",
    "'\"\"'::jsonb", "array[n, null, 3]", "array[]::int[]", "array[[n], [2]]",
    "array['a,b', '', null, 'NULL', 'q\"\\x']", "array[1.5, n]", "array[date '2020-01-01' + n]",
    "array[now()::date::timestamptz]", "array[true, null]", "array[1.5::float8, 'NaN']", "array['\\x00'::bytea]",
    "array['so, so', 'sad']::mood[]", "array[row(1, 'a')::pair]", "'[0:1]={1,2}'::int[]", "int4range(n, n + 5)",
    "numrange(null, 1.5)", "tstzrange('2020-01-01 00:00+00', null)", "'empty'::int8range",
    "int4multirange(int4range(1, 3), int4range(7, 9))", "(array['sad', 'so, so', '']::mood[])[1 + n % 3]",
    "row(n, 'a \"b\"')::pair", "row(n, null, '')", "b'101'", "b'1'::bit varying(9)", "('10.0.0.' || n % 256)::inet",
    "'10.0.0.0/8'::cidr", "'08:00:2b:01:02:03'::macaddr", "point(n, 1.5)", "box '((0,0),(1,1))'",
    "to_tsvector('simple', 'the fat ' || n)", "to_tsquery('simple', 'a & b')", "'pg_class'::regclass",
    "'int4'::regtype", "pg_typeof(n)", "'0/16B3748'::pg_lsn", "'(0,1)'::tid", "'10:20:'::txid_snapshot", "null",
    "null::int", "null::mood", "current_database()",
]  # fmt: skip


def sql_of(expressions: tuple[str, ...] | list[str], rows: int) -> str:
    """The expressions as columns, and each once more with NULL in every third row."""
    columns = [f"{sql} AS c{i}, CASE WHEN n % 3 <> 0 THEN {sql} END AS h{i}" for i, sql in enumerate(expressions)]
    return f"SELECT {', '.join(columns)} FROM generate_series(1, {rows}) n"


def test_the_corpus_is_large_enough() -> None:
    assert len(CORPUS) >= 100


@pytest.mark.parametrize("expressions", [CORPUS[n : n + 8] for n in range(0, len(CORPUS), 8)])
def test_a_type_is_the_same_whichever_way_it_comes(
    session: PostgresSession, monkeypatch: pytest.MonkeyPatch, expressions: list[str]
) -> None:
    for rows in (0, 1, 7, 900):
        assert both(session, monkeypatch, sql_of(expressions, rows)).num_rows == rows


#: One expression for each way that a column can be read, and some that change late.
LATE = [
    "n", "n * 0.5::float8", "n % 2 = 0", "'row, ' || n", "n * 1.01::numeric(18, 2)", "(n * 1.25)::numeric",
    "timestamp '2020-01-01' + n * interval '1.000001 s'", "date '2020-01-01' + n % 3000", "n * interval '1 s'",
    "CASE WHEN n > 24000 THEN n END", "CASE WHEN n > 24000 THEN '' END", "lpad(n::text, 32, '0')::uuid",
    "CASE WHEN n = 24000 THEN 'NaN' ELSE n * 0.01 END::numeric", "CASE WHEN n = 24000 THEN 1e50 ELSE n END::numeric",
    "CASE WHEN n = 12000 THEN date 'infinity' ELSE date '2020-01-01' END",
    "CASE WHEN n = 24000 THEN timestamp 'infinity' ELSE timestamp '2020-01-01' + n * interval '0.5 s' END",
    "CASE WHEN n = 24000 THEN interval '1 mon' ELSE n * interval '1 s' END", "array[n, null]",
]  # fmt: skip


def test_many_rows_are_the_same_in_every_batch(session: PostgresSession, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = ", ".join(f"{sql} AS c{i}" for i, sql in enumerate(LATE))
    found = both(session, monkeypatch, f"SELECT {columns} FROM generate_series(1, 25000) n")
    assert found.num_rows == 25_000
    assert found["c0"].to_pylist() == list(range(1, 25_001))
    assert found["c3"][24_999].as_py() == "row, 25000"


@pytest.mark.parametrize("setting", [
    "timezone = 'America/St_Johns'", "datestyle = 'German'", "datestyle = 'SQL, DMY'", "intervalstyle = 'iso_8601'",
    "bytea_output = 'escape'", "extra_float_digits = -5", "standard_conforming_strings = off", "lc_monetary = 'C'",
    "client_encoding = 'LATIN1'", "default_transaction_read_only = on", "xmloption = 'document'",
])  # fmt: skip
def test_the_sessions_settings_are_heeded_alike(
    session: PostgresSession, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    touched = [
        "n / 7.0::float8", "timestamp '2020-01-02 03:04:05.5'",
        "timestamptz '2020-07-01 00:00+00'", "date '2020-01-02'",
        "n * interval '1.5 h'", "decode('00ff', 'hex')", "'it''s é'", "n::money", "timetz '10:00+02'",
        "array[now()::date]",
    ]  # fmt: skip
    session.execute(f"SET {setting}", {})
    sql = sql_of(touched, 7) + " WHERE :text <> :path"
    values = {"text": "it's \\ é", "path": "\\"}
    if "LATIN1" in setting:
        assert table(session, sql, **values)["c6"].to_pylist() == ["it's é"] * 7
        assert not session._copying
    else:
        assert both(session, monkeypatch, sql, **values).num_rows == 7


VALUES = [
    1, 300, 2**40, 2**70, -1, -1.5, 1e300, float("nan"), float("inf"), True, None, "it's % %(x)s \\ $1 é", "",
    b"\x00\xff'", Decimal("1.10"), Decimal("NaN"), date(2020, 1, 2), clock(1, 2, 3), datetime(2020, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001
    datetime(2020, 1, 2, 3, tzinfo=UTC), timedelta(days=2, seconds=3), UUID(int=7), {"a": [1, None, "'"]},
    [1, None, 3], ["a,b", None, "'\"\\"], [1.5], [date(2020, 1, 2)],
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_bound_value_means_the_same(session: PostgresSession, monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    both(session, monkeypatch, "SELECT :x AS x, coalesce(:x) AS same FROM pg_am", x=value)


def test_binds_stand_where_only_they_may(session: PostgresSession, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "FROM (VALUES (2, 'b', b'101', 'ab'::char(2)), (1, 'a', b'111', 'x')) v(n, t, bits, c) "
    for sql, values, expected in (
        ("SELECT n " + rows + "ORDER BY :n", {"n": 1}, [2, 1]),
        ("SELECT n " + rows + "ORDER BY n LIMIT :n OFFSET :n", {"n": 1}, [2]),
        ("SELECT n " + rows + "WHERE t = :t", {"t": "a"}, [1]),
        ("SELECT n " + rows + "WHERE bits = :b", {"b": "101"}, [2]),
        ("SELECT n " + rows + "WHERE c = :c", {"c": "ab"}, [2]),
        ("SELECT n " + rows + "WHERE n IN (:ns)", {"ns": [1, 7]}, [1]),
        ("SELECT n " + rows + "WHERE n = ANY(:ns)", {"ns": [1, 7]}, [1]),
        ("SELECT :a::int4 * :a " + rows, {"a": 300}, [90000, 90000]),
        ("SELECT -:a " + rows + "WHERE '$1' <> $$ $1 $$ /* $1 */ -- $1", {"a": -5}, [5, 5]),
    ):
        assert both(session, monkeypatch, sql, **values).column(0).to_pylist() == expected, sql


def test_what_copy_refuses_comes_by_rows(session: PostgresSession) -> None:
    session.execute("CREATE TEMP TABLE few AS SELECT n FROM generate_series(1, 3) n", {})
    for sql, rows in (
        ("SHOW server_version", 1), ("EXPLAIN SELECT * FROM few", 1), ("VALUES (1), (2)", 2), ("SELECT 1 AS one", 1),
        ("SELECT n FROM few FOR UPDATE", 3), ("UPDATE few SET n = n RETURNING n", 3), ("SELECT FROM few", 0),
        ("WITH gone AS (DELETE FROM few WHERE n = 3 RETURNING n) SELECT n FROM gone", 1),
        ("SELECT v.\"?column?\" FROM (SELECT :a) v", 1), ("SELECT n FROM few WHERE :mood::mood = 'sad' LIMIT 10", 2),
        ("SELECT n FROM few WHERE :mood = 'sad'::mood", 2),
    ):  # fmt: skip
        assert table(session, sql, a=1, mood="sad").num_rows == rows, sql
        assert not session._copying
    assert session.execute("SELECT n INTO TEMP others FROM few", {}).table is None
    assert table(session, "TABLE others").num_rows == 2
    session.execute("DROP TABLE others, few", {})


def test_a_statement_runs_once(session: PostgresSession) -> None:
    session.execute("CREATE TEMP SEQUENCE s", {})
    assert table(session, "SELECT nextval('s') AS n FROM generate_series(1, 3)")["n"].to_pylist() == [1, 2, 3]
    assert session._copying
    # refused by COPY: no name for the bind
    sql = "SELECT nextval('s') AS n, v.\"?column?\" FROM (SELECT :a) v"
    assert table(session, sql, a=1)["n"].to_pylist() == [4]
    session.execute("CREATE TEMP TABLE few AS SELECT 1 AS n", {})
    add = "WITH more AS (INSERT INTO few SELECT n + :k FROM few RETURNING n) SELECT n FROM more"
    assert table(session, add, k=1)["n"].to_pylist() == [2]
    assert table(session, add, Take(rows=1), k=1).num_rows == 1
    assert table(session, "TABLE few").num_rows == 4, "what is cut is not undone"
    session.execute("DROP TABLE few", {})


def test_one_column_of_nothing_and_text_that_looks_like_the_end(
    session: PostgresSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rows in (5, 9_000):
        nothing = both(session, monkeypatch, f"SELECT null::text AS c FROM generate_series(1, {rows})")
        assert (nothing["c"].null_count, nothing.num_rows) == (rows, rows)
        text = both(session, monkeypatch, f"SELECT E'\\\\.' AS c FROM generate_series(1, {rows})")
        assert set(text["c"].to_pylist()) == {"\\."}
        empty = both(session, monkeypatch, f"SELECT '' AS c FROM generate_series(1, {rows})")
        assert set(empty["c"].to_pylist()) == {""}
    assert both(session, monkeypatch, "SELECT 1 AS a, 2 AS a FROM pg_am").column_names == ["a", "a_1"]


def test_wide_rows_are_read_a_few_at_a_time(session: PostgresSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_copy, "CHUNK", 50_000)
    found = both(session, monkeypatch, "SELECT n, repeat('x,\"\n', 5000) AS t FROM generate_series(1, 25) n")
    assert found["t"].num_chunks == 1 or found["t"].num_chunks > 10
    assert set(found["t"].to_pylist()) == {'x,"\n' * 5000}


# --- errors


@pytest.mark.parametrize(("sql", "kind", "place"), [
    ("SELECT n,\n  nope FROM generate_series(1, 3) n", "not_found", (2, 3)),
    ("SELECT * FROM generate_series(1, 3) n WHERE :a = n AND\n nope(n)", "not_found", (2, 2)),
    ("SELECT 1 FROM generate_series(1, 3) n WHERE", "syntax", (1, 44)),
    ("SELECT 1) TO STDOUT; DROP TABLE t; COPY (SELECT 1 FROM pg_am", "syntax", (1, 9)),
    ("SELECT 1 / (n - :a) FROM generate_series(1, 3) n", "usage", (None, None)),
    ("SELECT 10 / (20000 - n) FROM generate_series(1, 30000) n", "usage", (None, None)),
    ("SELECT :t::text::int FROM generate_series(1, 3) n", "usage", (None, None)),
    ("SELECT n FROM generate_series(1, 3) n WHERE n = :t", "usage", (None, None)),
])  # fmt: skip
def test_an_error_is_told_alike(
    session: PostgresSession, monkeypatch: pytest.MonkeyPatch, sql: str, kind: str,
    place: tuple[int | None, int | None],
) -> None:  # fmt: skip
    def failed() -> QueryError:
        with pytest.raises(QueryError) as caught:
            session.execute(sql, {"a": 1, "t": "xyz"})
        assert caught.value.__context__ is None
        return caught.value

    error = failed()
    assert (error.kind, (error.line, error.column)) == (kind, place)
    assert table(session, "SELECT 3 AS three FROM pg_am LIMIT 1").to_pylist() == [{"three": 3}]
    monkeypatch.setattr(postgres_copy, "pays", lambda *_: False)
    assert vars(failed()) == vars(error)


def test_a_transaction_sees_its_own_and_is_aborted_by_an_error(session: PostgresSession) -> None:
    session.execute("BEGIN", {})
    session.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 5) n", {})
    assert table(session, "SELECT n FROM t").num_rows == 5
    with pytest.raises(QueryError) as caught:
        session.execute("SELECT 1 / (n - 1) FROM t", {})
    assert "ROLLBACK" in caught.value.hint
    with pytest.raises(QueryError, match="aborted"):
        session.execute("SELECT n FROM t", {})
    session.execute("ROLLBACK", {})
    with pytest.raises(QueryError, match="does not exist"):
        session.execute("SELECT n FROM t", {})


# --- enough, and stop


class Heap:
    """A sink that keeps what it gets, or fails on it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.tables: list[pa.Table] = []
        self.error = error

    def write(self, table: pa.Table) -> None:
        self.tables.append(table)
        if self.error:
            raise self.error


#: Made as it is read: in FROM itself, the function would be run to its end first.
ENDLESS = "SELECT n, 'text ' || n AS t FROM (SELECT generate_series(1, 4000000000) AS n) s"


@pytest.mark.parametrize(("take", "cut"), [(Take(rows=12_345), "limit"), (Take(memory=1_000_000), "memory")])
def test_what_is_too_much_is_let_go_of_at_once(session: PostgresSession, take: Take, cut: str) -> None:
    began = time.monotonic()
    answer = session.execute(ENDLESS, {}, take)
    assert time.monotonic() - began < 10
    assert answer.cut == cut
    assert answer.table is not None
    assert answer.table["n"].to_pylist() == list(range(1, answer.table.num_rows + 1))
    assert take.rows is None or answer.table.num_rows == take.rows
    assert table(session, "SELECT 3 AS three FROM pg_am LIMIT 1").to_pylist() == [{"three": 3}]


def test_in_a_transaction_the_rest_is_read_away_and_nothing_undone(session: PostgresSession) -> None:
    session.execute("BEGIN", {})
    session.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 60000) n", {})
    answer = session.execute("SELECT n FROM t", {}, Take(rows=5))
    assert (answer.cut, answer.table is not None and answer.table.num_rows) == ("limit", 5)
    assert session.in_transaction
    session.execute("COMMIT", {})
    assert table(session, "SELECT count(*) AS n FROM t").to_pylist() == [{"n": 60000}]
    session.execute("DROP TABLE t", {})


def test_rows_stream_into_a_sink(session: PostgresSession) -> None:
    heap = Heap()
    answer = session.execute("SELECT n FROM generate_series(1, 25000) n", {}, Take(into=heap))
    assert (answer.table, answer.rowcount) == (None, 25_000)
    assert [len(part) for part in heap.tables] == [10_000, 10_000, 5_000]


def test_a_sink_that_fails_leaves_the_session_whole(session: PostgresSession) -> None:
    with pytest.raises(QueryError):
        session.execute(ENDLESS, {}, Take(into=Heap(QueryError("full", kind="usage"))))
    assert table(session, "SELECT 3 AS three FROM pg_am LIMIT 1").to_pylist() == [{"three": 3}]


def test_a_stop_reaches_a_copy_that_streams(session: PostgresSession) -> None:
    streaming = threading.Event()

    class Slow(Heap):
        def write(self, table: pa.Table) -> None:
            streaming.set()

    outcome: list[QueryError] = []

    def work() -> None:
        try:
            session.execute(ENDLESS, {}, Take(into=Slow()))
        except QueryError as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert streaming.wait(20)
    began = time.monotonic()
    session.cancel()
    thread.join(20)
    assert time.monotonic() - began < 15
    assert [error.kind for error in outcome] == ["cancelled"]
    assert table(session, "SELECT 3 AS three FROM pg_am LIMIT 1").to_pylist() == [{"three": 3}]


def test_a_server_that_ends_the_session_is_told(postgres: Postgres, session: PostgresSession) -> None:
    class Ending(Heap):
        def write(self, table: pa.Table) -> None:
            if not self.tables:
                postgres.sql(f"SELECT pg_terminate_backend({other.connection.info.backend_pid})")
            self.tables.append(table)

    other = session.adapter.open(BareHost())
    with pytest.raises(ConnectError) as caught:
        other.execute(ENDLESS, {}, Take(into=Ending()))
    assert caught.value.problem == "lost"
    with pytest.raises(ConnectError) as caught:
        other.execute("SELECT n FROM generate_series(1, 9) n", {})
    assert caught.value.problem == "lost"
    other.close()


@pytest.mark.parametrize("rows", [30_000, 100_000])
def test_what_a_called_function_wrote_is_not_undone_by_a_limit(session: PostgresSession, rows: int) -> None:
    session.execute("CREATE TABLE noted (n int)", {})
    body = "INSERT INTO noted VALUES (i) RETURNING n"
    session.execute(f"CREATE FUNCTION note(i int) RETURNS int LANGUAGE sql VOLATILE AS '{body}'", {})
    try:
        called = f"SELECT note(n) AS n FROM generate_series(1, {rows}) n"
        assert session.execute(called, {}, Take(rows=5)).cut == "limit"
        assert table(session, "SELECT count(*) AS n FROM noted").to_pylist() == [{"n": rows}]
    finally:
        session.execute("DROP FUNCTION note", {})
        session.execute("DROP TABLE noted", {})


@pytest.mark.parametrize(("sql", "expected"), [
    ("SELECT count(*), lower(a) FROM t WHERE a IN (1, 2) AND NOT (b)", True),
    ("SELECT v.a FROM (VALUES (1)) AS v(a)", True), ("WITH t(a) AS (SELECT 1) SELECT * FROM t", True),
    ("SELECT 'note(1)', \"note(1)\" -- note(1)", True), ("SELECT numeric(5) 'x'", True),
    ("SELECT note (1)", False), ("SELECT note/* */(1)", False), ('SELECT "lower"(1)', False),
    ("SELECT public.lower(1)", False),
])  # fmt: skip
def test_a_call_is_known_by_its_name(sql: str, expected: bool) -> None:
    assert only_reads(sql) is expected
