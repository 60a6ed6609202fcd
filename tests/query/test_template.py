"""{{ name }}: strict text, and values bound, quoted or spelled as the engine reads them; everything else untouched."""

from __future__ import annotations

import json
import sqlite3
from collections import ChainMap
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import duckdb
import numpy
import pandas
import pytest

from siege_nb.adapters.mysql import MySQLSession
from siege_nb.adapters.sqlite import SQLiteSession
from siege_nb.declare import Secret
from siege_nb.errors import QueryError
from siege_nb.query import binds
from siege_nb.query.statements import STANDARD, Grammar
from siege_nb.query.template import Template, identifier, is_template, literal
from tests.servers import MariaDB, Postgres

NAIVE = datetime.fromisoformat("2024-02-29 01:02:03")
MYSQL, SQLITE = MySQLSession.grammar, SQLiteSession.grammar


def render(text: str, **names: Any) -> str:
    return Template(names).render(text)


class TestText:
    def test_names_expressions_and_blocks(self) -> None:
        text = "SELECT {{ column }}{% if n > 1 %}, {{ n + 1 }}{% endif %} FROM {{ places['one'] }}"
        assert render(text, column="a", n=2, places={"one": "t"}) == "SELECT a, 3 FROM t"
        assert render("{% for i in range(3) %}{{ i }}{{ ',' if not loop.last }}{% endfor %}") == "0,1,2"

    @pytest.mark.parametrize(
        "text",
        [
            "SELECT 'no braces'", "SELECT {'a': 1}", "SELECT '{\"a\": {\"b\": 1}}'", "SELECT '{}' || '{0:>4}'",
            "SELECT '{# is no comment #}'", "SELECT data #> '{a,b}'", "-- }} %} #}", "SELECT 1\r\n;\n\n",
        ],
    )  # fmt: skip
    def test_what_is_no_template_passes_byte_for_byte(self, text: str) -> None:
        assert not is_template(text)
        assert render(text) == text

    def test_a_brace_with_a_hash_is_never_a_comment(self) -> None:
        assert render("SELECT '{# {{ a }} #}'", a=1) == "SELECT '{# 1 #}'"

    def test_lines_and_blanks_stay(self) -> None:
        text = "SELECT 1\n{% if yes %}\n  , {{ a }}  \n{% endif %}\n\nFROM t\n"
        rendered = render(text, yes=True, a=2)
        assert rendered.split("\n")[2:] == ["  , 2  ", "", "", "FROM t", ""]
        assert rendered.count("\n") == text.count("\n")

    def test_names_come_from_the_innermost_namespace(self) -> None:
        assert Template(ChainMap({"a": "local"}, {"a": "global"})).render("{{ a }}") == "local"

    def test_a_default_is_what_an_undefined_name_may_have(self) -> None:
        assert render("{{ nothing | default('all') }}{% if nothing is defined %}!{% endif %}") == "all"


