"""The parts put together: saved sealed, leased once, queried, tested, forgotten."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from siege_nb import adapters
from siege_nb.adapters.base import Host
from siege_nb.declare import Reference, Secret, structure
from siege_nb.errors import (
    AccessError,
    AuthError,
    ConflictError,
    ConnectError,
    ConnectTimeoutError,
    DamagedError,
    InvalidError,
    MissingDriverError,
    NotFoundError,
    SiegeError,
    VaultError,
)  # fmt: skip
from siege_nb.models.connection import ConnectionProfile
from siege_nb.query.run import StoppedError
from siege_nb.settings import Settings
from siege_nb.store import UnknownParams
from siege_nb.workspace import Workspace
from tests.servers import MariaDB, Postgres
from tests.servers.ports import SilentServer, closed_port

Add = Callable[..., ConnectionProfile]


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    made = Workspace(Settings.from_environment(deadline=2.0, vault="memory"))
    yield made
    made.close()


@pytest.fixture
def add(workspace: Workspace) -> Add:
    def add(name: str, kind: str, **params: Any) -> ConnectionProfile:
        declared = structure(adapters.load(kind).params_type, params)
        return workspace.save(
            ConnectionProfile(name=name, connection_type=kind, connection_params=declared), expected=""
        )

    return add


def postgres_params(server: Postgres, **changes: Any) -> dict[str, Any]:
    return {
        "host": server.host, "port": server.port, "database": server.database, "username": server.username,
        "password": server.password,
    } | changes  # fmt: skip


def test_a_saved_connection_is_queried_with_its_secret(workspace: Workspace, add: Add, postgres: Postgres) -> None:
    saved = add("pg", "postgres", **postgres_params(postgres))
    secret = saved.connection_params.password  # type: ignore[attr-defined]
    assert isinstance(secret, Reference)
    (file,) = (workspace.settings.config_dir / "connections").iterdir()
    assert postgres.password not in file.read_text()
    assert workspace.query("pg", "SELECT :n::int AS n", {"n": 5}).dicts() == [{"n": 5}]
    assert workspace.test("pg").ok


def test_one_session_keeps_its_temporary_tables_and_a_test_takes_another(workspace: Workspace, add: Add) -> None:
    add("wh", "duckdb", database=":memory:")
    workspace.query("wh", "CREATE TEMP TABLE t AS SELECT 1 AS a", {})
    assert workspace.test("wh").ok
    assert workspace.query("WH", "FROM t", {}) == [(1,)]
    assert workspace.disconnect("wh")
    with pytest.raises(Exception, match="does not exist"):
        workspace.query("wh", "FROM t", {})


def test_an_edited_profile_is_used_at_once(workspace: Workspace, add: Add, tmp_path: Path) -> None:
    saved = add("wh", "duckdb", database=str(tmp_path / "a.duckdb"), create=True)
    workspace.query("wh", "CREATE TABLE here AS SELECT 'a' AS file", {})
    other = saved.connection_params.model_copy(update={"database": str(tmp_path / "b.duckdb")})
    workspace.store.connections.update(saved.connection_id, lambda p: p.model_copy(update={"connection_params": other}))
    with pytest.raises(Exception, match="does not exist"):
        workspace.query("wh", "FROM here", {})


def test_a_note_in_the_profile_leaves_the_session_alone(workspace: Workspace, add: Add) -> None:
    saved = add("wh", "duckdb", database=":memory:")
    workspace.query("wh", "CREATE TEMP TABLE t AS SELECT 1 AS a; BEGIN", {})
    workspace.store.connections.update(
        saved.connection_id, lambda p: p.model_copy(update={"notes": "n", "name": "ware"})
    )
    result = workspace.query("ware", "FROM t", {})
    assert (list(result), result.connection) == ([(1,)], "ware")
    assert workspace.state(saved.connection_id) == "in transaction"
    assert workspace.close() == [True]
    assert workspace.state(saved.connection_id) == ""


def test_a_transaction_lost_with_its_server_is_told_once(workspace: Workspace, add: Add, postgres: Postgres) -> None:
    add("pg", "postgres", **postgres_params(postgres))
    ((backend,),) = workspace.query("pg", "BEGIN; SELECT pg_backend_pid()", {})
    postgres.sql(f"SELECT pg_terminate_backend({backend})")
    with pytest.raises(ConnectError):
        workspace.query("pg", "SELECT 1", {})
    with pytest.raises(ConnectError, match="rolled back"):
        workspace.query("pg", "COMMIT", {})
    assert workspace.query("pg", "SELECT 1", {}) == [(1,)]


@pytest.mark.parametrize("verb", ["lease", "test"])
def test_a_stop_while_connecting_ends_it_there_too(
    workspace: Workspace, add: Add, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    stopped = threading.Event()

    def wait(self: object, host: Host, *_: object) -> None:
        signal.raise_signal(signal.SIGINT)
        if host.stop.wait(10):
            stopped.set()

    add("wh", "duckdb")
    for name in ("open", "test"):
        monkeypatch.setattr(adapters.load("duckdb"), name, wait)
    with pytest.raises(StoppedError, match=r"while (connecting to|testing) wh\.$"):
        getattr(workspace, verb)("wh")
    assert stopped.wait(2)


FAST = """
import sys
from siege_nb.workspace import Workspace
workspace = Workspace()
print(*workspace.query("my", "SELECT 1", {}))
import mysql.connector
assert "pyarrow" in sys.modules
assert mysql.connector.HAVE_CEXT
"""


def test_mysql_keeps_its_c_extension_outside_ipython(mariadb: MariaDB) -> None:
    pytest.importorskip("_mysql_connector")
    with_its_own = Workspace(Settings.from_environment())  # FAST's process finds this one's key file
    params = structure(adapters.load("mysql").params_type, {
        "host": mariadb.host, "port": mariadb.port, "database": mariadb.database, "username": mariadb.username,
        "password": mariadb.password,
    })  # fmt: skip
    with_its_own.save(ConnectionProfile(name="my", connection_type="mysql", connection_params=params))
    ran = subprocess.run([sys.executable, "-c", FAST], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("(1,)\n", "")


def test_a_name_is_taken_once(workspace: Workspace, add: Add) -> None:
    add("Warehouse", "duckdb")
    with pytest.raises(ConflictError, match="warehouse"):
        add("warehouse", "duckdb")


def test_a_forgotten_connection_is_gone_with_its_session(workspace: Workspace, add: Add) -> None:
    add("wh", "duckdb")
    workspace.query("wh", "SELECT 1", {})
    workspace.remove("wh")
    assert not workspace.knows("wh")
    assert list((workspace.settings.config_dir / "connections").iterdir()) == []
    with pytest.raises(NotFoundError):
        workspace.query("wh", "SELECT 1", {})


def test_where_no_key_may_be_had_saving_a_secret_refuses(postgres: Postgres) -> None:
    workspace = Workspace(Settings.from_environment(vault="keyring"))
    params = structure(adapters.load("postgres").params_type, postgres_params(postgres))
    with pytest.raises(VaultError) as caught:
        workspace.save(ConnectionProfile(name="pg", connection_type="postgres", connection_params=params))
    assert caught.value.hint
    assert not list(workspace.settings.config_dir.glob("connections/*"))


class TestWaysToBeWrong:
    """Each is one clear message, from the lease and from the test alike, within the deadline."""

    def wrong(self, workspace: Workspace, name: str, error: type[Exception], match: str) -> ConnectError:
        began = time.monotonic()
        with pytest.raises(error, match=match) as caught:
            workspace.query(name, "SELECT 1", {})
        tested = workspace.test(name)
        assert time.monotonic() - began < 2 * (workspace.settings.deadline + 0.5)
        assert not tested.ok
        assert tested.steps[-1].status == "fail"
        assert isinstance(tested.error, error)
        assert isinstance(caught.value, ConnectError)
        return caught.value

    def test_a_wrong_password(self, workspace: Workspace, add: Add, postgres: Postgres) -> None:
        add("pg", "postgres", **postgres_params(postgres, password="wr0ng-canary"))
        error = self.wrong(
            workspace, "pg", AuthError, "Authentication failed. Please verify your username and password."
        )
        assert set(error.fields) == {"username", "password"}
        assert "wr0ng-canary" not in str(error)

    def test_a_host_that_does_not_resolve(self, workspace: Workspace, add: Add, postgres: Postgres) -> None:
        add("pg", "postgres", **postgres_params(postgres, host="no-such-host.invalid"))
        error = self.wrong(workspace, "pg", ConnectError, "The server name no-such-host.invalid cannot be found")
        assert error.fields == ("host",)

    def test_a_closed_port(self, workspace: Workspace, add: Add, postgres: Postgres) -> None:
        add("pg", "postgres", **postgres_params(postgres, port=closed_port()))
        error = self.wrong(workspace, "pg", ConnectError, "Unable to connect to PostgreSQL at 127.0.0.1")
        assert error.fields == ("host", "port")

    def test_a_silent_port(self, workspace: Workspace, add: Add, postgres: Postgres) -> None:
        with SilentServer() as silent:
            add("pg", "postgres", **postgres_params(postgres, port=silent.port))
            self.wrong(workspace, "pg", ConnectTimeoutError, ".")

    def test_a_missing_driver(
        self, workspace: Workspace, add: Add, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add("pg", "postgres", **postgres_params(postgres))
        monkeypatch.setattr(adapters.load("postgres"), "drivers", ("psycopg_that_is_not_there",))
        with pytest.raises(MissingDriverError, match="pip install 'siege-nb\\[postgres\\]'") as caught:
            workspace.query("pg", "SELECT 1", {})
        assert caught.value.install == "%pip install 'siege-nb[postgres]'"
        assert not workspace.test("pg").ok

    def test_a_malformed_file_is_told_and_kept(self, workspace: Workspace, add: Add) -> None:
        saved = add("wh", "duckdb")
        (file,) = (workspace.settings.config_dir / "connections").iterdir()
        file.write_text(broken := file.read_text()[:-30])
        with pytest.raises(DamagedError):
            workspace.query("wh", "SELECT 1", {})
        with pytest.raises(DamagedError, match=file.name):
            workspace.store.connections.find(saved.connection_id)
        assert [damaged.path.name for damaged in workspace.store.connections.damaged()] == [file.name]
        assert file.read_text() == broken


def test_what_an_adapter_resolves_comes_from_the_vault(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_PASSWORD", "from-the-environment")
    found = workspace.vault.resolve("env:SOME_PASSWORD", kind="connection", ident="x", path="password")
    assert found == Secret("from-the-environment")


def test_a_stored_secret_does_not_follow_to_another_host(workspace: Workspace, add: Add) -> None:
    stored = add("pg", "postgres", host="one.example.com", database="d", username="u", password="a-secret-4711")
    assert isinstance(stored, ConnectionProfile)
    elsewhere = {"connection_params": stored.connection_params.model_copy(update={"host": "two.example.com"})}
    moved = stored.model_copy(update=elsewhere)
    with pytest.raises(InvalidError, match="password: must be entered again: it was meant for another host"):
        workspace.save(moved)
    assert workspace.find("pg").connection_params.host == "one.example.com"  # type: ignore[attr-defined]
    workspace.save(moved, entered=["password"])
    assert workspace.find("pg").connection_params.host == "two.example.com"  # type: ignore[attr-defined]


def test_a_locked_connection_is_neither_changed_nor_removed(workspace: Workspace, add: Add) -> None:
    add("db", "sqlite", database=":memory:")
    locked = workspace.share("db", "locked")
    for act in (lambda: workspace.save(locked.model_copy(update={"notes": "x"})), lambda: workspace.remove("db")):
        with pytest.raises(AccessError, match="is locked"):
            act()
    assert workspace.query("db", "SELECT 1 AS n", {}).dicts() == [{"n": 1}]
    workspace.share("db", "private")
    workspace.remove("db")
    assert not workspace.knows("db")


def test_the_kind_of_a_connection_does_not_change(workspace: Workspace, add: Add) -> None:
    stored = add("db", "sqlite", database=":memory:")
    with pytest.raises(InvalidError, match="connection_type: cannot change from 'sqlite' to 'duckdb'"):
        workspace.save(stored.model_copy(update={"connection_type": "duckdb"}))


def test_use_is_counted_beside_the_profile(workspace: Workspace, add: Add) -> None:
    stored = add("db", "sqlite", database=":memory:")
    file = workspace.directory.path / "connections" / f"connection_{stored.connection_id}.json"
    before = file.read_bytes()
    workspace.query("db", "SELECT 1", {})
    workspace.query("db", "SELECT 2", {})
    assert workspace.test("db").ok
    assert file.read_bytes() == before
    found = workspace.find("db").metadata
    assert found.connection_count == 1
    assert found.last_connected is not None
    assert found.last_used >= found.last_connected >= stored.metadata.created_date
    (tried,) = workspace.tests("db")
    assert (tried.ok, tried.problem) == (True, "")


def test_the_use_of_a_secret_is_on_record(workspace: Workspace, add: Add) -> None:
    add("pg", "postgres", host="127.0.0.1", port=closed_port(), database="d", username="u", password="a-secret-4711")
    workspace.test("pg")
    workspace.opened(workspace.find("pg"))
    assert [record.act for record in workspace.history("pg")] == ["save", "test", "hand out"]
    log = b"".join(path.read_bytes() for path in (workspace.directory.path / "audit").iterdir())
    assert b"a-secret-4711" not in log


def test_where_nothing_can_be_recorded_no_secret_is_opened(workspace: Workspace, add: Add) -> None:
    add("db", "sqlite", database=":memory:")
    add("pg", "postgres", host="127.0.0.1", port=closed_port(), database="d", username="u", password="a-secret-4711")
    log = workspace.directory.path / "audit"
    log.rename(log.with_name("moved"))
    log.write_text("a file in its place")
    with pytest.raises(SiegeError, match="The audit log cannot be written"):
        workspace.opened(workspace.find("pg"))
    with pytest.raises(SiegeError, match="The audit log cannot be written"):
        workspace.test("pg")
    assert workspace.query("db", "SELECT 1 AS n", {}).dicts() == [{"n": 1}]  # which has no secret


def test_a_secret_that_cannot_be_had_is_a_failed_step(workspace: Workspace, add: Add) -> None:
    missing = Reference.parse("missing:password")
    add("pg", "postgres", host="127.0.0.1", port=closed_port(), database="d", username="u", password=missing)
    result = workspace.test("pg")
    assert [(step.name, step.status) for step in result.steps] == [("secrets", "fail")]


def test_an_id_is_not_taken_for_anothers_name(workspace: Workspace, add: Add) -> None:
    prod = add("prod", "sqlite", database=":memory:")
    other = add("other", "sqlite", database=":memory:")
    workspace.save(other.model_copy(update={"name": prod.connection_id}))
    assert workspace.share(prod, "locked").name == "prod"
    assert workspace.find(prod).visibility == "locked"
    workspace.share(prod, "private")
    workspace.remove(prod)
    assert [kept.item.connection_id for kept in workspace.store.connections.list()] == [other.connection_id]


def test_a_stale_profile_does_not_unlock(workspace: Workspace, add: Add) -> None:
    stale = add("db", "sqlite", database=":memory:")
    workspace.share("db", "locked")
    for wanted in (stale, stale.model_copy(update={"notes": "changed while locked"})):
        with pytest.raises(AccessError, match="is locked"):
            workspace.save(wanted)
    assert (workspace.find("db").visibility, workspace.find("db").notes) == ("locked", "")


def test_a_lock_that_comes_at_the_last_moment_counts(workspace: Workspace, add: Add) -> None:
    stored = add("db", "sqlite", database=":memory:")
    another = Workspace(workspace.settings)
    connections = workspace.store.connections

    def locking(*args: Any, **kwargs: Any) -> Any:
        another.share("db", "locked")
        return genuine(*args, **kwargs)

    for name, act in (("put", lambda: workspace.save(stored.model_copy(update={"notes": "x"}))),
                      ("remove", lambda: workspace.remove(stored))):  # fmt: skip
        another.share("db", "private")
        genuine = getattr(connections, name)
        setattr(connections, name, locking)  # after every look, before the directory's lock
        with pytest.raises(AccessError, match="is locked"):
            act()
        delattr(connections, name)
    assert (another.find("db").visibility, another.find("db").notes) == ("locked", "")


def test_a_sealed_secret_does_not_come_back_with_a_removed_connection(workspace: Workspace, add: Add) -> None:
    stored = add("pg", "postgres", host="one.example.com", database="d", username="u", password="a-secret-4711")
    workspace.remove("pg")
    moved = stored.connection_params.model_copy(update={"host": "two.example.com"})
    with pytest.raises(InvalidError, match="the connection that it was sealed for is not there"):
        workspace.save(stored.model_copy(update={"connection_params": moved}))


def test_a_secret_of_an_unknown_kind_does_not_follow_to_another_host(workspace: Workspace) -> None:
    params = UnknownParams.model_validate({"host": "one.example.com", "password": "a-secret-4711"})
    stored = workspace.save(ConnectionProfile(name="far", connection_type="elsewhere", connection_params=params))
    moved = stored.connection_params.model_copy(update={"host": "two.example.com"})
    with pytest.raises(InvalidError, match="must be entered again: it was meant for another host"):
        workspace.save(stored.model_copy(update={"connection_params": moved}))
    assert workspace.save(stored.model_copy(update={"notes": "kept"})).notes == "kept"


def test_a_connection_with_an_open_secret_can_be_locked_and_is_sealed_by_it(workspace: Workspace, add: Add) -> None:
    stored = add("pg", "postgres", host="one.example.com", database="d", username="u", password="a-secret-4711")
    file = workspace.directory.path / "connections" / f"connection_{stored.connection_id}.json"
    document = json.loads(file.read_text())
    document["connection_params"]["password"] = "a-secret-4711"
    file.write_text(json.dumps(document))
    workspace.share("pg", "locked")
    assert "a-secret-4711" not in file.read_text()
    opened = workspace.opened(workspace.find("pg")).connection_params
    assert opened.password == Secret("a-secret-4711")  # type: ignore[attr-defined]


def test_nothing_is_put_in_the_place_of_a_damaged_file_that_should_not_be_there(workspace: Workspace, add: Add) -> None:
    stored = add("db", "sqlite", database=":memory:")
    file = workspace.directory.path / "connections" / f"connection_{stored.connection_id}.json"
    file.write_text("{")
    with pytest.raises(ConflictError, match="is there already"):
        workspace.save(stored, expected="")
    assert file.read_text() == "{"
