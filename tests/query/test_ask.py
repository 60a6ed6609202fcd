"""A cell's statements on every engine: values, transactions, plans, limits, errors and how far it is."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from siege_nb.errors import AuthError, ConnectError, ConnectTimeoutError, QueryError, QueryTimeoutError, SiegeError
from siege_nb.magics.errors import SqlError
from siege_nb.pool import Lease
from siege_nb.query.ask import PLAIN, How, ask
from siege_nb.query.result import Result
from siege_nb.query.run import StoppedError
from siege_nb.query.session import Take
from siege_nb.workspace import asked

LONG = {
    "duckdb": "SELECT count(*) FROM range(100000000) a, range(100000) b WHERE (a.range * b.range) % 7 = 3",
    "sqlite": "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
    "postgres": "SELECT pg_sleep(60)",
    "mysql": "SELECT sleep(60)",
}
WHOLE = How(whole=True)


def run(lease: Lease, sql: str, how: How = PLAIN, names: Mapping[str, Any] | None = None, **more: Any) -> Result:
    return asked(lease, sql, names or {}, how, **more)


def numbers(lease: Lease) -> list[int]:
    """What is in the table, seen by a cell of its own: so nothing is wedged either."""
    return [int(n) for (n,) in run(lease, "SELECT n FROM t ORDER BY n")]


class Watcher:
    """Hears how far a cell is, and may press Stop at the first sign that it takes its time."""

    def __init__(self, *, stops: bool = False) -> None:
        self.statements: list[tuple[int, int]] = []
        self.ticks: list[tuple[float, float | None]] = []
        self.stops = stops

    def statement(self, number: int, total: int) -> None:
        self.statements.append((number, total))

    def tick(self, seconds: float, done: float | None) -> None:
        self.ticks.append((seconds, done))
        if self.stops and self.statements[-1] == (2, 3):
            signal.raise_signal(signal.SIGINT)


# --- what is bound

ALL = {"duckdb", "sqlite", "postgres", "mysql"}
AWKWARD = [
    (ALL, "SELECT '12:30:00' AS a, 'at :n' AS b", ("12:30:00", "at :n")),
    (ALL, "SELECT '{\"a\":1, \"n\" :n}' AS a", ('{"a":1, "n" :n}',)),
    (ALL, "SELECT 1 AS a -- :nosuch, it's\n WHERE 5=:n", (1,)),
    (ALL, "SELECT /* :nosuch it's */ 1 AS a WHERE 5 IN (:n, :n)", (1,)),
    (ALL, "SELECT 'it''s :n' AS a, 7 % 4 AS b, '%(n)s 100%' AS c WHERE :n = 5", ("it's :n", 3, "%(n)s 100%")),
    (ALL, "SELECT 1 AS a WHERE 5 IN (:ns) AND 1 NOT IN (:ns) AND 1 NOT IN (:none)", (1,)),
    (ALL - {"mysql"}, "SELECT 1 AS \":n\" WHERE :n = 5", (1,)),
    ({"mysql", "sqlite"}, "SELECT 1 AS `:n` WHERE :n = 5", (1,)),
    ({"duckdb", "postgres"}, "SELECT :n::int AS a, '3'::int AS b", (5, 3)),
    ({"duckdb", "postgres"}, "SELECT /* /* :nosuch */ :nosuch */ 1 AS a WHERE :n = 5", (1,)),
    ({"duckdb", "postgres"}, "SELECT $$ :nosuch $$ AS a, $x$ $$ :nosuch $x$ AS b", (" :nosuch ", " $$ :nosuch ")),
    ({"duckdb", "postgres"}, "SELECT E'it\\'s :nosuch' AS a WHERE :n = 5", ("it's :nosuch",)),
    ({"mysql"}, "SELECT 'it\\'s :nosuch' AS a WHERE :n = 5", ("it's :nosuch",)),
    ({"postgres"}, "SELECT (ARRAY[1,2,3])[1:2] AS a WHERE :n = 5", ([1, 2],)),
    ({"duckdb"}, "SELECT [1,2,3][1:2] AS a, {'k':n, 'v': :n} AS b FROM (SELECT 4 AS n)", ([1, 2], {"k": 4, "v": 5})),
    ({"mysql"}, "SELECT @v:=:n AS a, @w := 2 AS b", (5, 2)),
    ({"postgres", "duckdb"}, "SELECT TIMESTAMP '2020-01-01 00:00:00' = '2020-01-01 00:00:00'::timestamp AS a", (True,)),
]  # fmt: skip


def test_what_is_no_bind_on_an_engine_is_left_alone(lease: Lease) -> None:
    names = {"n": 5, "ns": [4, 5], "none": []}
    for kinds, sql, row in AWKWARD:
        if lease.name in kinds:
            assert list(run(lease, sql, names=names)) == [row], sql


LISTED = [
    ("n IN (0, :ns)", [1, 2]), ("n IN (:ns, 3)", [1, 2, 3]), ("n IN (/* :c */ :ns)", [1, 2]), ("n IN ((:ns))", [1, 2]),
    (f"n IN ({' ' * 50}:ns)", [1, 2]), ("n NOT IN (3, :ns)", [4]), ("n IN (:none, 3, :none)", [3]),
    ("n NOT IN (:none, :none)", [1, 2, 3, 4]), ("n NOT IN (4, :none)", [1, 2, 3]),
    ("(n, n + 1) IN (:pairs)", [1, 3]), ("(n, n + 1) NOT IN (:pairs)", [2, 4]), ("(n, n) NOT IN (:none)", [1, 2, 3, 4]),
    ("(n, n) IN (:none)", []), ("(n, n + 1) IN ((:ns))", [1]),
]  # fmt: skip


def test_a_list_is_as_many_values_wherever_it_stands_in_an_in(lease: Lease) -> None:
    run(lease, "INSERT INTO t VALUES (1), (2), (3), (4)")
    names = {"ns": [1, 2], "none": (), "pairs": [(1, 2), (3, 4), (4, 9)]}
    for condition, found in LISTED:
        said = run(lease, f"SELECT n FROM t WHERE {condition} ORDER BY n", names=names)
        assert [int(n) for (n,) in said] == found, condition


def test_a_list_is_no_value_where_there_are_no_arrays(lease: Lease) -> None:
    run(lease, "INSERT INTO t VALUES (1), (2), (3)")
    if lease.name in ("mysql", "sqlite"):
        with pytest.raises(QueryError, match=":ns is a list") as caught:
            run(lease, "SELECT 1;\nSELECT n FROM t WHERE n = :ns", names={"ns": [1, 2]})
        assert (caught.value.kind, caught.value.line, caught.value.column) == ("usage", 2, 27)
        return
    holds = {"duckdb": "list_contains(:ns, n)", "postgres": "n = ANY(:ns)"}[lease.name]
    assert len(run(lease, f"SELECT n FROM t WHERE {holds}", names={"ns": [1, 2]})) == 2


def test_what_stands_right_after_a_bracket_is_bound_only_when_asked_for(lease: Lease) -> None:
    enabled = How(binds="enabled")
    if lease.name == "duckdb":
        assert list(run(lease, "SELECT {'a':v} AS a FROM (SELECT 7 AS v)", enabled, {"v": 1})) == [({"a": 7},)]
    if lease.name in ("duckdb", "postgres"):
        array = {"duckdb": "[10,20,30]", "postgres": "(ARRAY[10,20,30])"}[lease.name]
        assert list(run(lease, f"SELECT {array}[:n] AS a FROM (SELECT 2 AS n) t")) == [([10, 20],)]
        assert list(run(lease, f"SELECT {array}[:n] AS a", enabled, {"n": 3})) == [(30,)]
    assert list(run(lease, "SELECT '12:30' AS a, ':n' AS b WHERE 1=:n -- ):n", enabled, {"n": 1})) == [("12:30", ":n")]
    with pytest.raises(QueryError, match="no value for :nosuch"):
        run(lease, "SELECT (1):nosuch", enabled)


def test_a_text_goes_as_it_is_when_nothing_is_to_be_bound(lease: Lease) -> None:
    disabled = How(binds="disabled")
    said = run(lease, "SELECT '100%' AS a, '%(n)s' AS b, 7 % 4 AS c, ':n' AS d", disabled, {"n": 1})
    assert (list(said), said.params) == ([("100%", "%(n)s", 3, ":n")], {})
    if lease.name in ("duckdb", "postgres"):
        prepared = "PREPARE p AS SELECT $1::int + 1 AS a; EXECUTE p(5)"
        assert list(run(lease, prepared, disabled)) == [(6,)]
    given = How(binds="disabled", params={"given": np.int64(5)})
    said = run(lease, "SELECT :given + 1 AS a, ':n' AS b", given, {"n": 1})
    assert ([(int(a), b) for a, b in said], said.params) == ([(6, ":n")], {"given": 5})
    with pytest.raises(QueryError):
        run(lease, "SELECT :n", disabled, {"n": 1})
    assert numbers(lease) == []


def test_given_values_are_the_only_ones(lease: Lease) -> None:
    names = {"n": 1, "m": 2}
    assert list(run(lease, "SELECT :n AS n", How(params={"n": 5}), names)) == [(5,)]
    with pytest.raises(QueryError, match="no value for :m") as caught:
        run(lease, "INSERT INTO t VALUES (1); SELECT :n, :m", How(params={"n": 5}), names)
    assert (caught.value.kind, caught.value.hint) == ("usage", "--params has n.")
    assert numbers(lease) == []


# --- one transaction for the cell

def test_a_whole_cell_counts_at_its_end(lease: Lease) -> None:
    said = run(lease, "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); SELECT count(*) AS c FROM t", WHOLE)
    assert ([int(c) for (c,) in said], said.earlier, said.in_transaction) == ([2], (1, 1), False)
    assert numbers(lease) == [1, 2]


def test_an_error_takes_a_whole_cell_back_and_says_where_it_was(lease: Lease) -> None:
    with pytest.raises(QueryError) as caught:
        run(lease, "INSERT INTO t VALUES (1);\nINSERT INTO t VALUES (1);\nINSERT INTO t VALUES (2)", WHOLE)
    assert (caught.value.kind, caught.value.statement) == ("constraint", (2, 3))
    assert str(caught.value).endswith("  statement 2 of 3 · All of the cell was rolled back.")
    assert "transaction is" not in str(caught.value)
    assert numbers(lease) == []
    assert not lease.in_transaction


@pytest.mark.parametrize("how", [PLAIN, WHOLE])
def test_without_a_transaction_of_the_users_nothing_stays_open_after_an_error(lease: Lease, how: How) -> None:
    with pytest.raises(QueryError) as caught:
        run(lease, "INSERT INTO t VALUES (1); SELECT * FROM nosuch; INSERT INTO t VALUES (2)", how)
    assert (caught.value.kind, caught.value.statement_index) == ("not_found", 2)
    assert not lease.in_transaction
    assert numbers(lease) == ([] if how.whole else [1])


@pytest.mark.parametrize("how", [PLAIN, WHOLE])
@pytest.mark.parametrize("ended_by", ["Stop", "timeout"])
def test_a_cell_that_is_ended_leaves_nothing_open(lease: Lease, how: How, ended_by: str) -> None:
    sql = f"INSERT INTO t VALUES (1); {LONG[lease.name]}; INSERT INTO t VALUES (2)"
    watch = Watcher(stops=ended_by == "Stop")
    how = How(whole=how.whole, watch=watch)
    if ended_by == "Stop":
        with pytest.raises(StoppedError) as stopped:
            run(lease, sql, how)
        assert ("All of the cell was rolled back." in stopped.value.message) == how.whole
    else:
        with pytest.raises(QueryTimeoutError) as late:
            run(lease, sql, how, timeout=0.4)
        assert (late.value.statement, "rolled back" in late.value.hint) == ((2, 3), how.whole)
    assert watch.statements[-1] == (2, 3)
    assert numbers(lease) == ([] if how.whole else [1])
    assert not lease.in_transaction


@pytest.mark.parametrize("lease", ["postgres"], indirect=True)
def test_nothing_is_claimed_of_a_cell_whose_session_is_gone(lease: Lease) -> None:
    with pytest.raises(ConnectError) as caught:
        run(lease, "INSERT INTO t VALUES (1); SELECT pg_terminate_backend(pg_backend_pid())", WHOLE)
    assert (caught.value.problem, lease.lost) == ("lost", True)
    assert "rolled back" not in str(caught.value)


def test_a_transaction_of_the_users_outlives_an_error(lease: Lease) -> None:
    run(lease, "BEGIN")
    with pytest.raises(QueryError):
        run(lease, "INSERT INTO t VALUES (1); INSERT INTO t VALUES (1)")
    assert lease.in_transaction
    run(lease, "ROLLBACK")
    assert numbers(lease) == []


@pytest.mark.parametrize(("before", "sql", "message"), [
    ("BEGIN", "INSERT INTO t VALUES (1)", "open already"),
    ("", "INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (2)", "COMMIT begins or ends a transaction"),
    ("", "INSERT INTO t VALUES (1); BEGIN", "BEGIN begins or ends a transaction"),
    ("", "INSERT INTO t VALUES (1); /* no */ ROLLBACK", "ROLLBACK begins or ends a transaction"),
])  # fmt: skip
def test_a_cell_that_cannot_be_one_transaction_is_refused(lease: Lease, before: str, sql: str, message: str) -> None:
    run(lease, before)
    with pytest.raises(QueryError, match=message) as caught:
        run(lease, sql, WHOLE)
    assert caught.value.kind == "usage"
    assert lease.in_transaction == bool(before)
    assert numbers(lease) == []


def test_tables_are_made_and_taken_back_where_the_engine_can(lease: Lease) -> None:
    sql = "CREATE TABLE u (n int); INSERT INTO u VALUES (1); SELECT * FROM nosuch"
    with pytest.raises(QueryError) as caught:
        run(lease, sql, WHOLE)
    if lease.name == "mysql":
        assert caught.value.statement == (1, 3)
        assert caught.value.message.startswith("CREATE TABLE commits by itself")
    with pytest.raises(QueryError) as caught:
        run(lease, "SELECT * FROM u")
    assert caught.value.kind == "not_found"


@pytest.mark.parametrize("lease", ["mysql"], indirect=True)
def test_a_statement_that_ends_the_transaction_unseen_is_told(lease: Lease) -> None:
    run(lease, "CREATE PROCEDURE p() BEGIN CREATE TABLE u (n int); END")
    with pytest.raises(QueryError, match="ended the transaction of the cell") as caught:
        run(lease, "INSERT INTO t VALUES (1); CALL p(); INSERT INTO t VALUES (2)", WHOLE)
    assert (caught.value.statement, caught.value.hint) == ((2, 3), "Nothing after it was run.")
    assert numbers(lease) == [1]
    with pytest.raises(QueryError, match="already exists") as caught:
        run(lease, "INSERT INTO t VALUES (2); CALL p(); INSERT INTO t VALUES (3)", WHOLE)
    assert "rolled back" not in caught.value.hint
    assert numbers(lease) == [1, 2]


@pytest.mark.parametrize("lease", ["postgres", "sqlite"], indirect=True)
def test_a_commit_that_fails_takes_the_cell_back(lease: Lease) -> None:
    if lease.name == "sqlite":
        run(lease, "PRAGMA foreign_keys = on")
    run(lease, "CREATE TABLE u (n int REFERENCES t DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(QueryError, match=r"(?i)foreign key.*[\s\S]*rolled back"):
        run(lease, "INSERT INTO t VALUES (1); INSERT INTO u VALUES (7)", WHOLE)
    assert not lease.in_transaction
    assert numbers(lease) == []


def test_a_user_who_commits_by_hand_begins_nothing(lease: Lease) -> None:
    by_hand = How(autocommit=False)
    assert run(lease, "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)", by_hand).in_transaction
    assert not run(lease, "ROLLBACK", by_hand).in_transaction
    assert run(lease, "INSERT INTO t VALUES (3); COMMIT; INSERT INTO t VALUES (4)", by_hand).in_transaction
    assert run(lease, "SELECT n FROM t ORDER BY n", by_hand).in_transaction
    run(lease, "ROLLBACK", by_hand)
    assert run(lease, "BEGIN", by_hand).in_transaction
    run(lease, "COMMIT", by_hand)
    assert numbers(lease) == [3]


@pytest.mark.parametrize(("error", "retryable"), [
    (QueryError("waited for a lock", kind="timeout"), True),
    (ConnectError("gone", problem="lost"), True),
    (ConnectTimeoutError("nobody there", problem="timeout"), True),
    (QueryError("no", kind="constraint"), False),
    (QueryError("no", kind="cancelled"), False),
    (AuthError("who?", problem="auth"), False),
    (ConnectError("no such file", problem="database"), False),
])  # fmt: skip
def test_an_error_says_whether_the_same_may_succeed_later(error: SiegeError, retryable: bool) -> None:
    assert SqlError.of(error, "it").retryable == retryable


# --- plans

def plan(lease: Lease, sql: str, how: How, names: Mapping[str, Any] | None = None) -> str:
    said = run(lease, sql, how, names)
    assert (said.keys, said.plan) == (["plan"], True)
    return "\n".join(line for (line,) in said)


def test_a_plan_is_text_and_runs_nothing(lease: Lease) -> None:
    text = plan(lease, "SELECT n FROM t WHERE n > :n", How(explain="plan"), {"n": 1})
    assert {"duckdb": "─", "sqlite": "t USING", "postgres": "cost=", "mysql": "select_type"}[lease.name] in text
    assert run(lease, "SELECT 1; EXPLAIN SELECT n FROM t").plan
    assert not run(lease, "EXPLAIN SELECT n FROM t; SELECT 'EXPLAIN SELECT'").plan
    plan(lease, "DELETE FROM t WHERE n > 1", How(explain="plan"))
    plan(lease, "INSERT INTO t VALUES (1)", How(explain="plan"))
    assert numbers(lease) == []


def test_a_plan_can_say_how_long_it_took(lease: Lease) -> None:
    analyze = How(explain="analyze")
    if lease.name == "sqlite":
        with pytest.raises(QueryError, match="does not say how long"):
            run(lease, "SELECT n FROM t", analyze)
        return
    text = plan(lease, "SELECT n FROM t WHERE n > :n", analyze, {"n": 1})
    assert {"duckdb": "Total Time", "postgres": "Buffers:", "mysql": "r_total_time_ms"}[lease.name] in text
    run(lease, "INSERT INTO t VALUES (1)")
    plan(lease, "DELETE FROM t", analyze)
    assert numbers(lease) == []


def test_a_plan_is_of_one_statement_and_its_errors_are_where_they_were_written(lease: Lease) -> None:
    with pytest.raises(QueryError, match="here are 2"):
        run(lease, "SELECT 1; SELECT 2", How(explain="plan"))
    with pytest.raises(QueryError, match="here are 0"):
        run(lease, "-- nothing", How(explain="plan"))
    sql = "SELECT nosuch FROM t"
    with pytest.raises(QueryError) as caught:
        run(lease, sql, How(explain="plan"))
    assert (caught.value.line, caught.value.col) == (1, 8)
    assert sql in caught.value.excerpt


# --- how much, and what is told of it

class Sheet:
    def __init__(self) -> None:
        self.rows = 0

    def write(self, table: pa.Table) -> None:
        self.rows += table.num_rows


def test_limits_and_sinks_are_for_the_last_statement(lease: Lease) -> None:
    run(lease, "INSERT INTO t VALUES (1), (2), (3)")
    said = run(lease, "SELECT n FROM t; SELECT n FROM t ORDER BY n", How(Take(rows=2)))
    assert (said.earlier, len(said), said.answer.cut) == ((3,), 2, "limit")
    sheet = Sheet()
    said = run(lease, "SELECT n FROM t; DELETE FROM t WHERE n = 1; SELECT n FROM t", How(Take(into=sheet)))
    assert (said.earlier, sheet.rows, said.answer.rowcount) == ((3, 1), 2, 2)


def test_rows_of_the_earlier_statements_are_counted_and_not_held(lease: Lease) -> None:
    many = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 900) SELECT n FROM c"
    answers, _, _ = ask_in(lease, f"{many}; {many}", How(Take(memory=100)))
    assert [(answer.table is None, answer.cut) for answer in answers] == [(True, ""), (False, "memory")]
    assert answers[0].rowcount == 900


def ask_in(lease: Lease, sql: str, how: How) -> Any:
    session = lease.queryable
    assert session is not None
    return lease.call(lambda: ask(session, sql, {}, how))


def test_who_watches_is_told_of_every_statement_and_of_the_time(lease: Lease) -> None:
    watch = Watcher()
    run(lease, "SELECT 1; SELECT 2", How(watch=watch))
    assert (watch.statements, watch.ticks) == ([(1, 2), (2, 2)], [])
    with pytest.raises(QueryTimeoutError):
        run(lease, LONG[lease.name], How(watch=watch), timeout=0.8)
    assert 1 <= len(watch.ticks) <= 3
    assert all((done is not None and 0 <= done <= 1) == (lease.name == "duckdb") for _, done in watch.ticks)
