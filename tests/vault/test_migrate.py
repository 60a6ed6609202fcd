"""Older files are made safe one by one: nothing is lost, nothing is done twice, and what is left is named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from siege_nb.errors import ConflictError
from siege_nb.migrate import Item, Report, migrate
from siege_nb.settings import Settings
from siege_nb.vault import EncryptionService, sources
from siege_nb.workspace import Workspace
from tests.vault.conftest import RAW, ROOT, plain_bytes

C1 = "connections/connection_c1.json"


def put(config: Path, file: str, data: Any) -> None:
    path = config / file
    for folder in (config, path.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data))


def connection(config: Path, ident: str, kind: str = "postgres", **params: Any) -> None:
    """A profile as other programs wrote it: readable, and its times without a zone."""
    put(config, f"connections/connection_{ident}.json", {
        "connection_id": ident, "name": f"name of {ident}", "connection_type": kind,
        "connection_params": {"host": "h", "database": "d", "username": "u"} | params,
    })  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(sources, "_warned", set())
    return Workspace(Settings(tmp_path / "config", tmp_path / "data", vault="keyfile"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config"


def items(report: Report) -> dict[str, Item]:
    return {item.file: item for item in report.items}


def password(workspace: Workspace, ident: str = "c1") -> str:
    profile = workspace.store.connections.find(ident).item
    return workspace.vault.open(profile.connection_params, kind="connection", ident=ident).password.reveal()  # type: ignore[attr-defined]


def test_an_open_secret_is_sealed_and_found_by_whoever_opens_it(workspace: Workspace, config: Path) -> None:
    connection(config, "c1", password="hunter-22222")
    put(config, "database_dw.json", {
        "name": "dw", "connection_type": "postgres", "host": "h", "port": 5432, "database": "d",
        "password": "hunter-22222",
    })  # fmt: skip
    report = migrate(workspace)
    assert items(report) == {
        C1: Item(C1, ("connection_params.password sealed",)),
        "database_dw.json": Item("database_dw.json", ("password sealed",)),
    }
    assert (report.changed, report.looked_at, report.problems) == (2, 2, 0)
    assert plain_bytes(config, canary="hunter-22222") == []
    fresh = Workspace(workspace.settings)
    assert password(fresh) == "hunter-22222"
    database = fresh.store.databases.find("dw").item
    assert fresh.vault.open(database, kind="database", ident="dw").password.reveal() == "hunter-22222"  # type: ignore[union-attr]
    assert migrate(fresh) == Report((), 2)


def test_a_dry_run_says_the_same_and_writes_nothing(workspace: Workspace, config: Path) -> None:
    connection(config, "c1", password="hunter-22222", port=5432)
    before = {path: path.read_bytes() for path in config.rglob("*") if path.is_file()}
    would = migrate(workspace, dry_run=True)
    assert {path: path.read_bytes() for path in config.rglob("*") if path.is_file()} == before
    assert not workspace.settings.data_dir.exists()
    assert migrate(workspace) == would


def test_old_ciphertext_is_sealed_anew(
    workspace: Workspace, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", RAW)
    connection(config, "c1", password=EncryptionService.encrypt("hunter-22222"))
    connection(config, "c2", password="encrypted:abc123")
    connection(config, "c3", password="hunter-33333", username=EncryptionService.encrypt("anna"))
    found = items(migrate(workspace))
    assert found[C1].done == ("connection_params.password opened with ENCRYPTION_KEY and sealed",)
    assert password(workspace) == "hunter-22222"
    (problem,) = found["connections/connection_c2.json"].problems
    assert problem.startswith("connection_params.password was not opened: This is no encrypted value")
    third = found["connections/connection_c3.json"]
    assert third.done == ("connection_params.password sealed",)
    assert third.problems == ("connection_params.username is encrypted, but no secret here: enter it again",)


def test_old_ciphertext_without_its_key_stays_as_it_is(
    workspace: Workspace, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", RAW)
    connection(config, "c1", password=EncryptionService.encrypt("hunter-22222"))
    before = (config / C1).read_bytes()
    for key, said in (("", "is not set"), (RAW[::-1], "another key"), (RAW[1:], "has 31 bytes")):
        monkeypatch.setenv("ENCRYPTION_KEY", key)
        report = migrate(workspace)
        assert said in items(report)[C1].problems[0]
        assert report.changed == 0
    assert (config / C1).read_bytes() == before


def test_times_are_written_with_their_zone(workspace: Workspace, config: Path) -> None:
    put(config, C1, {
        "connection_id": "c1", "name": "c1", "connection_type": "postgres",
        "connection_params": {"host": "h", "database": "d", "username": "u"},
        "metadata": {"created_date": "2024-01-01T12:00:00", "last_used": "2024-01-02T12:00:00+00:00"},
    })  # fmt: skip
    assert items(migrate(workspace))[C1].done == ("metadata.created_date written with its zone",)
    assert json.loads((config / C1).read_bytes())["metadata"]["created_date"].endswith("+00:00")
    assert migrate(workspace).items == ()


@pytest.mark.parametrize(("params", "path"), [
    ({"api_key": "hunter-22222"}, "api_key"), ({"options": {"sasToken": "hunter-22222"}}, "options.sasToken"),
    ({"proxy": "http://u:hunter-22222@h"}, "proxy"), ({"urls": ["x", "h?token=hunter-22222"]}, "urls.1"),
    ({"clientSecret": "hunter-22222"}, "clientSecret"), ({"dbPassword": 22222222}, "dbPassword"),
    ({"auth": {"secret.key": "hunter-22222"}}, "auth.secret.key"), ({"uri": "x://hunter-22222:x/"}, "uri"),
])  # fmt: skip
def test_what_looks_secret_and_is_not_declared_so_is_named(
    workspace: Workspace, config: Path, params: dict[str, Any], path: str
) -> None:
    connection(config, "c1", **params)
    (problem,) = items(migrate(workspace))[C1].problems
    assert problem.startswith(f"connection_params.{path} may be a secret, stands readable in the file")


@pytest.mark.parametrize("params", [
    {"password": "***"}, {"api_key": ""}, {"token": "encrypted:v2.x"}, {"home": "https://h/path?x=1"},
    {"secretary": "x"},
])  # fmt: skip
def test_what_is_none_is_not_named(workspace: Workspace, config: Path, params: dict[str, Any]) -> None:
    connection(config, "c1", **{"password": "hunter-22222"} | params)
    found = items(migrate(workspace))[C1].problems
    assert found == () or "is a mask" in found[0]


def test_of_a_kind_that_is_not_installed_nobody_knows(workspace: Workspace, config: Path) -> None:
    connection(config, "c1", kind="unheard-of", thing="hunter-22222")
    before = (config / C1).read_bytes()
    (problem,) = items(migrate(workspace))[C1].problems
    assert problem == "only a kind that is not installed knows whether thing is a secret"
    assert (config / C1).read_bytes() == before


@pytest.mark.parametrize("text", [
    '{"password": "hunter-22222"', '{"deep": {"clientSecret": "x-canary"', '{"pin": 22222222', '{"a": "x;Pwd=hunter"}',
    '{\n "connection_string" :\t"x"', 'url: postgresql://u:hunter@h/d', "h?password=x",
])  # fmt: skip
def test_copies_set_aside_that_hold_a_secret_are_named(workspace: Workspace, config: Path, text: str) -> None:
    copies = {f"{C1}.corrupt-20240101T000000000000Z": text, "client_X.json.corrupt-1": '{"password": "", "x": "***"}'}
    for file, content in copies.items():
        put(config, file, content)
    (item,) = migrate(workspace).items
    assert item.file == f"{C1}.corrupt-20240101T000000000000Z"
    assert "delete it when you need it no more" in item.problems[0]
    assert (config / item.file).read_text() == text


def test_a_damaged_file_is_named_and_left(workspace: Workspace, config: Path) -> None:
    put(config, C1, '{"password": "hunter-22222"')
    report = migrate(workspace)
    assert (report.changed, report.looked_at, report.problems) == (0, 1, 1)
    assert items(report)[C1].problems[0].endswith("delimiter.")
    assert (config / C1).read_text() == '{"password": "hunter-22222"'


def test_a_locked_connection_is_sealed_too(workspace: Workspace, config: Path) -> None:
    connection(config, "c1", password="hunter-22222")
    put(config, C1, json.loads((config / C1).read_bytes()) | {"visibility": "locked"})
    assert migrate(workspace).problems == 0
    assert password(workspace) == "hunter-22222"


def test_who_saves_meanwhile_is_not_written_over(
    workspace: Workspace, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection(config, "c1", password="hunter-22222")
    real, raced = workspace.store.connections.put, list[str]()

    def put_late(*args: Any, **options: Any) -> Any:
        if not raced:
            raced.append("password changed")
            connection(config, "c1", password="hunter-99999")
        return real(*args, **options)

    monkeypatch.setattr(workspace.store.connections, "put", put_late)
    assert migrate(workspace).changed == 1
    assert raced
    assert password(workspace) == "hunter-99999"


def test_a_conflict_that_stays_is_told(workspace: Workspace, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection(config, "c1", password="hunter-22222")

    def busy(*args: Any, **options: Any) -> Any:
        raise ConflictError("its lock is held by pid 1")

    monkeypatch.setattr(workspace.store.connections, "put", busy)
    report = migrate(workspace)
    assert (report.changed, items(report)[C1].problems) == (0, ("its lock is held by pid 1",))


PROGRAM = """
import os, sys
from siege_nb.migrate import migrate
from siege_nb.workspace import Workspace
workspace = Workspace()
real, left = workspace.directory.change, int(sys.argv[1])
def change(*args, **options):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), 9)
    return real(*args, **options)
workspace.directory.change = change
migrate(workspace)
"""


@pytest.mark.parametrize("after", [0, 1, 2, 4])
def test_one_that_was_killed_is_simply_run_again(
    workspace: Workspace, config: Path, after: int, kill: Callable[[int], int]
) -> None:
    for n in range(5):
        connection(config, f"c{n}", password=f"hunter-0000{n}")
    assert kill(after) == -signal.SIGKILL
    report = migrate(workspace)
    assert report.problems == 0
    assert 0 < report.changed <= 5
    assert [password(workspace, f"c{n}") for n in range(5)] == [f"hunter-0000{n}" for n in range(5)]
    assert migrate(workspace).items == ()


@pytest.fixture
def kill(workspace: Workspace) -> Callable[[int], int]:
    """A migration in a process that dies as it begins one change more than it is granted; gives how it ended."""

    def run(granted: int) -> int:
        places = {"SIEGE_CONFIG_DIR": workspace.settings.config_dir, "SIEGE_DATA_DIR": workspace.settings.data_dir}
        environment = os.environ | {name: str(path) for name, path in places.items()} | {"SIEGE_VAULT": "keyfile"}
        command = [sys.executable, "-c", PROGRAM, str(granted)]
        return subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode

    return run
