"""Which statements ask for a plan, and a plan as text."""

from __future__ import annotations

import pyarrow as pa
import pytest

from siege_nb.query import explain
from siege_nb.query.session import Answer
from siege_nb.query.statements import STANDARD, Grammar

MYSQL = Grammar(backslash=True, escapes=False, dollars=False, nested=False, backticks=True, hashes=True)


@pytest.mark.parametrize(("grammar", "text", "explains"), [
    (STANDARD, "EXPLAIN SELECT 1", True),
    (STANDARD, "-- why?\nexplain (analyze, buffers) DELETE FROM t", True),
    (STANDARD, "EXPLAIN QUERY PLAN SELECT 1", True),
    (STANDARD, "SELECT 1; EXPLAIN FROM t", True),
    (STANDARD, "EXPLAIN SELECT 1; SELECT 2", False),
    (STANDARD, "SELECT 'EXPLAIN SELECT 1'", False),
    (STANDARD, "SELECT n FROM t ORDER BY n DESC", False),
    (STANDARD, "DESCRIBE SELECT 1", False),
    (STANDARD, "ANALYZE t", False),
    (STANDARD, "-- EXPLAIN", False),
    (MYSQL, "DESC SELECT 1", True),
    (MYSQL, "ANALYZE FORMAT=JSON SELECT 1", True),
    (MYSQL, "EXPLAIN t", False),
    (MYSQL, "DESC `select`", False),
    (MYSQL, "ANALYZE NO_WRITE_TO_BINLOG t", False),
])  # fmt: skip
def test_a_statement_that_asks_for_a_plan_is_known(grammar: Grammar, text: str, explains: bool) -> None:
    assert explain.explains(text, grammar) == explains


@pytest.mark.parametrize(("table", "drawn"), [
    (pa.table({"QUERY PLAN": ["Sort", "  -> Scan"]}), "Sort\n  -> Scan"),
    (pa.table({"explain_key": ["physical_plan"], "explain_value": ["┌─┐\n└─┘\n"]}), "┌─┐\n└─┘"),
    (pa.table({"id": [3, 7, 9, 12], "parent": [0, 3, 7, 0], "notused": [0] * 4, "detail": ["A", "B", "C", "D"]}),
     "A\n  B\n    C\nD"),
    (pa.table({"id": [1, None], "table": ["t", "longer"], "rows": [5, 6]}),
     "id  table   rows\n1   t       5\n    longer  6"),
    (pa.table({"plan": pa.array([], pa.string())}), ""),
])  # fmt: skip
def test_a_plan_is_drawn_as_its_engine_means_it(table: pa.Table, drawn: str) -> None:
    assert explain.drawn(table) == drawn
    told = explain.as_text(Answer(table)).table
    assert told is not None
    assert told.column("plan").to_pylist() == drawn.split("\n")


def test_what_gave_no_rows_has_no_plan() -> None:
    assert explain.as_text(Answer(rowcount=3)) == Answer(rowcount=3)
