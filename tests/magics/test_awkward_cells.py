"""Awkward cells: casts, colons, quotes, comments, odd types; where an engine has them, with right types and text."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from siege_nb.magics.errors import SqlError
from siege_nb.query.result import Result
from tests.servers import MariaDB, Postgres

ENGINES = ("duck", "lite", "pg", "maria")
UTC = dt.UTC
MOMENT = dt.datetime(2026, 3, 29, 2, 30, 0, 123456)  # noqa: DTZ001 - it has no zone
LONG = "x" * 10_000_000


@pytest.fixture(scope="module")
def notebook(
    postgres: Postgres, mariadb: MariaDB, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[InteractiveShell]:
    """A shell with a connection to each engine, as a notebook that is open for a while."""
    config = Config()
    config.HistoryManager.enabled = False
    place = tmp_path_factory.mktemp("awkward")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIEGE_CONFIG_DIR", str(place / "config"))
        patch.setenv("SIEGE_DATA_DIR", str(place / "data"))
        patch.setenv("PG_AWKWARD", postgres.password)
        patch.setenv("MARIA_AWKWARD", mariadb.password)
        shell = InteractiveShell(config=config)
        shell.run_line_magic("load_ext", "siege_nb")
        for line in (
            "add duck duckdb",
            "add lite sqlite database=:memory:",
            f"add pg postgres host={postgres.host} port={postgres.port} database={postgres.database_for('awkward')}"
            f" username={postgres.username} password:=env:PG_AWKWARD",
            f"add maria mysql host={mariadb.host} port={mariadb.port} database={mariadb.database_for('awkward')}"
            f" username={mariadb.username} password:=env:MARIA_AWKWARD",
            "duck",
        ):
            shell.run_line_magic("conn", line)
        yield shell
        shell.run_line_magic("unload_ext", "siege_nb")
        shell.restore_sys_module_state()


Cell = Callable[..., Any]


@pytest.fixture
def cell(notebook: InteractiveShell) -> Cell:
    """cell("duck", "SELECT :n", n=1): what a cell on a connection gives; the names are the notebook's variables."""

    def cell(engine: str, sql: str, **variables: Any) -> Any:
        notebook.user_ns.update(variables)
        try:
            return notebook.run_cell_magic("sql", engine, sql)
        finally:
            for name in variables:
                del notebook.user_ns[name]

    return cell


