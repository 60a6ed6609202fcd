"""Frames, Arrow and results of the notebook, named in DuckDB's SQL."""

from __future__ import annotations

import datetime
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from siege_nb.adapters.duckdb import DuckDBAdapter, DuckDBParams, DuckDBSession
from siege_nb.adapters.sqlite import SQLiteAdapter, SQLiteParams
from siege_nb.declare import Secret
from siege_nb.errors import QueryError
from siege_nb.query.ask import ask
from siege_nb.query.result import Result
from siege_nb.query.session import Answer, Queryable
from siege_nb.testing import BareHost


@pytest.fixture
def session() -> Iterator[DuckDBSession]:
    made = DuckDBAdapter(DuckDBParams()).open(BareHost())
    assert isinstance(made, DuckDBSession)
    yield made
    made.close()


def rows(session: Queryable, sql: str, **namespace: Any) -> list[dict[str, Any]]:
    answers, _, _ = ask(session, sql, namespace)
    assert answers[-1].table is not None
    return answers[-1].table.to_pylist()


def failure(session: Queryable, sql: str, **namespace: Any) -> QueryError:
    with pytest.raises(QueryError) as caught:
        ask(session, sql, namespace)
    return caught.value


def result(table: pa.Table) -> Result:
    return Result(Answer(table), "SELECT", "somewhere", 0.0, {})


FRAME = pd.DataFrame({"a": [1, 2], "s": ["x", None]})
ROWS = [{"a": 1, "s": "x"}, {"a": 2, "s": None}]


def tables() -> dict[str, Any]:
    arrow = pa.table({"a": [1, 2], "s": ["x", None]})
    return {
        "pandas": FRAME, "arrow": arrow, "reader": arrow.to_reader(), "batch": arrow.to_batches()[0],
        "dataset": ds.dataset(arrow), "scanner": ds.dataset(arrow).scanner(), "result": result(arrow),
        "relation": duckdb.connect().sql("FROM (VALUES (1::BIGINT, 'x'), (2, NULL)) t(a, s)"),
    }  # fmt: skip


@pytest.mark.parametrize("kind", list(tables()))
def test_a_variable_is_a_table(session: DuckDBSession, kind: str) -> None:
    assert rows(session, "SELECT * FROM it ORDER BY a", it=tables()[kind]) == ROWS


@pytest.mark.parametrize("lazy", [False, True])
def test_a_frame_of_polars_is_a_table(session: DuckDBSession, lazy: bool) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": [1, 2], "s": ["x", None]})
    assert rows(session, "FROM it ORDER BY a", it=frame.lazy() if lazy else frame) == ROWS


def test_a_relation_of_the_sessions_own_connection_is_a_table(session: DuckDBSession) -> None:
    own = session._connection.sql("SELECT 5 AS five")
    assert rows(session, "FROM own", own=own) == [{"five": 5}]


def test_what_the_database_has_wins(session: DuckDBSession) -> None:
    ask(session, "CREATE TABLE real AS SELECT 1 AS one; CREATE VIEW seen AS SELECT 2 AS two", {})
    ask(session, "CREATE TEMP TABLE passing AS SELECT 3 AS three", {})
    frames = {"real": FRAME, "seen": FRAME, "passing": FRAME, "cte": FRAME}
    assert rows(session, "FROM real", **frames) == [{"one": 1}]
    assert rows(session, "FROM seen", **frames) == [{"two": 2}]
    assert rows(session, "FROM passing", **frames) == [{"three": 3}]
    assert rows(session, "WITH cte AS (SELECT 4 AS four) FROM cte", **frames) == [{"four": 4}]
    ask(session, "DROP TABLE real", {})
    assert rows(session, "FROM real ORDER BY a", **frames) == ROWS


