"""`:name` in SQL: what is one, what it is bound to, how each driver gets it."""

from __future__ import annotations

import enum
import sqlite3
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from siege_nb.errors import QueryError
from siege_nb.query import binds
from siege_nb.query.statements import Grammar
from tests.servers import Postgres

MYSQL = Grammar(backslash=True, escapes=False, dollars=False, nested=False, backticks=True, hashes=True)


@pytest.mark.parametrize(("sql", "found"), [
    # what is one
    ("SELECT :a", ("a",)),
    ("SELECT * FROM t WHERE x=:a AND y IN (:b) -- the rest", ("a", "b")),
    ("SELECT :a, :b, :a", ("a", "b")),
    ("SELECT :a::int, :_b2::text", ("a", "_b2")),
    ("SELECT [1, :a]", ("a",)),
    ("SELECT {'k': :v}", ("v",)),
    ("SELECT a[1 : :n]", ("n",)),
    ("SELECT '' :a", ("a",)),
    ("/* ' */ SELECT :a", ("a",)),
    ("-- it's\nSELECT :a", ("a",)),
    ("SELECT 'it''s' || :a", ("a",)),
    # what is none
    ("SELECT x::int", ()),
    ("SELECT '12:30'", ()),
    ("SELECT ':a', \":b\"", ()),
    ("""SELECT '{"a":1, "b" :c}'""", ()),
    ("SELECT {'a':b}", ()),
    ("SELECT {a:b}", ()),
    ("SELECT x[1:n], x[:n], f(x):n, x[1]:n", ()),
    ("SET @v := 5", ()),
    ("SELECT col:key", ()),
    ("SELECT 1 -- :a", ()),
    ("SELECT /* :a */ 1", ()),
    ("SELECT /* /* :a */ :b */ 1", ()),
    ("SELECT $$ :a $$, $tag$ $$ :b $tag$", ()),
    ("SELECT E'it\\'s :a'", ()),
    ("SELECT time '12:30:00', TIMESTAMP '2020-01-01 00:00:00'", ()),
    ("SELECT ':a", ()),
    ("SELECT :1, : a, :", ()),
])  # fmt: skip
def test_names_are_found_where_they_are_meant(sql: str, found: tuple[str, ...]) -> None:
    assert binds.names(sql) == found


@pytest.mark.parametrize(("sql", "found"), [
    (r"SELECT 'it\'s :a'", ()),
    ("SELECT `:a`, \":b\" # :c\n, :d", ("d",)),
    ("SELECT 5--:a\n", ("a",)),
    ("SELECT /* /* */ :a", ("a",)),
    ("SELECT $$ :a $$", ("a",)),
])  # fmt: skip
def test_an_engines_own_literals_are_known(sql: str, found: tuple[str, ...]) -> None:
    assert binds.names(sql, MYSQL) == found


@pytest.mark.parametrize(("sql", "spaced"), [
    ("SELECT a[:n], a[1]:n, f(x):n, {'a': 1}:n", "SELECT a[ :n], a[1] :n, f(x) :n, {'a': 1} :n"),
    # what is none in any text
    ("SELECT {'a':b}, 'x':y, x::int, f(x)::int, a[1:n], c:d, a[:1], (: b", None),
    ("SELECT '):n', \"[:n\" -- ]:n\n, $$ ):n $$ /* ):n */, @v := 1, ((1)::int)", None),
    ("SELECT 1", None),
])  # fmt: skip
def test_a_bracket_is_no_part_of_a_name_when_all_are_enabled(sql: str, spaced: str | None) -> None:
    assert binds.spaced(sql) == (spaced or sql)


@pytest.mark.parametrize("style", ["named", "dollar", "numeric", "pyformat", "lists", "arrays"])
def test_a_name_without_a_value_is_text(style: binds.Style) -> None:
    sql = "SELECT :a, '%(a)s', x IN (:b)"
    assert binds.render(sql, {}, style) == (sql, {})
    assert binds.origin(sql, {}, style, 9) == 9


def test_values_are_taken_from_the_namespace_and_nothing_else() -> None:
    assert binds.take("SELECT :a, :b, '12:30'", {"a": 1, "b": None, "c": 3}) == {"a": 1, "b": None}


