"""Every option of %sql, in a line and in a cell: what it does."""

from __future__ import annotations

import builtins
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from IPython.core.interactiveshell import InteractiveShell

from siege_nb.errors import QueryTimeoutError
from siege_nb.magics import grammar
from siege_nb.magics.errors import SqlError
from siege_nb.query.result import Result
from tests.magics.conftest import Run


@pytest.fixture(autouse=True)
def _connected(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run("%conn add duck duckdb")
    run("%conn add lite sqlite")
    run("%conn duck")


@pytest.fixture(params=["line", "cell", "cell on its line"])
def ask(run: Run, request: pytest.FixtureRequest) -> Any:
    """ask(options, sql) as a line, as a cell, and as a cell whose SQL begins on the first line."""
    forms = {"line": "%sql {0} {1}", "cell": "%%sql {0}\n{1}", "cell on its line": "%%sql {0} {1}\n-- end"}
    return lambda options, sql="": run(forms[request.param].format(options, sql))


def test_output_keeps_the_result_and_shows_nothing(ask: Any, ip: InteractiveShell) -> None:
    for spelling in ("-o r", "--output r", "--output=r"):
        assert ask(spelling, "SELECT 1 AS a") is None
        assert ip.user_ns.pop("r") == [(1,)]


@pytest.mark.parametrize(
    ("name", "type_"),
    [("pandas", pd.DataFrame), ("arrow", pa.Table), ("dicts", list), ("result", Result), ("none", type(None))],
)
def test_type_hands_the_result_over_as_one_wants_it(ask: Any, name: str, type_: type) -> None:
    assert type(ask(f"-t {name}", "SELECT 1.5 AS a")) is type_
    assert type(ask(f"--type {name}", "SELECT 1.5 AS a")) is type_
    assert isinstance(ask("", "SELECT 1 AS a"), Result), "it was for that call only"


def test_type_polars_relation_and_dicts_have_the_rows(ask: Any) -> None:
    polars = pytest.importorskip("polars")
    frame = ask("-t polars", "SELECT 1 AS a")
    assert isinstance(frame, polars.DataFrame)
    assert frame.rows() == [(1,)]
    assert ask("-t relation lite", "SELECT 1 AS a").fetchall() == [(1,)]
    assert ask("-t dicts", "SELECT 1.50 AS a") == [{"a": Decimal("1.50")}]


def test_a_statement_without_rows_is_a_result_whatever_is_wanted(run: Run) -> None:
    assert isinstance(run("%sql -t pandas CREATE TABLE t (a INT)"), Result)


def test_a_type_that_there_is_not_is_told(ask: Any) -> None:
    with pytest.raises(SqlError, match=r"--type hands over result, pandas, .* not 'numpy'"):
        ask("-t numpy", "SELECT 1")


def test_limit_takes_so_many_rows_and_says_so(ask: Any) -> None:
    cut = ask("--limit 3", "SELECT * FROM range(10)")
    assert (len(cut), cut.truncated) == (3, True)
    assert len(cut.DataFrame()) == 3, "who cuts knowingly is not held up"
    assert not ask("--limit 10", "SELECT * FROM range(10)").truncated
    assert len(ask("--limit 0", "SELECT * FROM range(10)")) == 10
    for wrong in ("-1", "x", "1.5"):
        with pytest.raises(SqlError, match="--limit needs a whole number"):
            ask(f"--limit {wrong}", "SELECT 1")


def test_the_limit_zero_is_above_autolimit_and_below_the_guard(run: Run) -> None:
    run("%config SqlMagic.autolimit = 2")
    assert len(run("%sql --limit 0 SELECT * FROM range(10)")) == 10
    run("%config SqlMagic.max_result_bytes = 1000")
    held = run("%sql --limit 0 SELECT * FROM range(1000000)")
    assert held.truncated
    with pytest.raises(Exception, match="memory would not have held"):
        held.DataFrame()


def test_to_writes_the_rows_into_a_file(ask: Any, ip: InteractiveShell) -> None:
    written = ask("--to out.parquet", "SELECT * FROM range(5) t(a)")
    assert pq.read_table("out.parquet").column("a").to_pylist() == [0, 1, 2, 3, 4]
    assert written.rowcount == 5
    assert "out.parquet" in repr(written)
    assert "duck" in repr(written)
    ask("--to 'a b.csv'", "SELECT 1 AS a")
    assert Path("a b.csv").read_text().replace('"', "").split() == ["a", "1"]
    with pytest.raises(SqlError, match=r"No file of rows ends in '\.docx'"):
        ask("--to x.docx", "SELECT 1")


def test_to_without_a_suffix_is_as_the_client_prefers(run: Run) -> None:
    run("%sql --to plain SELECT 1 AS a")
    assert Path("plain.parquet").exists()
    run("%client new ACME Acme primary_contact=x email=y@z data_format=csv")
    run("%client use ACME")
    run("%sql --to theirs duck SELECT 1 AS a")
    assert Path("theirs.csv").exists()


def test_a_file_that_a_statement_failed_for_is_as_before(run: Run) -> None:
    Path("out.csv").write_text("old")
    with pytest.raises(SqlError):
        run("%sql --to out.csv SELECT * FROM nosuch")
    assert Path("out.csv").read_text() == "old"
    assert [path.name for path in Path().iterdir() if "out" in path.name] == ["out.csv"]


def test_file_is_run_before_the_cell(run: Run, ip: InteractiveShell, tmp_path: Path) -> None:
    Path("q.sql").write_text("CREATE TABLE f AS SELECT 'ä' AS a, {{ n }} AS n;\n", encoding="utf-8")
    ip.user_ns["n"] = 7
    assert run("%%sql --file q.sql\nFROM f") == [("ä", 7)]
    Path("select.sql").write_text("SELECT 3 AS a")
    for line in (f"-f {tmp_path}/select.sql", "--file=select.sql", "-f 'select.sql' duck"):
        assert run(f"%sql {line}") == [(3,)]
    with pytest.raises(SqlError, match=r"nosuch\.sql cannot be read"):
        run("%sql -f nosuch.sql")
    Path("latin.sql").write_bytes("SELECT 'ä'".encode("latin-1"))
    with pytest.raises(SqlError, match="no text in UTF-8"):
        run("%sql -f latin.sql")


def test_save_with_and_no_execute(run: Run) -> None:
    assert run("%%sql --save base --no-execute\nSELECT 1 AS a UNION SELECT 2") is not None
    assert "base" in repr(run("%sqlcmd snippets"))
    assert run("%%sql -S doubled\nSELECT a * 2 AS b FROM base ORDER BY 1") == [(2,), (4,)]
    assert run("%sql SELECT max(b) AS m FROM doubled") == [(4,)]
    assert run("%%sql --with base -w doubled\nSELECT count(*) AS n FROM base, doubled") == [(4,)]
    with pytest.raises(SqlError, match="No query is saved as 'nosuch'"):
        run("%sql --with nosuch SELECT 1")


def test_no_execute_sends_nothing(ask: Any, run: Run) -> None:
    ask("--no-execute", "CREATE TABLE never (a INT)")
    ask("-N", "CREATE TABLE never (a INT)")
    with pytest.raises(SqlError, match="does not exist"):
        run("%sql FROM never")


def test_a_table_is_not_taken_for_a_saved_query(run: Run) -> None:
    run("%sql --save t -N SELECT 'saved' AS a")
    assert run("%sql FROM t") == [("saved",)]
    run("%sql CREATE TABLE t AS SELECT 'table' AS a")
    assert run("%sql FROM t") == [("table",)]


def test_an_error_in_a_saved_query_points_into_the_cell(run: Run) -> None:
    run("%sql --save base -N SELECT 1 AS a")
    with pytest.raises(SqlError) as caught:
        run("%%sql\nSELECT a,\n  nosuch FROM base")
    assert (caught.value.line, caught.value.column) == (2, 3)
    assert "LINE 2:   nosuch FROM base" in str(caught.value)


def test_explain_shows_the_plan_and_runs_nothing(ask: Any, run: Run) -> None:
    run("%sql CREATE TABLE t (a INT)")
    plan = ask("--explain", "INSERT INTO t VALUES (1)")
    assert plan.plan
    assert "Insert" in repr(plan)
    assert run("%sql SELECT count(*) AS n FROM t") == [(0,)]
    ran = ask("--explain analyze", "INSERT INTO t VALUES (1)")
    assert "Total Time" in repr(ran)
    assert run("%sql SELECT count(*) AS n FROM t") == [(1,)]
    assert ask("--explain=analyze", "SELECT 1 AS a").plan
    assert "SCAN" in repr(run("%sql --explain lite SELECT * FROM sqlite_master"))
    with pytest.raises(SqlError, match="does not say how long"):
        run("%sql --explain analyze lite SELECT 1")


def test_an_explain_that_was_typed_is_shown_as_lines(run: Run) -> None:
    assert run("%sql EXPLAIN SELECT 1").plan
    assert not run("%sql SELECT 'explain' AS a").plan


def test_timeout_stops_the_statement(ask: Any, run: Run) -> None:
    endless = "SELECT count(*) FROM range(100000000) a, range(100000) b WHERE a.range % 7 = b.range"
    with pytest.raises(QueryTimeoutError, match=r"Timed out after 0\.2 s"):
        ask("--timeout 0.2", endless)
    assert run("%sql SELECT 1 AS a") == [(1,)]


def test_params_come_from_a_dict_or_from_json(ask: Any, ip: InteractiveShell) -> None:
    ip.user_ns.update(n=1, mine={"n": 2, "names": ["x", "y"]})
    assert ask("", "SELECT :n AS n") == [(1,)]
    assert ask("--params mine", "SELECT :n AS n") == [(2,)]
    assert ask("--params mine", "SELECT 'x' IN (:names) AS n") == [(True,)]
    assert ask('--params {"n": 3, "a b": "c d"}', "SELECT :n AS n") == [(3,)]
    assert ask("""--params '{"n": 4}'""", "SELECT :n AS n") == [(4,)]
    for wrong, told in (("nosuch", "no variable 'nosuch'"), ("n", "n is int"), ("{oops", "JSON object is needed")):
        with pytest.raises(SqlError, match=told):
            ask(f"--params {wrong}", "SELECT :n AS n")
    with pytest.raises(SqlError, match=r"no value for :m"):
        ask("--params mine", "SELECT :m AS n")


def test_tx_is_all_or_nothing(run: Run) -> None:
    run("%sql CREATE TABLE t (a INT)")
    with pytest.raises(SqlError, match="statement 2 of 2"):
        run("%%sql --tx\nINSERT INTO t VALUES (1);\nINSERT INTO nosuch VALUES (1)")
    assert run("%sql SELECT count(*) AS n FROM t") == [(0,)]
    run("%%sql --tx\nINSERT INTO t VALUES (1);\nINSERT INTO t VALUES (2)")
    assert run("%sql SELECT count(*) AS n FROM t") == [(2,)]
    assert "in transaction" not in repr(run("%sql --tx INSERT INTO t VALUES (3)"))


def test_chart_draws(ask: Any) -> None:
    bundle = ask("--chart bar a b", "SELECT 'x' AS a, 2 AS b")._repr_mimebundle_()
    assert any("vegalite" in kind for kind in bundle)
    counted = ask("--chart hist a", "SELECT * FROM range(10) t(a)")._repr_mimebundle_()
    assert any("vegalite" in kind for kind in counted)


def test_close_and_connections(run: Run) -> None:
    for spelling in ("-l", "--connections"):
        assert "2 connections" in repr(run(f"%sql {spelling}"))
        assert "2 connections" in repr(run(f"%%sql {spelling}\n "))
    assert "duck is closed" in repr(run("%sql -x duck"))
    run("%sql duck")
    assert "duck is closed" in repr(run("%sql --close duck"))


# --- frames


@pytest.fixture
def frame(run: Run, ip: InteractiveShell) -> pd.DataFrame:
    made = pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=pd.Index([10, 20], name="key"))
    ip.user_ns["df"] = made
    return made


