"""Snippets: they run as they stand, reach what the profile reaches, and hold no secret."""

from __future__ import annotations

import getpass
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from siege_nb import adapters
from siege_nb.declare import Reference, structure
from siege_nb.models.connection import ConnectionProfile
from siege_nb.settings import Settings
from siege_nb.snippets import snippet
from siege_nb.workspace import Workspace
from tests.servers import MariaDB, Postgres

Save = Callable[..., ConnectionProfile]


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    made = Workspace(Settings.from_environment(deadline=5.0))
    yield made
    made.close()


@pytest.fixture
def save(workspace: Workspace) -> Save:
    def save(kind: str, name: str = "it's \"mine\"", **params: Any) -> ConnectionProfile:
        declared = structure(adapters.load(kind).params_type, params)
        return workspace.save(
            ConnectionProfile(name=name, connection_type=kind, connection_params=declared), expected=""
        )

    return save


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(code, "<snippet>", "exec"), names)
    return names


def of_server(server: Postgres | MariaDB, **more: Any) -> dict[str, Any]:
    return {"host": server.host, "port": server.port, "username": server.username, "password": server.password,
            "database": server.database} | more  # fmt: skip


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_a_server_is_reached_with_the_same_parameters(
    save: Save, postgres: Postgres, mariadb: MariaDB, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = postgres if kind == "postgres" else mariadb
    more = {"application_name": "a 'quoted' one"} if kind == "postgres" else {"ssl": "preferred"}
    code = snippet(save(kind, **of_server(server, **more)))
    assert server.password not in code
    assert "encrypted:" not in code
    prompts: list[str] = []
    monkeypatch.setattr(getpass, "getpass", lambda prompt: prompts.append(prompt) or server.password)
    engine = run(code)["engine"]
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
        if kind == "postgres":
            assert connection.exec_driver_sql("SHOW application_name").scalar() == "a 'quoted' one"
    engine.dispose()
    assert prompts == ["Password for it's \"mine\": "]
    assert server.password not in repr(engine.url)


def test_what_is_referred_to_is_read_from_there(
    save: Save, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = snippet(save("postgres", **of_server(postgres, password=Reference.parse("env:MY_PASSWORD"))))
    assert "os.environ['MY_PASSWORD']" in code
    assert "getpass" not in code
    monkeypatch.setenv("MY_PASSWORD", postgres.password)
    engine = run(code)["engine"]
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    engine.dispose()
    assert "keyring.get_password('siege_nb', 'wh')" in snippet(
        save("postgres", "other", **of_server(postgres, password=Reference.parse("keyring:wh")))
    )


def test_the_code_needs_nothing_of_ours(save: Save, postgres: Postgres) -> None:
    code = snippet(save("postgres", **of_server(postgres, password=Reference.parse("env:MY_PASSWORD"))))
    code += "\nimport sys\nprint(engine.connect().exec_driver_sql('SELECT 42').scalar(), 'siege_nb' in sys.modules)"
    environment = {"MY_PASSWORD": postgres.password, "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout == "42 False\n"


def test_a_file_is_opened_as_the_profile_opens_it(save: Save, tmp_path: Path) -> None:
    path = tmp_path / "a 'b' #?.sqlite"
    sqlite3.connect(path).close()
    path.touch()
    connection = run(snippet(save("sqlite", "read", database=str(path), read_only=True)))["connection"]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("CREATE TABLE t (a)")
    connection.close()
    connection = run(snippet(save("sqlite", "write", database=str(path))))["connection"]
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    missing = run_and_fail(snippet(save("sqlite", "none", database=str(tmp_path / "none"))))
    assert "unable to open" in missing
    duck = run(snippet(save("duckdb", "duck", database=str(tmp_path / "x.duckdb"), create=True)))["connection"]
    assert duck.execute("SELECT 42").fetchall() == [(42,)]
    duck.close()
    for kind in ("sqlite", "duckdb"):
        memory = run(snippet(save(kind, f"memory_{kind}")))["connection"]
        assert memory.execute("SELECT 42").fetchall() == [(42,)]
        memory.close()


def run_and_fail(code: str) -> str:
    with pytest.raises(sqlite3.OperationalError) as caught:
        run(code)
    return str(caught.value)


def test_what_only_we_can_reach_is_reached_through_the_profile(save: Save, workspace: Workspace) -> None:
    saved = save("database", connection_string="sqlite:///:memory:")
    code = snippet(saved)
    assert "sqlite:///" not in code
    names = run(code)
    assert names["lease"].name == saved.name
    names["workspace"].close()


def test_a_kind_that_is_not_installed_has_one_too(workspace: Workspace) -> None:
    from siege_nb.store import UnknownParams

    odd = ConnectionProfile(name="odd", connection_type="nosuch", connection_params=UnknownParams())
    assert odd.connection_id in snippet(odd)
