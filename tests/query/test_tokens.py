"""Tokens of SQL, whole and half-typed."""

from __future__ import annotations

import pytest

from siege_nb.adapters.mysql import MySQLSession
from siege_nb.adapters.sqlite import SQLiteSession
from siege_nb.query.statements import STANDARD
from siege_nb.query.tokens import proper, tokens


def kinds(sql: str, grammar: object = STANDARD) -> list[tuple[str, str]]:
    return [(token.kind, token.text) for token in tokens(sql, grammar)]  # type: ignore[arg-type]


def test_every_sort_is_told_apart() -> None:
    assert kinds("""SELECT "a""b".c, 'it''s' -- x\n /* a /* b */ */ + 1.5e3 $$q$$ E'\\'' _ü $1""") == [
        ("name", "SELECT"), ("quoted", '"a""b"'), ("sign", "."), ("name", "c"), ("sign", ","), ("text", "'it''s'"),
        ("comment", "-- x"), ("comment", "/* a /* b */ */"), ("sign", "+"), ("number", "1.5e3"), ("text", "$$q$$"),
        ("text", "E'\\''"), ("name", "_ü"), ("sign", "$"), ("number", "1"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["'a", '"a', "/* a", "-- a", "$x$ a", "'a''", "'"])
def test_what_is_not_closed_reaches_to_the_end(text: str) -> None:
    *_, last = tokens(f"SELECT {text} b, c")
    assert last.text == f"{text} b, c"


@pytest.mark.parametrize("text", ["'a'", '"a"', "/* a */", "-- a\n", "$x$ a$x$", "'a'''"])
def test_what_is_closed_does_not(text: str) -> None:
    *_, last = tokens(f"SELECT {text} b")
    assert last.text == "b"


def test_engines_differ_in_what_is_a_name() -> None:
    assert kinds('`a``b` "c" # d', MySQLSession.grammar) == [("quoted", "`a``b`"), ("text", '"c"'), ("comment", "# d")]
    assert kinds('[a b] "c"', SQLiteSession.grammar) == [("quoted", "[a b]"), ("quoted", '"c"')]


def test_names_are_without_their_quotes_and_places_are_right() -> None:
    sql = 'a "B ""c" /* d */ [e'
    found = proper(sql, SQLiteSession.grammar)
    assert [token.name for token in found] == ["a", 'B "c', "e"]
    assert [sql[token.start : token.end] for token in found] == [token.text for token in found]
    assert found[0].word == "A"
