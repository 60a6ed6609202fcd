"""%config SqlMagic: every name acts, and says what there is where it cannot."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets import TraitError
from traitlets.config import Config

from siege_nb.magics import config as config_module
from siege_nb.magics.config import SqlMagic
from siege_nb.magics.errors import SqlError
from siege_nb.query.result import Result
from tests.magics.conftest import Run


@pytest.fixture(autouse=True)
def _connected(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run("%conn add duck duckdb")
    run("%conn add lite sqlite")
    run("%conn duck")


@pytest.fixture
def config(ip: InteractiveShell) -> SqlMagic:
    return next(one for one in ip.configurables if isinstance(one, SqlMagic))  # type: ignore[unreachable]


def set_(run: Run, line: str) -> None:
    run(f"%config SqlMagic.{line}")


def test_it_is_there_by_jupysqls_name_and_gone_when_unloaded(ip: InteractiveShell) -> None:
    names = [type(one).__name__ for one in ip.configurables]
    assert names.count("SqlMagic") == 1
    ip.run_line_magic("reload_ext", "siege_nb")
    assert [type(one).__name__ for one in ip.configurables].count("SqlMagic") == 1
    ip.run_line_magic("unload_ext", "siege_nb")
    assert "SqlMagic" not in [type(one).__name__ for one in ip.configurables]
    ip.run_line_magic("load_ext", "siege_nb")


def test_a_configuration_file_sets_it() -> None:
    shell = InteractiveShell(config=Config({"SqlMagic": {"displaylimit": 3}, "HistoryManager": {"enabled": False}}))
    try:
        shell.run_line_magic("load_ext", "siege_nb")
        assert next(o for o in shell.configurables if isinstance(o, SqlMagic)).displaylimit == 3  # type: ignore[unreachable]
        shell.run_line_magic("unload_ext", "siege_nb")
    finally:
        shell.restore_sys_module_state()


def test_autopandas_and_autopolars_exclude_each_other(run: Run, config: SqlMagic) -> None:
    polars = pytest.importorskip("polars")
    set_(run, "autopandas = True")
    assert isinstance(run("%sql SELECT 1 AS a"), pd.DataFrame)
    assert isinstance(run("%sql x = << SELECT 1 AS a"), pd.DataFrame)
    assert isinstance(run("%sql -t result SELECT 1 AS a"), Result)
    assert isinstance(run("%sql CREATE TABLE t (a INT)"), Result)
    assert run("%sql --explain SELECT 1").plan
    set_(run, "autopolars = True")
    assert not config.autopandas
    set_(run, "polars_dataframe_kwargs = {'schema_overrides': {'a': __import__('polars').Float64}}")
    frame = run("%sql SELECT 1 AS a")
    assert isinstance(frame, polars.DataFrame)
    assert frame.schema["a"] == polars.Float64


def test_displaylimit_shows_so_many_rows_and_holds_all(run: Run) -> None:
    set_(run, "displaylimit = 3")
    result = run("%sql SELECT * FROM range(100, 120) t(a)")
    assert "first 3 of 20 rows" in repr(result)
    assert "103" not in repr(result)
    assert len(result) == 20
    for everything in ("0", "None"):
        set_(run, f"displaylimit = {everything}")
        assert "119" in repr(run("%sql SELECT * FROM range(100, 120) t(a)"))


def test_autolimit_takes_so_many_rows_whatever_number_it_is(run: Run) -> None:
    for limit in (1, 3, 7):
        set_(run, f"autolimit = {limit}")
        result = run("%sql SELECT * FROM range(20)")
        assert (len(result), result.truncated) == (limit, True)
    assert len(run("%sql --limit 5 SELECT * FROM range(20)")) == 5
    set_(run, "autolimit = None")
    assert len(run("%sql SELECT * FROM range(20)")) == 20


def test_max_result_bytes_is_the_guard(run: Run, config: SqlMagic, monkeypatch: pytest.MonkeyPatch) -> None:
    set_(run, "max_result_bytes = 1000")
    result = run("%sql SELECT * FROM range(1000000)")
    assert result.truncated
    assert "memory" in repr(result)
    set_(run, "max_result_bytes = -1")
    assert config.take(None).memory is None
    set_(run, "max_result_bytes = 0")
    monkeypatch.setattr(config_module, "_free_memory", lambda: 4_000)
    config._free = (float("-inf"), 0)
    assert config.take(None).memory == 1_000
    assert run("%sql SELECT * FROM range(1000000)").truncated


def test_a_quarter_of_what_is_free_is_real() -> None:
    memory = SqlMagic().take(None).memory
    assert memory is not None
    assert 2**20 < memory < 2**45


def test_displaycon_names_the_connection(run: Run) -> None:
    assert "duck" in repr(run("%sql SELECT 1 AS a"))
    set_(run, "displaycon = False")
    assert "duck" not in repr(run("%sql SELECT 1 AS a"))


def test_feedback_says_less_or_more(run: Run) -> None:
    said = {}
    for level in (0, 1, 2):
        set_(run, f"feedback = {level}")
        said[level] = repr(run("%sql SELECT 1 AS a"))
    assert len(said[0]) < len(said[1]) < len(said[2])


def test_style_draws_the_text(run: Run) -> None:
    set_(run, "style = 'MARKDOWN'")
    assert "|" in repr(run("%sql SELECT 1 AS a, 2 AS b"))
    set_(run, "style = 'SINGLE_BORDER'")
    assert "│" in repr(run("%sql SELECT 1 AS a, 2 AS b"))


def test_max_cell_width_cuts_the_view(run: Run) -> None:
    set_(run, "max_cell_width = 10")
    result = run("%sql SELECT 'abcdefghijklmnop' AS a")
    assert "abcdefghi…" in repr(result)
    assert result == [("abcdefghijklmnop",)]


def test_grid_asks_for_itables(run: Run) -> None:
    set_(run, "grid = 'itables'")
    result = run("%sql SELECT 1 AS a")
    assert result.look.grid == "itables"
    set_(run, "grid = 'none'")
    assert run("%sql SELECT 1 AS a").look.grid == ""


def test_short_errors_or_the_whole_traceback(run: Run) -> None:
    with pytest.raises(SqlError) as caught:
        run("%sql SELECT * FROM nosuch")
    assert caught.value._render_traceback_()[0].startswith("SqlError[not_found] duck: ")
    set_(run, "short_errors = False")
    with pytest.raises(SqlError) as caught:
        run("%sql SELECT * FROM nosuch")
    shown = "\n".join(caught.value._render_traceback_())
    assert re.search(r'File ".*siege_nb.*adapters.*duckdb', shown)
    assert "SqlError[not_found] duck: " in shown


def test_named_parameters(run: Run, ip: InteractiveShell, config: SqlMagic) -> None:
    ip.user_ns["n"] = 2
    assert run("%sql SELECT :n AS n") == [(2,)]
    set_(run, "named_parameters = 'disabled'")
    with pytest.raises(SqlError):
        run("%sql SELECT :n AS n")
    assert run("%sql lite SELECT ':n' AS n") == [(":n",)]
    for value, means in (("True", "enabled"), ("False", "auto"), ("'warn'", "auto"), ("'ENABLED'", "enabled")):
        set_(run, f"named_parameters = {value}")
        assert config.named_parameters == means
        assert run("%sql SELECT :n AS n") == [(2,)]


def test_jinja_can_be_switched_off(run: Run, ip: InteractiveShell) -> None:
    ip.user_ns["x"] = "y"
    assert run("%sql SELECT '{{ x }}' AS a") == [("y",)]
    set_(run, "jinja = 'off'")
    assert run("%sql SELECT '{{ x }}' AS a") == [("{{ x }}",)]
    set_(run, "jinja = True")
    assert run("%sql SELECT '{{ x }}' AS a") == [("y",)]


def test_column_local_vars_makes_a_variable_of_each_column(run: Run, ip: InteractiveShell) -> None:
    set_(run, "column_local_vars = True")
    assert "a, b" in repr(run("%sql SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, 'y' ORDER BY 1"))
    assert (ip.user_ns["a"], ip.user_ns["b"]) == ((1, 2), ("x", "y"))
    with pytest.raises(SqlError, match="No variable can be named 'get_ipython'"):
        run("%sql SELECT 1 AS fine, 2 AS get_ipython")
    assert "fine" not in ip.user_ns
    assert isinstance(run("%sql r = << SELECT 1 AS a"), Result), "a result with a name is one"
    set_(run, "feedback = 0")
    assert run("%sql SELECT 3 AS a") is None


def test_autocommit_off_leaves_it_to_the_user(run: Run) -> None:
    run("%sql lite CREATE TABLE t (a INT)")
    set_(run, "autocommit = False")
    assert "in transaction" in repr(run("%sql lite INSERT INTO t VALUES (1)"))
    run("%sql lite ROLLBACK")
    assert run("%sql lite SELECT count(*) AS n FROM t") == [(0,)]
    run("%sql lite ROLLBACK")
    set_(run, "autocommit = True")
    assert "in transaction" not in repr(run("%sql lite INSERT INTO t VALUES (1)"))


def test_sticky_stays_with_the_connection_that_was_named(run: Run) -> None:
    run("%sql lite SELECT 1 AS a")
    assert run("%sql SELECT 1 AS a").connection == "duck"
    set_(run, "sticky = True")
    run("%sql lite SELECT 1 AS a")
    assert run("%sql SELECT 1 AS a").connection == "lite"


def test_timeout_holds_where_the_cell_says_none(run: Run) -> None:
    set_(run, "timeout = 0.2")
    endless = "SELECT count(*) FROM range(100000000) a, range(100000) b WHERE a.range % 7 = b.range"
    with pytest.raises(SqlError, match=r"Timed out after 0\.2 s"):
        run(f"%sql {endless}")


def test_progress_after_says_when_it_shows(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from siege_nb.magics import sql

    asked: list[float] = []

    class Noted(sql.Progress):
        def __init__(self, connection: str, after: float = 2.0) -> None:
            asked.append(after)
            super().__init__(connection, after)

    monkeypatch.setattr(sql, "Progress", Noted)
    run("%sql SELECT 1 AS a")
    set_(run, "progress_after = -1")
    run("%sql SELECT 1 AS a")
    assert asked == [2.0, -1.0]


def test_completion_can_be_switched_off(run: Run, ip: InteractiveShell) -> None:
    before = len(ip.Completer.custom_matchers)
    set_(run, "completion = 'off'")
    assert len(ip.Completer.custom_matchers) == before - 1
    set_(run, "completion = 'auto'")
    assert len(ip.Completer.custom_matchers) == before


def test_lazy_execution_says_where_it_acts(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    set_(run, "lazy_execution = True")
    assert "Spark" in capsys.readouterr().err
    assert run("%sql SELECT 1 AS a") == [(1,)]


def test_dsn_filename_is_where_sections_are_looked_for(run: Run) -> None:
    Path("else.ini").write_text("[there]\ndrivername = duckdb\n")
    with pytest.raises(SqlError, match="no connection or section 'there'"):
        run("%sql --section there")
    set_(run, "dsn_filename = 'else.ini'")
    assert "there is in use" in repr(run("%sql --section there"))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("style", "RANDOM", "one of DEFAULT, "),
        ("named_parameters", "maybe", "one of auto, enabled, disabled, warn"),
        ("jinja", "maybe", "one of on, off"),
        ("grid", "ag", "one of '', itables"),
        ("completion", "maybe", "one of auto, off"),
        ("displaylimit", -1, "0 or more, not -1"),
        ("autolimit", -1, "0 or more, not -1"),
        ("timeout", -1.0, "0 or more"),
        ("timeout", float("inf"), "0 or more"),
        ("max_cell_width", -1, "0 or more"),
        ("feedback", 3, "one of 0, 1, 2"),
        ("max_result_bytes", -2, "-1, 0 or a number of bytes"),
        ("autopandas", "yes", "bool"),
        ("style", 5, "one of DEFAULT"),
    ],
)
def test_a_wrong_value_is_refused_and_the_old_one_stays(config: SqlMagic, name: str, value: Any, told: str) -> None:
    before = getattr(config, name)
    with pytest.raises(TraitError, match=told):
        setattr(config, name, value)
    assert getattr(config, name) == before


def test_every_name_is_there_and_has_a_test_and_a_line_of_help() -> None:
    jupysql = set(
        """autopandas autopolars displaylimit autolimit displaycon feedback named_parameters short_errors style
        column_local_vars dsn_filename autocommit lazy_execution polars_dataframe_kwargs""".split()
    )
    ours = set("max_result_bytes jinja sticky timeout max_cell_width progress_after completion grid".split())
    traits = SqlMagic.class_traits(config=True)
    assert set(traits) == jupysql | ours
    text = Path(__file__).read_text()
    for name, trait in traits.items():
        assert f'"{name} = ' in text or f'f"{name} = ' in text, name
        assert trait.help


# --- beside other extensions


def test_who_has_sql_already_keeps_it(ip: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    ip.run_line_magic("unload_ext", "siege_nb")
    ip.register_magic_function(lambda line, cell=None: "theirs", "line_cell", "sql")
    capsys.readouterr()
    ip.run_line_magic("load_ext", "siege_nb")
    assert "%siege_sql" in capsys.readouterr().err
    assert ip.run_cell_magic("sql", "", "SELECT 1") == "theirs"
    ip.run_line_magic("siege_sql", "duck")
    assert ip.run_cell_magic("siege_sql", "", "SELECT 1 AS a") == [(1,)]
    assert ip.run_line_magic("siege_sql", "SELECT 2 AS a") == [(2,)]
    ip.run_line_magic("unload_ext", "siege_nb")
    assert ip.run_line_magic("sql", "SELECT 1") == "theirs"
    assert "siege_sql" not in ip.magics_manager.magics["line"]
    for kind in ("line", "cell"):
        del ip.magics_manager.magics[kind]["sql"]
    ip.run_line_magic("load_ext", "siege_nb")


def test_who_takes_sql_later_has_it_and_keeps_it(ip: InteractiveShell) -> None:
    ip.register_magic_function(lambda line, cell=None: "theirs", "line_cell", "sql")
    assert ip.run_line_magic("siege_sql", "duck SELECT 1 AS a") == [(1,)]
    ip.run_line_magic("unload_ext", "siege_nb")
    assert ip.run_line_magic("sql", "SELECT 1") == "theirs"
    for kind in ("line", "cell"):
        del ip.magics_manager.magics[kind]["sql"]
    ip.run_line_magic("load_ext", "siege_nb")


def test_on_databricks_sql_is_the_platforms(
    ip: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ip.run_line_magic("unload_ext", "siege_nb")
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "15.4")
    capsys.readouterr()
    ip.run_line_magic("load_ext", "siege_nb")
    assert capsys.readouterr().err == ""
    assert "sql" not in ip.magics_manager.magics["line"]
    assert ip.run_line_magic("siege_sql", "duck SELECT 1 AS a") == [(1,)]
