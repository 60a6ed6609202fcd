"""Saved queries: read as tables by name, put in front as CTEs, and nothing else of a statement touched."""

from __future__ import annotations

import sqlite3
from typing import Any

import duckdb
import pytest

from siege_nb.adapters.mysql import MySQLSession
from siege_nb.adapters.sqlite import SQLiteSession
from siege_nb.errors import InvalidError, NotFoundError, QueryError
from siege_nb.query.saved import Saved, compose
from siege_nb.query.statements import STANDARD
from siege_nb.query.template import Template
from tests.servers import MariaDB, Postgres

BIG = "SELECT * -- all of them\nFROM orders\n  WHERE amount > 10"
TOP = "SELECT id FROM big ORDER BY id LIMIT 1"
#: Statements that read a saved query, with what they give on orders (1, 5), (2, 15), (3, 25).
READING = {
    "SELECT id FROM big ORDER BY 1": [(2,), (3,)],
    "-- first\nSELECT count(*) FROM big": [(2,)],
    "SELECT o.id FROM orders o JOIN big b ON o.id = b.id WHERE b.id > 2": [(3,)],
    "SELECT id FROM Top": [(2,)],
    "WITH a AS (SELECT 1 AS one) SELECT one, id FROM a, top": [(1, 2)],
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT n FROM r, big WHERE id = n AND"
    " id > 2": [(3,)],
    "SELECT id FROM top UNION SELECT id FROM big ORDER BY id": [(2,), (3,)],
    "SELECT id FROM orders WHERE id IN (SELECT id FROM top)": [(2,)],
    "WITH big AS (SELECT 7 AS id) SELECT id FROM big": [(7,)],
}
#: Statements that write what they read, and what is in `copy` then.
WRITING = {
    "INSERT INTO copy\nSELECT id FROM big": [(2,), (3,)],
    "INSERT INTO copy (id) SELECT id FROM top": [(2,)],
    "INSERT INTO copy WITH x AS (SELECT 9 AS id) SELECT big.id FROM x, big WHERE big.id < 3": [(2,)],
}
SETUP = (
    "CREATE TABLE orders (id INT, amount INT)", "INSERT INTO orders VALUES (1, 5), (2, 15), (3, 25)",
    "CREATE TABLE copy (id INT)",
)  # fmt: skip


@pytest.fixture
def saved() -> Saved:
    kept = Saved()
    kept.keep("big", BIG)
    kept.keep("top", TOP)
    return kept


def check(run: Any, saved: Saved, kind: str, grammar: Any = STANDARD) -> None:
    """Everything that reads and writes, on one engine."""
    for statement in SETUP:
        run(statement)
    for statement, rows in READING.items():
        text = compose(statement, saved, kind=kind, grammar=grammar).text
        assert [tuple(row) for row in run(text)] == rows, text
    for statement, rows in WRITING.items():
        run("DELETE FROM copy")
        run(compose(statement, saved, kind=kind, grammar=grammar).text)
        assert [tuple(row) for row in run("SELECT id FROM copy ORDER BY id")] == rows, statement
    run(compose("CREATE TABLE made AS SELECT id FROM big", saved, kind=kind, grammar=grammar).text)
    assert len(run("SELECT * FROM made")) == 2


class TestOnEngines:
    def test_duckdb(self, saved: Saved) -> None:
        connection = duckdb.connect()
        check(lambda sql: connection.execute(sql).fetchall(), saved, "duckdb")
        text = compose("FROM big SELECT id", saved, kind="duckdb").text
        assert connection.execute(text).fetchall() == [(2,), (3,)]
        connection.execute(compose("DELETE FROM copy WHERE id IN (SELECT id FROM big)", saved, kind="duckdb").text)
        assert "big" in compose("EXPLAIN SELECT * FROM big", saved, kind="duckdb").text
        connection.execute(compose("EXPLAIN ANALYZE SELECT * FROM big", saved, kind="duckdb").text)

    def test_sqlite(self, saved: Saved) -> None:
        connection = sqlite3.connect(":memory:")
        check(lambda sql: connection.execute(sql).fetchall(), saved, "sqlite", SQLiteSession.grammar)
        connection.close()

    def test_postgres(self, saved: Saved, postgres: Postgres) -> None:
        with postgres.connect(dbname=postgres.database_for("saved")) as connection:

            def run(sql: str) -> list[Any]:
                cursor = connection.execute(sql.encode())
                return cursor.fetchall() if cursor.description else []

            check(run, saved, "postgres")
            copied = compose("COPY (SELECT id FROM big) TO STDOUT", saved, kind="postgres").text
            with connection.cursor().copy(copied.encode()) as rows:
                assert b"".join(rows) == b"2\n3\n"

    def test_mariadb(self, saved: Saved, mariadb: MariaDB) -> None:
        with mariadb.connect(database=mariadb.database_for("saved")) as connection, connection.cursor() as cursor:

            def run(sql: str) -> list[Any]:
                cursor.execute(sql)
                return list(cursor.fetchall()) if cursor.with_rows else []

            check(run, saved, "mysql", MySQLSession.grammar)


