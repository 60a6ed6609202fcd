"""The magics in a real kernel: errors fail the cell, prompts ask, unloading leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.kernel.kernel import kernel

LOAD = "%load_ext siege_nb"
DUCK = "%conn add duck duckdb\n%conn duck"


def test_a_failed_cell_shows_one_message_and_no_stack(tmp_path: Path) -> None:
    with kernel(tmp_path, LOAD, DUCK) as it:
        ran = it.run("%%sql\nSELECT 1,\n       nosuch FROM (SELECT 1 AS a)")
        assert ran.status == "error"
        assert ran.name == "SqlError"
        assert ran.error.startswith("SqlError[not_found] duck: ")
        assert "LINE 2:" in ran.error
        assert "^" in ran.error
        assert "Traceback" not in ran.error
        assert "site-packages" not in ran.error


def test_a_failed_cell_is_still_caught_by_type(tmp_path: Path) -> None:
    with kernel(tmp_path, LOAD, DUCK) as it:
        ran = it.run(
            "from IPython.core.error import UsageError\nfrom siege_nb.errors import QueryError\n"
            "for kind in (QueryError, UsageError):\n"
            "    try:\n        get_ipython().run_cell_magic('sql', '', 'SELEC 1')\n"
            "    except kind as error:\n        print(type(error).__name__, error.kind)"
        )
        assert ran.text.split() == ["SqlError", "syntax"] * 2, ran.error


@pytest.mark.parametrize("source", ["%%sql\nSELEC 1", "%sql --nosuch SELECT 1", "%conn nosuch", "%client use NOBODY"])
def test_a_failed_cell_fails_under_nbclient(source: str, tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell(text) for text in (LOAD, DUCK, source)]
    client = NotebookClient(
        nbformat.v4.new_notebook(cells=cells), timeout=60, resources={"metadata": {"path": tmp_path}}
    )
    with pytest.raises(CellExecutionError):
        client.execute()


def test_a_failed_cell_fails_under_nbval(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell(text) for text in (LOAD, DUCK, "%%sql\nSELEC 1")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "failing.ipynb")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "ignore", "--rootdir", str(tmp_path)]
    command += ["--nbval-lax", str(tmp_path / "failing.ipynb")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1, done.stdout
    assert "1 failed, 2 passed" in done.stdout


def test_unloading_leaves_nothing_behind(tmp_path: Path) -> None:
    state = """
ip = get_ipython()

def state():
    manager = ip.magics_manager
    classes = [*manager.registry, *(type(one).__name__ for one in ip.configurables)]
    return (
        sorted(manager.magics["line"]),
        sorted(manager.magics["cell"]),
        [name for name in classes if "Siege" in name],
        len(ip.Completer.custom_matchers),
        {event: len(calls) for event, calls in ip.events.callbacks.items()},
    )

before = state()
"""
    with kernel(tmp_path, state, LOAD, DUCK, "%sql SELECT 1", "%unload_ext siege_nb") as it:
        ran = it.run(
            "import threading\nprint(before == state(), [t.name for t in threading.enumerate() if 'siege' in t.name])"
        )
        assert ran.text.strip() == "True []", ran.text + ran.error
        assert it.run(LOAD).status == "ok"
        assert it.run("%reload_ext siege_nb").status == "ok"
        assert it.run("%conn duck").status == "ok"
        assert "1" in it.run("%sql SELECT 1 AS one").text


def test_unloading_gives_back_the_magics_that_were_there_before(tmp_path: Path) -> None:
    theirs = "get_ipython().register_magic_function(lambda line: 'theirs', 'line', 'sql')"
    with kernel(tmp_path, theirs, LOAD, DUCK, "%sql SELECT 1", "%unload_ext siege_nb") as it:
        assert "theirs" in it.run("%sql SELECT 1").text


def test_a_trailing_semicolon_does_not_hide_the_result(tmp_path: Path) -> None:
    with kernel(tmp_path, LOAD, DUCK) as it:
        assert "one" in it.run("%%sql\nSELECT 1 AS one;").text
        assert "{x}" in it.run("x = 5\n%sql SELECT '{x}' AS a").text


def test_binds_see_the_locals_of_the_caller(tmp_path: Path) -> None:
    with kernel(tmp_path, LOAD, DUCK) as it:
        ran = it.run("x = 1\ndef f(x):\n    r = %sql SELECT :x AS a\n    return r[0]\nf(5)")
        assert "(5,)" in ran.text, ran.error


@pytest.mark.parametrize(("first", "extension"), [(LOAD, True), ("import pandas, pyarrow", False)])
def test_mysql_loads_its_c_extension_only_before_pandas(first: str, extension: bool, tmp_path: Path) -> None:
    with kernel(tmp_path, first, LOAD if extension else "None") as it:
        ran = it.run("import pandas, pyarrow, mysql.connector\nprint(mysql.connector.HAVE_CEXT)")
        assert ran.text.split()[-1] == str(extension), ran.text + ran.error