class TestErrors:
    def error(self, text: str, **names: Any) -> QueryError:
        with pytest.raises(QueryError) as caught:
            render(text, **names)
        assert caught.value.kind == "usage"
        assert caught.value.__context__ is None
        return caught.value

    def test_an_undefined_name_says_where_and_which_is_near(self) -> None:
        error = self.error("SELECT *\nFROM {{ table }}\nWHERE {{ wher }} AND {{ wher }}", table="t", where="1")
        assert (error.line, error.column) == (3, 10)
        assert "'wher', which has no value. Did you mean where?" in str(error)
        assert "LINE 3: WHERE {{ wher }}" in str(error)
        assert "{{ '{{' }}" in error.hint

    @pytest.mark.parametrize("text", ["DELETE FROM t {{ w }}", "{{ w | bind }}", "{{ w | lit }}", "{{ w | inlist }}",
                                      "{{ w | ident }}", "{% for x in w %}{% endfor %}", "{{ w ~ 'x' }}"])  # fmt: skip
    def test_nothing_undefined_is_ever_nothing(self, text: str) -> None:
        assert "'w', which has no value" in self.error(text).message

    def test_the_way_out_of_braces_works(self) -> None:
        assert "'{{' }}" in self.error("SELECT '{{1,2},{3,4}}'::int[]").hint
        assert render("SELECT '{{ '{{' }}1,2},{3,4}}'::int[]") == "SELECT '{{1,2},{3,4}}'::int[]"

    def test_syntax_and_failures_of_an_expression_name_their_line(self) -> None:
        error = self.error("SELECT 1\n  {% endfor %}")
        assert (error.line, error.column) == (2, 3)
        assert "endfor" in error.message
        error = self.error("SELECT 1\n\n, {{ 1 / zero }}", zero=0)
        assert (error.line, "ZeroDivisionError" in error.message) == (3, True)
        assert self.error("{{ a.b }}", a=1).line == 1

    def test_none_is_no_text(self) -> None:
        assert "lit" in self.error("WHERE x = {{ a }}", a=None).hint

    @pytest.mark.parametrize(
        "text",
        ["{{ ''.__class__ }}", "{{ f.__globals__ }}", "{{ l.append(1) }}", "{{ __builtins__ }}",
         "{{ '{0.__class__}'.format(1) }}", "{{ a._hidden }}"],
    )  # fmt: skip
    def test_the_sandbox_holds(self, text: str) -> None:
        class A:
            _hidden = 1

        self.error(text, f=render, l=[], a=A(), __builtins__=__builtins__)

    @pytest.mark.parametrize(
        "text",
        ["{{ s }}", "{{ s | lit }}", "{{ s | bind }}", "{{ s.reveal() }}", "{{ s | upper }}", "{{ 'x' ~ s }}",
         "{{ box.s }}", "{{ box.s | bind }}", "{{ box.s.reveal() }}"],
    )  # fmt: skip
    def test_a_secret_is_never_written(self, text: str) -> None:
        error = self.error(text, s=Secret("hunter22"), box={"s": Secret("hunter22")})
        assert "hunter22" not in str(error)


class TestBind:
    def test_the_value_travels_apart(self) -> None:
        template = Template({"a": "x' OR 1=1 --", "b": 2})
        text = template.render("SELECT {{ a | bind }}, {{ b | bind }}")
        assert text == "SELECT :bound_1, :bound_2"
        assert template.values == {"bound_1": "x' OR 1=1 --", "bound_2": 2}

    def test_its_name_is_nobody_elses(self) -> None:
        template = Template({"a": 1, "bound_1": "mine"})
        assert template.render("SELECT :bound_2, {{ a | bind }}") == "SELECT :bound_2, :bound_3"
        assert template.render("{{ a | bind }}") == ":bound_2"

    def test_where_nothing_is_bound_it_is_refused(self) -> None:
        for text in ("SELECT '{{ a | bind }}'", 'SELECT "{{ a | bind }}"', "SELECT x{{ a | bind }}"):
            with pytest.raises(QueryError, match="cannot be bound"):
                render(text, a=1)
        assert render("SELECT 1 -- {{ a | bind }}", a=1) == "SELECT 1 -- :bound_1"

    @pytest.mark.parametrize(("given", "rows"), [([1, 3], 2), ((2,), 1), ([], 0), (numpy.array([1, 2]), 2),
                                                 (pandas.Series([3]), 1), (range(1, 4), 3)])  # fmt: skip
    def test_a_list_is_one_condition_even_when_it_is_empty(self, given: Any, rows: int) -> None:
        template = Template({"xs": given})
        text = template.render("SELECT * FROM (VALUES (1), (2), (3)) t(a) WHERE a IN {{ xs | inlist }}")
        sql, values = binds.render(text, binds.take(text, template.values), "dollar")
        assert len(duckdb.connect().execute(sql, values).fetchall()) == rows

    def test_only_a_list_is_one(self) -> None:
        for no in ("abc", 1, None, {"a": 1}):
            with pytest.raises(QueryError, match="inlist wants a list"):
                render("x IN {{ a | inlist }}", a=no)


class TestIdent:
    def test_each_part_of_a_path_is_quoted(self) -> None:
        assert identifier('sa"les.Order s') == '"sa""les"."Order s"'
        assert identifier("a`b", MYSQL) == "`a``b`"
        assert render("FROM {{ t | ident }}", t="s.t") == 'FROM "s"."t"'

    @pytest.mark.parametrize("no", [1, None, "", "a..b", ".a", "a\0b", ["a"], b"a"])
    def test_what_is_no_name_is_refused(self, no: Any) -> None:
        with pytest.raises(QueryError):
            identifier(no)


