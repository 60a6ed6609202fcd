"""What ends a transaction by itself."""

from __future__ import annotations

import pytest

from siege_nb.query.statements import STANDARD, Grammar
from siege_nb.query.transactions import commits

MYSQL = Grammar(backslash=True, escapes=False, dollars=False, nested=False, backticks=True, hashes=True)


@pytest.mark.parametrize(("statement", "words"), [
    ("CREATE TABLE t (a int)", "CREATE TABLE"),
    ("# now\ncreate or replace view v as select 1", "CREATE OR REPLACE VIEW"),
    ("DROP DATABASE d", "DROP DATABASE"),
    ("ALTER TABLE t ADD b int", "ALTER TABLE"),
    ("TRUNCATE t", "TRUNCATE"),
    ("TRUNCATE TABLE t", "TRUNCATE TABLE"),
    ("RENAME TABLE a TO b", "RENAME TABLE"),
    ("GRANT ALL ON *.* TO u", "GRANT"),
    ("ANALYZE TABLE t", "ANALYZE TABLE"),
    ("LOCK TABLES t WRITE", "LOCK TABLES"),
    ("SET autocommit = 1", "SET AUTOCOMMIT"),
    ("/*!50001 CREATE VIEW v AS SELECT 1 */", "CREATE VIEW"),
    ("CREATE TEMPORARY TABLE t (a int)", ""),
    ("CREATE OR REPLACE TEMPORARY TABLE t (a int)", ""),
    ("DROP TEMPORARY TABLE t", ""),
    ("ANALYZE SELECT 1", ""),
    ("INSERT INTO t VALUES ('CREATE TABLE')", ""),
    ("SELECT 1", ""),
    ("SET @a = 1", ""),
    ("CALL p()", ""),
])  # fmt: skip
def test_mysqls_own_commits_are_known(statement: str, words: str) -> None:
    assert commits(statement, MYSQL) == words
    assert commits(statement, STANDARD) == ""
