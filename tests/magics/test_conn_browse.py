"""%conn tables, columns, sample, profile: what there is, shown; a secret-free snippet that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from siege_nb.errors import NotFoundError
from tests.magics.asked import Asked
from tests.magics.conftest import Run
from tests.magics.test_conn_add import where
from tests.servers import Postgres


@pytest.fixture
def shop(run: Run, tmp_path: Path) -> Run:
    """A DuckDB file with a table of orders and one of people, in use."""
    run(f"%conn add shop duckdb database={tmp_path}/shop.duckdb create=true")
    run("%conn shop")
    run("%sql CREATE TABLE orders AS SELECT range AS id, 'n' || range AS name FROM range(30)")
    run("%sql CREATE SCHEMA sales; CREATE TABLE sales.people (name VARCHAR NOT NULL, age INTEGER)")
    return run


def test_tables_are_listed_by_pattern_and_schema(shop: Run) -> None:
    shown = repr(shop("%conn tables"))
    assert "2 tables · as of 20" in shown
    assert "main    orders  table  ≈ 30" in shown
    assert "1 table" in repr(shop("%conn tables peop"))
    assert "1 table" in repr(shop("%conn tables 'o*s'"))
    assert "0 tables" in repr(shop("%conn tables 'o*' -s sales"))
    assert "people" in repr(shop("%conn tables -s sales"))


def test_what_was_seen_keeps_until_it_is_looked_at_again(shop: Run, tmp_path: Path) -> None:
    shop("%conn tables")
    with duckdb.connect(f"{tmp_path}/shop.duckdb") as other:
        other.execute("CREATE TABLE fresh (a INTEGER)")
    assert "2 tables" in repr(shop("%conn tables"))
    assert "3 tables" in repr(shop("%conn tables --refresh"))
    shop("%sql CREATE TABLE own (a INTEGER)")  # a change of ours is known at once
    assert "4 tables" in repr(shop("%conn tables"))


def test_columns_a_sample_and_figures(shop: Run) -> None:
    shown = repr(shop("%conn columns sales.people"))
    assert "name    VARCHAR  no" in shown
    assert "sales.people · 2 columns" in shown
    assert len(shop("%conn sample orders")) == 10
    assert len(shop("%conn sample orders 25 -s main")) == 25
    assert shop("%conn sample people --conn shop") == []
    shown = repr(shop("%conn profile orders"))
    assert "id      BIGINT   0      30        0    29" in shown
    assert "main.orders · 30 rows" in shown
    assert "<table" in shop("%conn profile orders").html


def test_another_connection_is_looked_at_without_being_used(shop: Run) -> None:
    shop("%conn add mem sqlite")
    with pytest.raises(NotFoundError, match="no table 'orders' in mem"):
        shop("%conn columns orders --conn mem")
    assert "●  shop" in repr(shop("%conn"))


def test_a_snippet_runs_elsewhere(run: Run, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(monkeypatch)
    asked.answers = [postgres.password, postgres.password]
    run(f"%conn add pg postgres {where(postgres)}")
    code = run("%conn snippet pg")
    assert postgres.password not in code.text + code.html
    names: dict[str, Any] = {}
    exec(code.text, names)
    with names["engine"].connect() as connection:
        assert connection.exec_driver_sql("SELECT current_user").scalar() == postgres.username
    names["engine"].dispose()
