"""%sql and %%sql: where it runs, what is kept, what is shown."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from siege_nb.errors import ConnectError, IntegrityError, QueryError, QueryTimeoutError
from siege_nb.magics.errors import SqlError
from siege_nb.query.result import Result
from tests.magics.conftest import Run


@pytest.fixture(autouse=True)
def _two(run: Run) -> None:
    run("%conn add duck duckdb")
    run("%conn add lite sqlite database=:memory:")
    run("%conn duck")


def test_a_named_connection_serves_one_cell_only(run: Run) -> None:
    run("%sql CREATE TABLE here AS SELECT 'duck' AS engine")
    run("%%sql lite\nCREATE TABLE here AS SELECT 'lite' AS engine")
    assert run("%sql FROM here") == [("duck",)]
    assert run("%%sql lite\nSELECT * FROM here") == [("lite",)]
    assert run("%sql SELECT engine FROM here") == [("duck",)]
    assert run("%sql lite SELECT engine FROM here") == [("lite",)]
    run("%sql lite")
    assert run("%sql SELECT engine FROM here") == [("lite",)]


def test_the_first_connection_named_is_in_use_from_then_on(run: Run) -> None:
    run("%conn close --all")
    with pytest.raises(SqlError, match="No connection is in use"):
        run("%sql SELECT 1")
    assert run("%sql lite SELECT 2") == [(2,)]
    assert run("%sql SELECT 3") == [(3,)]


def test_a_result_is_kept_and_shown_as_asked(run: Run, ip: InteractiveShell) -> None:
    assert run("%sql x << SELECT 1 AS a") is None
    assert isinstance(run("%sql y = << SELECT 2 AS a"), Result)
    assert run("%%sql -o z\nSELECT 3 AS a") is None
    assert [ip.user_ns[name] for name in "xyz"] == [[(1,)], [(2,)], [(3,)]]
    assert ip.user_ns["x"].connection == "duck"
    assert ip.user_ns["x"].sql.strip() == "SELECT 1 AS a"


def test_binds_come_from_the_notebook(run: Run, ip: InteractiveShell) -> None:
    ip.user_ns.update(n=5, label="it's {not} $expanded", several=[1, 3])
    for connection in ("duck", "lite"):
        assert run(f"%sql {connection} SELECT :n + 1 AS n, :label AS label") == [(6, "it's {not} $expanded")]
        assert len(run(f"%sql {connection} SELECT * FROM (SELECT 1 AS a UNION SELECT 2) t WHERE a IN (:several)")) == 1
    assert ip.user_ns["n"] == 5
    assert run("%sql q = << SELECT :n AS n").params == {"n": 5}


def test_nothing_is_expanded_in_the_sql(run: Run, ip: InteractiveShell) -> None:
    ip.user_ns["n"] = 5
    assert run("%sql SELECT '{n} $n' AS a, length('a   b') AS b") == [("{n} $n", 5)]


def test_several_statements_each_say_what_they_gave(run: Run) -> None:
    result = run("%%sql\nCREATE TABLE t (a INT);\nINSERT INTO t VALUES (1), (2);\nSELECT * FROM t")
    assert len(result) == 2
    assert "before it: done, 2" in repr(result)


@pytest.mark.parametrize("cell", ["%%sql\n ", "%%sql\n-- only a remark", "%sql"])
def test_nothing_to_run_is_no_crash(run: Run, cell: str) -> None:
    assert "done" in repr(run(cell)) or "2 connections" in repr(run(cell))


def test_an_error_is_ours_and_ipythons(run: Run) -> None:
    with pytest.raises(SqlError) as caught:
        run("%%sql lite\nSELECT 1;\nSELECT * FROM nosuch")
    error = caught.value
    assert isinstance(error, QueryError)
    assert isinstance(error, UsageError)
    assert (error.kind, error.connection, error.statement) == ("not_found", "lite", (2, 2))
    assert error._render_traceback_()[0] == "SqlError[not_found] lite: no such table: nosuch"
    assert error.__cause__ is None
    assert error.__context__ is None


def test_an_error_keeps_the_type_that_says_what_to_do(run: Run) -> None:
    with pytest.raises(QueryTimeoutError):
        run("%sql --timeout 0.2 SELECT count(*) FROM range(100000000) a, range(100000) b WHERE a.range % 7 = b.range")
    run("%sql CREATE TABLE k (a INT PRIMARY KEY)")
    with pytest.raises(IntegrityError) as caught:
        run("%sql INSERT INTO k VALUES (1), (1)")
    assert isinstance(caught.value, SqlError)


def test_a_misspelt_name_is_told_with_what_was_probably_meant(run: Run) -> None:
    run("%sql lite CREATE TABLE orders (a INT)")
    with pytest.raises(SqlError, match="did you mean: orders"):
        run("%sql lite SELECT * FROM ordrs")
    run("%sql --save lately -N SELECT 1 AS a")
    with pytest.raises(SqlError, match="did you mean: lately"):
        run("%sql lite SELECT * FROM latly")


def test_a_chart_is_in_the_colours_of_the_client(run: Run) -> None:
    run("%client new ACME Acme primary_contact=x email=y@z brand_colors=#0B6E4F")
    run("%conn add theirs duckdb client=ACME")
    bundle = run("%sql --chart bar a b theirs SELECT 'x' AS a, 2 AS b")._repr_mimebundle_()
    assert bundle["application/vnd.vegalite.v5+json"]["mark"]["color"] == "#0B6E4F"
    with pytest.raises(SqlError, match="--chart draws bar, line, area, point, hist, not 'pie'"):
        run("%sql --chart pie a b theirs SELECT 1")


def test_a_failed_statement_leaves_the_users_transaction_alone_and_says_so(run: Run) -> None:
    run("%%sql lite\nCREATE TABLE t (a INT);\nBEGIN;\nINSERT INTO t VALUES (1)")
    with pytest.raises(SqlError):
        run("%sql lite SELECT nosuch FROM t")
    assert "in transaction" in repr(run("%sql lite SELECT * FROM t"))
    run("%sql lite ROLLBACK")
    assert run("%sql lite SELECT count(*) FROM t") == [(0,)]


def test_the_line_that_lists_and_the_line_that_closes(run: Run) -> None:
    assert "2 connections" in repr(run("%sql -l"))
    assert "duck is closed" in repr(run("%sql --close duck"))


@pytest.mark.parametrize("error", [SqlError, UsageError, ConnectError])
def test_a_connection_that_cannot_be_had_is_a_sql_error_too(run: Run, error: type[Exception], tmp_path: Path) -> None:
    run(f"%conn add lost duckdb database={tmp_path}/lost.duckdb")
    with pytest.raises(error) as caught:
        run("%sql lost SELECT 1")
    assert caught.value._render_traceback_()[0].startswith("SqlError[connection] lost: There is no DuckDB file")
    assert type(caught.value).__name__ == "SqlError"
    assert caught.value.fields == ("database", "create")
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, error)
    assert (str(again), again.fields) == (str(caught.value), caught.value.fields)


def test_a_connection_that_failed_is_not_in_use_afterwards(run: Run, tmp_path: Path) -> None:
    run(f"%conn add lost duckdb database={tmp_path}/lost.duckdb")
    run("%conn close --all")
    with pytest.raises(SqlError):
        run("%sql lost SELECT 1")
    with pytest.raises(SqlError, match="No connection is in use"):
        run("%sql SELECT 1")


def test_a_chart_that_cannot_be_drawn_costs_no_result(run: Run, ip: InteractiveShell) -> None:
    with pytest.raises(SqlError, match="no column 'zz'"):
        run("%%sql --chart bar a zz r <<\nSELECT 1 AS a")
    assert ip.user_ns["r"] == [(1,)]


def test_letters_may_be_cased_as_one_likes(run: Run) -> None:
    run("%conn close --all")
    assert run("%sql DUCK SELECT 1") == [(1,)]
    assert "●  duck" in repr(run("%conn"))
    run("%conn rm DUCK")
    with pytest.raises(SqlError, match="No connection is in use"):
        run("%sql SELECT 1")


def test_nothing_that_was_typed_is_dropped(run: Run) -> None:
    for line in ("%sql -x duck SELECT 1", "%sql -l SELECT 1", "%sql duck --timeout 3"):
        with pytest.raises(SqlError):
            run(line)
    assert "duck" in repr(run("%conn"))
