"""What only DuckDB has: its types, its splitter, its errors, its file."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from siege_nb.adapters.duckdb import DuckDBAdapter, DuckDBParams, DuckDBSession
from siege_nb.declare import structure
from siege_nb.errors import ConnectError, IntegrityError, QueryError
from siege_nb.query.run import ask
from siege_nb.testing import BareHost


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
