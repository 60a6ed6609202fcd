"""The grammar of %sql: what is an option, a target, a variable; and that SQL is copied byte for byte."""

from __future__ import annotations

import dataclasses

import pytest

from siege_nb.errors import QueryError
from siege_nb.magics import grammar
from siege_nb.magics.grammar import Options, Request

KNOWN = ("warehouse", "wh", "my wh", "Show")


def parse(line: str, cell: str | None = None) -> Request:
    return grammar.parse(line, cell, known=lambda word: word in KNOWN, names=lambda: list(KNOWN))


@pytest.mark.parametrize(
    ("line", "cell", "expected"),
    [
        ("SELECT 1", None, Request("SELECT 1")),
        ("", "SELECT 1\n", Request("SELECT 1\n")),
        ("warehouse", "SELECT 1", Request("SELECT 1", "warehouse")),
        ("warehouse", None, Request("", "warehouse")),
        ("'my wh' SELECT 1", None, Request(" SELECT 1", "my wh")),
        ("SHOW tables", None, Request("SHOW tables")),
        ("'Show' SHOW tables", None, Request(" SHOW tables", "Show")),
        ("warehouse SELECT 1", None, Request(" SELECT 1", "warehouse")),
        ("x << SELECT 1", None, Request(" SELECT 1", "", "x", False)),
        ("x = << SELECT 1", None, Request(" SELECT 1", "", "x", True)),
        ("wh x <<", "SELECT 1", Request("SELECT 1", "wh", "x", False)),
        ("wh << SELECT 1", None, Request(" SELECT 1", "", "wh", False)),
        ("-o x wh", "SELECT 1", Request("SELECT 1", "wh", "x", False, Options(output="x"))),
        ("wh -o x", "SELECT 1", Request("SELECT 1", "wh", "x", False, Options(output="x"))),
        ("--timeout=3 SELECT 1", None, Request(" SELECT 1", options=Options(timeout=3.0))),
        ("--timeout 3", "SELECT 1", Request("SELECT 1", options=Options(timeout=3.0))),
        ("--chart bar a 'b c'", "SELECT 1", Request("SELECT 1", options=Options(chart=("bar", "a", "b c")))),
        ("-l", None, Request("", options=Options(connections=True))),
        ("--write wh", "DELETE FROM t", Request("DELETE FROM t", "wh", options=Options(write=True))),
        ("wh --write x <<", "SELECT 1", Request("SELECT 1", "wh", "x", False, Options(write=True))),
        ("duckdb:///x.db SELECT 1", None, Request(" SELECT 1", "duckdb:///x.db")),
        ("'sqlite:///a b.db'", "SELECT 1", Request("SELECT 1", "sqlite:///a b.db")),
        ("$DATABASE_URL", None, Request("", "$DATABASE_URL")),
        ("pg://u:{{ pw }}@h/d x <<", "SELECT 1", Request("SELECT 1", "pg://u:{{ pw }}@h/d", "x", False)),
        ("$1 + :n", None, Request("$1 + :n")),
        ("", "x << SELECT 1", Request(" SELECT 1", "", "x", False)),
        ("wh", "x = <<\nSELECT 1", Request("\nSELECT 1", "wh", "x", True)),
        ("", "SELECT 1 << 3", Request("SELECT 1 << 3")),
        ("--explain SELECT 1", None, Request(" SELECT 1", options=Options(explain="plan"))),
        ("--explain analyze", "SELECT 1", Request("SELECT 1", options=Options(explain="analyze"))),
        ("--explain=ANALYZE SELECT 1", None, Request(" SELECT 1", options=Options(explain="analyze"))),
        ("--explain", "ANALYZE t", Request("ANALYZE t", options=Options(explain="plan"))),
        ("-w a --with b", "SELECT 1", Request("SELECT 1", options=Options(with_=("a", "b")))),
        ("--interact a --interact b", "SELECT 1", Request("SELECT 1", options=Options(interact=("a", "b")))),
        (
            '--params {"a": "b c", "d": [1]} SELECT 1',
            None,
            Request(" SELECT 1", options=Options(params={"a": "b c", "d": [1]})),
        ),
        ("--params mine SELECT 1", None, Request(" SELECT 1", options=Options(params="mine"))),
        ("--params {{ d }} SELECT 1", None, Request(" SELECT 1", options=Options(params="{{ d }}"))),
        (
            "sqlite:// -a '{\"a\": 1}' -A x",
            None,
            Request("", "sqlite://", options=Options(connection_arguments={"a": 1}, alias="x")),
        ),
        ("--to 'a b.csv' --limit 5 SELECT 1", None, Request(" SELECT 1", options=Options(to="a b.csv", limit=5))),
        ('--to="a b.csv" SELECT 1', None, Request(" SELECT 1", options=Options(to="a b.csv"))),
        ("--chart hist a SELECT 1", None, Request(" SELECT 1", options=Options(chart=("hist", "a", "")))),
        ("-t PANDAS --tx", "SELECT 1", Request("SELECT 1", options=Options(type="pandas", tx=True))),
        ("--persist df", None, Request("", options=Options(persist=True), frame="df")),
        ("wh -p s.df; -n", None, Request("", "wh", options=Options(persist=True, no_index=True), frame="s.df")),
        ("--append df wh --timeout 3", None, Request("", "wh", options=Options(append=True, timeout=3.0), frame="df")),
        ("-P wh", None, Request("", options=Options(persist_replace=True), frame="wh")),
        ("-P wh", "df ;", Request("", "wh", options=Options(persist_replace=True), frame="df")),
        ("-p wh wh", None, Request("", "wh", options=Options(persist=True), frame="wh")),
        ("SELECT", "1", Request("SELECT\n1")),
        ("-- a remark", "SELECT 1", Request("-- a remark\nSELECT 1")),
    ],
)
def test_what_is_typed_is_read_as_meant(line: str, cell: str | None, expected: Request) -> None:
    assert parse(line, cell) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT length('a   b')",
        "SELECT 1 << 3",
        "SELECT 1 --timeout 3",
        "SELECT '--chart' , \"x  y\", $$ a 'b $$",
        "SELECT {'a': 1}, '$x', '{x}'",
        "SELECT 1;   SELECT 2 ;",
        "SELECT '\\n\ttab'",
        "select 'ünïcödé — \u202e'",
    ],
)
def test_sql_is_copied_byte_for_byte(sql: str) -> None:
    assert parse(sql).sql == sql
    assert parse("", sql).sql == sql
    assert parse("wh " + sql).sql == " " + sql