@pytest.mark.parametrize("connection", ["duck", "lite"])
def test_persist_makes_a_table_with_the_index_in_it(run: Run, frame: pd.DataFrame, connection: str) -> None:
    told = repr(run(f"%sql {connection} --persist df"))
    assert "2 rows in df" in told
    assert connection in told
    assert run(f"%sql {connection} SELECT key, a, b FROM df ORDER BY key") == [(10, 1, "x"), (20, 2, None)]
    with pytest.raises(SqlError, match="df"):
        run(f"%sql {connection} -p df")
    run(f"%sql {connection} --append df")
    assert run(f"%sql {connection} SELECT count(*) AS n FROM df") == [(4,)]
    run(f"%sql {connection} --persist-replace df --no-index")
    assert run(f"%sql {connection} SELECT * FROM df ORDER BY a") == [(1, "x"), (2, None)]
    run(f"%sql -P {connection} df -n")
    assert run(f"%sql {connection} SELECT count(*) AS n FROM df") == [(2,)]


def test_persist_takes_a_schema_a_series_a_result_and_a_polars_frame(run: Run, ip: InteractiveShell) -> None:
    ip.user_ns["s"] = pd.Series([1, 2], name="v")
    ip.user_ns["T"] = pa.table({"a": [1]})
    run("%sql CREATE SCHEMA other")
    run("%sql --persist other.s --no-index")
    assert run("%sql SELECT sum(v) AS n FROM other.s") == [(3,)]
    run("%sql r << SELECT 7 AS a")
    run("%sql --persist r lite")
    assert run("%sql lite SELECT a FROM r") == [(7,)]
    run("%sql --persist T;")
    assert run("%sql SELECT a FROM main.t") == [(1,)]
    polars = pytest.importorskip("polars")
    ip.user_ns["p"] = polars.DataFrame({"a": [5]})
    run("%%sql --append lite\np")
    assert run("%sql lite SELECT a FROM p") == [(5,)]


