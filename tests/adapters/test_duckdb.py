"""What only DuckDB has: its types, its splitter, its errors, its file."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from siege_nb.adapters.duckdb import DuckDBAdapter, DuckDBParams, DuckDBSession
from siege_nb.declare import structure
from siege_nb.errors import ConnectError, IntegrityError, InvalidError, QueryError
from siege_nb.query.ask import ask
from siege_nb.testing import BareHost
from tests.kernel.kernel import Kernel


@pytest.fixture
def session() -> Iterator[DuckDBSession]:
    made = DuckDBAdapter(DuckDBParams()).open(BareHost())
    assert isinstance(made, DuckDBSession)
    yield made
    made.close()


def table(session: DuckDBSession, sql: str, **values: Any) -> pa.Table:
    answers, _, _ = ask(session, sql, values)
    assert answers[-1].table is not None
    return answers[-1].table


def failure(session: DuckDBSession, sql: str) -> QueryError:
    with pytest.raises(QueryError) as caught:
        ask(session, sql, {})
    return caught.value


def test_types_stay_what_they_are(session: DuckDBSession) -> None:
    found = table(
        session,
        "SELECT 1.5::DECIMAL(38,10) AS d, [1,2] AS l, {'a': 1} AS s, TIMESTAMPTZ '2026-01-02 03:04:05+00' AS t,"
        " 18446744073709551615::UBIGINT AS u, 'ab'::BLOB AS b, NULL::DATE AS n, uuid() AS i",
    )
    kinds = {field.name: field.type for field in found.schema}
    assert kinds["d"] == pa.decimal128(38, 10)
    assert pa.types.is_list(kinds["l"])
    assert pa.types.is_struct(kinds["s"])
    assert kinds["t"].tz is not None
    assert kinds["u"] == pa.uint64()
    assert pa.types.is_binary(kinds["b"]) or pa.types.is_large_binary(kinds["b"])
    assert kinds["n"] == pa.date32()
    assert found.to_pylist()[0]["d"] == Decimal("1.5000000000")


def test_a_sum_is_a_whole_number_as_long_as_it_fits(session: DuckDBSession) -> None:
    assert table(session, "SELECT sum(a) AS s FROM range(10) t(a)").schema.field("s").type == pa.int64()
    huge = table(session, "SELECT (2::HUGEINT ^ 100)::HUGEINT AS s")
    assert huge.to_pylist() == [{"s": Decimal(2**100)}]


def test_two_columns_of_one_name_are_told_apart(session: DuckDBSession) -> None:
    assert table(session, "SELECT 1 AS a, 2 AS a").column_names == ["a", "a_1"]


def test_the_frame_that_calls_is_no_table(session: DuckDBSession) -> None:
    statement = "x"  # noqa: F841 - a variable that DuckDB would find
    assert failure(session, "SELECT * FROM statement").kind == "not_found"


@pytest.mark.parametrize(
    ("sql", "statements"),
    [
        ("SELECT ':x' ; SELECT 1 -- :y ; \n; /* :z; */", 2),
        ("SELECT :x::INT; SELECT [1,2,3][1:2], {'a':1}", 2),
        ("  \n -- only a remark\n", 0),
        ("CREATE TABLE p AS SELECT 1 AS a, 'k' AS b; PIVOT p ON b USING sum(a); SELECT 3", 3),
    ],
)
def test_a_text_is_cut_as_duckdb_cuts_it(session: DuckDBSession, sql: str, statements: int) -> None:
    found = session.split(sql)
    assert len(found) == statements
    assert all(one in sql for one in found)
    ask(session, sql, {"x": 5})


def test_the_same_statement_twice_runs_twice(session: DuckDBSession) -> None:
    ask(session, "CREATE TABLE t (a INT); INSERT INTO t VALUES (1); INSERT INTO t VALUES (1)", {})
    assert table(session, "SELECT count(*) AS n FROM t").to_pylist() == [{"n": 2}]


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT true AS "Success"',
        'SELECT true AS "Success" WHERE false',
        'CREATE TABLE t (a BOOLEAN); INSERT INTO t VALUES (true) RETURNING a AS "Success"',
        'PREPARE p AS SELECT true AS "Success"; EXECUTE p',
    ],
)
def test_a_column_named_success_is_a_column(session: DuckDBSession, sql: str) -> None:
    assert table(session, sql).column_names == ["Success"]


@pytest.mark.parametrize("sql", ["CHECKPOINT", "SET threads = 2", "PRAGMA enable_profiling = 'no_output'", "BEGIN"])
def test_what_gives_nothing_gives_no_table(session: DuckDBSession, sql: str) -> None:
    answers, _, _ = ask(session, sql, {})
    assert (answers[0].table, answers[0].rowcount) == (None, None)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE t SET returning_customer = 5",
        "INSERT INTO t VALUES (1) -- returning",
        "DELETE FROM t WHERE 'returning' <> ''",
    ],
)
def test_returning_is_a_keyword_not_a_word(session: DuckDBSession, sql: str) -> None:
    ask(session, "CREATE TABLE t (returning_customer INT); INSERT INTO t VALUES (0)", {})
    answers, _, _ = ask(session, sql, {})
    assert (answers[0].table, answers[0].rowcount) == (None, 1)


def test_what_arrow_carries_wrongly_is_text(session: DuckDBSession) -> None:
    found = table(
        session,
        "SELECT (2::UHUGEINT ^ 100)::UHUGEINT AS u, [340282366920938463463374607431768211455::UHUGEINT] AS us,"
        " '12:00:00+02:00'::TIMETZ AS t, '101'::BIT AS b, {'a': '101'::BIT} AS s, 5::BIGNUM AS n, 1 AS n,"
        " 7::HUGEINT AS h",
    )
    assert found.column_names == ["u", "us", "t", "b", "s", "n", "n_1", "h"]
    assert [value.as_py() for (value,) in found.columns] == [
        str(2**100),
        "[340282366920938463463374607431768211455]",
        "12:00:00+02",
        "101",
        "{'a': 101}",
        "5",
        1,
        7,
    ]
    named = table(session, "SELECT {'BIT': DATE '2026-01-02', 'VARIANT': 1} AS s, 'BIT'::ENUM('BIT') AS e")
    assert pa.types.is_struct(named.schema.field("s").type)
    assert pa.types.is_dictionary(named.schema.field("e").type)
    assert table(session, "SELECT [{'a': 5}]::VARIANT AS v").to_pylist() == [{"v": "[{'a': 5}]"}]


def test_no_spot_is_shown_in_a_text_of_ours(session: DuckDBSession) -> None:
    error = failure(session, "SELECT '101'::BIT AS b, a::INT AS a FROM (VALUES ('1'), ('x')) t(a)")
    assert (error.kind, error.line, error.excerpt) == ("usage", None, "")
    assert "'x'" in error.message


def test_an_infinity_is_no_day_in_the_year_294247(session: DuckDBSession) -> None:
    days = "(VALUES ('infinity'::{0}), ('-infinity'), ('2026-01-02'), (NULL)) t(a)"
    for kind in ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_NS", "TIMESTAMPTZ"):
        found = table(session, f"FROM {days.format(kind)}").column("a").to_pylist()
        assert found[:2] == ["infinity", "-infinity"]
        assert str(found[2]).startswith("2026-01-02")
        assert found[3] is None
    assert table(session, "SELECT ['infinity'::DATE] AS a, NULL::DATE AS b").num_rows == 1
    assert table(session, "SELECT DATE '12000-01-01' AS a").schema.field("a").type == pa.date32()


def test_a_commit_that_fails_has_ended_the_transaction(session: DuckDBSession) -> None:
    ask(session, "CREATE TABLE p (a INT PRIMARY KEY); BEGIN; INSERT INTO p VALUES (7)", {})
    session._connection.cursor().execute("INSERT INTO p VALUES (7)")
    assert session.in_transaction
    assert isinstance(failure(session, "COMMIT"), IntegrityError)
    assert not session.in_transaction
    ask(session, "BEGIN", {})
    assert session.in_transaction
    failure(session, "BEGIN")
    assert session.in_transaction
    ask(session, "ROLLBACK", {})
    assert failure(session, "ROLLBACK").kind
    assert not session.in_transaction


@pytest.mark.parametrize(("wrong", "aborts"), [
    ("SELECT nope", False), ("SELECT * FROM nope", False), ("SELECT CAST('x' AS INT)", True),
    ("SELECT CASE WHEN i = 90000 THEN error('late') END FROM range(100000) r(i)", True),
    ("INSERT INTO p VALUES (7)", True),
])  # fmt: skip
def test_a_failure_says_what_became_of_the_transaction(session: DuckDBSession, wrong: str, aborts: bool) -> None:
    ask(session, "CREATE TABLE p (a INT PRIMARY KEY); BEGIN; INSERT INTO p VALUES (7)", {})
    assert ("aborted" if aborts else "still open") in failure(session, wrong).hint
    assert session.in_transaction
    if aborts:
        again = failure(session, "SELECT 1")
        assert (again.kind, "ROLLBACK" in again.hint) == ("usage", True)
        end = failure(session, "COMMIT")
        assert (end.kind, "took everything back" in end.message, end.hint) == ("usage", True, "")
    else:
        ask(session, "COMMIT", {})
    assert not session.in_transaction
    assert table(session, "FROM p").num_rows == (0 if aborts else 1)


def test_an_append_that_fails_says_what_became_of_the_transaction(session: DuckDBSession) -> None:
    ask(session, "CREATE TABLE p (a INT PRIMARY KEY); BEGIN; INSERT INTO p VALUES (7)", {})
    with pytest.raises(IntegrityError) as caught:
        session.load(pa.table({"a": [7]}), "p", mode="append")
    assert "aborted" in caught.value.hint
    assert failure(session, "COMMIT").kind == "usage"


def test_a_transaction_that_is_not_there_cannot_be_ended(session: DuckDBSession) -> None:
    assert [failure(session, end).kind for end in ("COMMIT", "ROLLBACK")] == ["usage", "usage"]


def test_progress_is_asked_for_and_not_drawn(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    try:
        for line in (
            "from siege_nb.adapters.duckdb import DuckDBAdapter, DuckDBParams",
            "from siege_nb.testing import BareHost",
            "session, seen = DuckDBAdapter(DuckDBParams()).open(BareHost()), []",
            "import threading, time",
            "session.execute('SET progress_bar_time = 100', {}); None",
        ):
            assert kernel.run(line).status == "ok"
        sent = kernel.start(
            "def look():\n"
            "    while len(seen) < 20:\n"
            "        time.sleep(0.1); seen.append(session.progress())\n"
            "    session.cancel()\n"
            "threading.Thread(target=look).start()\n"
            "sql = 'SELECT count(*) FROM range(100000) t(a), range(90000) u(b) WHERE a * b % 7 = 3'\n"
            "try: session.execute(sql, {})\n"
            "except Exception: pass"
        )
        kinds: set[str] = set()
        while "idle" not in kinds:
            message = kernel._client.get_iopub_msg(timeout=30)
            if message["parent_header"].get("msg_id") == sent:
                kinds.add(message["content"].get("execution_state") or message["msg_type"])
        assert kinds == {"busy", "execute_input", "idle"}
        if not duckdb.__version__.startswith("1."):  # before 2.0 DuckDB knows it only now and then
            assert kernel.run("assert any(share is not None for share in seen), seen").status == "ok"
    finally:
        kernel.close()


def test_half_a_character_is_told(session: DuckDBSession) -> None:
    error = failure(session, "SELECT '\ud800'")
    assert (error.kind, error.hint) == ("usage", "")
    with pytest.raises(QueryError) as caught:
        ask(session, "SELECT :x", {"x": "\ud800"})
    assert caught.value.kind == "usage"


def test_a_name_stays_as_it_was_written(session: DuckDBSession) -> None:
    assert table(session, 'SELECT :x, upper(:s), 1 AS "$y"', x=1, s="a").column_names == [":x", "upper(:s)", "$y"]
    with pytest.raises(QueryError) as caught:
        ask(session, "SELECT [1 :i]", {"i": 1})
    assert (caught.value.kind, caught.value.column) == ("syntax", 11)
    assert "$" not in str(caught.value)


def test_an_error_points_at_its_line_in_the_cell(session: DuckDBSession) -> None:
    error = failure(session, "SELECT 1;\nSELECT a,\n  b fro t")
    assert (error.kind, error.line, error.statement) == ("syntax", 3, (1, 1))
    ask(session, "CREATE TABLE orders (region INT)", {})
    error = failure(session, "SELECT 1;\n  SELECT regon\nFROM orders")
    assert (error.kind, error.line, error.column, error.statement) == ("not_found", 2, 10, (2, 2))
    assert "  LINE 2:   SELECT regon\n" in str(error)
    assert 'Candidate bindings: "region"' in str(error)


def test_a_constraint_is_an_integrity_error(session: DuckDBSession) -> None:
    ask(session, "CREATE TABLE t (a INT PRIMARY KEY)", {})
    assert isinstance(failure(session, "INSERT INTO t VALUES (1), (1)"), IntegrityError)


def test_a_missing_file_is_not_made_by_looking(tmp_path: Path) -> None:
    path = tmp_path / "typo.duckdb"
    adapter = DuckDBAdapter(structure(DuckDBParams, {"database": str(path)}))
    with pytest.raises(ConnectError, match="no DuckDB file") as caught:
        adapter.open(BareHost())
    assert caught.value.fields == ("database", "create")
    assert not adapter.test(BareHost()).ok
    assert not path.exists()


def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "text.duckdb"
    path.write_text("not a database " * 500)
    with pytest.raises(ConnectError) as caught:
        DuckDBAdapter(structure(DuckDBParams, {"database": str(path)})).open(BareHost())
    assert caught.value.problem == "database"


def test_a_relative_path_means_the_same_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert structure(DuckDBParams, {"database": "x.duckdb"}).database == str(tmp_path / "x.duckdb")
    assert structure(DuckDBParams, {"database": ":memory:"}).database == ":memory:"


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(InvalidError, match="cannot be created"):
        structure(DuckDBParams, {"database": "x", "create": True, "read_only": True})
    with pytest.raises(InvalidError, match="database"):
        structure(DuckDBParams, {"database": ""})