@pytest.mark.parametrize("cell", [None, "SELECT 1"])
def test_an_unknown_option_is_an_error_in_line_and_cell(cell: str | None) -> None:
    with pytest.raises(QueryError, match=r"no option --timeot\. Did you mean --timeout") as caught:
        parse("--timeot 3 SELECT 1", cell)
    assert caught.value.kind == "usage"


@pytest.mark.parametrize(
    ("line", "cell"),
    [
        ("warehose", None),
        ("warehose", "SELECT 1"),
        ("warehose SELECT 1", None),
        ("warehose\tselect 1", None),
        ("ACME/warehose", "SELECT 1"),
    ],
)
def test_a_misspelt_connection_is_told_with_what_there_is(line: str, cell: str | None) -> None:
    with pytest.raises(QueryError, match=r"no connection named '(ACME/)?warehose'\. Did you mean warehouse") as caught:
        parse(line, cell)
    assert caught.value.kind == "not_found"


@pytest.mark.parametrize("line", ["COMMIT", "ROLLBACK", "checkpoint", "FROM t", "(SELECT 1)", "commit;"])
def test_a_lone_word_of_sql_is_sql(line: str) -> None:
    assert parse(line).sql == line


@pytest.mark.parametrize(
    "line",
    ["--timeout", "--timeout x", "--timeout 0", "--timeout -1", "--chart bar x", "-o", "-l=3", "--write=yes SELECT 1"],
)
def test_an_option_without_its_value_is_told(line: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(line)
    assert caught.value.kind == "usage"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("-odf SELECT 1", "There is no option -odf"),
        ("-w", "-w needs NAME"),
        ("--explain=verbose SELECT 1", "--explain takes no value, and there is 'verbose'"),
        ("--limit 1.5 SELECT 1", "--limit needs a whole number of rows"),
        ("-t frame SELECT 1", "--type hands over result, pandas"),
        ("-a [1] sqlite://", "A JSON object is needed"),
        ("--to x.csv --chart bar a b SELECT 1", "nothing left to draw"),
        ("--persist", "--persist needs the name of a frame"),
        ("--section x --alias y", "--section has its name already"),
        ("-x duck SELECT 1", "--close stands alone"),
        ("-l SELECT 1", "--connections stands alone"),
        ("-l -o x", "--connections stands alone"),
        ("-o 1x SELECT 1", "cannot be kept as '1x'"),
        ("-o 'my var' SELECT 1", "cannot be kept as 'my var'"),
        ("for << SELECT 1", "cannot be kept as 'for'"),
        ("get_ipython << SELECT 1", "cannot be kept as 'get_ipython'"),
        ("--timeout 1 --timeout 2 SELECT 1", "--timeout is given twice"),
        ("--timeout nan SELECT 1", "--timeout needs a number of seconds, not 'nan'"),
        ("--chart pie a b SELECT 1", "--chart draws bar, line, area, point, hist, not 'pie'"),
    ],
)
def test_what_cannot_be_meant_is_told_and_nothing_is_run(line: str, text: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(line)
    assert text in str(caught.value)
    assert caught.value.kind == "usage"


def test_a_value_behind_an_equals_sign_has_its_quotes_taken_off() -> None:
    assert parse('--timeout="3" SELECT 1').options.timeout == 3.0


def test_every_flag_has_its_option() -> None:
    assert {flag.field for flag in grammar.FLAGS} == {field.name for field in dataclasses.fields(Options)}


def test_every_flag_stands_in_the_help() -> None:
    for flag in grammar.FLAGS:
        assert f"--{flag.name}" in grammar.HELP
        assert flag.about in grammar.HELP