def test_all_missing_names_are_told_before_anything_is_sent() -> None:
    with pytest.raises(QueryError, match=r"no value for :costumer, :b\. Did you mean customer\?") as caught:
        binds.take("SELECT :costumer, :a, :b", {"customer": 1, "a": 2, "_hidden": 3})
    assert caught.value.kind == "usage"
    assert caught.value.hint


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(("value", "plain"), [
    (np.int64(5), 5),
    (np.uint8(200), 200),
    (np.float64(1.5), 1.5),
    (np.bool_(True), True),
    (np.str_("x"), "x"),
    (np.datetime64("2020-01-02"), date(2020, 1, 2)),
    (np.datetime64("2020-01-02T03:04:05.000006789", "ns"), datetime(2020, 1, 2, 3, 4, 5, 6)),  # noqa: DTZ001
    (np.datetime64("NaT", "ns"), None),
    (np.timedelta64(90_000_000_000, "ns"), timedelta(seconds=90)),
    (np.array([1, 2]), [1, 2]),
    (np.array(["2020-01-02T03:04:05"], dtype="datetime64[ns]"), [datetime(2020, 1, 2, 3, 4, 5)]),  # noqa: DTZ001
    (pd.Timestamp("2020-01-02 03:04:05", tz="UTC"), datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)),
    (pd.Timestamp("2020-01-02 03:04:05.000006789"), datetime(2020, 1, 2, 3, 4, 5, 6)),  # noqa: DTZ001
    (pd.Timedelta("90s"), timedelta(seconds=90)),
    (pd.NaT, None),
    (pd.NA, None),
    (pd.Series([1, 2]), [1, 2]),
    (pd.Series([1, None], dtype="Int64"), [1, None]),
    (pd.Series(pd.to_datetime(["2020-01-02"])), [datetime(2020, 1, 2)]),  # noqa: DTZ001
    (pd.Index(["a", "b"]), ["a", "b"]),
    (pd.Categorical(["a", "b"]), ["a", "b"]),
    (pa.scalar(Decimal("1.5")), Decimal("1.5")),
    (pa.array([1, None]), [1, None]),
    (pa.chunked_array([[1], [2]]), [1, 2]),
    ((1, np.int64(2)), [1, 2]),
    (range(3), [0, 1, 2]),
    ({7}, [7]),
    (Colour.RED, Colour.RED),
    ({"a": 1}, {"a": 1}),
    (b"\xff", b"\xff"),
    ("text", "text"),
])  # fmt: skip
def test_values_of_libraries_become_plain(value: Any, plain: Any) -> None:
    taken = binds.take("SELECT :x", {"x": value})["x"]
    assert taken == plain
    assert type(taken) is type(plain)
    if isinstance(plain, list):
        assert [type(item) for item in taken] == [type(item) for item in plain]


def test_a_series_of_polars_becomes_a_list() -> None:
    polars = pytest.importorskip("polars")
    assert binds.unbox(polars.Series([1, None])) == [1, None]


VALUES = {"a": 1, "b": "x", "other": 5}


@pytest.mark.parametrize(("style", "text", "given"), [
    ("named", "SELECT :a, '%(a)s :a', :b, :a", {"a": 1, "b": "x"}),
    ("dollar", "SELECT $a, '%(a)s :a', $b, $a", {"a": 1, "b": "x"}),
    ("numeric", "SELECT $1, '%(a)s :a', $2, $1", [1, "x"]),
    ("pyformat", "SELECT %(a)s, '%(_)%(a)s :a', %(b)s, %(a)s", {"a": 1, "b": "x"}),
])  # fmt: skip
def test_each_driver_gets_its_own_placeholders(style: binds.Style, text: str, given: Any) -> None:
    assert binds.render("SELECT :a, '%(a)s :a', :b, :a", VALUES, style) == (text, given)


@pytest.mark.parametrize("style", ["named", "dollar", "numeric", "pyformat"])
def test_a_text_without_names_is_left_as_it_is(style: binds.Style) -> None:
    sql = "SELECT '100%', '%(a)s', 5 % 3, x::int, '12:30'"
    assert binds.render(sql, VALUES, style)[0] == sql


