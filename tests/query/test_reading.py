"""What a statement reads from, with a cursor in it; half of it may be missing."""

from __future__ import annotations

import pytest

from siege_nb.query import reading
from siege_nb.query.reading import Source, Spot
from siege_nb.query.tokens import proper


def spot(marked: str) -> Spot:
    """What is in sight at the | of a text."""
    before, after = marked.split("|")
    parts = proper(before)
    return reading.spot([*parts, *proper(after)], len(parts))


def spelled(source: Source) -> str:
    outputs = ", ".join(each if isinstance(each, str) else f"{each.alias}.*" for each in source.outputs)
    return f"{source.alias}={'.'.join(source.path)}({outputs})"


@pytest.mark.parametrize(
    ("text", "clause", "sources"),
    [
        ("|", "", []),
        ("SELECT | FROM orders o JOIN s.people AS p USING (id) WHERE x", "SELECT", ["o=orders()", "p=s.people()"]),
        ('SELECT * FROM "Odd name" WHERE |', "WHERE", ["Odd name=Odd name()"]),
        ("SELECT * FROM a, b AS c, d LEFT JOIN e ON |", "ON", ["a=a()", "c=b()", "d=d()", "e=e()"]),
        ("SELECT * FROM a WHERE x IN (SELECT | FROM b) AND y", "SELECT", ["b=b()", "a=a()"]),
        ("SELECT 1 FROM a UNION SELECT | FROM b UNION SELECT 2 FROM c", "SELECT", ["b=b()"]),
        ("INSERT INTO t (|", "", ["t=t()"]),
        ("UPDATE t SET |", "SET", ["t=t()"]),
        ("DELETE FROM t USING u WHERE |", "WHERE", ["t=t()", "u=u()"]),
        ("SELECT * FROM (a JOIN b USING (x)) WHERE |", "WHERE", ["a=a()", "b=b()"]),
        ("SELECT * FROM read_csv('x') r, t WHERE |", "WHERE", ["r=()", "t=t()"]),
        ("SELECT * FROM (SELECT a, max(b) m, c + 1, t.d, e AS \"F\" FROM t) s WHERE |", "WHERE", ["s=(a, m, d, F)"]),
        ("SELECT * FROM (SELECT t.*, u.x FROM t, u) s WHERE |", "WHERE", ["s=(t.*, x)"]),
        ("SELECT * FROM (VALUES (1, 2)) AS v(a, b) WHERE |", "WHERE", ["v=(a, b)"]),
        ("WITH c AS (SELECT a FROM t), d (x, y) AS MATERIALIZED (SELECT 1, 2) SELECT | FROM c k, d", "SELECT",
         ["k=(a)", "d=(x, y)"]),
        ("WITH c AS (SELECT * FROM t) SELECT | FROM c", "SELECT", ["c=(t.*)"]),
        ("WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE |) SELECT 1", "WHERE", ["r=(n)"]),
        ("FROM t SELECT |", "SELECT", ["t=t()"]),
        ("CREATE TABLE x AS SELECT | FROM y", "SELECT", ["x=x()", "y=y()"]),
        ("SELECT * FROM a JOIN |", "JOIN", ["a=a()"]),
        ("SELECT * FROM a ORDER BY b, |", "BY", ["a=a()"]),
        ("SELECT ((( FROM a WHERE |", "WHERE", ["a=a()"]),
        ("WITH c AS (SELECT |", "SELECT", []),
        ("SELECT * FROM a.|", "FROM", ["a=a()"]),
    ],
)  # fmt: skip
def test_what_is_in_sight(text: str, clause: str, sources: list[str]) -> None:
    found = spot(text)
    assert found.clause == clause
    assert [spelled(source) for source in found.sources if source.alias] == sources


def test_the_ctes_of_a_statement_are_known_where_a_table_can_stand() -> None:
    assert list(spot("WITH a AS (SELECT 1), b AS (SELECT 2) SELECT * FROM |").ctes) == ["a", "b"]
    assert "a" in spot("WITH a AS (SELECT 1), b AS (SELECT * FROM |) SELECT 1").ctes


def test_every_table_of_a_statement() -> None:
    sql = "WITH c AS (SELECT * FROM t) SELECT * FROM c, s.u WHERE x IN (SELECT y FROM v WHERE z > (SELECT 1 FROM w))"
    assert sorted(source.path for source in reading.sources(proper(sql))) == [("s", "u"), ("t",), ("v",), ("w",)]
    assert reading.ctes(proper(sql)) == ["c"]


@pytest.mark.parametrize(
    "sql", ["(", ")", "WITH", "WITH x", "WITH x AS", "SELECT * FROM (", "FROM", ",", "a.b.c.", "JOIN )("]
)
def test_nothing_half_typed_is_too_odd(sql: str) -> None:
    parts = proper(sql)
    for at in range(len(parts) + 1):
        reading.spot(parts, at)
    reading.sources(parts)
    reading.ctes(parts)


def test_any_cut_of_a_statement_can_be_read() -> None:
    sql = """
        WITH RECURSIVE a(x) AS (SELECT 1), b AS (SELECT t.*, max(q) m FROM t JOIN (u JOIN v ON 1) ON 2)
        INSERT INTO s.w (c, d) SELECT * FROM a, LATERAL (SELECT 1) l, b AS bb (e, f)
        WHERE x IN (1, (2)) UNION SELECT 3
    """
    parts = proper(sql)
    for begin in range(len(parts)):
        for end in range(begin, len(parts) + 1):
            reading.spot(parts[begin:end], (end - begin) // 2)
