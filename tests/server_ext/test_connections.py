"""GET siege/api/connections."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from siege_nb.declare import Secret
from siege_nb.models.connection import ConnectionProfile
from siege_nb.settings import Settings
from siege_nb.store import UnknownParams
from siege_nb.workspace import Workspace
from tests.server_ext.conftest import Ask, told

CANARY = "tr0ub4dor-canary"


def connection(name: str, **values: Any) -> ConnectionProfile:
    params = UnknownParams.model_validate({"host": "db.example.com", "password": CANARY})
    return ConnectionProfile(name=name, connection_type="elsewhere", connection_params=params, **values)


@pytest.fixture
def kernel_side() -> Workspace:
    """Another process's workspace over the server's directory."""
    return Workspace(Settings.from_environment())


async def test_what_a_kernel_saves_is_seen_at_once_and_without_its_parameters(ask: Ask, kernel_side: Workspace) -> None:
    assert told(await ask("siege/api/connections")) == {"connections": [], "problems": []}
    saved = kernel_side.save(connection("warehouse", client_code="ACME001", environment="prod", tags=["night"]))
    answer = await ask("siege/api/connections")
    assert CANARY.encode() not in answer.body
    assert b"db.example.com" not in answer.body
    (found,) = told(answer)["connections"]
    assert found == {
        "id": saved.connection_id, "name": "warehouse", "connection_type": "elsewhere", "status": "active",
        "client_code": "ACME001", "workspace": "", "environment": "prod", "visibility": "private", "tags": ["night"],
    }  # fmt: skip
    kernel_side.remove("warehouse")
    assert told(await ask("siege/api/connections"))["connections"] == []


async def test_what_is_private_to_another_is_not_listed(ask: Ask, kernel_side: Workspace) -> None:
    kernel_side.save(connection("mine"))
    for visibility in ("private", "public", "locked"):
        kernel_side.save(connection(f"hers {visibility}", owner="somebody-else", visibility=visibility))
    names = {found["name"] for found in told(await ask("siege/api/connections"))["connections"]}
    assert names == {"mine", "hers public", "hers locked"}


async def test_a_visibility_that_is_none_counts_as_private(ask: Ask, kernel_side: Workspace) -> None:
    saved = kernel_side.save(connection("hers", owner="somebody-else", visibility="public"))
    path = kernel_side.directory.path / "connections" / f"connection_{saved.connection_id}.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"visibility": ["public"]}))
    assert told(await ask("siege/api/connections"))["connections"] == []


async def test_a_file_that_cannot_be_read_is_named(ask: Ask, kernel_side: Workspace) -> None:
    saved = kernel_side.save(connection("warehouse"))
    path: Path = kernel_side.directory.path / "connections" / f"connection_{saved.connection_id}.json"
    path.write_text("{")
    answer = told(await ask("siege/api/connections"))
    assert answer == {"connections": [], "problems": [path.name]}


def test_an_open_secret_is_never_written(kernel_side: Workspace) -> None:
    saved = kernel_side.save(connection("warehouse"))
    assert isinstance(saved.connection_params.model_extra["password"], Secret)  # type: ignore[index]
    for path in kernel_side.directory.path.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes()
