"""A connection's name is unique where it lives, and found from everywhere by SCOPE/name."""

from __future__ import annotations

from pathlib import Path

import pytest

from siege_nb.errors import ConflictError, DamagedError, InvalidError, NotFoundError
from siege_nb.state import Directory
from siege_nb.store import Store
from tests.store.profiles import by_hand, client, connection


def add(store: Store, name: str, ident: str, **where: str) -> str:
    return store.connections.put(connection(name, connection_id=ident, **where)).item.connection_id


def found(store: Store, *word: str) -> str:
    return store.connections.find_named(*word).item.connection_id


def test_one_name_may_live_in_every_scope_once(store: Store) -> None:
    add(store, "warehouse", "common")
    add(store, "Warehouse", "acme", client_code="ACME")
    add(store, "warehouse", "beta", client_code="ACME", workspace="beta")
    for where in ({}, {"client_code": "acme"}, {"client_code": "acme", "workspace": "BETA"}):
        with pytest.raises(ConflictError, match="'WAREHOUSE' is taken by the connection"):
            store.connections.put(connection("WAREHOUSE", **where))
    for fresh in (store, Store(Directory(store.directory.path, fsync=False))):
        assert found(fresh, "warehouse") == "common", "of several, the one that is everybody's"
        assert found(fresh, "warehouse", "ACME") == "acme"
        assert found(fresh, "warehouse", "nowhere") == "common"
        assert [found(fresh, word) for word in ("acme/warehouse", "BETA/Warehouse")] == ["acme", "beta"]
        with pytest.raises(NotFoundError):
            fresh.connections.find_named("gamma/warehouse")


def test_the_only_one_of_a_name_is_found_from_everywhere(store: Store) -> None:
    add(store, "lake", "acme", client_code="ACME")
    assert found(store, "lake") == "acme"
    with pytest.raises(NotFoundError, match="Did you mean ACME/lake\\?"):
        found(store, "lake", "BETA")  # whoever works for one client does not mean another's
    add(store, "lake", "beta", client_code="BETA")
    with pytest.raises(ConflictError, match="2 connections named 'lake': ACME/lake, BETA/lake") as caught:
        store.connections.find_named("lake")
    assert caught.value.hint == "Say which one: ACME/lake"
    assert found(store, "lake", "beta") == "beta"


def test_a_name_may_have_slashes_in_it(store: Store) -> None:
    folder = store.directory.path / "connections"
    for ident, name, more in (("plain", "acme/lake", {}), ("deep", "eu/lake", {"workspace": "acme/west"})):
        raw = {"connection_id": ident, "name": name, "connection_type": "x", "connection_params": {}, **more}
        by_hand(folder / f"connection_{ident}.json", raw)
    assert found(store, "acme/west/eu/lake") == "deep"
    assert found(store, "ACME/lake") == "plain"
    add(store, "lake", "scoped", client_code="ACME")
    assert found(store, "ACME/lake") == "scoped", "an old name never stands in another client's way"
    with pytest.raises(InvalidError, match="name: should have no / in it"):
        add(store, "ACME/lake", "new")


def test_moving_into_a_scope_takes_the_name_there(store: Store) -> None:
    add(store, "lake", "one", client_code="ACME")
    add(store, "lake", "two")
    with pytest.raises(ConflictError, match="taken by the connection 'one'"):
        store.connections.update("two", lambda c: c.model_copy(update={"client_code": "acme"}))
    store.connections.update("one", lambda c: c.model_copy(update={"client_code": "BETA"}))
    store.connections.update("two", lambda c: c.model_copy(update={"client_code": "acme"}))
    assert [found(store, word) for word in ("acme/lake", "beta/lake")] == ["two", "one"]


def test_twins_in_one_scope_are_told_apart_by_id(store: Store) -> None:
    for ident in ("a", "b"):
        raw = {"connection_id": ident, "name": "Twin", "connection_type": "x", "connection_params": {}}
        by_hand(store.directory.path / "connections" / f"connection_{ident}.json", raw | {"client_code": "ACME"})
    with pytest.raises(ConflictError, match="2 connections named 'acme/twin': a, b"):
        store.connections.find_named("acme/twin")
    assert found(store, "b") == "b"


def test_a_damaged_file_keeps_its_name_in_its_scope_only(store: Store) -> None:
    add(store, "lake", "acme", client_code="ACME")
    assert found(store, "lake") == "acme"
    (store.directory.path / "connections" / "connection_acme.json").write_text("{")
    with pytest.raises(DamagedError):
        store.connections.find_named("acme/lake")
    with pytest.raises(ConflictError, match="'lake' is taken by the connection 'acme'"):
        store.connections.put(connection("lake", client_code="ACME"))
    add(store, "lake", "common")
    assert found(store, "lake") == "common"


def test_clients_are_found_by_name_too(store: Store, tmp_path: Path) -> None:
    store.clients.put(client("ACME", client_name="Acme Ltd"))
    assert store.clients.find_named("acme ltd").item.client_code == "ACME"
    by_hand(store.directory.path / "client_B.json", {
        "client_code": "B", "client_name": "By hand", "contact_info": {"primary_contact": "x", "email": "y"},
    })  # fmt: skip
    assert store.clients.find_named("BY HAND").item.client_code == "B"
    assert store.clients.find_named("B").item.client_name == "By hand"


def test_among_thousands_the_nearest_name_is_still_proposed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("siege_nb.store.naming.COMPARED", 3)
    for n in range(8):
        add(store, f"lake {n}", f"l{n}")
    add(store, "warehouse", "w")
    with pytest.raises(NotFoundError, match="mean warehouse"):
        store.connections.find_named("warehose")
