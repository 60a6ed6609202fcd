"""What changes more than one item is done whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from siege_nb.errors import ConflictError, NotFoundError, SealedError
from siege_nb.models.project import ProjectProfile
from siege_nb.store import Store, account
from siege_nb.store.account import dissociate, remove_client, remove_project, rename_client
from tests.store.profiles import by_hand, client, connection, leftovers


@pytest.fixture
def filled(store: Store) -> Store:
    """Two clients, a connection of each and one of nobody, and a project."""
    store.clients.put(client("ACME001"))
    store.clients.put(client("BETA002"))
    for name, code in (("warehouse", "ACME001"), ("lake", "ACME001"), ("warehouse", "BETA002"), ("mine", None)):
        store.connections.put(connection(name, client_code=code))
    store.projects.put(ProjectProfile(project_name="One", project_code="PROJ001"))
    account.associate(store, "ACME001", "PROJ001")
    return store


def owners(store: Store) -> list[tuple[str, str | None]]:
    return sorted((kept.item.name, kept.item.client_code) for kept in store.connections.list())


def test_a_renamed_client_takes_its_connections_along(filled: Store) -> None:
    other = Store(filled.directory.path)
    assert len(other.clients.rows()) == 2
    generation = filled.directory.generation()
    assert rename_client(filled, "ACME001", "ACME-EU").client_code == "ACME-EU"
    assert filled.directory.generation() == generation + 1
    expected = [("lake", "ACME-EU"), ("mine", None), ("warehouse", "ACME-EU"), ("warehouse", "BETA002")]
    for store in (filled, other, Store(filled.directory.path)):
        assert sorted(store.connections.rows(), key=lambda row: row.key)
        assert owners(store) == expected
        assert store.connections.find_named("ACME-EU/warehouse").item.client_code == "ACME-EU"
        assert [row.key for row in store.clients.rows()] == ["ACME-EU", "BETA002"]
        with pytest.raises(NotFoundError):
            store.clients.find("ACME001")
    assert leftovers(filled.directory.path) == []


@pytest.mark.parametrize("taken", ["BETA002", "beta002"])
def test_a_code_that_is_taken_changes_nothing(filled: Store, taken: str) -> None:
    before = owners(filled)
    with pytest.raises(ConflictError):
        rename_client(filled, "ACME001", taken)
    assert owners(filled) == before


def test_a_client_may_change_the_case_of_its_code(filled: Store) -> None:
    rename_client(filled, "ACME001", "Acme001")
    assert filled.clients.find("Acme001").item.client_code == "Acme001"
    assert ("lake", "Acme001") in owners(filled)


def test_connections_of_one_name_do_not_meet_in_one_scope(filled: Store) -> None:
    filled.connections.put(connection("warehouse", workspace="GAMMA"))
    with pytest.raises(ConflictError, match="GAMMA has connections of the same names already: warehouse"):
        rename_client(filled, "ACME001", "GAMMA")


def test_a_client_to_whom_something_belongs_stays(filled: Store) -> None:
    with pytest.raises(ConflictError, match=r"ACME001 still has connections lake, warehouse; projects PROJ001"):
        remove_client(filled, "ACME001")
    for kept in filled.connections.list():
        filled.connections.remove(kept.item.connection_id)
    dissociate(filled, "ACME001", "PROJ001")
    remove_client(filled, "ACME001")
    assert [row.key for row in filled.clients.rows()] == ["BETA002"]


def test_a_project_is_counted_until_it_is_gone(filled: Store) -> None:
    filled.projects.put(ProjectProfile(project_name="Two", project_code="PROJ002"))
    assert account.associate(filled, "ACME001", "PROJ002").metadata.project_count == 2
    assert account.associate(filled, "ACME001", "PROJ002").project_associations == ["PROJ001", "PROJ002"]
    account.associate(filled, "BETA002", "PROJ001")
    remove_project(filled, "PROJ001")
    for code, left in (("ACME001", ["PROJ002"]), ("BETA002", [])):
        found = filled.clients.find(code).item
        assert (found.project_associations, found.metadata.project_count) == (left, len(left))
    with pytest.raises(NotFoundError, match="no project 'PROJ001'"):
        account.associate(filled, "ACME001", "PROJ001")
    with pytest.raises(NotFoundError, match="has no project 'PROJ001'") as told:
        dissociate(filled, "ACME001", "PROJ001")
    assert told.value.hint == "It has: PROJ002."


@pytest.mark.parametrize("content", ["{", '{"client_code": "HEIR", "_siege": {"format": 9}}'])
def test_a_file_that_cannot_be_read_is_not_written_over(filled: Store, content: str) -> None:
    filled.clients.rows()
    heir = filled.directory.path / "client_HEIR.json"
    heir.write_text(content)
    with pytest.raises(ConflictError, match=r"taken by the file client_HEIR\.json"):
        rename_client(filled, "ACME001", "HEIR")
    assert heir.read_text() == content
    assert filled.clients.find("ACME001").item.client_code == "ACME001"


def between(store: Store, act: Callable[[], object]) -> None:
    """Let somebody else act after the last look without the lock, and before it is taken."""
    genuine = store.directory.change

    def change(*args: Any, **kwargs: Any) -> Any:
        del store.directory.change  # type: ignore[method-assign]
        act()
        return genuine(*args, **kwargs)

    store.directory.change = change  # type: ignore[method-assign]


def test_what_is_saved_meanwhile_follows_or_stands_in_the_way(filled: Store) -> None:
    other = Store(filled.directory.path)
    filled.connections.rows()
    between(filled, lambda: other.connections.put(connection("late", client_code="ACME001")))
    rename_client(filled, "ACME001", "HEIR")
    assert ("late", "HEIR") in owners(filled)
    late = filled.connections.find_named("HEIR/late").item
    gone = late.model_copy(update={"client_code": "BETA002"})
    between(filled, lambda: other.connections.put(gone))
    rename_client(filled, "HEIR", "ACME001")
    assert ("late", "BETA002") in owners(filled)
    between(filled, lambda: other.connections.put(connection("warehouse", workspace="GAMMA")))
    with pytest.raises(ConflictError, match="GAMMA has connections of the same names"):
        rename_client(filled, "ACME001", "GAMMA")


def test_a_client_that_is_given_something_meanwhile_stays(filled: Store) -> None:
    other = Store(filled.directory.path)
    filled.clients.put(client("GAMMA"))
    filled.connections.rows()
    between(filled, lambda: other.connections.put(connection("late", client_code="gamma")))
    with pytest.raises(ConflictError, match="still has connections late"):
        remove_client(filled, "GAMMA")


def test_an_association_made_meanwhile_goes_with_the_project(filled: Store) -> None:
    other = Store(filled.directory.path)
    between(filled, lambda: account.associate(other, "BETA002", "PROJ001"))
    remove_project(filled, "PROJ001")
    assert filled.clients.find("BETA002").item.project_associations == []


def test_an_open_secret_in_an_old_file_is_told_with_the_way_out(filled: Store) -> None:
    login = {"type": "login", "username": "u", "password": "open-4711"}
    raw = {"name": "old", "connection_type": "tiny", "client_code": "ACME001",
           "connection_params": {"host": "h", "authentication": login}}  # fmt: skip
    by_hand(filled.directory.path / "connections" / "connection_old.json", raw)
    with pytest.raises(SealedError) as told:
        rename_client(filled, "ACME001", "HEIR")
    assert told.value.hint == "siege migrate seals what older files hold."
    assert "open-4711" not in str(told.value)