#: What each cell is about, and for each engine: the SQL, the rows, and the Arrow types of the columns.
CELLS: dict[str, dict[str, tuple[str, list[tuple[Any, ...]], str]]] = {
    "a cast with two colons": {
        "duck": ("SELECT '42'::int AS n, '7'::VARCHAR AS t", [(42, "7")], "int32 string"),
        "pg": ("SELECT '42'::int AS n, '7'::varchar AS t", [(42, "7")], "int32 string"),
    },
    "a cast in words": {
        "duck": ("SELECT CAST('42' AS BIGINT) AS n", [(42,)], "int64"),
        "lite": ("SELECT CAST('42' AS INTEGER) AS n", [(42,)], "int64"),
        "pg": ("SELECT CAST('42' AS BIGINT) AS n", [(42,)], "int64"),
        "maria": ("SELECT CAST('42' AS SIGNED) AS n", [(42,)], "int32"),
    },
    "JSON and its arrows": {
        "duck": ("""SELECT '{"a": {"b": 1}}'::json->'a'->>'b' AS v""", [("1",)], "string"),
        "lite": ("""SELECT '{"a": {"b": "x:y"}}' -> '$.a' ->> '$.b' AS v""", [("x:y",)], "string"),
        "pg": ("""SELECT '{"a": {"b": 1}}'::jsonb->'a'->>'b' AS v, '{"a":1}'::json #>> '{a}' AS w""",
               [("1", "1")], "string string"),
        "maria": ("""SELECT JSON_EXTRACT('{"a": {"b": 1}}', '$.a.b') AS v""", [("1",)], "string"),
    },
    "colons in literals": dict.fromkeys(
        ENGINES, ("SELECT '10:30' AS t, ':x' AS c", [("10:30", ":x")], "string string")
    ),
    "a colon and an equals sign": {
        "duck": ("SELECT struct_pack(a := 1, b := 'x') AS s", [({"a": 1, "b": "x"},)], "struct<a: int32, b: string>"),
        "pg": ("SELECT make_date(year := 2026, month := 2, day := 3) AS d", [(dt.date(2026, 2, 3),)], "date32[day]"),
        "maria": ("SELECT @x := 5 AS n", [(5,)], "int32"),
    },
    "slices": {
        "duck": ("SELECT [1, 2, 3][1:2] AS s, 'abc'[1:2] AS t", [([1, 2], "ab")], "list<int32> string"),
        "pg": ("SELECT (ARRAY[1, 2, 3])[1:2] AS s", [([1, 2],)], "list<int32>"),
    },
    "structs and maps": {
        "duck": ("SELECT {'a': 1, 'b': [true, NULL]} AS s, MAP {'k': 1.5::DOUBLE} AS m",
                 [({"a": 1, "b": [True, None]}, [("k", 1.5)])], "struct<a: int32, b: list<bool>> map<string, double>"),
    },
    "dollar quotes": {
        "duck": ("SELECT $$it's :not a {bind} ; at all$$ AS t, $q$ $$ -- $q$ AS u",
                 [("it's :not a {bind} ; at all", " $$ -- ")], "string string"),
        "pg": ("SELECT $$it's :not a {bind} ; at all$$ AS t, $q$ $$ -- $q$ AS u",
               [("it's :not a {bind} ; at all", " $$ -- ")], "string string"),
    },
    "comments with colons, quotes and semicolons": dict.fromkeys(
        ENGINES, ("SELECT 1.5e0 AS a -- :nobody's ; here\n/* ; :no 'one */ , 'x' AS b -- end", [(1.5, "x")],
                  "double string")
    ),
    "a comment with a hash": {"maria": ("SELECT 'x' AS b # :nobody's ; here\n", [("x",)], "string")},
    "a shift is no assignment": {
        "duck": ("SELECT 1 << 3 AS n", [(8,)], "int32"),
        "lite": ("SELECT 1 << 3 AS n", [(8,)], "int64"),
        "pg": ("SELECT 1 << 3 AS n", [(8,)], "int32"),
        "maria": ("SELECT 1 << 3 AS n", [(8,)], "uint64"),
    },
    "ten megabytes of a literal": {
        "duck": (f"SELECT length('{LONG}') AS n", [(10_000_000,)], "int64"),
        "lite": (f"SELECT length('{LONG}') AS n", [(10_000_000,)], "int64"),
        "pg": (f"SELECT length('{LONG}') AS n", [(10_000_000,)], "int32"),
        "maria": (f"SELECT length('{LONG}') AS n", [(10_000_000,)], "int32"),
    },
    "no rows have types all the same": {
        "duck": ("SELECT 1::BIGINT AS a, 'x' AS b WHERE 1 = 0", [], "int64 string"),
        "lite": ("SELECT 1 AS a, 'x' AS b WHERE 1 = 0", [], "null null"),
        "pg": ("SELECT 1::bigint AS a, 'x'::text AS b WHERE 1 = 0", [], "int64 string"),
        "maria": ("SELECT CAST(1 AS SIGNED) AS a, 'x' AS b FROM DUAL WHERE 1 = 0", [], "int32 string"),
    },
    "a row of no columns": {"pg": ("SELECT", [], "")},
    "nothing but NULL": {
        "duck": ("SELECT NULL AS a UNION ALL SELECT NULL", [(None,), (None,)], "null"),
        "lite": ("SELECT NULL AS a UNION ALL SELECT NULL", [(None,), (None,)], "null"),
        "pg": ("SELECT NULL AS a UNION ALL SELECT NULL", [(None,), (None,)], "string"),
        "maria": ("SELECT NULL AS a UNION ALL SELECT NULL", [(None,), (None,)], "binary"),
    },
    "lists of lists": {
        "duck": ("SELECT [[1, 2], [3]] AS l", [([[1, 2], [3]],)], "list<list<int32>>"),
    },
    "a moment in a zone": {
        "duck": ("SELECT TIMESTAMPTZ '2026-03-29 02:30:00+02' AS t",
                 [(dt.datetime(2026, 3, 29, 0, 30, tzinfo=UTC),)], ""),
        "pg": ("SELECT TIMESTAMPTZ '2026-03-29 02:30:00+02' AS t",
               [(dt.datetime(2026, 3, 29, 0, 30, tzinfo=UTC),)], "timestamp[us, tz=UTC]"),
    },
    "a moment without one": {
        "duck": ("SELECT TIMESTAMP '2026-03-29 02:30:00.123456' AS t",
                 [(MOMENT,)], "timestamp[us]"),
        "pg": ("SELECT TIMESTAMP '2026-03-29 02:30:00.123456' AS t",
               [(MOMENT,)], "timestamp[us]"),
        "maria": ("SELECT TIMESTAMP('2026-03-29 02:30:00.123456') AS t",
                  [(MOMENT,)], "timestamp[us]"),
    },
    "days and times of day": {
        "duck": ("SELECT DATE '2024-02-29' AS d, TIME '23:59:59.5' AS t",
                 [(dt.date(2024, 2, 29), dt.time(23, 59, 59, 500000))], "date32[day] time64[us]"),
        "lite": ("SELECT date('2024-02-29') AS d", [("2024-02-29",)], "string"),
        "pg": ("SELECT DATE '2024-02-29' AS d, TIME '23:59:59.5' AS t",
               [(dt.date(2024, 2, 29), dt.time(23, 59, 59, 500000))], "date32[day] time64[us]"),
        "maria": ("SELECT DATE '2024-02-29' AS d, TIME '-838:59:59' AS t",
                  [(dt.date(2024, 2, 29), -dt.timedelta(hours=838, minutes=59, seconds=59))],
                  "date32[day] duration[us]"),
    },
    "decimals of thirty-eight digits": {
        engine: ("SELECT CAST('1234567890123456789012345678.0123456789' AS DECIMAL(38, 10)) AS d",
                 [(Decimal("1234567890123456789012345678.0123456789"),)], "decimal128(38, 10)")
        for engine in ("duck", "pg", "maria")
    },
    "bytes": {
        "duck": (r"SELECT '\xAA\x00'::BLOB AS b", [(b"\xaa\x00",)], "binary"),
        "lite": ("SELECT x'AA00' AS b", [(b"\xaa\x00",)], "binary"),
        "pg": (r"SELECT '\xaa00'::bytea AS b", [(b"\xaa\x00",)], "binary"),
        "maria": ("SELECT x'AA00' AS b", [(b"\xaa\x00",)], "binary"),
    },
    "the largest number without a sign": {
        "duck": ("SELECT 18446744073709551615::UBIGINT AS n", [(2**64 - 1,)], "uint64"),
        "maria": ("SELECT CAST(18446744073709551615 AS UNSIGNED) AS n", [(2**64 - 1,)], "uint64"),
        "pg": ("SELECT 18446744073709551615 AS n", [(Decimal(2**64 - 1),)], "decimal128(38, 0)"),
    },
    "the bounds of sixty-four bits": {
        "duck": ("SELECT (-9223372036854775808)::BIGINT AS a, 9223372036854775807 AS b",
                 [(-(2**63), 2**63 - 1)], "int64 int64"),
        "lite": ("SELECT -9223372036854775807 - 1 AS a, 9223372036854775807 AS b",
                 [(-(2**63), 2**63 - 1)], "int64 int64"),
        "pg": ("SELECT (-9223372036854775808)::bigint AS a, 9223372036854775807 AS b",
               [(-(2**63), 2**63 - 1)], "int64 int64"),
        "maria": ("SELECT CAST(-9223372036854775808 AS SIGNED) AS a, 9223372036854775807 AS b",
                  [(-(2**63), 2**63 - 1)], "int64 int64"),
    },
    "what is too large for them": {
        "duck": ("SELECT 2::HUGEINT ** 0 + 170141183460469231731687303715884105726::HUGEINT AS n", [], "?"),
    },
    "no numbers": {
        "duck": ("SELECT 'inf'::DOUBLE AS i, '-inf'::DOUBLE AS j", [(float("inf"), float("-inf"))], "double double"),
        "pg": ("SELECT 'Infinity'::float8 AS i, '-Infinity'::float8 AS j",
               [(float("inf"), float("-inf"))], "double double"),
    },
    "yes and no": {
        "duck": ("SELECT true AS a, NULL::BOOLEAN AS b", [(True, None)], "bool bool"),
        "lite": ("SELECT true AS a", [(1,)], "int64"),
        "pg": ("SELECT true AS a, NULL::boolean AS b", [(True, None)], "bool bool"),
        "maria": ("SELECT true AS a", [(1,)], "int32"),
    },
    "spans of time": {
        "pg": ("SELECT INTERVAL '1 day 02:03:04' AS s",
               [(dt.timedelta(days=1, hours=2, minutes=3, seconds=4),)], "duration[us]"),
    },
    "a UUID is text": {
        engine: ("SELECT '00000000-0000-0000-0000-00000000000a'::uuid AS u",
                 [("00000000-0000-0000-0000-00000000000a",)], "string")
        for engine in ("duck", "pg")
    },
    "letters of the whole world": dict.fromkeys(
        ENGINES, ("SELECT 'Grüße, 世界 🙂 e\u0301' AS t", [("Grüße, 世界 🙂 e\u0301",)], "string")
    ),
    "odd names of columns": {
        **dict.fromkeys(("duck", "lite", "pg"), ('SELECT 1.5e0 AS "a ""b"" :c; --d"', [(1.5,)], "double")),
        "maria": ("SELECT 1.5e0 AS `a \"b\" :c; --d`", [(1.5,)], "double"),
    },
    "semicolons all over": dict.fromkeys(
        ENGINES, (";;SELECT ';' AS t, 1.5e0 AS n;; ;\n-- ; \n;", [(";", 1.5)], "string double")
    ),
    "percent signs": dict.fromkeys(
        ENGINES, ("SELECT '100%' AS p, '%s %(x)s %%' AS q", [("100%", "%s %(x)s %%")], "string string")
    ),
    "dollars, question marks and at signs in text": dict.fromkeys(
        ENGINES, ("SELECT '$1 ? @x :: $x' AS t", [("$1 ? @x :: $x",)], "string")
    ),
    "braces": dict.fromkeys(ENGINES, ("SELECT '{not} a {field:>5}' AS t", [("{not} a {field:>5}",)], "string")),
    "line ends of another system": dict.fromkeys(ENGINES, ("SELECT 'x'\r\n AS t\r\n", [("x",)], "string")),
    "capitals here and there": dict.fromkeys(ENGINES, ("sElEcT 'x' aS t", [("x",)], "string")),
    "a recursion": dict.fromkeys(
        ENGINES,
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i * 1.5e0 AS x FROM n",
         [(1.5,), (3.0,), (4.5,)], "double"),
    ),
    "bare values": dict.fromkeys(ENGINES, ("VALUES (1.5e0, 'a'), (2.5e0, NULL)", [(1.5, "a"), (2.5, None)],
                                           "double string")),
    "brackets around a query": {
        **dict.fromkeys(("duck", "pg", "maria"), ("(SELECT 1.5e0 AS a)", [(1.5,)], "double")),
    },
}  # fmt: skip
del CELLS["what is too large for them"]["duck"]
CELLS["what is too large for them"]["duck"] = (
    "SELECT 170141183460469231731687303715884105727 AS n", [(Decimal(2**127 - 1),)], "",
)  # fmt: skip