@pytest.mark.parametrize(("style", "text", "given"), [
    ("lists", "x NOT IN ( :xs_0, :xs_1 ) AND y = :xs", {"xs_0": 1, "xs_1": 2, "xs": [1, 2]}),
    ("arrays", "x NOT IN ( :xs_0, :xs_1 ) AND y = :xs", {"xs_0": 1, "xs_1": 2, "xs": [1, 2]}),
    ("numeric", "x NOT IN ( $1, $2 ) AND y = $3", [1, 2, [1, 2]]),
])  # fmt: skip
def test_a_list_opens_up_in_brackets_after_in(style: binds.Style, text: str, given: Any) -> None:
    assert binds.render("x NOT IN ( :xs ) AND y = :xs", {"xs": [1, 2]}, style) == (text, given)


def test_names_made_for_a_list_never_meet_a_users_own() -> None:
    text, given = binds.render("x IN (:xs) AND y = :xs_1", {"xs": [1, 2], "xs_1": "mine"}, "named")
    assert text == "x IN (:xs__0, :xs__1) AND y = :xs_1"
    assert given == {"xs__0": 1, "xs__1": 2, "xs_1": "mine"}


def test_an_empty_list_meets_no_row_and_its_denial_every_row() -> None:
    connection = sqlite3.connect(":memory:")
    for sql, rows in (("SELECT 1 WHERE 1 IN (:xs)", 0), ("SELECT 1 WHERE 1 NOT IN (:xs)", 1)):
        text, given = binds.render(sql, {"xs": []}, "named")
        assert len(connection.execute(text, given).fetchall()) == rows
    connection.close()


@pytest.mark.parametrize("column", ["int", "text", "date"])
def test_an_empty_list_has_any_type_where_null_has_one(postgres: Postgres, column: str) -> None:
    for sql, rows in ((f"SELECT 1 WHERE NULL::{column} IN (:xs)", 0), (f"SELECT 1 WHERE now()::{column} IN (:xs)", 0),
                      (f"SELECT 1 WHERE NULL::{column} NOT IN (:xs)", 1)):  # fmt: skip
        text, given = binds.render(sql.replace("now()::int", "1"), {"xs": []}, "arrays")
        assert given == {}
        assert len(postgres.sql(text)) == rows, text


@pytest.mark.parametrize("style", ["named", "dollar", "numeric", "pyformat"])
def test_a_place_in_the_rendered_text_is_found_in_the_written_one(style: binds.Style) -> None:
    sql = "SELECT :quite_long_name, '%(x)s',\n :b, x IN (:xs) FRM t"
    values = {"quite_long_name": 1, "b": 2, "xs": [1, 2, 3]}
    text, _ = binds.render(sql, values, style)
    assert text != sql or style == "named"
    for word in ("SELECT", ", x IN", "FRM", " t"):
        assert binds.origin(sql, values, style, text.index(word)) == sql.index(word)
    assert binds.origin(sql, values, style, len(text)) == len(sql)


@pytest.mark.parametrize("style", ["named", "numeric", "pyformat"])
def test_two_lists_whose_names_are_alike_stay_apart(style: binds.Style) -> None:
    text, given = binds.render("a IN (:x) AND b IN (:x_)", {"x": [1, 2], "x_": [3, 4]}, style)
    values = given if isinstance(given, list) else list(given.values())
    assert values == [1, 2, 3, 4], text