def test_frames_join_each_other_and_tables_over_several_statements(session: DuckDBSession) -> None:
    ask(session, "CREATE TABLE names AS FROM (VALUES (1, 'one')) t(a, name)", {})
    sql = """
        CREATE TABLE kept AS SELECT * FROM left_ JOIN right_ USING (a);
        INSERT INTO kept SELECT a + 10, s, b FROM kept;
        SELECT kept.*, name FROM kept LEFT JOIN names USING (a) ORDER BY a
    """
    right = pd.DataFrame({"a": [1], "b": [True]})
    assert rows(session, sql, left_=FRAME, right_=right) == [
        {"a": 1, "s": "x", "b": True, "name": "one"},
        {"a": 11, "s": "x", "b": True, "name": None},
    ]
    assert rows(session, "SELECT count(*) AS n FROM f a, f b WHERE a.a <= :a", f=FRAME, a=1) == [{"n": 2}]


def test_every_statement_that_reads_can_name_one(session: DuckDBSession) -> None:
    for sql in (
        "INSERT INTO t SELECT a FROM f", "UPDATE t SET a = f.a + 1 FROM f WHERE t.a = f.a", "DELETE FROM t USING f",
        "INSERT INTO t SELECT a FROM f RETURNING a", "MERGE INTO t USING f ON t.a = f.a WHEN MATCHED THEN DELETE",
        "EXPLAIN FROM f", "SUMMARIZE f", "DESCRIBE f", "PIVOT f ON s USING sum(a)",
        "COPY (FROM f) TO '/dev/null' (FORMAT csv)",
    ):  # fmt: skip
        ask(session, "CREATE OR REPLACE TABLE t AS SELECT 1::BIGINT AS a", {})
        ask(session, sql, {"f": FRAME})


def test_rows_of_another_database_are_chained_by_name(session: DuckDBSession) -> None:
    other = SQLiteAdapter(SQLiteParams()).open(BareHost())
    answers, _, _ = ask(other, "SELECT 1 AS a, 'one' AS name, 5 AS a", {})
    none, _, _ = ask(other, "SELECT 1 AS a WHERE 0", {})
    other.close()
    assert answers[0].table is not None
    assert none[0].table is not None
    chained = result(answers[0].table)
    assert rows(session, "SELECT name, a_1 FROM f JOIN chained USING (a)", f=FRAME, chained=chained) == [
        {"name": "one", "a_1": 5}
    ]
    assert rows(session, "FROM none", none=result(none[0].table)) == []


def test_a_result_that_cannot_be_read_says_so_itself(session: DuckDBSession) -> None:
    class Cut:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            raise QueryError("Only a part of these rows is held.", kind="truncated", hint="Ask for fewer.")

    error = failure(session, "SELECT count(*) FROM cut", cut=Cut())
    assert (error.kind, error.message, error.hint) == (
        "truncated",
        "Only a part of these rows is held.",
        "Ask for fewer.",
    )
    assert failure(session, "CREATE TABLE t AS FROM cut", cut=Cut()).kind == "truncated"
    ask(session, "CREATE TABLE cut (a INT)", {})
    assert rows(session, "SELECT count(*) AS n FROM cut", cut=Cut()) == [{"n": 0}]


def test_a_frame_is_seen_as_it_is_now(session: DuckDBSession) -> None:
    frame = FRAME.copy()
    assert rows(session, "SELECT sum(a) AS n FROM frame", frame=frame) == [{"n": 3}]
    frame.loc[0, "a"] = 100
    assert rows(session, "SELECT sum(a) AS n FROM frame", frame=frame) == [{"n": 102}]
    assert rows(session, "SELECT count(*) AS n FROM frame", frame=frame[:1]) == [{"n": 1}]


@pytest.mark.parametrize("sql", [
    "SELECT sum(a) FROM frame", "CREATE TABLE t AS FROM frame", "CREATE VIEW v AS FROM frame",
    "PREPARE p AS FROM frame", "FROM frame LIMIT 1",
])  # fmt: skip
def test_no_frame_is_kept_alive(session: DuckDBSession, sql: str) -> None:
    frame = FRAME.copy()
    gone = weakref.ref(frame)
    ask(session, sql, {"frame": frame})
    del frame
    gc.collect()
    assert gone() is None
    assert failure(session, "FROM frame").kind == "not_found"