def test_a_frame_without_a_name_for_its_index_and_with_columns_that_are_no_text(run: Run, ip: InteractiveShell) -> None:
    ip.user_ns["df"] = pd.DataFrame({1: [5], "b": [6]})
    run("%sql lite --persist df")
    assert run('%sql lite SELECT "index", "1", b FROM df') == [(0, 5, 6)]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("--persist", "needs the name of a frame"),
        ("--persist nosuch", "no variable 'nosuch'"),
        ("--persist n", "n is int, of which no table can be made"),
        ("--persist df SELECT 1", "more on this line"),
        ("--persist --append -P df", "cannot both be meant"),
        ("--no-index SELECT 1", "--no-index goes with --persist"),
        ("--persist mixed", "a column that no table can hold"),
        ("x << --persist df", "more on this line"),
    ],
)
def test_what_cannot_be_persisted_is_told(
    run: Run, ip: InteractiveShell, frame: pd.DataFrame, line: str, told: str
) -> None:
    ip.user_ns.update(n=5, mixed=pd.DataFrame({"a": [object(), 1]}))
    with pytest.raises(SqlError, match=told):
        run(f"%sql {line}")


# --- widgets


def test_interact_runs_the_cell_again_when_a_widget_is_moved(
    run: Run, ip: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ipywidgets

    made: list[Any] = []
    monkeypatch.setattr("ipywidgets.widgets.interaction.display", made.append)
    ip.user_ns["n"] = 5
    ip.user_ns["word"] = ipywidgets.Text("x")
    assert run("%%sql --interact n --interact word -o r\nSELECT :n AS n, '{{ word }}' AS w") is None
    made[0].update()
    assert ip.user_ns["r"] == [(5, "x")]
    made[0].children[0].value = 9
    assert ip.user_ns["r"] == [(9, "x")]
    made[0].children[1].value = "y"
    assert ip.user_ns["r"] == [(9, "y")]
    assert ip.user_ns["n"] == 5
    with pytest.raises(SqlError, match="no variable 'nosuch'"):
        run("%sql --interact nosuch SELECT 1")


# --- prod


@pytest.mark.parametrize(
    "line",
    ["--file w.sql", "--with q INSERT INTO t SELECT a FROM q", "{{ word }} INTO t VALUES (1)", "--tx DELETE FROM t",
     "--explain analyze DELETE FROM t", "--persist df", "--persist-replace t", "--append t",
     "--to x.csv DELETE FROM t RETURNING a", "-t pandas DELETE FROM t", "--limit 1 DELETE FROM t",
     "-o r DELETE FROM t"],
)  # fmt: skip
def test_on_prod_every_way_to_write_asks_first(
    run: Run, ip: InteractiveShell, line: str, monkeypatch: pytest.MonkeyPatch, frame: pd.DataFrame
) -> None:
    prompts: list[str] = []

    def nobody(prompt: str = "") -> str:
        prompts.append(prompt)
        raise EOFError

    monkeypatch.setattr(builtins, "input", nobody)
    run("%sql lite CREATE TABLE t (a INT)")
    run("%sql lite INSERT INTO t VALUES (1)")
    run("%conn edit lite environment=prod")
    run("%conn lite")
    run("%sql -S q -N SELECT 1 AS a")
    Path("w.sql").write_text("DELETE FROM t")
    ip.user_ns.update(word="INSERT", t=frame)
    if "analyze" in line:
        run("%conn edit duck environment=prod")
        run("%sql duck")
        run("%sql --write CREATE TABLE t (a INT)")
    with pytest.raises(SqlError, match="is a prod connection"):
        run(f"%sql {line}")
    assert len(prompts) == 1
    if "analyze" not in line:
        assert run("%sql lite SELECT count(*) AS n FROM t") == [(1,)]


def test_on_prod_a_plan_asks_nobody(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("%sql lite CREATE TABLE t (a INT)")
    run("%conn edit lite environment=prod")
    assert run("%sql --explain lite DELETE FROM t").plan


def test_every_option_is_in_jupysqls_letters_and_stands_in_this_file() -> None:
    letters = {flag.letter: flag.name for flag in grammar.FLAGS if flag.letter}
    jupysql = {"l": "connections", "x": "close", "c": "creator", "s": "section", "p": "persist", "P": "persist-replace",
               "n": "no-index", "a": "connection_arguments", "f": "file", "S": "save", "w": "with", "N": "no-execute",
               "A": "alias"}  # fmt: skip
    assert letters.items() >= jupysql.items()
    text = Path(__file__).read_text() + (Path(__file__).parent / "test_targets.py").read_text()
    assert [flag.name for flag in grammar.FLAGS if f"--{flag.name}" not in text] == []


def test_a_file_for_rows_of_a_statement_that_has_none_says_that_it_has_run(run: Run, tmp_path: Path) -> None:
    run("%sql CREATE TABLE written (a INT)")
    (tmp_path / "kept.csv").write_text("as it was")
    with pytest.raises(SqlError, match=r"has run \(1 row affected\), and gave no rows") as caught:
        run(f"%sql --to {tmp_path}/kept.csv INSERT INTO written VALUES (1)")
    assert caught.value.kind == "usage"
    assert (tmp_path / "kept.csv").read_text() == "as it was"
    assert run("%sql SELECT count(*) FROM written") == [(1,)]


def test_a_frame_is_no_more_committed_than_a_statement(run: Run, ip: InteractiveShell) -> None:
    ip.user_ns["rows"] = pa.table({"a": [1]})
    run("%sql --persist rows")
    ip.run_line_magic("config", "SqlMagic.autocommit = False")
    run("%sql --append rows")
    run("%sql ROLLBACK")
    assert run("%sql SELECT count(*) FROM rows") == [(1,)]
    run("%sql ROLLBACK")


@pytest.mark.parametrize("line", ["typo --limit 3 SELECT 1", "typo res << SELECT 1", "typo --tx"])
def test_a_word_that_names_no_connection_is_no_sql_whatever_follows(run: Run, line: str) -> None:
    with pytest.raises(SqlError, match="no connection named 'typo'"):
        run(f"%%sql {line}\nSELECT 1")