class TestCompose:
    def test_bytes_and_lines_of_the_statement_stay(self, saved: Saved) -> None:
        text = "\n -- a;b\n\tSELECT  'x  y', \"big\" /* big */\r\nFROM big  -- end"
        composed = compose(text, saved)
        ((at, length),) = composed.added
        assert composed.text[:at] + composed.text[at + length :] == text
        assert composed.text.count("\n") == text.count("\n")
        assert composed.text[at : at + length] == "WITH big AS (SELECT *  FROM orders   WHERE amount > 10) "

    def test_newlines_in_literals_stay_and_comments_swallow_nothing(self) -> None:
        saved = Saved()
        saved.keep("odd", "SELECT 'a\n--b' AS x, /* c\nd */ 1 AS y -- end")
        text = compose("SELECT * FROM odd", saved, kind="duckdb").text
        assert duckdb.connect().execute(text).fetchall() == [("a\n--b", 1)]

    @pytest.mark.parametrize(
        "text",
        [
            "SELECT 'FROM big'", "SELECT 1 -- FROM big", "SELECT big FROM orders", "SELECT * FROM other.big",
            "SELECT * FROM orders AS big", "WITH big AS (SELECT 1) SELECT * FROM (SELECT * FROM big) x",
            "DROP TABLE big", "DELETE FROM big", "UPDATE big SET a = 1", "INSERT INTO big VALUES (1)",
            "REVOKE SELECT ON orders FROM big", "GRANT SELECT ON big TO top", "CREATE TABLE big AS SELECT 1",
            "SELECT FROM WHERE big (", "",
        ],
    )  # fmt: skip
    def test_nothing_is_hijacked(self, saved: Saved, text: str) -> None:
        assert compose(text, saved, kind="duckdb").text == text

    def test_a_table_of_the_name_wins(self, saved: Saved) -> None:
        assert compose("SELECT * FROM big", saved, exists={"big"}.__contains__).text == "SELECT * FROM big"
        text = compose("SELECT * FROM top", saved, exists={"big"}.__contains__).text
        assert text == f"WITH top AS ({TOP}) SELECT * FROM top"

    def test_each_statement_gets_what_it_reads(self, saved: Saved) -> None:
        text = compose("SELECT 1; SELECT * FROM big;\nSELECT id FROM top", saved).text
        first, second, third = text.split(";")
        assert first == "SELECT 1"
        assert second.startswith(" WITH big AS (")
        assert third.startswith("\nWITH big AS (")
        assert ", top AS (" in third

    def test_what_is_asked_for_is_there_even_if_the_text_cannot_be_read(self, saved: Saved) -> None:
        odd = "SELECT * FRM big ?? !!"
        assert compose(odd, saved, kind="duckdb").text == odd
        assert compose(odd, saved, ["big"], kind="duckdb").text.startswith("WITH big AS (")
        assert compose("SELECT 1; SELECT 2", saved, ["BIG"]).text.startswith("SELECT 1; WITH big AS (")
        own = "WITH big AS (SELECT 1) SELECT * FROM big"
        assert compose(own, saved, ["big"]).text == own
        with pytest.raises(NotFoundError, match=r"'bgi'.*Did you mean big"):
            compose("SELECT 1", saved, ["bgi"])

    def test_a_cte_that_hides_what_is_needed_is_refused(self, saved: Saved) -> None:
        with pytest.raises(QueryError, match="'big'"):
            compose("WITH big AS (SELECT 1 AS id) SELECT * FROM big, top", saved)

    def test_binds_and_templates_of_a_saved_query_are_filled_in_when_it_is_used(self) -> None:
        saved = Saved()
        saved.keep("since", "SELECT {{ n }} + :plus + {{ m | bind }} AS a")
        template = Template({"n": 2, "m": 3})
        text = compose("SELECT {{ n }}, a FROM since".replace("{{ n }}", "1"), saved, render=template.render).text
        assert text == "WITH since AS (SELECT 2 + :plus + :bound_1 AS a) SELECT 1, a FROM since"
        assert saved.text("since") == "SELECT {{ n }} + :plus + {{ m | bind }} AS a"

    def test_an_error_points_into_the_text_as_it_was_written(self, saved: Saved) -> None:
        written = "SELECT id,\n  nosuch FROM big; SELECT wrong FROM top"
        composed = compose(written, saved)
        for word in ("nosuch", "wrong", "id"):
            at = composed.text.rindex(word) if word != "id" else composed.text.index("id,\n")
            error = QueryError(
                "x", line=composed.text.count("\n", 0, at) + 1, column=at - composed.text.rfind("\n", 0, at)
            )
            error.place(composed.text, 0, 2, 2)
            composed.retrace(error)
            wanted = written.rindex(word) if word != "id" else written.index("id")
            assert (error.line, error.column) == (
                written.count("\n", 0, wanted) + 1,
                wanted - written.rfind("\n", 0, wanted),
            )
            assert error.excerpt.split("\n")[1].index("^") == error.excerpt.split("\n")[0].index(word)
            assert error.statement == (2, 2)

    def test_an_error_within_a_saved_query_shows_it(self, saved: Saved) -> None:
        composed = compose("SELECT * FROM big", saved)
        error = QueryError("x", line=1, column=composed.text.index("amount") + 1)
        error.place(composed.text, 0, 1, 1)
        composed.retrace(error)
        assert "amount > 10" in error.excerpt


