"""A survey for who cannot wait: all there is, remembered at once, on a session of its own, until it changes."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from siege_nb import browse
from siege_nb.models.connection import ConnectionProfile
from siege_nb.pool import Key
from siege_nb.query.session import Column, Schema, Table
from siege_nb.workspace import CELLS, Workspace
from tests.servers import MariaDB, Postgres
from tests.test_browse import of_server, save, workspace

__all__ = ["workspace"]


@pytest.fixture
def lite(workspace: Workspace, tmp_path: Path) -> ConnectionProfile:
    """A SQLite file of three tables."""
    with sqlite3.connect(tmp_path / "x.sqlite") as file:
        for name in "abc":
            file.execute(f"CREATE TABLE {name} ({name}_id INTEGER)")
    file.close()
    return save(workspace, "sqlite", database=str(tmp_path / "x.sqlite"))


def tables(workspace: Workspace, conn: ConnectionProfile) -> list[str]:
    seen = browse.recall(workspace, conn, Table, "main")
    return [table.name for table in seen.items] if seen else []


def columns(workspace: Workspace, conn: ConnectionProfile, table: str) -> list[str]:
    seen = browse.recall(workspace, conn, Column, "main", table)
    return [column.name for column in seen.items] if seen else []


def test_all_is_remembered_and_recalling_never_looks(workspace: Workspace, lite: ConnectionProfile) -> None:
    assert browse.recall(workspace, lite, Schema) is None
    assert not workspace.pool._leases
    browse.survey(workspace, lite)
    assert tables(workspace, lite) == ["a", "b", "c"]
    assert columns(workspace, lite, "b") == ["b_id"]
    assert not workspace.pool._leases, "the session of the survey stayed open"
    assert workspace.state(lite.connection_id) == ""
    other = Workspace(workspace.settings)
    assert tables(other, lite) == ["a", "b", "c"]


def test_of_many_tables_only_those_that_are_wanted(
    workspace: Workspace, lite: ConnectionProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browse, "FEW", 2)
    browse.survey(workspace, lite, {"b"})
    assert [columns(workspace, lite, name) for name in "abc"] == [[], ["b_id"], []]
    browse.survey(workspace, lite, {"c"})
    assert columns(workspace, lite, "c") == ["c_id"]


def test_what_is_true_still_is_not_asked_for_again(
    workspace: Workspace, lite: ConnectionProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    browse.survey(workspace, lite)
    with sqlite3.connect(lite.connection_params.database) as file:  # type: ignore[attr-defined]
        file.execute("CREATE TABLE later (x)")
    file.close()
    browse.survey(workspace, lite)
    assert "later" not in tables(workspace, lite)
    real = browse.now
    monkeypatch.setattr(browse, "now", lambda: real() + browse.KEEPS)
    assert "a" in tables(workspace, lite), "what is old is still recalled"
    browse.survey(workspace, lite)
    assert "later" in tables(workspace, lite)


@pytest.mark.parametrize(
    ("sql", "is_change"),
    [("CREATE TABLE t (a INT)", True), ("SELECT 1; drop view v", True), ("ALTER TABLE t ADD b INT", True),
     ("SELECT * INTO x FROM t", True), ("ATTACH 'x' AS y", True), ("SELECT * FROM t", False),
     ("UPDATE t SET a = 1", False),
     ("DELETE FROM t", False), ("", False)],
)  # fmt: skip
def test_a_change_is_forgotten_for(workspace: Workspace, lite: ConnectionProfile, sql: str, is_change: bool) -> None:
    browse.survey(workspace, lite)
    assert browse.changed(workspace, lite, sql) is is_change
    assert (tables(workspace, lite) == []) is is_change


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_in_memory_it_is_seen_over_the_cells_session_and_ends_with_it(workspace: Workspace, kind: str) -> None:
    saved = save(workspace, kind)
    workspace.query(saved, "CREATE TABLE here (a INTEGER)", {})
    assert tables(workspace, saved) == []
    browse.survey(workspace, saved)
    assert tables(workspace, saved) == ["here"]
    assert columns(workspace, saved, "here") == ["a"]
    assert workspace.facts.recall(saved.connection_id, '["tables", "main"]') is None, "it was written down"
    assert {key.holder for key in workspace.pool._leases} == {CELLS}
    workspace.disconnect(saved)
    assert tables(workspace, saved) == []


def test_a_table_exists_for_a_session_also_when_it_is_temporary(
    workspace: Workspace, postgres: Postgres, mariadb: MariaDB
) -> None:
    places: dict[str, dict[str, Any]] = {
        "duckdb": {}, "sqlite": {}, "postgres": of_server(postgres, postgres.database_for("exists")),
        "mysql": of_server(mariadb, mariadb.database_for("exists")),
    }  # fmt: skip
    for kind, where in places.items():
        saved = save(workspace, kind, **where)
        workspace.query(saved, "CREATE TABLE here (a INTEGER); CREATE TEMPORARY TABLE passing (b INTEGER)", {})
        lease = workspace.lease(saved)
        assert [browse.exists(lease, name) for name in ("here", "passing", "nosuch")] == [True, True, False], kind
        workspace.query(saved, "BEGIN", {})
        assert [browse.exists(lease, name) for name in ("here", "passing", "nosuch")] == [True, True, False], kind
        assert workspace.query(saved, "SELECT count(*) FROM here", {}) == [(0,)], "the transaction was broken"
        assert workspace.pool.find(Key(saved.connection_id, CELLS)) is lease


def test_fresh_is_what_was_seen_within_five_minutes() -> None:
    assert browse.Seen([], browse.now()).is_fresh
    assert not browse.Seen([], browse.now() - timedelta(minutes=5)).is_fresh
    assert not browse.Seen([], browse.now() + timedelta(minutes=1)).is_fresh
