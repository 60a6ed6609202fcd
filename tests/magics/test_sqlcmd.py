"""%sqlcmd: jupysql's words for what %conn does."""

from __future__ import annotations

from pathlib import Path

import pytest

from siege_nb.magics.errors import SqlError
from siege_nb.magics.sqlcmd import VERBS
from tests.magics.conftest import Run


@pytest.fixture(autouse=True)
def _connected(run: Run, tmp_path: Path) -> None:
    run(f"%sql duckdb:///{tmp_path}/a.duckdb --alias duck")
    run("%%sql\nCREATE TABLE orders (id INT, total DECIMAL(8,2));\nINSERT INTO orders VALUES (1, 2.5), (2, NULL)")
    run("%%sql\nCREATE SCHEMA other;\nCREATE TABLE other.things (name TEXT)")


def test_tables_of_all_schemas_or_of_one(run: Run) -> None:
    assert {"orders", "things"} <= set(repr(run("%sqlcmd tables")).split())
    for spelling in ("-s other", "--schema other", "--schema=other"):
        shown = repr(run(f"%sqlcmd tables {spelling}"))
        assert "things" in shown
        assert "orders" not in shown


def test_columns_and_profile_of_a_table(run: Run) -> None:
    for spelling in ("-t orders", "--table orders", "orders", "-t main.orders", "--table orders --schema main"):
        assert "DECIMAL(8,2)" in repr(run(f"%sqlcmd columns {spelling}"))
        assert "2.50" in repr(run(f"%sqlcmd profile {spelling}"))
    assert "name" in repr(run("%sqlcmd columns -t things -s other"))


def test_all_take_the_name_of_a_connection(run: Run) -> None:
    run("%conn add lite sqlite")
    run("%sql lite")
    run("%sql CREATE TABLE small (a INT)")
    assert "small" in repr(run("%sqlcmd tables"))
    assert "orders" in repr(run("%sqlcmd tables --conn duck"))
    assert "total" in repr(run("%sqlcmd columns -t orders --conn duck"))
    assert "2.50" in repr(run("%sqlcmd profile --conn duck -t orders"))


def test_snippets_are_listed_shown_and_deleted(run: Run) -> None:
    run("%%sql --save big --no-execute\nSELECT *\nFROM orders\nWHERE total > 2")
    run("%%sql -S ids -N\nSELECT id FROM big")
    shown = repr(run("%sqlcmd snippets"))
    assert "big" in shown
    assert "SELECT id FROM big" in shown
    assert "WHERE total > 2" in repr(run("%sqlcmd snippets big"))
    assert "there are: big" in repr(run("%sqlcmd snippets -d ids"))
    assert "no others" in repr(run("%sqlcmd snippets --delete big"))
    with pytest.raises(SqlError, match="No query is saved as 'big'"):
        run("%sqlcmd snippets big")


def test_connect_saves_a_connection(run: Run) -> None:
    run("%sqlcmd connect mine duckdb")
    assert run("%sql mine SELECT 1 AS a") == [(1,)]


@pytest.mark.parametrize("line", ["", "nosuch", "columns", "tables -x", "tables a b", "columns -t", "snippets a b"])
def test_what_it_does_not_know_is_told_with_what_there_is(run: Run, line: str) -> None:
    with pytest.raises(SqlError) as caught:
        run(f"%sqlcmd {line}")
    assert caught.value.kind == "usage"
    assert all(f"%sqlcmd {verb}" in caught.value.hint for verb in VERBS)