class TestSaved:
    def test_names_are_listed_shown_and_forgotten(self, saved: Saved) -> None:
        assert saved.names() == ["big", "top"]
        assert saved.text("BIG") == BIG
        assert "Big" in saved
        saved.forget("Big")
        assert saved.names() == ["top"]
        with pytest.raises(NotFoundError, match="'big'"):
            saved.text("big")
        with pytest.raises(NotFoundError):
            saved.forget("big")

    def test_the_newer_text_counts(self, saved: Saved) -> None:
        saved.keep("BIG", "SELECT 1 AS id;")
        assert saved.names() == ["BIG", "top"]
        assert saved.text("big") == "SELECT 1 AS id"

    @pytest.mark.parametrize(
        "text",
        [
            "DELETE FROM t", "INSERT INTO t SELECT 1", "CREATE TABLE t (a INT)", "SELECT 1; SELECT 2", "", "-- nothing",
            "SELECT * INTO t FROM u", "WITH x AS (DELETE FROM t RETURNING a) SELECT 1", "BEGIN", "EXPLAIN SELECT 1",
        ],
    )  # fmt: skip
    def test_only_one_query_can_be_saved(self, saved: Saved, text: str) -> None:
        with pytest.raises(QueryError) as caught:
            saved.keep("no", text)
        assert caught.value.kind == "usage"
        assert "no" not in saved

    @pytest.mark.parametrize(
        "text",
        [
            "SELECT 1", "(SELECT 1) UNION SELECT 2", "WITH a AS (SELECT 1) FROM a", "VALUES (1)", "FROM t", "TABLE t",
            "{% if a %}SELECT 1{% endif %}", "-- c\nSELECT 1 -- d",
        ],
    )  # fmt: skip
    def test_queries_of_all_sorts_can(self, saved: Saved, text: str) -> None:
        saved.keep("yes", text)
        assert saved.text("yes") == text.strip()

    @pytest.mark.parametrize("name", ["", "a-b", "1a", "a b", "a;b", "a.b", '"a"'])
    def test_a_name_is_one_that_needs_no_quotes(self, saved: Saved, name: str) -> None:
        with pytest.raises(InvalidError):
            saved.keep(name, "SELECT 1")

    def test_a_circle_is_refused_by_its_names_and_the_older_text_stays(self, saved: Saved) -> None:
        with pytest.raises(QueryError, match="big → top → big"):
            saved.keep("big", "SELECT * FROM orders, top")
        assert saved.text("big") == BIG
        with pytest.raises(QueryError, match="own → own"):
            saved.keep("own", "SELECT * FROM own")
        assert "own" not in saved

    def test_a_query_may_have_the_name_of_the_table_it_reads(self, saved: Saved) -> None:
        saved.keep("orders", "SELECT * FROM orders", exists={"orders"}.__contains__)
        text = compose("SELECT * FROM orders", saved, ["orders"], exists={"orders"}.__contains__).text
        assert text == "WITH orders AS (SELECT * FROM orders) SELECT * FROM orders"

    def test_a_table_that_is_gone_by_then_leaves_a_circle_not_a_loop(self, saved: Saved) -> None:
        saved.keep("orders", "SELECT * FROM orders", exists={"orders"}.__contains__)
        with pytest.raises(QueryError, match="orders → orders"):
            compose("SELECT * FROM orders", saved)


@pytest.mark.parametrize("cell", [
    "CREATE TABLE big AS SELECT 1 AS id; SELECT id FROM big", "ALTER TABLE x RENAME TO big; SELECT id FROM big",
    "SELECT 1 AS id INTO big FROM one; SELECT id FROM big",
])  # fmt: skip
def test_a_table_that_the_cell_itself_makes_is_not_taken_for_a_saved_query(saved: Saved, cell: str) -> None:
    assert compose(cell, saved).text == cell


def test_a_saved_query_that_a_new_table_is_made_of_is_still_read_further_down(saved: Saved) -> None:
    text = compose("CREATE TABLE x AS SELECT * FROM big; SELECT * FROM big", saved).text
    assert text.count("big AS (SELECT *") == 2


def test_no_cte_is_put_before_what_takes_none_there(saved: Saved) -> None:
    text = "DELETE FROM copy WHERE id IN (SELECT id FROM big)"
    assert compose(text, saved, kind="mysql", grammar=MySQLSession.grammar).text == text
    assert compose(text, saved, kind="postgres").text.startswith("WITH big AS")
