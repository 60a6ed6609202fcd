"""Profiles as JSON: the original system's layout, nothing lost, nothing open."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from siege_nb.declare import Reference, Secret, secrets_of, structure
from siege_nb.errors import AccessError, DamagedError, SealedError
from siege_nb.store import Store, UnknownParams
from tests.store.conftest import TinyParams
from tests.store.profiles import by_hand, client, connection, counted

SEALED = "encrypted:v2.k1.00112233.aabbcc.ddeeff"
#: What the original system documents as its files.
CLIENT: dict[str, Any] = {
    "client_id": "uuid-string", "client_name": "Company Name", "client_code": "COMP001",
    "contact_info": {
        "primary_contact": "Contact Name", "email": "email@company.com", "phone": "+1-555-0123",
        "address": "Full Address",
    },
    "metadata": {
        "created_date": "2024-01-01T00:00:00", "last_updated": "2024-01-01T00:00:00", "status": "active",
        "industry": "Technology", "project_count": 0, "notes": "Additional notes",
    },
    "design_artifacts": {
        "logo_path": "/path/to/logo.png", "brand_colors": ["#0066CC", "#FF6600"],
        "style_guide": "/path/to/style_guide.pdf", "templates": ["template1.html", "template2.html"],
    },
    "preferences": {"data_format": "parquet", "report_style": "standard", "notification_preferences": {}},
    "project_associations": [],
}  # fmt: skip
CONNECTION: dict[str, Any] = {
    "connection_id": "uuid-string", "name": "Connection Name", "connection_type": "notebook",
    "connection_params": {"url": "connection_url", "token": "auth_token"},
    "metadata": {
        "created_date": "2024-01-01T00:00:00", "last_used": "2024-01-01T00:00:00",
        "last_connected": "2024-01-01T00:00:00", "connection_count": 0, "status": "active", "auto_connect": False,
        "timeout": 30, "retry_attempts": 3,
    },
    "security": {"encrypted": False, "encryption_method": "", "credentials_stored": False}, "tags": [], "notes": "",
    "notebook_specific": {
        "kernel_type": "python3", "auto_start": True, "workspace_path": "", "preferred_browser": "default",
    },
}  # fmt: skip


def keys(value: Any) -> Any:
    """The keys of a document in their order, at every level."""
    return [(key, keys(item)) for key, item in value.items()] if isinstance(value, dict) else None


def client_path(store: Store, code: str = "COMP001") -> Path:
    return store.directory.path / f"client_{code}.json"


def connection_path(store: Store, ident: str = "uuid-string") -> Path:
    return store.directory.path / "connections" / f"connection_{ident}.json"


def saved(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def test_a_client_keeps_the_documented_layout_and_order(store: Store) -> None:
    by_hand(client_path(store), CLIENT)
    store.clients.put(store.clients.find("COMP001").item)
    document = saved(client_path(store))
    ours = document.pop("_siege")
    assert list(ours) == ["format", "rev", "sum"]
    assert (ours["format"], ours["rev"]) == (1, 1)
    assert keys(document) == keys(CLIENT)
    stamps = {key: document["metadata"].pop(key) for key in ("created_date", "last_updated")}
    assert all(stamp.endswith("+00:00") for stamp in stamps.values())
    plain = {key: value for key, value in CLIENT["metadata"].items() if key not in stamps}
    assert document == CLIENT | {"metadata": plain}


def test_a_connection_keeps_the_documented_layout_and_order(store: Store) -> None:
    by_hand(connection_path(store), CONNECTION)
    store.connections.put(store.connections.find("uuid-string").item)
    document = saved(connection_path(store))
    assert document.pop("_siege")["rev"] == 1
    assert keys(document) == keys(CONNECTION)
    assert document["connection_params"] == CONNECTION["connection_params"]
    assert connection_path(store).read_text().startswith('{\n  "connection_id"')


def test_a_naive_time_is_read_as_local(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Etc/GMT-5")
    time.tzset()
    try:
        by_hand(client_path(store), CLIENT)
        assert store.clients.find("COMP001").item.metadata.created_date.isoformat() == "2023-12-31T19:00:00+00:00"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_what_is_not_set_has_no_key(store: Store) -> None:
    kept = store.connections.put(connection())
    assert "client_code" not in saved(connection_path(store, kept.item.connection_id))
    kept = store.connections.put(kept.item.model_copy(update={"client_code": "ACME001"}))
    assert saved(connection_path(store, kept.item.connection_id))["client_code"] == "ACME001"


def test_unknown_keys_survive_at_every_level(store: Store) -> None:
    document = CLIENT | {"x": {"deep": [1, {"a": None}]}}
    document["contact_info"] = CLIENT["contact_info"] | {"fax": "1"}
    document["design_artifacts"] = CLIENT["design_artifacts"] | {"font": {"name": "Inter", "size": 1.5}}
    document["preferences"] = CLIENT["preferences"] | {"units": "metric"}
    by_hand(client_path(store), document)
    store.clients.update("COMP001", counted)
    after = saved(client_path(store))
    assert after["x"] == {"deep": [1, {"a": None}]}
    assert after["contact_info"]["fax"] == "1"
    assert after["design_artifacts"]["font"] == {"name": "Inter", "size": 1.5}
    assert after["preferences"]["units"] == "metric"
    assert after["metadata"]["project_count"] == 1


def test_unknown_keys_in_the_parameters_of_a_known_kind_survive_nested_in_lists_and_variants(store: Store) -> None:
    params = {
        "host": "h", "port": 5, "authentication": {"type": "login", "username": "u", "password": SEALED, "realm": "r"},
        "headers": [{"name": "n", "value": {"$secret": "env:X"}, "note": [1]}], "pool": {"size": 3},
    }  # fmt: skip
    by_hand(connection_path(store), CONNECTION | {"connection_type": "tiny", "connection_params": params})
    item = store.connections.find("uuid-string").item
    assert type(item.connection_params) is TinyParams
    store.connections.put(item.model_copy(update={"notes": "touched"}))
    after = saved(connection_path(store))
    assert after["connection_params"] == params
    assert after["security"] == {
        "encrypted": True, "encryption_method": "aes-256-gcm", "credentials_stored": True,
    }  # fmt: skip


def test_security_is_derived_not_believed(store: Store) -> None:
    lies = CONNECTION["security"] | {"encrypted": True, "encryption_method": "rot13", "mine": 1}
    by_hand(connection_path(store), CONNECTION | {
        "connection_type": "Little", "connection_params": {"host": "h"}, "security": lies,
    })  # fmt: skip
    kept = store.connections.put(store.connections.find("uuid-string").item)
    assert not kept.item.security.encrypted
    assert saved(connection_path(store))["security"] == CONNECTION["security"] | {"mine": 1}
    assert kept.item.connection_type == "Little", "an alias stays as it was written"


@pytest.mark.parametrize("kind", ["notebook", "broken"])
def test_parameters_of_a_kind_that_cannot_be_had_are_kept_untouched(
    store: Store, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    params = {"model_config": 1, "copy": [SEALED, {"$secret": "env:X"}], "schema": {"a": {"b": None}}, "n": 1.0}
    by_hand(connection_path(store), CONNECTION | {"connection_type": kind, "connection_params": params})
    with caplog.at_level(logging.WARNING):
        (kept,) = store.connections.list()
    assert ("'broken' cannot be loaded" in caplog.text) == (kind == "broken")
    assert isinstance(kept.item.connection_params, UnknownParams)
    store.connections.put(kept.item.model_copy(update={"notes": "x"}))
    assert saved(connection_path(store))["connection_params"] == params


def test_new_parameters_of_an_unknown_kind_cannot_be_written_for_they_may_hold_secrets(store: Store) -> None:
    params = structure(UnknownParams, {"token": "abc123def456"}, at_rest=True)
    with pytest.raises(SealedError, match="No kind 'elsewhere'"):
        store.connections.put(connection(connection_params=params))
    by_hand(connection_path(store), CONNECTION)
    with pytest.raises(SealedError):
        store.connections.update("uuid-string", lambda c: c.model_copy(update={"connection_params": params}))
    assert saved(connection_path(store)) == CONNECTION


def test_unknown_parameters_do_not_show_their_values() -> None:
    params = structure(UnknownParams, {"token": "abc123def456"}, at_rest=True)
    assert "abc123def456" not in repr(params) + str(params) + repr(connection(connection_params=params))
    assert "token" in repr(params)


def test_a_file_of_the_original_system_loads_with_its_open_secrets(store: Store) -> None:
    params = {"host": "h", "authentication": {"type": "login", "username": "u", "password": "hunter2-plain"}}
    by_hand(connection_path(store), CONNECTION | {"connection_type": "tiny", "connection_params": params})
    item = store.connections.find_named("connection name").item
    ((path, secret),) = secrets_of(item.connection_params)
    assert (path, type(secret)) == ("authentication.password", Secret)


def test_an_open_secret_cannot_be_written(store: Store) -> None:
    login = {"type": "login", "username": "u", "password": "hunter2-plain"}
    params = structure(TinyParams, {"host": "h", "authentication": login})
    profile = connection(connection_type="tiny", connection_params=params)
    with pytest.raises(SealedError):
        store.connections.put(profile)
    assert not list(store.directory.path.rglob("connection_*"))

    store.connections.put(connection(connection_id="C1"))
    before = connection_path(store, "C1").read_bytes()
    with pytest.raises(SealedError):
        store.connections.update("C1", lambda c: c.model_copy(update={"connection_params": params}))
    assert connection_path(store, "C1").read_bytes() == before
    everything = b"".join(p.read_bytes() for p in store.directory.path.rglob("*") if p.is_file())
    assert b"hunter2-plain" not in everything


def test_a_secret_at_rest_is_read_as_one(store: Store) -> None:
    login = {"type": "login", "username": "u", "password": {"$secret": "keyring:warehouse"}}
    by_hand(connection_path(store), CONNECTION | {
        "connection_type": "tiny", "connection_params": {"host": "h", "authentication": login},
    })  # fmt: skip
    ((_, secret),) = secrets_of(store.connections.find("uuid-string").item)
    assert isinstance(secret, Reference)
    assert secret.written == "keyring:warehouse"


def test_wrong_parameters_are_told_with_their_path_and_without_the_secret(store: Store) -> None:
    login = {"type": "login", "username": 7, "password": "hunter2-plain", "x": 1}
    by_hand(connection_path(store), CONNECTION | {
        "connection_type": "tiny", "name": "", "connection_params": {"port": "many", "authentication": login},
    })  # fmt: skip
    with pytest.raises(DamagedError) as caught:
        store.connections.find("uuid-string")
    told = str(caught.value)
    assert str(connection_path(store)) in told
    for path in ("name", *(f"connection_params.{path}" for path in ("host", "port", "authentication.username"))):
        assert f"{path}: " in told
    assert "hunter2-plain" not in told


def test_a_newer_format_is_refused_and_never_written(store: Store) -> None:
    by_hand(client_path(store), CLIENT | {"_siege": {"format": 2, "rev": 7, "sum": ""}})
    before = client_path(store).read_bytes()
    newer = "written by a newer siege_nb"
    with pytest.raises(AccessError, match=newer):
        store.clients.find("COMP001")
    with pytest.raises(AccessError, match=newer):
        store.clients.put(client("COMP001"))
    with pytest.raises(AccessError, match=newer):
        store.clients.update("COMP001", counted)
    assert store.clients.list() == []
    assert [damaged.path for damaged in store.clients.damaged()] == [client_path(store)]
    assert client_path(store).read_bytes() == before
    assert [p.name for p in store.directory.path.glob("client_*")] == ["client_COMP001.json"]


def test_a_hand_edit_is_accepted_and_counts_as_another_version(store: Store) -> None:
    kept = store.clients.put(client("COMP001"))
    document = saved(client_path(store))
    document["client_name"] = "Edited"
    by_hand(client_path(store), document)
    edited = store.clients.find("COMP001")
    assert (edited.item.client_name, edited.revision) == ("Edited", kept.revision)
    assert edited.version != kept.version
    assert store.clients.update("COMP001", counted).revision == kept.revision + 1
    assert saved(client_path(store))["client_name"] == "Edited"


def test_a_layout_edit_is_no_other_version(store: Store) -> None:
    kept = store.clients.put(client("COMP001"))
    client_path(store).write_text(json.dumps(saved(client_path(store)), sort_keys=True))
    assert store.clients.find("COMP001") == kept


def test_the_file_name_says_the_key_when_the_document_does_not(store: Store) -> None:
    document = {key: value for key, value in CONNECTION.items() if key != "connection_id"}
    by_hand(connection_path(store, "by-hand"), document)
    assert store.connections.find("by-hand").item.connection_id == "by-hand"