def test_a_frame_is_let_go_of_when_the_statement_fails(session: DuckDBSession) -> None:
    frame = pd.DataFrame({"a": ["1"] * 100_000 + ["x"]})
    gone = weakref.ref(frame)
    error = failure(session, "SELECT a::INT FROM frame", frame=frame)
    error.with_traceback(None)
    del frame
    gc.collect()
    assert gone() is None


def test_names_that_are_keywords_or_foreign_are_names(session: DuckDBSession) -> None:
    assert rows(session, 'FROM "order" ORDER BY a', order=FRAME) == ROWS
    assert rows(session, 'SELECT "group".a FROM "group" WHERE s = \'x\'', group=FRAME) == [{"a": 1}]
    assert rows(session, "FROM größe ORDER BY a", größe=FRAME) == ROWS
    assert rows(session, "FROM _1 ORDER BY a", _1=FRAME) == ROWS


@pytest.mark.parametrize("sql", [
    "FROM main.f", "FROM nowhere.f", "FROM F", "FROM secret", "FROM number", "FROM session", "FROM statement",
    "FROM namespace", "FROM self", "FROM frames",
])  # fmt: skip
def test_what_is_no_table_of_that_name_is_not_found(session: DuckDBSession, sql: str) -> None:
    error = failure(session, sql, f=FRAME, secret=Secret("canary-0815"), number=5)
    assert error.kind == "not_found"
    assert "canary" not in str(error)


def test_only_tables_that_the_statement_names_are_looked_at(session: DuckDBSession) -> None:
    class Watched(dict[str, Any]):
        asked: set[str] = set()

        def __getitem__(self, name: str) -> Any:
            self.asked.add(name)
            return super().__getitem__(name)

    namespace = Watched(f=FRAME, g=FRAME, password=Secret("canary-0816"))
    ask(session, "SELECT * FROM f -- and nothing of password's", namespace)
    assert "g" not in namespace.asked


@pytest.mark.parametrize(("values", "found"), [
    (pd.Categorical(["a", "b"]), ["a", "b"]), ([[1], [2, 3]], [[1], [2, 3]]), ([None, None], [None, None]),
    (pd.array([1, None], dtype="Int64"), [1, None]),
    ([datetime.date(2026, 1, 2), None], [datetime.date(2026, 1, 2), None]),
    ([1, "a"], ["1", "a"]), (np.array([1.5, np.nan]), [1.5, np.nan]),
])  # fmt: skip
def test_a_column_of_an_odd_type_is_read(session: DuckDBSession, values: Any, found: list[Any]) -> None:
    read = [row["v"] for row in rows(session, "FROM f", f=pd.DataFrame({"v": values}))]
    assert [None if isinstance(one, float) and np.isnan(one) else one for one in read] == [
        None if isinstance(one, float) and np.isnan(one) else one for one in found
    ]


@pytest.mark.parametrize("values", [[1j], pd.period_range("2026", periods=1), pd.interval_range(0, 1)])
def test_a_column_that_duckdb_has_no_type_for_is_named(session: DuckDBSession, values: Any) -> None:
    error = failure(session, "SELECT 1;\nFROM f", f=pd.DataFrame({"fine": [1], "odd": values}))
    assert error.kind == "usage"
    assert "f['odd']" in error.message
    assert "no column" in failure(session, "FROM f", f=pd.DataFrame()).message.replace("at least one", "no")


def test_columns_of_one_name_are_told_apart(session: DuckDBSession) -> None:
    twice = pa.table([[1], [2]], names=["a", "a"])
    assert rows(session, "FROM twice", twice=twice) == [{"a": 1, "a_1": 2}]
    frame = pd.DataFrame([[1, 2]], columns=["a", "a"])
    assert rows(session, "FROM frame", frame=frame) == [{"a": 1, "a_1": 2}]


def test_nothing_is_left_in_the_catalogue(session: DuckDBSession) -> None:
    rows(session, "FROM f", f=FRAME)
    assert session.tables("main") == []
    assert rows(session, "SELECT count(*) AS n FROM duckdb_views() WHERE NOT internal") == [{"n": 0}]