ODD = [
    "", "it's", 'say "x"', "back\\slash", "\\'; DROP TABLE t; --", "ends\\", "new\nline", "ü€😀"
    "%s %(a)s :b {{x}}", "--", "/*",
]  # fmt: skip
VALUES = [None, True, False, 0, -5, 2**62, 1.5, -2.5e-7, Decimal("-12.3400"), Decimal("1E+5"), b"", b"\0\xff'\\"]


def same(found: Any, value: Any) -> bool:
    if isinstance(value, Decimal | float):
        return found is not None and abs(Decimal(str(found)) - Decimal(str(value))) < Decimal("1e-12")
    return bytes(found) == value if isinstance(value, bytes) else found == value


class TestLiteral:
    @pytest.mark.parametrize("value", [*ODD, *VALUES], ids=repr)
    def test_duckdb_and_sqlite_read_back_what_was_written(self, value: Any) -> None:
        for run, grammar, kind in (
            (duckdb.connect().execute, STANDARD, "duckdb"), (sqlite3.connect(":memory:").execute, SQLITE, "sqlite"),
        ):  # fmt: skip
            ((found,),) = run(f"SELECT {literal(value, grammar, kind)}").fetchall()
            assert same(found, value), (kind, found)

    def test_mariadb_reads_back_what_was_written(self, mariadb: MariaDB) -> None:
        with mariadb.connect() as connection, connection.cursor() as cursor:
            for value in [*ODD, *VALUES]:
                cursor.execute(f"SELECT {literal(value, MYSQL, 'mysql')}")
                ((found,),) = cursor.fetchall()
                found = found.encode() if isinstance(value, bytes) and isinstance(found, str) else found
                assert same(found, value), (value, found)
            cursor.execute(f"SELECT {literal(NAIVE, MYSQL)}, {literal(date(2024, 2, 29), MYSQL)}")
            assert cursor.fetchall() == [(NAIVE, date(2024, 2, 29))]

    def test_postgres_reads_back_what_was_written(self, postgres: Postgres) -> None:
        moments = [date(2024, 2, 29), NAIVE, time(4, 5), datetime(2024, 2, 29, tzinfo=UTC)]
        ident = UUID(int=5)
        with postgres.connect() as connection:
            for value in [*ODD, *VALUES, *moments]:
                ((found,),) = connection.execute(f"SELECT {literal(value, STANDARD, 'postgres')}".encode()).fetchall()
                assert same(found, value), (value, found)
            ((found,),) = connection.execute(f"SELECT {literal(ident, STANDARD)}::uuid".encode()).fetchall()
            assert found == ident

    def test_moments_are_moments(self) -> None:
        moments = [date(2024, 2, 29), NAIVE.replace(microsecond=4), time(4, 5), datetime(2024, 2, 29, tzinfo=UTC)]
        for moment in moments[:3]:
            ((found,),) = duckdb.connect().execute(f"SELECT {literal(moment)}").fetchall()
            assert found == moment
        assert duckdb.connect().execute(f"SELECT epoch({literal(moments[3])})").fetchall() == [
            (moments[3].timestamp(),)
        ]
        assert literal(moments[1], SQLITE) == "'2024-02-29 01:02:03.000004'"
        with pytest.raises(QueryError, match="zone"):
            literal(moments[3], MYSQL)

    def test_spark_takes_no_two_quotes_for_one(self) -> None:
        spark = Grammar(escapes=False, dollars=False, backticks=True)
        assert literal("it's \\", spark, "spark") == r"'it\'s \\'"

    def test_a_negative_number_makes_no_comment(self) -> None:
        assert render("SELECT 5 -{{ n | lit }}", n=-3) == "SELECT 5 -(-3)"

    def test_values_of_libraries_are_unboxed(self) -> None:
        assert literal(numpy.int64(4)) == "4"
        assert literal(pandas.NaT) == "NULL"
        assert literal(pandas.Timestamp("2024-02-29")) == "TIMESTAMP '2024-02-29 00:00:00'"

    @pytest.mark.parametrize("no", [[1], (1,), {"a": 1}, {1}, float("nan"), float("inf"), Decimal("NaN"), object()])
    def test_what_has_no_literal_is_refused(self, no: Any) -> None:
        with pytest.raises(QueryError, match="lit "):
            literal(no)

    def test_json_goes_in_as_text(self) -> None:
        text = json.dumps({"a": {"b": "it's"}})
        assert duckdb.connect().execute(render("SELECT {{ j | lit }}", j=text)).fetchall() == [(text,)]
