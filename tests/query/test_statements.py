"""Where statements end and what they are."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siege_nb.query.statements import (
    STANDARD,
    Grammar,
    begins_transaction,
    ends_transaction,
    first_word,
    outside,
    split,
)

MYSQL = Grammar(backslash=True, escapes=False, dollars=False, nested=False, backticks=True, hashes=True)
SQLITE = Grammar(escapes=False, dollars=False, nested=False, backticks=True, brackets=True)

TRIGGER = """CREATE TRIGGER audit AFTER UPDATE ON t BEGIN
  UPDATE t SET n = CASE WHEN n > 1 THEN 0 ELSE n END;
  INSERT INTO log VALUES ('x;y');
END"""
PROCEDURE = """CREATE DEFINER=root PROCEDURE p() BEGIN
  DECLARE n INT DEFAULT 0;
  WHILE n < 3 DO SET n = n + 1; END WHILE;
  IF n = 3 THEN SELECT 1; END IF;
  CASE n WHEN 1 THEN SELECT 1; ELSE BEGIN END; END CASE;
END"""
ATOMIC = "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END"
DOLLAR = "CREATE FUNCTION f() RETURNS int AS $body$ BEGIN RETURN 1; END; $body$ LANGUAGE plpgsql"


@pytest.mark.parametrize(("grammar", "sql", "statements"), [
    (STANDARD, "", []),
    (STANDARD, " ;; \n; -- nothing\n; /* ; */", []),
    (STANDARD, "SELECT 1", ["SELECT 1"]),
    (STANDARD, "SELECT 1;", ["SELECT 1"]),
    (STANDARD, "SELECT 1; -- done", ["SELECT 1"]),
    (STANDARD, "-- first\nSELECT 1;\n\n/* second */ SELECT 2", ["-- first\nSELECT 1", "/* second */ SELECT 2"]),
    (STANDARD, "SELECT ';', \";\", $$;$$, $a$;$$;$a$ ; SELECT 2", ["SELECT ';', \";\", $$;$$, $a$;$$;$a$", "SELECT 2"]),
    (STANDARD, "SELECT 'it''s;' -- ;\n; SELECT 2", ["SELECT 'it''s;' -- ;", "SELECT 2"]),
    (STANDARD, "SELECT E'\\';' ; SELECT 2", ["SELECT E'\\';'", "SELECT 2"]),
    (STANDARD, "SELECT '\\'; SELECT 2", ["SELECT '\\'", "SELECT 2"]),
    (STANDARD, "SELECT /* /* ; */ ; */ 1; SELECT 2", ["SELECT /* /* ; */ ; */ 1", "SELECT 2"]),
    (STANDARD, "SELECT $1; SELECT a$b$c; SELECT 2", ["SELECT $1", "SELECT a$b$c", "SELECT 2"]),
    (STANDARD, "SELECT 'open; SELECT 2", ["SELECT 'open; SELECT 2"]),
    (STANDARD, "SELECT 'süß;😀'; SELECT 2", ["SELECT 'süß;😀'", "SELECT 2"]),
    (STANDARD, "SELECT CASE WHEN true THEN 1 END; SELECT 2", ["SELECT CASE WHEN true THEN 1 END", "SELECT 2"]),
    (STANDARD, "BEGIN; SELECT 1; END; SELECT 2", ["BEGIN", "SELECT 1", "END", "SELECT 2"]),
    (STANDARD, "CREATE TABLE t (begin date, trigger_at int); SELECT 2",
     ["CREATE TABLE t (begin date, trigger_at int)", "SELECT 2"]),
    (STANDARD, f"{DOLLAR};\nSELECT 2", [DOLLAR, "SELECT 2"]),
    (STANDARD, f"{ATOMIC};\nSELECT 2", [ATOMIC, "SELECT 2"]),
    (SQLITE, f"/* ; */ {TRIGGER};\nSELECT 2;", [f"/* ; */ {TRIGGER}", "SELECT 2"]),
    (SQLITE, "SELECT [a;b], `c;d` ; SELECT 2", ["SELECT [a;b], `c;d`", "SELECT 2"]),
    (SQLITE, "SELECT /* /* */ 1; SELECT 2", ["SELECT /* /* */ 1", "SELECT 2"]),
    (MYSQL, f"{PROCEDURE};\nCALL p();", [PROCEDURE, "CALL p()"]),
    (MYSQL, "BEGIN NOT ATOMIC SELECT 1; SELECT 2; END; SELECT 3",
     ["BEGIN NOT ATOMIC SELECT 1; SELECT 2; END", "SELECT 3"]),
    (MYSQL, "SELECT 'it\\';', \"\\\";\", `;` # ;'\n; SELECT 2", ["SELECT 'it\\';', \"\\\";\", `;` # ;'", "SELECT 2"]),
    (MYSQL, "SELECT 5--'; SELECT 2 -- '; SELECT 3", ["SELECT 5--'; SELECT 2 -- '", "SELECT 3"]),
    (MYSQL, "SELECT $$; SELECT 2", ["SELECT $$", "SELECT 2"]),
])  # fmt: skip
def test_a_text_is_cut_where_its_statements_end(grammar: Grammar, sql: str, statements: list[str]) -> None:
    assert split(sql, grammar) == statements


PIECES = [
    "'a;b'", '"a;b"', "-- a;b'\n", "/* a;b' */", "$x$ a;b' $x$", "`a;b`", "E'\\';'", "SELECT",
    " ", "\n", "(", ")", "1", "é",
]  # fmt: skip


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=6), max_size=5))
def test_nothing_is_lost_or_changed_but_semicolons_and_blanks(parts: list[list[str]]) -> None:
    grammar = Grammar(backticks=True)
    texts = [" ".join(part).strip() for part in parts]
    wanted = [text for text in texts if split(text, grammar)]
    assert split("\n;".join(texts), grammar) == wanted


@given(st.text(alphabet="ab'\"`;-/*$\\\n#[] EBeCn", max_size=40), st.sampled_from([STANDARD, MYSQL, SQLITE]))
def test_any_text_is_cut_into_parts_of_itself(sql: str, grammar: Grammar) -> None:
    at = 0
    for statement in split(sql, grammar):
        assert statement
        at = sql.index(statement, at) + len(statement)


def test_sqlite_itself_agrees() -> None:
    script = f"CREATE TABLE t (n);CREATE TABLE log (x);{TRIGGER};INSERT INTO t VALUES (5);UPDATE t SET n = 2;"
    connection = sqlite3.connect(":memory:")
    for statement in split(script, SQLITE):
        assert sqlite3.complete_statement(statement + ";")
        connection.execute(statement)
    assert connection.execute("SELECT n, x FROM t, log").fetchall() == [(0, "x;y")]
    connection.close()


@pytest.mark.parametrize(("statement", "word"), [
    ("select 1", "SELECT"),
    ("  -- a\n /* b /* c */ */ ((WITH x AS (SELECT 1) SELECT 2))", "WITH"),
    ("( -- a\n values (1))", "VALUES"),
    ("-- only a remark", ""),
    ("", ""),
    ("1", ""),
])  # fmt: skip
def test_the_first_word_is_past_comments_and_brackets(statement: str, word: str) -> None:
    assert first_word(statement) == word


def test_mysqls_hash_begins_a_comment_only_there() -> None:
    assert first_word("# a\nselect 1", MYSQL) == "SELECT"
    assert first_word("# a\nselect 1") == ""
    assert first_word("--a\nselect 1", MYSQL) == ""


@pytest.mark.parametrize("statement", ["BEGIN", "begin transaction", "/* x */ START  TRANSACTION READ ONLY", "BEGIN;"])
def test_these_begin_a_transaction(statement: str) -> None:
    assert begins_transaction(statement)
    assert not ends_transaction(statement)


@pytest.mark.parametrize("statement", ["COMMIT", "-- x\nrollback", "END", "ABORT", "COMMIT WORK"])
def test_these_end_one(statement: str) -> None:
    assert ends_transaction(statement)
    assert not begins_transaction(statement)


@pytest.mark.parametrize("statement", [
    "ROLLBACK TO SAVEPOINT a", "rollback work to a", "COMMIT PREPARED 'x'", "SAVEPOINT a", "START SLAVE", "BEGINNING",
    "BEGIN NOT ATOMIC SELECT 1; END", "ENDING", "SELECT 'BEGIN'",
])  # fmt: skip
def test_these_do_neither(statement: str) -> None:
    assert not begins_transaction(statement)
    assert not ends_transaction(statement)


def test_a_pattern_is_found_only_in_the_sql_proper() -> None:
    assert [found.start() for found in outside("x 'x' x -- x\nx", "x")] == [0, 6, 13]


def test_what_mysql_runs_in_a_comment_is_a_statement() -> None:
    text = "/*!50001 CREATE VIEW v AS SELECT 1 */; /*M!100100 SET x = 1 */; /* only a remark */; SELECT 1"
    mysql = Grammar(hashes=True)
    assert split(text, mysql) == ["/*!50001 CREATE VIEW v AS SELECT 1 */", "/*M!100100 SET x = 1 */", "SELECT 1"]
    assert split(text) == ["SELECT 1"]


def test_a_table_may_be_called_event_and_have_a_column_begin() -> None:
    text = "CREATE TABLE event (id int, begin timestamp); ALTER TABLE event ADD begin int; SELECT 42"
    assert len(split(text)) == 3
    trigger = "CREATE DEFINER=`a`@`b` TRIGGER t AFTER INSERT ON u BEGIN SELECT 1; SELECT 2; END; SELECT 3"
    assert len(split(trigger)) == 2
    assert len(split("CREATE TEMP TRIGGER t AFTER INSERT ON u BEGIN SELECT 1; SELECT 2; END; SELECT 3")) == 2
