"""What there is to query: found by name, remembered for a while, counted by one statement, and nobody disturbed."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from siege_nb import adapters, browse
from siege_nb.declare import structure
from siege_nb.errors import ConflictError, InvalidError, NotFoundError
from siege_nb.models.connection import ConnectionProfile
from siege_nb.pool import Key
from siege_nb.query.session import Table
from siege_nb.settings import Settings
from siege_nb.workspace import CELLS, Workspace
from tests.servers import MariaDB, Postgres

#: A name that needs quoting on every engine, and breaks out of every wrong one.
ODD = 'Ord"er`s; x.y --'


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    made = Workspace(Settings.from_environment(deadline=5.0, vault="memory"))
    yield made
    made.close()


def save(workspace: Workspace, kind: str, **params: Any) -> ConnectionProfile:
    declared = structure(adapters.load(kind).params_type, params)
    profile = ConnectionProfile(name=f"a_{kind}", connection_type=kind, connection_params=declared)
    return workspace.save(profile, expected="")


def of_server(server: Postgres | MariaDB, database: str) -> dict[str, Any]:
    return {"host": server.host, "port": server.port, "username": server.username, "password": server.password,
            "database": database}  # fmt: skip


Make = Callable[[str], tuple[ConnectionProfile, str]]


@pytest.fixture
def make(workspace: Workspace, postgres: Postgres, mariadb: MariaDB, tmp_path: Path, request: Any) -> Make:
    """make(kind) is a connection to a database with a table of an odd name, and the name of its schema."""

    def make(kind: str) -> tuple[ConnectionProfile, str]:
        double, back = ODD.replace('"', '""'), ODD.replace("`", "``")
        rows = "(1, 'b', 1.5), (2, NULL, 2.5), (3, 'a', NULL)"
        columns = "(id integer, {}, amount decimal(9, 2))"
        quoted = columns.format(f'"{double}" varchar(20)')
        if kind == "postgres":
            database = postgres.database_for(request.node.name)
            with postgres.connect(dbname=database) as connection:
                connection.execute(f'CREATE TABLE "{double}" {quoted}')
                connection.execute(f'INSERT INTO "{double}" VALUES {rows}')
            return save(workspace, kind, **of_server(postgres, database)), "public"
        if kind == "mysql":
            database = mariadb.database_for(request.node.name)
            with mariadb.connect(database=database) as connection, connection.cursor() as cursor:
                cursor.execute(f"CREATE TABLE `{back}` {columns.format(f'`{back}` varchar(20)')}")
                cursor.execute(f"INSERT INTO `{back}` VALUES {rows}")
            return save(workspace, kind, **of_server(mariadb, database)), database
        path = tmp_path / f"x.{kind}"
        opened: Any = sqlite3.connect(path) if kind == "sqlite" else duckdb.connect(str(path))
        opened.execute(f'CREATE TABLE "{double}" {quoted}')
        opened.execute(f'INSERT INTO "{double}" VALUES {rows}')
        if kind == "sqlite":
            opened.commit()
        opened.close()
        return save(workspace, kind, database=str(path)), "main"

    return make


@pytest.mark.parametrize("kind", ["postgres", "mysql", "sqlite", "duckdb"])
def test_tables_and_columns_are_found_sampled_and_counted(workspace: Workspace, make: Make, kind: str) -> None:
    saved, schema = make(kind)
    found = browse.search(workspace, saved.name, "ORD", schema=schema).items
    assert [table.name for table in found] == [ODD]
    table = browse.find(workspace, saved.name, ODD.lower(), schema=schema)
    assert browse.find(workspace, saved.name, f"{schema}.{ODD}", schema=schema) == table
    assert [c.name for c in browse.columns(workspace, saved.name, table).items] == ["id", ODD, "amount"]
    assert len(browse.sample(workspace, saved.name, table, 2)) == 2
    profile = browse.profile(workspace, saved.name, table)
    assert profile.rows == 3
    figures = {c.name: (c.nulls, c.distinct, c.least, c.greatest) for c in profile.columns}
    assert figures["id"] == (0, 3, 1, 3)
    assert figures[ODD] == (1, 2, "a", "b")
    assert figures["amount"][:2] == (1, 2)
    assert [float(value) for value in figures["amount"][2:]] == [1.5, 2.5]
    assert workspace.state(saved.connection_id) == ""  # the cells' session was never opened


def test_types_without_an_order_are_counted_as_far_as_they_can_be(workspace: Workspace, postgres: Postgres) -> None:
    database = postgres.database_for("browse types")
    with postgres.connect(dbname=database) as connection:
        connection.execute("CREATE TYPE mood AS ENUM ('sad', 'happy')")
        connection.execute(
            "CREATE TABLE t (j json, b boolean, u uuid, p point, x xml, a integer[], m mood, y bytea, d date, i inet,"
            ' c "char", n name, jb jsonb, iv interval, ts timestamptz, mo money)'
        )
        connection.execute("INSERT INTO t (j, b, p) VALUES ('{}', true, '(1,2)'), ('{}', true, '(1,2)')")
    saved = save(workspace, "postgres", **of_server(postgres, database))
    found = {c.name: c for c in browse.profile(workspace, saved.name, Table("public", "t")).columns}
    assert (found["j"].nulls, found["j"].distinct, found["j"].least) == (0, None, None)
    assert (found["b"].nulls, found["b"].distinct, found["b"].least) == (0, 1, None)
    assert (found["d"].nulls, found["d"].distinct, found["d"].least) == (2, 0, None)


def test_types_of_duckdb_and_sqlite_too(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT 1::HUGEINT AS h, true AS b, [1] AS l, {'a': 1} AS s, MAP {'a': 1} AS m,"
            " uuid() AS u, DATE '2020-01-01' AS d, INTERVAL 1 DAY AS i, 'x'::BLOB AS y, TIME '10:00' AS t"
        )
    saved = save(workspace, "duckdb", database=str(path))
    found = {c.name: c for c in browse.profile(workspace, saved.name, Table("main", "t")).columns}
    assert (found["h"].least, found["l"].distinct, found["m"].least, found["u"].distinct) == (1, None, None, 1)
    other = tmp_path / "x.sqlite"
    lite = sqlite3.connect(other)
    lite.execute("CREATE TABLE t (a, b BLOB, c JSON)")
    lite.execute("INSERT INTO t VALUES (1, x'00', '{}'), ('z', NULL, NULL)")
    lite.commit()
    lite.close()
    saved = save(workspace, "sqlite", database=str(other))
    found = {c.name: c for c in browse.profile(workspace, saved.name, Table("main", "t")).columns}
    assert (found["a"].distinct, found["a"].least, found["a"].greatest) == (2, 1, "z")


def test_what_was_seen_is_remembered_until_it_is_old(
    workspace: Workspace, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved, schema = make("sqlite")
    first = browse.tables(workspace, saved.name, schema)
    path = saved.connection_params.database  # type: ignore[attr-defined]
    lite = sqlite3.connect(path)
    lite.execute("CREATE TABLE later (a)")
    lite.close()
    again = browse.tables(workspace, saved.name, schema)
    assert again == first
    assert "later" in [t.name for t in browse.tables(workspace, saved.name, schema, refresh=True).items]
    real = browse.now
    monkeypatch.setattr(browse, "now", lambda: real() + browse.KEEPS - timedelta(seconds=5))
    remembered = browse.tables(workspace, saved.name, schema).as_of
    monkeypatch.setattr(browse, "now", lambda: real() + browse.KEEPS + timedelta(seconds=5))
    assert browse.tables(workspace, saved.name, schema).as_of > remembered
    monkeypatch.setattr(browse, "now", lambda: real() - timedelta(days=1))  # a clock put back makes nothing young
    assert browse.tables(workspace, saved.name, schema).as_of < remembered


def test_another_process_knows_it_too_and_another_database_does_not(
    workspace: Workspace, make: Make, tmp_path: Path
) -> None:
    saved, schema = make("sqlite")
    seen = browse.tables(workspace, saved.name, schema)
    other = Workspace(workspace.settings)
    assert browse.tables(other, saved.connection_id, schema) == seen
    sqlite3.connect(tmp_path / "other.sqlite").close()
    (tmp_path / "other.sqlite").touch()
    params = saved.connection_params.model_copy(update={"database": str(tmp_path / "other.sqlite")})
    workspace.save(saved.model_copy(update={"connection_params": params}))
    assert browse.tables(workspace, saved.name, schema).items == []
    other.close()


def test_a_table_made_since_is_found(workspace: Workspace, make: Make) -> None:
    saved, schema = make("sqlite")
    browse.tables(workspace, saved.name, schema)
    lite = sqlite3.connect(saved.connection_params.database)  # type: ignore[attr-defined]
    lite.execute("CREATE TABLE later (a)")
    lite.close()
    assert browse.find(workspace, saved.name, "later").name == "later"
    with pytest.raises(NotFoundError, match=r"no table 'latre' in a_sqlite\. Did you mean later"):
        browse.find(workspace, saved.name, "latre")


def test_a_name_in_two_schemas_is_asked_back(workspace: Workspace, postgres: Postgres) -> None:
    database = postgres.database_for("browse two")
    with postgres.connect(dbname=database) as connection:
        connection.execute("CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.t (x int); CREATE TABLE b.t (y int)")
        connection.execute('CREATE TABLE b."T" (z int)')
    saved = save(workspace, "postgres", **of_server(postgres, database))
    with pytest.raises(ConflictError, match=r"2 tables 't': a\.t, b\.t") as caught:
        browse.find(workspace, saved.name, "t")
    assert "schema" in caught.value.hint
    assert browse.find(workspace, saved.name, "b.t").name == "t"
    assert browse.find(workspace, saved.name, "T") == browse.find(workspace, saved.name, "T", schema="b")
    assert [(t.schema, t.name) for t in browse.search(workspace, saved.name, "?").items] == [
        ("a", "t"), ("b", "T"), ("b", "t")]  # fmt: skip
    assert browse.find(workspace, saved.name, "t", schema="a").schema == "a"


def test_the_cells_session_is_left_alone(workspace: Workspace, make: Make) -> None:
    saved, _ = make("postgres")
    with pytest.raises(Exception, match="nosuch"):
        workspace.query(saved.name, "BEGIN; SELECT * FROM nosuch", {})
    table = browse.find(workspace, saved.name, ODD)  # though the user's transaction takes no more statements
    assert browse.profile(workspace, saved.name, table).rows == 3
    assert workspace.state(saved.connection_id) == "in transaction"
    holders = {key.holder for key in workspace.pool._leases if key.ident == saved.connection_id}
    assert holders == {CELLS, browse.BROWSER}


def test_a_file_that_was_looked_into_is_let_go(workspace: Workspace, make: Make) -> None:
    saved, schema = make("duckdb")
    browse.tables(workspace, saved.name, schema)
    assert workspace.pool.find(Key(saved.connection_id, browse.BROWSER)) is None


class TestInMemory:
    def test_the_cells_own_database_is_seen(self, workspace: Workspace) -> None:
        for kind, schema in (("duckdb", "main"), ("sqlite", "main")):
            saved = save(workspace, kind)
            workspace.query(saved.name, "CREATE TABLE here (a INTEGER)", {})
            assert browse.find(workspace, saved.name, "here", schema=schema).name == "here"
            workspace.query(saved.name, "DROP TABLE here", {})
            with pytest.raises(NotFoundError):  # nothing of it is remembered
                browse.find(workspace, saved.name, "here")

    def test_while_it_is_busy_it_is_said_so(self, workspace: Workspace) -> None:
        saved = save(workspace, "duckdb")
        lease = workspace.lease(saved.name)
        taken, done = threading.Event(), threading.Event()

        def cell() -> None:
            with lease.turn:
                taken.set()
                done.wait(30)

        thread = threading.Thread(target=cell)
        thread.start()
        try:
            assert taken.wait(10)
            with pytest.raises(InvalidError, match="a_duckdb is busy with a cell"):
                browse.schemas(workspace, saved.name)
        finally:
            done.set()
            thread.join()
        assert browse.schemas(workspace, saved.name).items
