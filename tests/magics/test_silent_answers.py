"""Where other SQL cells answer wrongly without a word: the right answer, or an error."""

from __future__ import annotations

from decimal import Decimal

import pytest
from IPython.core.interactiveshell import InteractiveShell

from siege_nb.magics.errors import SqlError
from tests.magics.conftest import Run


@pytest.fixture(autouse=True)
def _duck(run: Run) -> None:
    run("%conn add duck duckdb")
    run("%conn duck")


def test_a_frame_takes_no_rows_away(run: Run) -> None:
    result = run("%sql SELECT i, i * 2 AS j FROM range(25000) t(i)")
    assert len(result.DataFrame()) == 25_000
    assert len(result) == len(list(result)) == 25_000
    assert (result.csv() or "").count("\n") == 25_001
    assert len(result.DataFrame()) == 25_000


def test_nothing_is_run_again_for_a_frame(run: Run) -> None:
    run("%sql CREATE SEQUENCE s")
    result = run("%sql SELECT random() AS r, nextval('s') AS n")
    shown = result[0]
    assert tuple(result.DataFrame().iloc[0]) == shown
    assert result.dicts()[0]["r"] == shown[0]
    assert run("%sql SELECT nextval('s') AS n") == [(2,)]


def test_rows_of_an_insert_are_in_the_frame(run: Run) -> None:
    run("%sql CREATE TABLE t (a INT, b VARCHAR)")
    result = run("%sql INSERT INTO t VALUES (1, 'x'), (2, 'y') RETURNING a, b")
    assert result.DataFrame().to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}
    assert run("%sql SELECT count(*) FROM t") == [(2,)]


@pytest.mark.parametrize("source", [
    "%sql SELECT length('a   b') AS n, 'c  d' AS t",
    "%%sql SELECT length('a   b') AS n,\n 'c  d' AS t",
])  # fmt: skip
def test_blanks_in_literals_stay(run: Run, source: str) -> None:
    assert run(source) == [(5, "c  d")]


def test_a_name_that_is_not_there_is_no_empty_text(run: Run, ip: InteractiveShell) -> None:
    run("%sql CREATE TABLE t AS SELECT 1 AS a")
    for where in ("{{where}}", "WHERE {{ nothing.at_all }}", "WHERE a = :gone"):
        with pytest.raises(SqlError, match=r"where|nothing|gone") as caught:
            run(f"%%sql\nDELETE FROM t {where}")
        assert caught.value.kind == "usage"
    ip.user_ns["where"] = "WHERE a > 1"
    run("%%sql\nDELETE FROM t {{where}}")
    assert run("%sql SELECT count(*) FROM t") == [(1,)]


def test_what_a_session_has_stays_from_cell_to_cell(run: Run) -> None:
    run("%sql CREATE TEMP TABLE mine AS SELECT 1 AS a")
    run("%sql CREATE SCHEMA other")
    run("%sql USE other")
    run("%sql SET VARIABLE v = 42")
    assert run("%sql SELECT a, current_schema(), getvariable('v') FROM mine") == [(1, "other", 42)]
    run("%sql BEGIN")
    run("%sql CREATE TABLE gone (a INT)")
    assert "in transaction" in repr(run("%sql SELECT count(*) FROM gone"))
    run("%sql ROLLBACK")
    with pytest.raises(SqlError, match="gone"):
        run("%sql SELECT * FROM gone")


def test_a_transaction_behind_a_comment_is_one(run: Run) -> None:
    run("%sql CREATE TABLE t (a INT)")
    run("%%sql\n-- first a remark\n/* and another */ BEGIN; INSERT INTO t VALUES (1); ROLLBACK")
    assert run("%sql SELECT count(*) FROM t") == [(0,)]


def test_a_limit_that_is_set_is_kept_and_said(run: Run, ip: InteractiveShell) -> None:
    ip.run_line_magic("config", "SqlMagic.autolimit = 3")
    result = run("%sql SELECT * FROM range(100000)")
    assert len(result) == 3
    assert result.truncated
    assert "first 3 rows" in repr(result)
    ip.run_line_magic("config", "SqlMagic.autolimit = 0")
    assert len(run("%sql SELECT * FROM range(100000)")) == 100_000


def test_a_shift_is_no_assignment(run: Run, ip: InteractiveShell) -> None:
    assert run("%sql select 1 << 3") == [(8,)]
    assert run("%%sql\nselect 1 << 3") == [(8,)]
    assert "select" not in ip.user_ns
    assert "select1" not in ip.user_ns


@pytest.mark.parametrize("source", ["%sql --nosuch SELECT 1", "%sql --nosuch", "%%sql --nosuch\nSELECT 1"])
def test_an_option_that_is_none_is_told(run: Run, source: str) -> None:
    with pytest.raises(SqlError, match="no option --nosuch"):
        run(source)


def test_every_column_is_there_also_of_one_name(run: Run) -> None:
    result = run("%sql SELECT 1 AS a, 2 AS a, 3 AS A")
    assert list(result.dict().values()) == [(1,), (2,), (3,)]
    assert list(result.dicts()[0].values()) == [1, 2, 3]
    assert result.DataFrame().shape == (1, 3)


def test_no_digit_of_a_decimal_is_lost(run: Run) -> None:
    many = "12345678901234567890.123456789"
    frame = run(f"%sql SELECT {many}::DECIMAL(38, 9) AS d, 170141183460469231731687303715884105727 AS h").DataFrame()
    assert frame["d"][0] == Decimal(many)
    assert int(frame["h"][0]) == 2**127 - 1
