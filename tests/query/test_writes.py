"""What may change a database, on every dialect; in doubt it does."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siege_nb.query.statements import STANDARD, Grammar
from siege_nb.query.writes import writes, writing
from tests.query.test_statements import MYSQL, SQLITE
from tests.servers import Postgres

READS = [
    "SELECT 1", "select * from t where a = 'DELETE' -- INSERT\n", "  ((SELECT 1) UNION (SELECT 2))",
    "/* DROP */ VALUES (1)",
    "WITH x AS (SELECT 1) SELECT * FROM x", "TABLE t", "FROM t", "SELECT last_update, t.update FROM t",
    'SELECT "delete"',
    "SHOW search_path", "SHOW CREATE TABLE t", "DESCRIBE t", "DESC t", "EXPLAIN SELECT 1", "EXPLAIN DELETE FROM t",
    "EXPLAIN ANALYZE SELECT 1", "EXPLAIN (ANALYZE, BUFFERS) SELECT 1", "EXPLAIN QUERY PLAN SELECT 1",
    "EXPLAIN ANALYZE VERBOSE WITH x AS (SELECT 1) SELECT 2", "SUMMARIZE t", "PIVOT t ON a USING sum(b)",
    "UNPIVOT t ON a, b INTO NAME n VALUE v", "BEGIN", "START TRANSACTION READ ONLY", "COMMIT AND CHAIN", "ROLLBACK",
    "END",
    "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, NOT DEFERRABLE", "SAVEPOINT a", "ROLLBACK TO SAVEPOINT a",
    "RELEASE a", "SET search_path TO a, b", "SET LOCAL timezone = 'UTC'", "RESET ALL", "USE other",
    "SELECT 1; SELECT 2",
    "EXPLAIN (COSTS OFF) DELETE FROM t", "EXPLAIN (SELECT 'x')", 'EXPLAIN ("analyze") SELECT 1', 'DESCRIBE "t"',
    """EXPLAIN DELETE FROM t WHERE (a = '"analyze"')""", "EXPLAIN (FORMAT 'json') SELECT 1",
    "FETCH 5 FROM c", "", " ; -- nothing\n", "SELECT replace(a, 'x', 'y') FROM t", "PRAGMA version",
]  # fmt: skip
WRITES = [
    ("INSERT INTO t VALUES (1)", "INSERT"), ("update t set a = 1", "UPDATE"), ("DELETE FROM t", "DELETE"),
    ("MERGE INTO t USING u ON true", "MERGE"), ("-- SELECT\nTRUNCATE TABLE t", "TRUNCATE TABLE"),
    ("DROP TABLE t", "DROP TABLE"), ("CREATE OR REPLACE VIEW v AS SELECT 1", "CREATE VIEW"),
    ("/* a */ ALTER TABLE t ADD a int", "ALTER TABLE"), ("(DELETE FROM t)", "DELETE"),
    ("SELECT * INTO u FROM t", "SELECT … INTO"), ("SELECT 1 FROM t FOR UPDATE", "SELECT … FOR UPDATE"),
    ("SELECT 1 FROM t FOR NO KEY UPDATE", "SELECT … FOR NO KEY UPDATE"), ("SELECT 1 FROM t FOR SHARE",
    "SELECT … FOR SHARE"),
    ("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", "WITH … INSERT"),
    ('WITH x AS (SELECT 1) INSERT "t" (a) SELECT * FROM x', "WITH … INSERT"),
    ("WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone", "WITH … DELETE"),
    ("FROM t INSERT OVERWRITE TABLE u SELECT a", "FROM … INSERT"),
    ("EXPLAIN ANALYZE DELETE FROM t", "EXPLAIN ANALYZE DELETE"), ("EXPLAIN (ANALYZE) DELETE FROM t",
    "EXPLAIN ANALYZE DELETE"),
    ("explain /* x */ ( costs off, analyze ) update t set a = 1", "EXPLAIN ANALYZE UPDATE"),
    ("EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1", "EXPLAIN ANALYZE CREATE TABLE"),
    ("EXPLAIN ANALYZE EXECUTE p", "EXPLAIN ANALYZE EXECUTE"), ("EXPLAIN VERBOSE ANALYZE DELETE FROM t",
    "EXPLAIN ANALYZE ANALYZE"),
    ('EXPLAIN ("analyze") DELETE FROM t', "EXPLAIN ANALYZE DELETE"),
    ('(EXPLAIN ("analyze") DELETE FROM t)', "EXPLAIN ANALYZE DELETE"),
    ('EXPLAIN (COSTS (OFF), /* ) */ "analyze" true)INSERT INTO t VALUES (9)', "EXPLAIN ANALYZE ANALYZE"),
    ('EXPLAIN (VERBOSE, U&"analy\\007ae") INSERT INTO t VALUES (9)', "EXPLAIN ANALYZE INSERT"),
    ("CALL p()", "CALL"), ("DO $$ BEGIN DELETE FROM t; END $$", "DO"), ("EXECUTE p", "EXECUTE"),
    ("COPY t TO STDOUT", "COPY"),
    ("GRANT ALL ON t TO a", "GRANT"), ("VACUUM", "VACUUM"), ("ANALYZE t", "ANALYZE"),
    ("ATTACH ':memory:' AS y", "ATTACH"),
    ("SET GLOBAL x = 1", "SET GLOBAL"), ("SET PASSWORD = 'x'", "SET PASSWORD"), ("COMMIT PREPARED 'x'", "COMMIT"),
    ("BEGIN DELETE FROM t", "BEGIN"), ("NOSUCHVERB", "NOSUCHVERB"), ("{call p}", "CALL"), ("1", "an unknown statement"),
    ("PRAGMA create_fts_index('t', 'a')", "PRAGMA CREATE_FTS_INDEX"), ("PRAGMA force_checkpoint",
    "PRAGMA FORCE_CHECKPOINT"),
]  # fmt: skip


@pytest.mark.parametrize("statement", READS)
def test_a_read_is_a_read(statement: str) -> None:
    assert writing(statement) == []
    assert not writes(statement)


@pytest.mark.parametrize(("statement", "what"), WRITES)
def test_a_write_is_named(statement: str, what: str) -> None:
    assert writing(statement) == [what]
    assert writes(statement)


@pytest.mark.parametrize(("grammar", "statement", "what"), [
    (MYSQL, "SELECT 1 INTO OUTFILE '/tmp/x'", "SELECT … INTO"),
    (MYSQL, "SELECT 1 LOCK IN SHARE MODE", "SELECT … LOCK IN SHARE MODE"),
    (MYSQL, "/*!50001 DROP VIEW v */", "/*! … */"),
    (MYSQL, "SELECT 1 /*M! INTO OUTFILE '/tmp/x' */", "SELECT"),
    (MYSQL, "SELECT 'it\\'s' FROM t # DELETE\n", ""),
    (MYSQL, "REPLACE INTO t VALUES (1)", "REPLACE"),
    (MYSQL, "SET @@global.x = 1", "SET GLOBAL"),
    (MYSQL, "SET @x = 1", ""),
    (MYSQL, "SET STATEMENT max_statement_time = 5 FOR DELETE FROM t", "SET STATEMENT"),
    (MYSQL, "RESET MASTER", "RESET MASTER"),
    (MYSQL, "ANALYZE FORMAT=JSON DELETE FROM t", "ANALYZE"),
    (MYSQL, "EXPLAIN ANALYZE FORMAT=TREE SELECT 1", ""),
    (MYSQL, "BEGIN NOT ATOMIC DELETE FROM t; END", "BEGIN"),
    (SQLITE, "PRAGMA table_info(t)", ""),
    (SQLITE, "PRAGMA foreign_keys = ON", ""),
    (SQLITE, "PRAGMA user_version", ""),
    (SQLITE, "PRAGMA user_version = 5", "PRAGMA USER_VERSION"),
    (SQLITE, "PRAGMA main.journal_mode(wal)", "PRAGMA JOURNAL_MODE"),
    (SQLITE, 'PRAGMA "main".user_version = 5', "PRAGMA"),
    (SQLITE, 'PRAGMA stats."user_version"=5', "PRAGMA"),
    (SQLITE, "PRAGMA stats.'user_version'(5)", "PRAGMA"),
    (SQLITE, "PRAGMA stats.[user_version] = 5", "PRAGMA"),
    (SQLITE, "PRAGMA stats.`wal_checkpoint`", "PRAGMA"),
    (SQLITE, 'PRAGMA main.table_info("t")', ""),
    (SQLITE, "PRAGMA wal_checkpoint", "PRAGMA WAL_CHECKPOINT"),
    (SQLITE, "SELECT [delete], `update` FROM t", ""),
    (Grammar(brackets=True), "SELECT 1 EXEC sp_who", "SELECT … EXEC"),
    (Grammar(brackets=True), "SELECT 1. DELETE FROM t", "SELECT … DELETE"),
    (Grammar(brackets=True), "SET NOCOUNT ON DROP TABLE t", "SET DROP"),
    (Grammar(brackets=True), "BEGIN TRAN EXEC sp_who", "BEGIN"),
])  # fmt: skip
def test_dialects_have_ways_of_their_own(grammar: Grammar, statement: str, what: str) -> None:
    assert writing(statement, grammar) == ([what] if what else [])


def test_each_statement_of_a_text_is_looked_at() -> None:
    assert writing("SELECT 1; DELETE FROM t; -- x;\nDROP TABLE ';'") == ["DELETE", "DROP TABLE"]
    assert writing("BEGIN; UPDATE t SET a = 1; COMMIT") == ["UPDATE"]


NOISE = [
    "'SELECT'", '"SELECT"', "-- SELECT 1\n", "/* SELECT */", "(", " ", "\n", "é", "SELECT", "WITH x AS (", ")",
    "EXPLAIN",
]  # fmt: skip


@given(
    st.lists(st.sampled_from(NOISE), max_size=6),
    st.sampled_from(["DELETE FROM t", "INSERT INTO t VALUES (1)", "UPDATE t SET a = 1", "SELECT 1 INTO t"]),
    st.sampled_from([STANDARD, MYSQL, SQLITE]),
)
def test_no_writing_statement_hides_behind_others(before: list[str], statement: str, grammar: Grammar) -> None:
    """Whatever stands before it, a text of which a statement writes is never taken for a read."""
    assert writes(f"{' '.join(before)}; {statement}", grammar)


@given(st.text(max_size=60), st.sampled_from([STANDARD, MYSQL, SQLITE]))
def test_any_text_is_judged(text: str, grammar: Grammar) -> None:
    assert writes(text, grammar) == bool(writing(text, grammar))


TABLES = "CREATE TABLE t (a int, b int); CREATE TABLE u (a int); CREATE TABLE x (a int); CREATE VIEW v AS SELECT 1"
KNOWN = [*READS, *(statement for statement, _ in WRITES)]


def test_what_a_read_only_postgres_refuses_is_no_read(postgres: Postgres) -> None:
    database = postgres.database_for("read_only")
    with postgres.connect(dbname=database) as connection:
        connection.execute(TABLES)
        connection.execute("PREPARE p AS SELECT 1")
    refused = 0
    for statement in filter(str.strip, KNOWN):
        # A connection each: some begin transactions, or change what later ones may do.
        connection = postgres.connect(dbname=database, options="-c default_transaction_read_only=on")
        try:
            connection.execute(statement)
        except psycopg.errors.ReadOnlySqlTransaction:
            refused += 1
            assert writes(statement), statement
        except psycopg.Error:
            pass  # no statement of this engine
        finally:
            connection.close()
    assert refused >= 15, refused


def test_what_a_read_only_sqlite_refuses_is_no_read(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "t.sqlite") as connection:
        connection.executescript(TABLES)
    connection.close()
    refused = 0
    more = ["PRAGMA user_version = 5", 'PRAGMA main."user_version"=5', "PRAGMA main.'user_version'=5",
            "PRAGMA application_id = 5", "REPLACE INTO t VALUES (1, 2)"]  # fmt: skip
    for statement in [*KNOWN, *more]:
        connection = sqlite3.connect(f"file:{tmp_path}/t.sqlite?mode=ro", uri=True)
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY:
                refused += 1
                assert writes(statement, SQLITE), statement
        except sqlite3.Error:
            pass  # several statements at once, which the driver refuses
        finally:
            connection.close()
    assert refused >= 10, refused


def test_a_backslash_in_a_quoted_name_hides_nothing() -> None:
    escaping = Grammar(backslash=True, names=True)  # PostgreSQL's, with standard_conforming_strings off
    assert writing('WITH "a\\" AS (DELETE FROM t RETURNING 1) SELECT 1 AS "b"', escaping) == ["WITH … DELETE"]
    assert writing("SELECT '\\' ; DELETE FROM t --'", escaping) == []