@pytest.mark.parametrize(("written", "text"), [
    ("a IN (0, :xs)", "a IN (0, :xs_0, :xs_1)"),
    ("a IN (:xs, 7)", "a IN (:xs_0, :xs_1, 7)"),
    ("a IN (/* IN ( */ :xs -- )\n)", "a IN (/* IN ( */ :xs_0, :xs_1 -- )\n)"),
    ("a IN ((:xs))", "a IN (:xs_0, :xs_1)"),
    ("a IN (0, ((:xs)))", "a IN (0, :xs_0, :xs_1)"),
    (f"a IN ({' ' * 50}:xs)", f"a IN ({' ' * 50}:xs_0, :xs_1)"),
    ("a NOT IN (7, f(1, 2), :xs)", "a NOT IN (7, f(1, 2), :xs_0, :xs_1)"),
    ("a IN (:none, :none, 7)", "a IN (  7)"),
    ("a IN (7, :none, :xs, :none)", "a IN (7 , :xs_0, :xs_1 )"),
    ("a IN (:none, ((:none)))", "a IN (SELECT NULL WHERE 1 = 0)"),
    ("a NOT /* , */ IN (:none)", "a NOT IN (SELECT NULL WHERE 1 = 0)"),
    ("f(a, b) IN (:none)", "f(a, b) IN (SELECT NULL WHERE 1 = 0)"),
    ("(a, b) IN (:pairs)", "(a, b) IN (VALUES (:pairs_0, :pairs_1), (:pairs_2, :pairs_3))"),
    ("(a, b) IN (VALUES :pairs)", "(a, b) IN (VALUES (:pairs_0, :pairs_1), (:pairs_2, :pairs_3))"),
    ("(a, b) IN ((:xs))", "(a, b) IN (VALUES (:xs_0, :xs_1))"),
    ("x AND (a, b) NOT IN (:none)", "x AND (a, b) NOT IN (SELECT NULL, NULL WHERE 1 = 0)"),
])  # fmt: skip
def test_a_list_opens_up_wherever_it_is_an_element_of_an_in(written: str, text: str) -> None:
    values = {"xs": [1, 2], "none": [], "pairs": [[1, "x"], [2, "y"]]}
    assert binds.render(written, values, "named")[0] == text


NO_ELEMENT = [
    "a = :xs", "f(:xs)", "a IN (f(:xs))", "a IN (1 + :xs)", "a IN (:xs + 1)", "a IN (SELECT :xs)", "a IN :xs", "(:xs)",
    "a IN ([0, :xs, 1])", "in_(:xs)", "'IN' (:xs)", "a IN (:xs",
]  # fmt: skip


@pytest.mark.parametrize("sql", NO_ELEMENT)
@pytest.mark.parametrize("style", ["named", "pyformat"])
def test_a_list_anywhere_else_is_refused_where_there_are_no_arrays(sql: str, style: binds.Style) -> None:
    with pytest.raises(QueryError, match=":xs is a list") as caught:
        binds.render(f"SELECT 1,\n{sql}", {"xs": [1, 2]}, style)
    assert (caught.value.kind, caught.value.line, caught.value.column) == ("usage", 2, sql.index(":xs") + 1)
    assert "IN (:xs)" in caught.value.hint
    assert "json.dumps(xs)" in caught.value.hint


@pytest.mark.parametrize("sql", NO_ELEMENT)
@pytest.mark.parametrize("style", ["dollar", "lists", "arrays"])
def test_a_list_anywhere_else_is_one_value_where_there_are_arrays(sql: str, style: binds.Style) -> None:
    assert binds.render(sql, {"xs": [1, 2]}, style)[1] == {"xs": [1, 2]}


def test_a_dict_may_hold_lists_on_every_engine_and_rows_may_not() -> None:
    assert binds.render("f(:d)", {"d": {"a": [1]}}, "named")[1] == {"d": {"a": [1]}}
    with pytest.raises(QueryError, match=":xs is a list"):
        binds.render("(a, b) IN (:xs)", {"xs": [[1, [2]]]}, "pyformat")


@pytest.mark.parametrize("style", ["named", "dollar", "numeric", "pyformat"])
def test_a_place_behind_lists_of_every_sort_is_found(style: binds.Style) -> None:
    sql = "a IN (:none, ((:xs)), 7) AND (b, c) IN (:pairs) AND (d, e) NOT IN ((:none)) FRM t"
    values = {"xs": [1, 2], "none": [], "pairs": [[1, "x"], [2, "y"]]}
    text, _ = binds.render(sql, values, style)
    for word in (" 7)", "AND (b", "AND (d", "FRM", " t"):
        assert binds.origin(sql, values, style, text.index(word)) == sql.index(word)