@pytest.mark.parametrize(("about", "engine"), [(about, engine) for about, cells in CELLS.items() for engine in cells])
def test_a_cell_gives_what_it_says(cell: Cell, about: str, engine: str) -> None:
    sql, rows, types = CELLS[about][engine]
    result = cell(engine, sql)
    assert list(result) == rows
    if engine == "pg" and "1.5e0" in sql:
        types = types.replace("double", "decimal128(38, 1)")  # there it is a number of any precision
    if types:
        assert " ".join(map(_short, result.arrow().schema.types)) == types
    assert repr(result)
    assert "text/html" in result._repr_mimebundle_()


def _short(kind: Any) -> str:
    return re.sub(r"\b(?:element|item|l): ", "", str(kind))


def test_the_cells_are_enough() -> None:
    assert len(CELLS) >= 37


@pytest.mark.parametrize("engine", ENGINES)
def test_names_that_come_twice_are_told_apart(cell: Cell, engine: str) -> None:
    result = cell(engine, "SELECT 'x' AS a, 'y' AS a, 'z' AS a")
    assert result.keys == ["a", "a_1", "a_2"]
    assert result.dicts() == [{"a": "x", "a_1": "y", "a_2": "z"}]
    assert result.DataFrame().columns.tolist() == ["a", "a_1", "a_2"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("text", [" \n ", "-- nothing :here", "/* nothing; */ ;"])
def test_nothing_to_run_is_no_error(cell: Cell, engine: str, text: str) -> None:
    shown = cell(engine, text)
    assert "done" in repr(shown) or "in use" in repr(shown)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_error_in_the_second_of_three_says_so_and_keeps_the_third(cell: Cell, engine: str) -> None:
    cell(engine, "DROP TABLE IF EXISTS kept; CREATE TABLE kept (a INT)")
    with pytest.raises(SqlError) as caught:
        cell(engine, "INSERT INTO kept VALUES (1);\nSELECT * FROM nowhere_at_all;\nINSERT INTO kept VALUES (3)")
    assert caught.value.kind == "not_found"
    assert caught.value.statement == (2, 3)
    assert caught.value.line == 2
    assert cell(engine, "SELECT count(*) * 1.0e0 AS n FROM kept") == [(1.0,)]


@pytest.mark.parametrize("engine", ENGINES)
def test_binds_of_every_sort(cell: Cell, engine: str) -> None:
    cell(engine, "DROP TABLE IF EXISTS t; CREATE TABLE t (a INT, b VARCHAR(50))")
    cell(engine, "INSERT INTO t VALUES (1, 'x'), (2, '100%'), (3, NULL)")
    asked = [
        ("SELECT b FROM t WHERE a = :n", {"n": np.int64(2)}, [("100%",)]),
        ("SELECT b FROM t WHERE a = :n AND 5 % 3 = 2", {"n": np.float64(2)}, [("100%",)]),
        ("SELECT a FROM t WHERE b = :s", {"s": "100%"}, [(2,)]),
        ("SELECT a FROM t WHERE a IN (:xs) ORDER BY a", {"xs": [1, 3]}, [(1,), (3,)]),
        ("SELECT a FROM t WHERE a IN (:xs) ORDER BY a", {"xs": pd.Series([1, 2])}, [(1,), (2,)]),
        ("SELECT a FROM t WHERE a NOT IN (:xs) ORDER BY a", {"xs": ()}, [(1,), (2,), (3,)]),
        ("SELECT a FROM t WHERE a IN (:xs)", {"xs": []}, []),
        ("SELECT a FROM t WHERE b IN (:xs) -- :nobody\n", {"xs": ["x", "it's"]}, [(1,)]),
        ("SELECT count(*) * 1.0e0 AS n FROM t WHERE :missing IS NULL", {"missing": None}, [(3.0,)]),
        ("SELECT a FROM t WHERE b = 'x' AND ':n' = ':n' AND a = :n", {"n": 1}, [(1,)]),
    ]
    for sql, variables, rows in asked:
        if engine == "pg" and "missing" in variables:
            sql = sql.replace(":missing", ":missing::int")
        assert cell(engine, sql, **variables) == rows, sql
    with pytest.raises(SqlError, match=r"no value for :nobody_here"):
        cell(engine, "DELETE FROM t WHERE a = :nobody_here")
    assert cell(engine, "SELECT count(*) * 1.0e0 AS n FROM t") == [(3.0,)]


@pytest.mark.parametrize("engine", ENGINES)
def test_five_hundred_columns_and_many_statements(cell: Cell, engine: str) -> None:
    wide = cell(engine, "SELECT " + ", ".join(f"'{n}' AS c{n}" for n in range(500)))
    assert wide.keys[-1] == "c499"
    assert len(wide[0]) == 500
    many = cell(engine, "".join(f"SELECT '{n}' AS n;\n" for n in range(50)))
    assert many == [("49",)]
    assert isinstance(many, Result)
    assert many.earlier == (1,) * 49


@pytest.mark.parametrize("engine", ENGINES)
def test_a_line_keeps_its_blanks_and_its_shifts(notebook: InteractiveShell, engine: str) -> None:
    assert notebook.run_line_magic("sql", f"{engine} SELECT 'a   b\\t' AS t") == [("a   b\t" if engine == "maria" else "a   b\\t",)]  # noqa: E501
    assert notebook.run_line_magic("sql", f"{engine} SELECT (1 << 3) * 1.0e0 AS n") == [(8.0,)]


@pytest.mark.parametrize("engine", ["duck", "pg", "maria"])
def test_decimals_stay_decimal_in_a_frame(cell: Cell, engine: str) -> None:
    frame = cell(engine, "SELECT CAST('0.1' AS DECIMAL(10, 2)) AS d UNION ALL SELECT NULL ORDER BY 1").DataFrame()
    assert sorted(frame["d"].dropna().map(type).unique(), key=str) == [Decimal]


def test_a_week_in_summer_and_its_zone(cell: Cell) -> None:
    """A zone of the session changes how a moment is written, never which one it is."""
    cell("pg", "SET TIME ZONE 'Europe/Berlin'")
    shown = cell("pg", "SELECT TIMESTAMPTZ '2026-03-29 01:30:00+00' AS t")
    assert next(iter(shown))[0] == dt.datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    cell("pg", "RESET TIME ZONE")
